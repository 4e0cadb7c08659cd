"""What is inside a replay file, and what it must be before it is used.

Invariant: `from_file` gives a replay whose parts fit each other, or says which do not, by `DamagedError`
alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from racer.errors import TrackError
from racer.replay.meetings import THING_ARRAYS, Meetings, meetings_from_file, meetings_to_file
from racer.replay.record import FOR_EVER, NO_THINGS, STEP_DTYPE, STEP_S, Drive, Lap, Replay
from racer.replay.tensors import DamagedError
from racer.replay.values import TEXT_LIMIT, array_of, number_of, text_of, value_of
from racer.sim import MOST_PENALTY_S, Rotation, Rules
from racer.track import Track, track_from_arrays

if TYPE_CHECKING:
    from racer.sim import Car

__all__ = ["from_file", "rules_from_header", "to_file"]

FORMAT = 5  # in 4 all cars drove to the end; 3 had a penalty instead of rules; 1 and 2 were archives of NumPy's
OLDEST, LAST_TO_THE_END = 3, 4  # that is read; in which no car finished or retired before the others
REASON_LIMIT = 2000  # characters of why a driver retired
METADATA_LIMIT = 2000  # characters of a line about a track
MOST_CARS = 100  # in a race
MOST_SENSORS = 10  # of a car
TIME_SLACK_S = 1e-3  # lap times count in milliseconds
IMPORTED_SLACK_S = 2.0 * STEP_S  # a flying lap taken out of a log begins behind the line
LINES = ("center", "inner", "outer")


def to_file(replay: Replay) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Give (header, arrays) of a replay; the columns of steps are (k, m), one row a step and one column a car.

    The rows after a car's last step are zero. Names may come from file names, so what cannot be printed becomes a
    blank.
    """
    track = replay.track
    header = {
        "format": "racer replay",
        "version": FORMAT,
        "engine": _printable(replay.engine),
        "physics": _printable(replay.physics),
        "arithmetic": _printable(replay.arithmetic),
        "created": _printable(replay.created),
        "seed": int(replay.seed),
        "track": {
            "name": _printable(track.name),
            "metadata": {_printable(key): _printable(text, METADATA_LIMIT) for key, text in track.metadata.items()},
            "reversed": bool(track.reversed),
            "digest": track.digest,
        },
        "car": dataclasses.asdict(replay.car),
        "step_s": STEP_S,
        "drives": [
            {
                "driver": _printable(drive.driver),
                "reward": _printable(drive.reward),
                "laps": [dataclasses.asdict(lap) for lap in drive.laps],
                "sensors": list(map(_printable, drive.sensors)),
                "steps": len(drive.steps),
                "retired": _printable(drive.retired, REASON_LIMIT),
            }
            for drive in replay.drives
        ],
        "imported": _printable(replay.imported),
        "rules": dataclasses.asdict(replay.rules),
    }
    steps = replay.table()
    arrays = {f"track.{name}": getattr(track, name) for name in LINES}
    arrays |= {f"steps.{name}": steps[name] for name in STEP_DTYPE.names or ()}
    met, things = meetings_to_file(replay)
    return header | met, arrays | things


def _printable(text: str, limit: int = TEXT_LIMIT) -> str:
    return "".join(character if character.isprintable() else " " for character in text[:limit])


