"""The leaderboard: who drove which track how fast, in a database that a whole club can share.

Invariant: every entry was re-simulated before it was stored (`racer.replay.verify`), on the track that its
name means here, with a car as racer ships it. A board belongs to one road driven one way with one car under one
physics: entries compete only if the digests of all of these are equal, whatever they are called. It proves that
a lap can be driven, not who drove it.
"""

import dataclasses
import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from racer import __version__
from racer.errors import LeaderboardError, RacerError
from racer.leaderboard.names import clean_name
from racer.leaderboard.shipped import car_digest, check_car, check_track
from racer.leaderboard.storage import PATIENCE_S, opened
from racer.replay import Replay, Verdict, load_replay, verify
from racer.track import Track

__all__ = ["AlreadyEnteredError", "Entry", "Row", "add", "add_all", "as_records", "database", "standings"]

DEFAULT_DB = "leaderboard.sqlite"  # in the working folder, like runs/ and the shelves: found and deleted with them
DB_VARIABLE = "RACER_DB"
NAME_LIMIT = 40  # characters of a driver's name
TRACK_LIMIT = 200  # characters of a track's name
MOST_ENTRIES = 200_000  # that are read
SCHEMA = 2  # 1 did not keep cars and physics apart
DIRECTIONS = ("forward", "reverse")

metadata = sa.MetaData()
table = sa.Table(
    "racer_entries",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("driver", sa.String(NAME_LIMIT), nullable=False),
    sa.Column("track", sa.String(TRACK_LIMIT), nullable=False),
    sa.Column("direction", sa.String(8), nullable=False),
    sa.Column("track_digest", sa.String(64), nullable=False),
    sa.Column("car", sa.String(200), nullable=False),
    sa.Column("car_digest", sa.String(64), nullable=False),
    sa.Column("physics", sa.String(64), nullable=False),
    sa.Column("engine", sa.String(200), nullable=False),
    sa.Column("best_lap_ms", sa.Integer, nullable=False),
    sa.Column("laps", sa.Integer, nullable=False),
    sa.Column("mean_speed_mps", sa.Float, nullable=False),
    sa.Column("submitted", sa.String(32), nullable=False),
    sa.Column("replay_digest", sa.String(64), nullable=False, unique=True),
)
COLUMNS = {column.name: column.type for column in table.columns if column.name != "id"}
BOARD = ("track", "direction", "track_digest", "car", "car_digest", "physics")
"""What two entries must have in common to compete."""
sa.Index("racer_entries_board", table.c.track, table.c.track_digest, table.c.best_lap_ms)


@dataclass(frozen=True)
class Entry:
    """One accepted replay.

    Attributes:
        driver: who drove, as they say.
        track, direction: where; `"reverse"` is against the track's own direction.
        track_digest, car_digest: SHA-256 of the road and of the car's constants.
        car: name of the car.
        physics, engine: physics and version of the racer that drove the replay again, and let it in.
        best_lap_ms: the fastest lap without a penalty.
        laps: number of complete laps without one.
        mean_speed_mps: `racer.replay.Drive.mean_speed_mps` of the best lap.
        submitted: ISO 8601, UTC.
        replay_digest: `racer.replay.Replay.lap_digest` of the best lap.
    """

    driver: str
    track: str
    direction: str
    track_digest: str
    car: str
    car_digest: str
    physics: str
    engine: str
    best_lap_ms: int
    laps: int
    mean_speed_mps: float
    submitted: str
    replay_digest: str

    @property
    def board(self) -> tuple[str, ...]:
        """What it has in common with the entries that it competes with."""
        return tuple(getattr(self, name) for name in BOARD)


@dataclass(frozen=True)
class Row:
    """One line of a board: a driver's best entry, its rank (ties share it) and how often the driver tried."""

    rank: int
    attempts: int
    entry: Entry


class AlreadyEnteredError(LeaderboardError):
    """The same drive is on the board already; `entry` is what stands there."""

    def __init__(self, message: str, entry: Entry) -> None:
        """Keep the entry, for a caller to whom that is good enough."""
        super().__init__(message)
        self.entry = entry


def database(db: str | Path | None = None) -> str:
    """Say which database is meant: `db`, else the variable `RACER_DB`, else `./leaderboard.sqlite`."""
    return str(db) if db is not None else os.environ.get(DB_VARIABLE) or DEFAULT_DB


def add(replay: Replay | str | Path, driver: str | None = None, db: str | Path | None = None) -> Entry:
    """Verify a replay and enter it.

    Args:
        replay: A race, or the file that holds it.
        driver: Who drove: 1 to 40 printable characters; by default as the replay says. The same name again is another
            try of that driver.
        db: A path (SQLite) or a database URL; see `database`.

    Returns:
        What was stored.

    Raises:
        ReplayError: The file is no replay.
        AlreadyEnteredError: This drive is on the board.
        LeaderboardError: The replay does not hold, has no complete lap, or was driven with another car or on
            another road than here; the name is no name; or the database cannot be used.
    """
    (outcome,) = add_all([replay], driver, db)
    if isinstance(outcome, RacerError):
        raise outcome
    return outcome


