"""The leaderboard: who drove which track how fast, in a database that a whole club can share.

Invariant: every entry was re-simulated before it was stored (`racer.replay.verify`), on the track that its
name means here, with a car as racer ships it. A board belongs to one road driven one way: entries compete
only if the digests of their tracks are equal, whatever the tracks are called. It proves that a lap can be
driven, not who drove it.
"""

import dataclasses
import math
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from racer.errors import LeaderboardError
from racer.leaderboard.storage import opened
from racer.replay import Replay, Verdict, load_replay, verify
from racer.shelf import entries as shelf_entries
from racer.track import Track, load_track

__all__ = ["AlreadyEnteredError", "Entry", "Row", "add", "as_records", "database", "driver_name", "standings"]

DEFAULT_DB = "leaderboard.sqlite"  # in the working folder, like runs/ and the shelves: found and deleted with them
DB_VARIABLE = "RACER_DB"
NAME_LIMIT = 40  # characters of a driver's name
SCHEMA = 1
DIRECTIONS = ("forward", "reverse")

metadata = sa.MetaData()
table = sa.Table(
    "racer_entries",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("driver", sa.String(NAME_LIMIT), nullable=False),
    sa.Column("track", sa.String(200), nullable=False),
    sa.Column("direction", sa.String(8), nullable=False),
    sa.Column("track_digest", sa.String(64), nullable=False),
    sa.Column("car", sa.String(200), nullable=False),
    sa.Column("best_lap_ms", sa.Integer, nullable=False),
    sa.Column("laps", sa.Integer, nullable=False),
    sa.Column("mean_speed_mps", sa.Float, nullable=False),
    sa.Column("engine", sa.String(200), nullable=False),
    sa.Column("submitted", sa.String(32), nullable=False),
    sa.Column("replay_digest", sa.String(64), nullable=False, unique=True),
)
COLUMNS = {column.name: column.type.python_type for column in table.columns if column.name != "id"}
sa.Index("racer_entries_board", table.c.track, table.c.track_digest, table.c.best_lap_ms)


@dataclass(frozen=True)
class Entry:
    """One accepted replay: `laps` counts its complete laps, `mean_speed_mps` is that over its best one."""

    driver: str
    track: str
    direction: str  # "forward", or "reverse" against the track's own direction
    track_digest: str
    car: str
    best_lap_ms: int
    laps: int
    mean_speed_mps: float
    engine: str
    submitted: str  # ISO 8601, UTC
    replay_digest: str


@dataclass(frozen=True)
class Row:
    """One line of a board: a driver's best entry, its rank (ties share it) and how often the driver tried."""

    rank: int
    attempts: int
    entry: Entry


class AlreadyEnteredError(LeaderboardError):
    """The same replay is on the board already; `entry` is what stands there."""

    def __init__(self, message: str, entry: Entry) -> None:
        """Keep the entry, for a caller to whom that is good enough."""
        super().__init__(message)
        self.entry = entry


def database(db: str | Path | None = None) -> str:
    """Say which database is meant: `db`, else the variable `RACER_DB`, else `./leaderboard.sqlite`."""
    return str(db) if db is not None else os.environ.get(DB_VARIABLE) or DEFAULT_DB


def add(replay: Replay | str | Path, driver: str, db: str | Path | None = None) -> Entry:
    """Verify a replay and enter it.

    Args:
        replay: A race, or the file that holds it.
        driver: Who drove: 1 to 40 printable characters. The same name again is another try of that driver.
        db: A path (SQLite) or a database URL; see `database`.

    Returns:
        What was stored.

    Raises:
        ReplayError: The file is no replay.
        AlreadyEnteredError: This replay is on the board.
        LeaderboardError: The replay does not hold, has no complete lap, or was driven with another car or on
            another road than here; the name is no name; or the database cannot be used.
    """
    where = "this replay" if isinstance(replay, Replay) else str(replay)
    name = driver_name(driver)
    drive = replay if isinstance(replay, Replay) else load_replay(replay)
    if drive.imported:  # before all else: nothing that could be mended
        raise LeaderboardError(f"{where} was refused: {verify(drive).reason}")
    _check_car(drive, where)
    _check_track(drive.track, where)
    if not any(lap.complete and not lap.resets for lap in drive.laps):
        kind = "complete lap without a penalty" if drive.completed_laps else "complete lap"
        raise LeaderboardError(f"{where} has no {kind}, so it cannot be ranked; train longer, then evaluate again")
    verdict = verify(drive)
    if not verdict.ok:
        raise LeaderboardError(f"{where} was refused: {verdict.reason}")
    entry = _entry(drive, verdict, name)
    for column, value in dataclasses.asdict(entry).items():
        if not _sound(column, value):
            raise LeaderboardError(f"{where} was refused: its {column} is {value!a:.80}")
    with opened(database(db), metadata, SCHEMA, write=True) as connection:
        known = (
            connection.execute(sa.select(table).where(table.c.replay_digest == entry.replay_digest)).mappings().first()
        )
        if known is not None:
            old = _checked(known)
            raise AlreadyEnteredError(
                f"{where} is on the board already, entered by {old.driver} at {old.submitted}; "
                "record another drive with `racer evaluate … --replay FILE`",
                old,
            )
        connection.execute(sa.insert(table).values(dataclasses.asdict(entry)))
    return entry


