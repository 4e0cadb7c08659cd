"""What a leaderboard holds, as records: tracks of a board, entries, rows of its table."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from racer.errors import LeaderboardError
from racer.leaderboard import tables
from racer.racing import LapResult
from racer.replay import Lap

__all__ = ["DIRECTIONS", "AlreadyEnteredError", "Course", "Entry", "Row", "checked", "entry_of", "lap_times", "now"]

DIRECTIONS = ("forward", "reverse")


@dataclass(frozen=True)
class Course:
    """A track that a board is driven on: its name, `"forward"` or `"reverse"`, and the digest of its road."""

    track: str
    direction: str
    track_digest: str

    def __str__(self) -> str:
        """The name, with the direction if it is against the track's own."""
        return self.track if self.direction == "forward" else f"{self.track} ({self.direction})"


@dataclass(frozen=True)
class Entry:
    """One accepted replay or model.

    Attributes:
        id: number of the entry, the same as long as it exists.
        board, board_id: name and number of the board that it is on.
        driver: who drove, as they say.
        team: whom they drive for; None if for nobody.
        kind: `"replay"` or `"model"`.
        physics, engine: physics and version of the racer that drove it again, and let it in.
        time_ms: the official time, by the board's timing method.
        best_lap_ms: the fastest lap that counts.
        average_ms: the best mean of laps in a row, as many as the rules say; None if there are not so many.
        total_ms: of all laps of a trial; None if not all of them were completed.
        laps: number of complete laps that count.
        lap_times: every lap: `time_ms`, `complete`, `resets`, and its `trial`, from 1.
        mean_speed_mps: the mean of the speeds measured in the laps that gave the official time.
        submitted: ISO 8601, UTC.
        commands_digest: of the drive or the model; the same for the same, whatever its file and name.
        copy_of: who entered the very same before; None if nobody did.
        removed: whether it was taken off the board.
    """

    id: int
    board: str
    board_id: int
    driver: str
    team: str | None
    kind: str
    physics: str
    engine: str
    time_ms: int
    best_lap_ms: int
    average_ms: int | None
    total_ms: int | None
    laps: int
    lap_times: tuple[Mapping[str, Any], ...]
    mean_speed_mps: float
    submitted: str
    commands_digest: str
    copy_of: str | None
    removed: bool


@dataclass(frozen=True)
class Row:
    """One line of a board's table.

    Attributes:
        rank: 1 for the fastest; the same time shares a rank.
        entry: the driver's best.
        attempts: how many entries the driver has made.
        gap_ms: behind the fastest.
        interval_ms: behind the next faster driver; 0 for the first.
    """

    rank: int
    entry: Entry
    attempts: int
    gap_ms: int
    interval_ms: int


class AlreadyEnteredError(LeaderboardError):
    """The same drive is on the board already; `entry` is what stands there."""

    def __init__(self, message: str, entry: Entry) -> None:
        """Keep the entry, for a caller to whom that is good enough."""
        super().__init__(message)
        self.entry = entry


def now() -> str:
    """The time, as it is stored."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def lap_times(trials: Sequence[Sequence[Lap | LapResult]]) -> str:
    """Laps as they are stored."""
    laps = [
        {"trial": number, "time_ms": round(1000.0 * lap.time_s), "complete": lap.complete, "resets": lap.resets}
        for number, trial in enumerate(trials, 1)
        for lap in trial
    ]
    return json.dumps(laps[:200])


COLUMNS: dict[str, sa.Column[Any]] = {column.name: column for column in tables.entries.columns}
COLUMNS |= {"board": tables.boards.c.name, "team": tables.teams.c.name}
COLUMNS |= dict.fromkeys(("driver", "copy_of"), tables.drivers.c.name)
OPTIONAL = ("team", "copy_of")


def entry_of(row: Mapping[Any, Any]) -> Entry:
    """Build an entry from a row; others can write there.

    Raises:
        LeaderboardError: it is damaged.
    """
    values = {field.name: row[field.name] for field in dataclasses.fields(Entry)}
    for name, value in values.items():
        checked(COLUMNS[name], value, f"entry {row['id']!a:.20}", name, name in OPTIONAL)
    try:
        laps = json.loads(values["lap_times"])
        sound = isinstance(laps, list) and all(isinstance(lap, dict) for lap in laps)
    except (ValueError, RecursionError):
        sound = False
    if not sound:
        raise LeaderboardError(f"the leaderboard's entry {row['id']} is damaged: its lap_times is no list; remove it")
    return Entry(**{**values, "lap_times": tuple(laps)})


def checked(column: sa.Column[Any], value: object, whose: str, name: str = "", optional: bool = False) -> None:
    """Refuse a value that racer does not write there.

    Raises:
        LeaderboardError: it is such a value.
    """
    if not (value is None and optional) and not tables.is_sound(column, value):
        name = name or column.name
        raise LeaderboardError(f"the leaderboard's {whose} is damaged: its {name} is {value!a:.80}; remove it")