def from_file(header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Replay:
    """Build a replay from what a file holds, or say which part of it cannot be."""
    if header.get("format") != "racer replay":
        raise DamagedError("it is another kind of file")
    version, engine = value_of(header, "version", int), text_of(header, "engine")
    if version > FORMAT:
        raise DamagedError(f"it was made by a later racer ({engine}); update racer to open it")
    if version < OLDEST or header.get("step_s") != STEP_S:
        raise DamagedError("its header has no proper 'version' or 'step_s'")
    created = text_of(header, "created")
    try:
        datetime.fromisoformat(created)
    except ValueError as error:
        raise DamagedError(f"its time of making, {created!r}, is not a time") from error
    imported, drivers = text_of(header, "imported"), value_of(header, "drives", list)
    if not 1 <= len(drivers) <= MOST_CARS:
        raise DamagedError(f"it has {len(drivers)} cars; a race has from 1 to {MOST_CARS}")
    steps = _steps(arrays, len(drivers))
    driven = partial(_drive, version=version, imported=bool(imported))
    drives = tuple(driven(record, steps[:, car]) for car, record in enumerate(drivers))
    met: Meetings = (None, NO_THINGS, ())
    if version > LAST_TO_THE_END:
        met = meetings_from_file(header, arrays, [len(drive.steps) for drive in drives])
    return Replay(
        track=_track(value_of(header, "track", dict), arrays),
        car=_car(value_of(header, "car", dict), engine),
        drives=drives,
        seed=value_of(header, "seed", int),
        created=created,
        engine=engine,
        physics=text_of(header, "physics"),
        arithmetic=text_of(header, "arithmetic"),
        imported=imported,
        rules=_rules(header, version),
        traffic=met[0],
        things=met[1],
        crashes=met[2],
    )


def _drive(record: object, steps: NDArray[np.void], *, version: int, imported: bool) -> Drive:
    if not isinstance(record, dict):
        raise DamagedError("one of its drives is not a record")
    retired = ""
    if version > LAST_TO_THE_END:
        count, retired = value_of(record, "steps", int), text_of(record, "retired", REASON_LIMIT)
        if not 0 < count <= len(steps):
            raise DamagedError(f"one of its drives has {count} steps of the race's {len(steps)}")
        steps = steps[:count]
    laps = tuple(_lap(lap) for lap in value_of(record, "laps", list))
    _check_laps(laps, steps, imported)
    given = value_of(record, "sensors", list) if "sensors" in record else []  # old replays do not say
    if len(given) > MOST_SENSORS:
        raise DamagedError(f"its driver has {len(given)} sensors; a car has {MOST_SENSORS} at most")
    sensors = tuple(text_of({"sensors": sensor}, "sensors") for sensor in given)
    return Drive(text_of(record, "driver"), text_of(record, "reward"), laps, steps, sensors, retired)


def _penalty(header: dict[str, Any]) -> float | None:
    if header.get("penalty_s", ...) is None:
        return None
    penalty_s = number_of(header, "penalty_s")
    if not 0.0 <= penalty_s <= MOST_PENALTY_S:
        raise DamagedError("its header has no proper 'penalty_s'")
    return penalty_s


def _rules(header: dict[str, Any], version: int) -> Rules:
    """The rules, of which format 3 knew the penalty alone."""
    if version > OLDEST:
        return rules_from_header(header)
    return dataclasses.replace(FOR_EVER, penalty_s=_penalty(header))


def rules_from_header(header: dict[str, Any]) -> Rules:
    """The rules that a header holds under `rules`, as `dataclasses.asdict` gave them.

    Raises:
        DamagedError: it holds none.
    """
    given = value_of(header, "rules", dict)
    try:
        start = Rotation(**given["start"]) if isinstance(given["start"], dict) else given["start"]
        return Rules(**{**given, "start": start})
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DamagedError(f"its header has no proper 'rules': {error!s:.100}") from error


def _track(record: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Track:
    metadata = value_of(record, "metadata", dict)
    lines = [array_of(arrays, f"track.{name}", np.dtype("<f8"), 2) for name in LINES]
    if any(line.shape[1] != 2 for line in lines):
        raise DamagedError("its track cannot be driven: a line of it is none of points")
    texts = tuple((key, text_of(metadata, key, METADATA_LIMIT)) for key in metadata)
    try:
        track = _built(
            text_of(record, "name"), value_of(record, "reversed", bool), texts, *(line.tobytes() for line in lines)
        )
    except TrackError as error:
        raise DamagedError(f"its track cannot be driven: {error}") from error
    if track.digest != value_of(record, "digest", str):
        raise DamagedError("its track was changed after the replay was written")
    return track


@lru_cache(maxsize=16)
def _built(name: str, reversed: bool, texts: tuple[tuple[str, str], ...], *lines: bytes) -> Track:
    """A track of its lines; one that many replays hold is checked once, and its kernel arrays are made once."""
    points = [np.frombuffer(line, "<f8").reshape(-1, 2) for line in lines]
    return dataclasses.replace(track_from_arrays(name, *points, reversed=reversed), metadata=dict(texts))


def _car(record: dict[str, Any], engine: str) -> Car:
    from racer.sim import Car

    names = [field.name for field in dataclasses.fields(Car)]
    if set(record) != set(names):
        raise DamagedError(f"its car is described in another way than here; it was made with racer {engine}")
    numbers = {name: number_of(record, name) for name in names if name != "name"}
    name = text_of(record, "name")
    try:
        return Car(name, **numbers)
    except ValueError as error:
        raise DamagedError(f"its car cannot drive: {error}") from error


def _steps(arrays: Mapping[str, NDArray[Any]], cars: int) -> NDArray[np.void]:
    columns = {name: f"steps.{name}" for name in STEP_DTYPE.names or ()}
    known = {*columns.values(), *(f"track.{line}" for line in LINES), *THING_ARRAYS}
    unknown = [name for name in arrays if name not in known]
    if unknown:
        raise DamagedError(f"it has an array {unknown[0]!a:.80}, which racer does not write")
    shape = (len(array_of(arrays, columns["x"], STEP_DTYPE["x"], 2)), cars)
    if shape[0] == 0:
        raise DamagedError("it holds no step")
    steps = np.zeros(shape, STEP_DTYPE)
    for name, key in columns.items():
        column = array_of(arrays, key, STEP_DTYPE[name], 2)
        if column.shape != shape:
            raise DamagedError(f"its array {key!r} is {column.shape}, not {shape} for its steps and cars")
        steps[name] = column
    steps.flags.writeable = False
    return steps


def _lap(record: object) -> Lap:
    if not isinstance(record, dict):
        raise DamagedError("one of its laps is not a record")
    return Lap(
        index=value_of(record, "index", int),
        start_s=number_of(record, "start_s"),
        time_s=number_of(record, "time_s"),
        complete=value_of(record, "complete", bool),
        off_track=value_of(record, "off_track", bool),
        resets=value_of(record, "resets", int),
    )


def _check_laps(laps: tuple[Lap, ...], steps: NDArray[np.void], imported: bool) -> None:
    """The header's laps must be those of the steps: numbered in turn, each beginning where its steps do."""
    number = steps["lap"].astype(int)
    first = np.flatnonzero(np.diff(number, prepend=0))
    if (
        not laps
        or not np.array_equal(number[first], [lap.index for lap in laps])
        or number[first].tolist() != list(range(1, len(laps) + 1))
    ):
        raise DamagedError("its laps are not those of its steps")
    if not steps["restart"][0] or not np.isin(np.flatnonzero(steps["restart"]), first).all():
        raise DamagedError("its car is put on the start line in the middle of a lap")
    ends = np.append(first[1:], len(steps))
    slack_s = IMPORTED_SLACK_S if imported else TIME_SLACK_S
    previous = None
    for lap, begin, end in zip(laps, first.tolist(), ends.tolist(), strict=True):
        standing = bool(steps["restart"][begin])
        starts = begin * STEP_S if standing or previous is None else previous.start_s + previous.time_s
        stops = lap.start_s + lap.time_s
        if abs(lap.start_s - starts) > slack_s or not ((end - 1) * STEP_S - slack_s <= stops <= end * STEP_S + slack_s):
            raise DamagedError(f"lap {lap.index} lasts {lap.time_s:.3f} s in its header, but not in its steps")
        if previous is not None and standing == previous.complete and not imported:
            raise DamagedError(f"lap {lap.index} does not begin as lap {previous.index} ended")
        previous = lap
