"""What is inside a replay file, and what it must be before it is used.

Invariant: `from_file` gives a replay whose parts fit each other, or says which do not, by `DamagedError`
alone.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from racer.errors import TrackError
from racer.replay.record import FOR_EVER, STEP_DTYPE, STEP_S, Drive, Lap, Replay
from racer.replay.tensors import DamagedError
from racer.sim import MOST_PENALTY_S, Rotation, Rules
from racer.track import Track, track_from_arrays

if TYPE_CHECKING:
    from racer.sim import Car

__all__ = ["from_file", "rules_from_header", "to_file"]

FORMAT = 5  # in 4 all cars drove to the end; 3 had a penalty instead of rules; 1 and 2 were archives of NumPy's
OLDEST, LAST_TO_THE_END = 3, 4  # that is read; in which no car finished or retired before the others
TEXT_LIMIT = 200  # characters of a name
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
    return header, arrays


def _printable(text: str, limit: int = TEXT_LIMIT) -> str:
    return "".join(character if character.isprintable() else " " for character in text[:limit])


def from_file(header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Replay:
    """Build a replay from what a file holds, or say which part of it cannot be."""
    if header.get("format") != "racer replay":
        raise DamagedError("it is another kind of file")
    version, engine = _get(header, "version", int), _text(header, "engine")
    if version > FORMAT:
        raise DamagedError(f"it was made by a later racer ({engine}); update racer to open it")
    if version < OLDEST or header.get("step_s") != STEP_S:
        raise DamagedError("its header has no proper 'version' or 'step_s'")
    created = _text(header, "created")
    try:
        datetime.fromisoformat(created)
    except ValueError as error:
        raise DamagedError(f"its time of making, {created!r}, is not a time") from error
    imported, drivers = _text(header, "imported"), _get(header, "drives", list)
    if not 1 <= len(drivers) <= MOST_CARS:
        raise DamagedError(f"it has {len(drivers)} cars; a race has from 1 to {MOST_CARS}")
    steps = _steps(arrays, len(drivers))
    driven = partial(_drive, version=version, imported=bool(imported))
    drives = tuple(driven(record, steps[:, car]) for car, record in enumerate(drivers))
    return Replay(
        track=_track(_get(header, "track", dict), arrays),
        car=_car(_get(header, "car", dict), engine),
        drives=drives,
        seed=_get(header, "seed", int),
        created=created,
        engine=engine,
        physics=_text(header, "physics"),
        arithmetic=_text(header, "arithmetic"),
        imported=imported,
        rules=_rules(header, version),
    )


def _drive(record: object, steps: NDArray[np.void], *, version: int, imported: bool) -> Drive:
    if not isinstance(record, dict):
        raise DamagedError("one of its drives is not a record")
    retired = ""
    if version > LAST_TO_THE_END:
        count, retired = _get(record, "steps", int), _text(record, "retired", REASON_LIMIT)
        if not 0 < count <= len(steps):
            raise DamagedError(f"one of its drives has {count} steps of the race's {len(steps)}")
        steps = steps[:count]
    laps = tuple(_lap(lap) for lap in _get(record, "laps", list))
    _check_laps(laps, steps, imported)
    given = _get(record, "sensors", list) if "sensors" in record else []  # replays did not always tell
    if len(given) > MOST_SENSORS:
        raise DamagedError(f"its driver has {len(given)} sensors; a car has {MOST_SENSORS} at most")
    sensors = tuple(_text({"sensors": sensor}, "sensors") for sensor in given)
    return Drive(_text(record, "driver"), _text(record, "reward"), laps, steps, sensors, retired)


def _penalty(header: dict[str, Any]) -> float | None:
    if header.get("penalty_s", ...) is None:
        return None
    penalty_s = _number(header, "penalty_s")
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
    given = _get(header, "rules", dict)
    try:
        start = Rotation(**given["start"]) if isinstance(given["start"], dict) else given["start"]
        return Rules(**{**given, "start": start})
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DamagedError(f"its header has no proper 'rules': {error!s:.100}") from error


def _track(record: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Track:
    metadata = _get(record, "metadata", dict)
    lines = [_array(arrays, f"track.{name}", np.dtype("<f8"), 2) for name in LINES]
    if any(line.shape[1] != 2 for line in lines):
        raise DamagedError("its track cannot be driven: a line of it is none of points")
    texts = tuple((key, _text(metadata, key, METADATA_LIMIT)) for key in metadata)
    try:
        track = _built(
            _text(record, "name"), _get(record, "reversed", bool), texts, *(line.tobytes() for line in lines)
        )
    except TrackError as error:
        raise DamagedError(f"its track cannot be driven: {error}") from error
    if track.digest != _get(record, "digest", str):
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
    numbers = {name: _number(record, name) for name in names if name != "name"}
    name = _text(record, "name")
    try:
        return Car(name, **numbers)
    except ValueError as error:
        raise DamagedError(f"its car cannot drive: {error}") from error


def _steps(arrays: Mapping[str, NDArray[Any]], cars: int) -> NDArray[np.void]:
    columns = {name: f"steps.{name}" for name in STEP_DTYPE.names or ()}
    unknown = [name for name in arrays if name not in (*columns.values(), *(f"track.{line}" for line in LINES))]
    if unknown:
        raise DamagedError(f"it has an array {unknown[0]!a:.80}, which racer does not write")
    shape = (len(_array(arrays, columns["x"], STEP_DTYPE["x"], 2)), cars)
    if shape[0] == 0:
        raise DamagedError("it holds no step")
    steps = np.zeros(shape, STEP_DTYPE)
    for name, key in columns.items():
        column = _array(arrays, key, STEP_DTYPE[name], 2)
        if column.shape != shape:
            raise DamagedError(f"its array {key!r} is {column.shape}, not {shape} for its steps and cars")
        steps[name] = column
    steps.flags.writeable = False
    return steps


def _array(arrays: Mapping[str, NDArray[Any]], name: str, dtype: np.dtype[Any], dimensions: int) -> NDArray[Any]:
    array = arrays.get(name)
    if array is None:
        raise DamagedError(f"it has no array {name!r}")
    if array.dtype != dtype or array.ndim != dimensions:
        raise DamagedError(
            f"its array {name!r} has {array.ndim} dimensions of {array.dtype}, not {dimensions} of {dtype}"
        )
    return array


def _lap(record: object) -> Lap:
    if not isinstance(record, dict):
        raise DamagedError("one of its laps is not a record")
    return Lap(
        index=_get(record, "index", int),
        start_s=_number(record, "start_s"),
        time_s=_number(record, "time_s"),
        complete=_get(record, "complete", bool),
        off_track=_get(record, "off_track", bool),
        resets=_get(record, "resets", int),
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


Kind = TypeVar("Kind", int, str, bool, list[Any], dict[str, Any])


def _get(record: Mapping[str, Any], key: str, kind: type[Kind]) -> Kind:
    value = record.get(key)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise DamagedError(f"its header has no proper {key!r}")
    return value


def _number(record: Mapping[str, Any], key: str) -> float:
    value = record.get(key)
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not abs(value) < 1e12
        or not math.isfinite(value)
    ):
        raise DamagedError(f"its header has no proper number {key!r}")
    return float(value)


def _text(record: Mapping[str, Any], key: str, limit: int = TEXT_LIMIT) -> str:
    value = _get(record, key, str)
    if len(value) > limit or not value.isprintable():
        raise DamagedError(f"its {key[:40]!r} is too long or cannot be printed")
    return value