def standings(track: str | Track | None = None, db: str | Path | None = None) -> list[Row]:
    """Give the boards: one row per driver and board, best lap first, one board after the other.

    Args:
        track: A track's name, or the track itself for exactly its road and direction; None for all.
        db: A path (SQLite) or a database URL; see `database`.

    Raises:
        LeaderboardError: There is no leaderboard there, or it cannot be read.
    """
    query = sa.select(table).order_by(
        table.c.track, table.c.direction, table.c.track_digest, table.c.best_lap_ms, table.c.id
    )
    if isinstance(track, Track):
        query = query.where(table.c.track_digest == track.digest)
    elif track is not None:
        query = query.where(table.c.track == track)
    with opened(database(db), metadata, SCHEMA, write=False) as connection:
        found = [_checked(row) for row in connection.execute(query).mappings()]
    boards: dict[tuple[str, str], list[Entry]] = {}
    for entry in found:
        boards.setdefault((entry.track, entry.track_digest), []).append(entry)
    return [row for board in boards.values() for row in _ranked(board)]


def as_records(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Give rows as plain records for a table, JSON or CSV (s, m/s), all with the same keys."""
    return [
        {
            "rank": row.rank,
            "driver": row.entry.driver,
            "best_lap_s": row.entry.best_lap_ms / 1000.0,
            "laps": row.entry.laps,
            "mean_speed_mps": round(row.entry.mean_speed_mps, 3),
            "track": row.entry.track,
            "direction": row.entry.direction,
            "car": row.entry.car,
            "engine": row.entry.engine,
            "attempts": row.attempts,
            "submitted": row.entry.submitted,
            "track_digest": row.entry.track_digest[:12],
        }
        for row in rows
    ]


def driver_name(text: str) -> str:
    """Give a driver's name as it is stored: composed (NFC), without needless blanks.

    Raises:
        LeaderboardError: It is empty, longer than 40 characters, or cannot be printed.
    """
    name = re.sub(" +", " ", unicodedata.normalize("NFC", text).strip())
    if not name:
        raise LeaderboardError("a driver's name must not be empty; give one with --driver NAME")
    if len(name) > NAME_LIMIT:
        raise LeaderboardError(f"the driver's name {name[:NAME_LIMIT]!r}… has {len(name)} characters; {NAME_LIMIT} fit")
    if not name.isprintable():
        raise LeaderboardError(f"the driver's name {name!a} holds a character that cannot be printed; leave it out")
    return name


def _entry(replay: Replay, verdict: Verdict, driver: str) -> Entry:
    """Build an entry from the laps as they came out here, not as the file tells them; none with a penalty counts."""
    complete = [lap for lap in verdict.laps if lap.complete and not lap.resets]
    best = min(complete, key=lambda lap: lap.time_s)
    speeds = replay.steps["speed"][replay.steps["lap"] == best.index]
    return Entry(
        driver=driver,
        track=replay.track.name,
        direction=DIRECTIONS[replay.track.reversed],
        track_digest=replay.track.digest,
        car=replay.car.name,
        best_lap_ms=round(best.time_s * 1000.0),
        laps=len(complete),
        mean_speed_mps=float(np.mean(speeds)),
        engine=replay.engine,
        submitted=datetime.now(UTC).isoformat(timespec="seconds"),
        replay_digest=replay.digest,
    )


def _ranked(board: Sequence[Entry]) -> Iterator[Row]:
    """Rank a board sorted by lap time, then age: one row per driver, the same rank for the same time."""
    attempts = Counter(entry.driver for entry in board)
    ranks: dict[int, int] = {}
    seen: set[str] = set()
    for entry in board:
        if entry.driver not in seen:
            seen.add(entry.driver)
            yield Row(ranks.setdefault(entry.best_lap_ms, len(seen)), attempts[entry.driver], entry)


def _check_car(replay: Replay, where: str) -> None:
    from racer.sim import CARS

    shipped = CARS.get(replay.car.name)
    if shipped is None:
        known = ", ".join(CARS)
        raise LeaderboardError(f"{where} was refused: its car {replay.car.name!r} is none that racer ships ({known})")
    for field in dataclasses.fields(shipped):
        here, there = getattr(shipped, field.name), getattr(replay.car, field.name)
        if here != there:
            raise LeaderboardError(
                f"{where} was refused: the {field.name} of its car is {there}, "
                f"but that of racer's {shipped.name} is {here}"
            )


def _check_track(track: Track, where: str) -> None:
    """A name on the shelf must mean the road on the shelf. The replay's name is compared, never opened."""
    paths = [entry.path for entry in shelf_entries("tracks") if entry.name == track.name and not entry.shadowed]
    for path in paths:
        here = load_track(path)
        if track.digest != (here.reverse() if track.reversed else here).digest:
            raise LeaderboardError(
                f"{where} was refused: its track {track.name!r} is not the road of that name here ({path}); "
                "evaluate again on this one, or give the other road a name of its own"
            )


def _checked(row: Mapping[Any, Any]) -> Entry:
    """Build an entry from a row; others can write there, and SQLite keeps any type in any column."""
    values = {field.name: row[field.name] for field in dataclasses.fields(Entry)}
    for name, value in values.items():
        if not _sound(name, value):
            raise LeaderboardError(
                f"the leaderboard's entry {row['id']!r} is damaged: its {name} is {value!a:.80}; remove it"
            )
    return Entry(**values)


def _sound(column: str, value: object) -> bool:
    kind = COLUMNS[column]
    if isinstance(value, str):
        return kind is str and value.isprintable()
    return isinstance(value, int | float) and isinstance(value, kind) and 0 <= value < math.inf
