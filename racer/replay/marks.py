"""Marks: the best lap known of each road, direction, car and physics, kept as replays that verify.

Invariant: a mark only ever improves. A replay becomes one if it verifies here and its best lap is faster than what was
known. Marks of another physics stay where they are and are never found.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from racer.errors import ReplayError
from racer.replay.files import load_replay, save_replay
from racer.replay.record import Lap, Replay
from racer.replay.verification import verify
from racer.shelf import make_folder, shipped_folder, user_cache

if TYPE_CHECKING:
    from racer.sim import Car
    from racer.track import Track

__all__ = ["best_clean_lap", "car_digest", "find_mark", "keep_mark", "mark_of", "marks_folder", "percent_of_mark"]

VARIABLE = "RACER_MARKS"  # another folder for marks, such as one that a club shares
SHIPPED = "marks"  # the folder on the shelf of tracks


def marks_folder() -> Path:
    """Where marks are kept that were found here: `$RACER_MARKS`, else in the user's cache."""
    chosen = os.environ.get(VARIABLE)
    return Path(chosen) if chosen else user_cache() / SHIPPED


def car_digest(car: Car) -> str:
    """SHA-256 (hex) of a car's constants, whatever it is called."""
    constants = {name: value for name, value in dataclasses.asdict(car).items() if name != "name"}
    return hashlib.sha256(repr(sorted(constants.items())).encode()).hexdigest()


def mark_of(track: Track, car: Car) -> Replay | None:
    """The best lap known of a track, in the direction that it is driven, with a car; None if there is none yet."""
    from racer.sim import physics_version

    return find_mark(track.digest, car_digest(car), physics_version().motion)


def find_mark(track_digest: str, car_digest: str, physics: str) -> Replay | None:
    """The mark by what marks differ in: digests of the road and of the car, and the physics."""
    key = _key(track_digest, car_digest, physics)
    found = []
    for folder in (marks_folder(), shipped_folder("tracks") / SHIPPED):
        for path in sorted(folder.glob(f"*-{key}.replay")):
            mark = _loaded(path, path.stat().st_mtime_ns)
            if mark is not None and mark.track.digest == track_digest and mark.physics == physics:
                found.append(mark)
    return min(found, key=_time_s, default=None)


def keep_mark(replay: Replay, *, first: bool = False, folder: Path | None = None) -> bool:
    """Keep a race as the mark if its best lap beats the one that is known, and if it verifies.

    Args:
        replay: any race.
        first: whether it also becomes the mark where none is known yet.
        folder: where to keep it; by default `marks_folder()`.

    Returns:
        Whether it is the mark now.

    Raises:
        FileError: it is, but cannot be written.
    """
    from racer.sim import physics_version

    lap = best_clean_lap(replay)
    is_trial = len(replay.drives) == 1 and replay.traffic is None
    if lap is None or replay.imported or not is_trial or replay.physics != physics_version().motion:
        return False
    known = mark_of(replay.track, replay.car)
    if (known is None and not first) or (known is not None and round(_time_s(known) - lap.time_s, 6) <= 0.0):
        return False
    verdict = verify(replay)
    if not verdict.ok:
        return False
    target = make_folder(folder or marks_folder()) / _name(replay)
    save_replay(replay, target, overwrite=True)
    return True


def best_clean_lap(replay: Replay) -> Lap | None:
    """The fastest complete lap of the first car that needed no penalty; None if there is none."""
    clean = (lap for lap in replay.laps if lap.complete and not lap.resets)
    return min(clean, key=lambda lap: lap.time_s, default=None)


def percent_of_mark(time_s: float | None, mark: Replay | None) -> float | None:
    """How much of the mark a lap time is, percent: 100 is as fast; None if one of them is missing."""
    return None if time_s is None or mark is None else 100.0 * _time_s(mark) / time_s


def _time_s(mark: Replay) -> float:
    lap = best_clean_lap(mark)
    return float("inf") if lap is None else lap.time_s


def _key(*parts: str) -> str:
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


def _name(replay: Replay) -> str:
    way = "reverse" if replay.track.reversed else "forward"
    words = [re.sub("[^a-z0-9_]+", "_", name.lower())[:40] for name in (replay.track.name, way, replay.car.name)]
    return "-".join([*words, _key(replay.track.digest, car_digest(replay.car), replay.physics)]) + ".replay"


@lru_cache(maxsize=64)
def _loaded(path: Path, changed: int) -> Replay | None:
    """A mark's replay; None if the file is no replay that this racer can read: then the mark is to be found again."""
    try:
        mark = load_replay(path)
    except ReplayError:
        return None
    return mark if best_clean_lap(mark) is not None else None