def add_all(
    replays: Sequence[Replay | str | Path],
    driver: str | None = None,
    db: str | Path | None = None,
    patience_s: float = PATIENCE_S,
) -> list[Entry | RacerError]:
    """Verify several replays, then enter those that hold in one transaction.

    Args:
        replays, driver, db: As for `add`; the driver is the same for all, or as each replay says.
        patience_s: How long to wait while other processes write to the database.

    Returns:
        For each replay what was stored, or why it was not: one of the errors that `add` raises for a replay.

    Raises:
        LeaderboardError: The database cannot be used; nothing was stored.
    """
    outcomes: list[Entry | RacerError] = []
    for replay in replays:
        try:
            outcomes.append(_proven(replay, driver))
        except RacerError as error:
            outcomes.append(error)
    if all(isinstance(outcome, RacerError) for outcome in outcomes):
        return outcomes
    with opened(database(db), metadata, SCHEMA, write=True, patience_s=patience_s) as connection:
        return [
            outcome if isinstance(outcome, RacerError) else _stored(connection, outcome, _where(replay))
            for replay, outcome in zip(replays, outcomes, strict=True)
        ]


def _proven(replay: Replay | str | Path, driver: str | None) -> Entry:
    """The entry of a replay that holds."""
    where = _where(replay)
    drive = replay if isinstance(replay, Replay) else load_replay(replay)
    name = clean_name(drive.driver if driver is None else driver, "driver's", NAME_LIMIT)
    if drive.imported:  # before all else: nothing that could be mended
        raise LeaderboardError(f"{where} was refused: {verify(drive).reason}")
    if len(drive.drives) != 1:
        raise LeaderboardError(f"{where} was refused: {len(drive.drives)} cars raced; a board takes one car alone")
    check_car(drive.car, where)
    check_track(drive.track, clean_name(drive.track.name, "track's", TRACK_LIMIT), where)
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
    return entry


def _stored(connection: sa.Connection, entry: Entry, where: str) -> Entry | AlreadyEnteredError:
    """Store an entry, unless the same drive is there."""
    same = sa.select(table).where(table.c.replay_digest == entry.replay_digest)
    known = connection.execute(same).mappings().first()
    if known is None:
        connection.execute(sa.insert(table).values(dataclasses.asdict(entry)))
        return entry
    old = _checked(known)
    return AlreadyEnteredError(
        f"{where} is on the board already, entered by {old.driver} at {old.submitted}: its best lap was driven in the "
        "very same way; record another drive with `racer evaluate … --replay FILE`",
        old,
    )


def _where(replay: Replay | str | Path) -> str:
    return "this replay" if isinstance(replay, Replay) else str(replay)


def standings(track: str | Track | None = None, db: str | Path | None = None) -> list[Row]:
    """Give the boards: one row per driver and board, best lap first, one board after the other.

    Args:
        track: A track's name, or the track itself for exactly its road and direction; None for all.
        db: A path (SQLite) or a database URL; see `database`.

    Raises:
        LeaderboardError: There is no leaderboard there, or it cannot be read.
    """
    order = [table.c[name] for name in (*BOARD, "best_lap_ms", "id")]
    query = sa.select(table).order_by(*order).limit(MOST_ENTRIES + 1)
    if isinstance(track, Track):
        query = query.where(table.c.track_digest == track.digest)
    elif track is not None:
        query = query.where(table.c.track == track)
    with opened(database(db), metadata, SCHEMA, write=False) as connection:
        found = [_checked(row) for row in connection.execute(query).mappings()]
    if len(found) > MOST_ENTRIES:
        raise LeaderboardError(f"the leaderboard has more than {MOST_ENTRIES:,} entries; begin another one with --db")
    boards: dict[tuple[str, ...], list[Entry]] = {}
    for entry in found:
        boards.setdefault(entry.board, []).append(entry)
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
            "car_digest": row.entry.car_digest[:12],
            "physics": row.entry.physics,
        }
        for row in rows
    ]


def _entry(replay: Replay, verdict: Verdict, driver: str) -> Entry:
    """Build an entry from the laps as they came out here, not as the file has them; none with a penalty counts."""
    from racer.sim import physics_version

    complete = [lap for lap in verdict.laps if lap.complete and not lap.resets]
    best = min(complete, key=lambda lap: lap.time_s)
    return Entry(
        driver=driver,
        track=clean_name(replay.track.name, "track's", TRACK_LIMIT),
        direction=DIRECTIONS[replay.track.reversed],
        track_digest=replay.track.digest,
        car=replay.car.name,
        car_digest=car_digest(replay.car),
        physics=physics_version().motion,
        engine=__version__,
        best_lap_ms=round(best.time_s * 1000.0),
        laps=len(complete),
        mean_speed_mps=replay.drives[0].mean_speed_mps(best),
        submitted=datetime.now(UTC).isoformat(timespec="seconds"),
        replay_digest=replay.lap_digest(best),
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
        return isinstance(kind, sa.String) and len(value) <= (kind.length or 0) and value.isprintable()
    return isinstance(value, int | float) and isinstance(value, kind.python_type) and 0 <= value < math.inf
