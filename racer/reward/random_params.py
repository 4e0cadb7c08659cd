"""`params` of cars on random tracks: each car is described by the track that it is on."""

from __future__ import annotations

from collections.abc import Iterator
from operator import call
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from racer.reward.params import Params
from racer.sim import RandomWorld, World
from racer.track import Track

__all__ = ["RandomParams"]


class RandomParams(Params):
    """The dicts of cars on random tracks; each is told of its own."""

    def __init__(self, track: Track, count: int) -> None:
        """Make room for `count` cars; `track` is any."""
        super().__init__(track, count)
        self._courses: WeakKeyDictionary[Track, Params] = WeakKeyDictionary()
        self._builds = [self.build] * count

    def describe(self, world: World, commands: NDArray[np.float64]) -> None:
        """Fill the tables, as `Params.describe` does, track by track."""
        assert isinstance(world, RandomWorld)
        for races, part in world.parts():
            course = self._courses.get(part.track)
            if course is None:
                course = self._courses[part.track] = Params(part.track, len(self.floats))
            course.describe(part, commands[races])
            few = slice(len(races))
            self.floats[races], self.waypoints[races] = course.floats[few], course.waypoints[few]
            self.flags[races] = course.flags[few]
            for i in races.tolist():
                self._builds[i] = course.build

    def of(self, i: int) -> dict[str, Any]:
        """The dict of car i, on its own track."""
        return next(iter(self.rows(slice(i, i + 1), self.floats[i : i + 1].tolist())))

    def rows(self, cars: slice, floats: list[list[float]]) -> Iterator[dict[str, Any]]:
        """The dicts of several cars, each on its own track."""
        return map(call, self._builds[cars], floats, self.waypoints[cars].tolist(), self.flags[cars].tolist())
