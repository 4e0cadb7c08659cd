"""What an entry has to keep to, and what driving it gave."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from racer.leaderboard.names import clean_name
from racer.leaderboard.records import DIRECTIONS, Course
from racer.leaderboard.tables import TRACK_LIMIT
from racer.racing import Rulebook
from racer.replay import Replay

if TYPE_CHECKING:
    from racer.sim import Car
    from racer.track import Track

__all__ = ["Proof", "Terms", "course_of", "where"]


@dataclass(frozen=True)
class Terms:
    """What an entry has to keep to: a board's rules, on its tracks, with its car.

    Without rules (a board that is open to all) every lap without a penalty counts, whatever the race was.
    """

    rulebook: Rulebook | None = None
    courses: tuple[Course, ...] = ()
    car_digest: str = ""


@dataclass(frozen=True)
class Proof:
    """What driving a file again gave.

    Attributes:
        kind, driver: `"replay"` or `"model"`, and whose it is.
        tracks, car: on and with which it was driven.
        time_ms, best_lap_ms, average_ms, total_ms, laps, lap_times, mean_speed_mps, commands_digest: see
            `racer.leaderboard.Entry`; the lap times as JSON.
        data: what it takes to drive it again.
        seeds: of a model's races, as JSON.
    """

    kind: str
    driver: str
    tracks: tuple[Track, ...]
    car: Car
    time_ms: int
    best_lap_ms: int
    average_ms: int | None
    total_ms: int | None
    laps: int
    lap_times: str
    mean_speed_mps: float
    commands_digest: str
    data: bytes
    seeds: str | None = None


def where(given: Replay | str | Path) -> str:
    """What a file is called in a message."""
    return "this replay" if isinstance(given, Replay) else str(given)


def course_of(track: Track) -> Course:
    """A track as a board has it."""
    return Course(clean_name(track.name, "track's", TRACK_LIMIT), DIRECTIONS[track.reversed], track.digest)
