"""Random tracks: another one in each episode, out of a stock that all cars share and that is renewed as they drive.

Invariant: which track a car drives depends on its own seed, episode and clock alone. A car in a batch drives the
tracks that it drives alone, and the same seed the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from racer.sim.car import CARS, Car
from racer.sim.randomization import OFF, Randomization, VariedWorld
from racer.sim.road import road_of
from racer.sim.rules import Rules
from racer.sim.world import World
from racer.track import Track, make_track

__all__ = ["RANDOM", "RandomTracks", "RandomWorld"]

RANDOM = "random"
"""What stands for random tracks where tracks are named."""

STOCK = 16  # tracks that are driven at a time: each costs some 20 us a step, however many cars are on it
RENEWED = 500  # steps of a car after which one of them makes room for a new one
EACH = 1_000_000  # seeds of tracks for each seed; those below are nobody's, and stay unseen in every training
UNSEEN = 900_000  # the first of them that nobody trains on


@dataclass(frozen=True)
class RandomTracks:
    """An endless row of tracks, and who drives which of them when.

    Attributes:
        seed: of the row.
    """

    seed: int = 0

    def track(self, number: int) -> Track:
        """The track at a place in the row."""
        return _made(EACH * (self.seed + 1) + number)

    def unseen(self, count: int) -> tuple[Track, ...]:
        """Tracks that nobody gets to drive, to judge drivers on."""
        return tuple(make_track(EACH * (self.seed + 1) + UNSEEN + k) for k in range(count))

    def places(self, cars: NDArray[np.void]) -> NDArray[np.int64]:
        """Where in the row the tracks of cars' next episodes are.

        Args:
            cars: (n,) `racer.sim.CAR_STATE`.
        """
        turn = (cars["seed"] % np.uint64(STOCK)).astype(np.int64) + cars["episode"] + 1
        places: NDArray[np.int64] = cars["clock"] // RENEWED + turn % STOCK
        return places


@lru_cache(maxsize=2 * STOCK)
def _made(seed: int) -> Track:
    return make_track(seed)


class RandomWorld(World):
    """n races, each on a random track, another one in each episode.

    Attributes:
        row: the tracks.
        track, road: of the first race.
        randomization: what else differs from episode to episode.
    """

    def __init__(
        self,
        row: RandomTracks,
        races: int = 1,
        cars: int = 1,
        car: Car = CARS["deepracer"],
        rules: Rules | None = None,
        randomization: Randomization = OFF,
    ) -> None:
        """Make the world; `reset` puts the cars down. The arguments are those of `World` and what differs."""
        arguments = row.track(0), races, cars, car, rules
        super().__init__(*arguments)
        self.row, self.randomization = row, randomization
        self._whole = World(*arguments) if randomization == OFF else VariedWorld(*arguments, 1, randomization)
        self._whole.cars = self.cars
        self._tracks = [self.track] * races
        self._worlds: dict[Track, World] = {}
        self._group()

    @property
    def length(self) -> NDArray[np.float64]:
        """Length of each race's track, (n,) m."""
        return self._lengths

    def reset(self, which: NDArray[np.bool_] | None = None) -> None:
        """As `World.reset`, on new tracks."""
        if which is None:
            which = np.ones(len(self.cars), dtype=np.bool_)
        for i, place in zip(np.flatnonzero(which), self.row.places(self.cars[which, 0]).tolist(), strict=True):
            self._tracks[i] = self.row.track(place)
        self._group()
        for races, part in self.parts():
            if which[races].any():
                part.reset(which[races])
                self._whole.take_back(part, races)

    def only(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        """A copy of the races that `which` is true for, to be looked at."""
        some = super().only(which)
        some._whole = self._whole.only(which)
        some._tracks = [self._tracks[i] for i in np.arange(len(self._tracks))[which]]
        some._group()
        return some

    def parts(self) -> Iterator[tuple[NDArray[np.intp], World]]:
        """The races of each track, and a world of copies of them."""
        for races, part in self._groups:
            self._whole.lend(part, races)
            yield races, part

    def _drive(self, races: slice, commands: NDArray[np.float64], rewards: NDArray[np.float64]) -> None:
        for chosen, part in self.parts():
            paid = np.empty((len(chosen), self.cars.shape[1]))
            part._drive(slice(None), commands[chosen], paid)
            rewards[chosen] = paid
            self._whole.take_back(part, chosen)

    def _group(self) -> None:
        """Sort the races by their tracks."""
        together: dict[Track, list[int]] = {}
        for i, track in enumerate(self._tracks):
            together.setdefault(track, []).append(i)
        self.track = self._tracks[0]
        self.road = road_of(self.track)
        self._worlds = {track: self._worlds.get(track) or self._on(track) for track in together}
        self._groups = [(np.array(races, dtype=np.intp), self._worlds[track]) for track, races in together.items()]
        self._lengths = np.array([track.length for track in self._tracks])

    def _on(self, track: Track) -> World:
        """A world on a track, for races to be lent to."""
        part = copy(self._whole)
        part.track, part.road = track, road_of(track)
        return part
