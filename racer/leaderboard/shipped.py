"""Cars and roads as racer ships them, against which replays are held."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from racer.errors import LeaderboardError
from racer.replay import car_digest
from racer.shelf import entries as shelf_entries
from racer.track import Track, load_track

if TYPE_CHECKING:
    from racer.sim import Car

__all__ = ["car_digest", "check_car", "check_track"]


def check_car(car: Car, where: str) -> None:
    """Refuse a car that is none that racer ships.

    Raises:
        LeaderboardError: its name or one of its constants is another.
    """
    from racer.sim import CARS

    shipped = CARS.get(car.name)
    if shipped is None:
        known = ", ".join(CARS)
        raise LeaderboardError(f"{where} was refused: its car {car.name!r} is none that racer ships ({known})")
    for field in dataclasses.fields(shipped):
        here, there = getattr(shipped, field.name), getattr(car, field.name)
        if here != there:
            raise LeaderboardError(
                f"{where} was refused: the {field.name} of its car is {there}, "
                f"but that of racer's {shipped.name} is {here}"
            )


@lru_cache(maxsize=64)
def _digest(path: Path, reversed: bool, state: tuple[int, ...]) -> str:
    """Digest of a track's file, as long as its state is the same."""
    here = load_track(path)
    return (here.reverse() if reversed else here).digest


def check_track(track: Track, name: str, where: str) -> None:
    """Refuse a track that is called like one on the shelf, but is another road. Its name is compared, never opened.

    Raises:
        LeaderboardError: it is another road.
    """
    paths = [entry.path for entry in shelf_entries("tracks") if entry.name == name and not entry.shadowed]
    for path in paths:
        facts = path.stat()
        if track.digest != _digest(path, track.reversed, (facts.st_mtime_ns, facts.st_size, facts.st_ino)):
            raise LeaderboardError(
                f"{where} was refused: its track {name!r} is not the road of that name here ({path}); "
                "evaluate again on this one, or give the other road a name of its own"
            )
