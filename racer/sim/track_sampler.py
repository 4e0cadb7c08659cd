"""Random tracks: which track each race is on, and a sampler that gives a race another one with each episode.

Invariant: which track a race gets depends on its own seed, episode and clock alone. A race in a batch drives the
tracks that it drives alone, and the same seed the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from racer.track import Track, make_track

__all__ = ["RANDOM", "RaceTracks", "Races", "TrackSampler"]

RANDOM = "random"
"""The name that stands for random tracks where tracks are named."""

POOL = 16  # tracks that are driven at a time: each costs some 20 us a step, however many cars are on it
RENEWED = 500  # steps of a race after which one of them makes room for a new one
EACH = 1_000_000  # seeds of tracks for each seed of a sampler; those below belong to none, and stay unseen in training
UNSEEN = 900_000  # the first of them that nobody trains on

Races = slice | NDArray[np.intp]
"""Some of the races of a world: all of them as a slice, or their numbers."""


@dataclass(frozen=True)
class TrackSampler:
    """An endless sequence of random tracks, and a pool that moves along it as the races go on.

    Attributes:
        seed: of the sequence.
        steps_before: that each race has driven before: a resumed training goes on along the sequence.
    """

    seed: int = 0
    steps_before: int = 0

    def track(self, number: int) -> Track:
        """The track with a number."""
        return _made(EACH * (self.seed + 1) + number)

    def unseen(self, count: int) -> tuple[Track, ...]:
        """Held-out tracks: no race ever gets them, so that drivers can be evaluated on them."""
        return tuple(make_track(EACH * (self.seed + 1) + UNSEEN + k) for k in range(count))

    def numbers(self, cars: NDArray[np.void]) -> NDArray[np.int64]:
        """Numbers of the tracks that races get for their next episodes.

        Args:
            cars: (n,) `racer.sim.CAR_STATE`, one car of each race.
        """
        turn = (cars["seed"] % np.uint64(POOL)).astype(np.int64) + cars["episode"] + 1
        numbers: NDArray[np.int64] = (self.steps_before + cars["clock"]) // RENEWED + turn % POOL
        return numbers


@lru_cache(maxsize=2 * POOL)
def _made(seed: int) -> Track:
    return make_track(seed)


@dataclass(frozen=True, eq=False)
class RaceTracks:
    """Which track each race is on.

    Attributes:
        pool: the tracks.
        index: (n,) where in the pool each race's track is.
    """

    pool: tuple[Track, ...]
    index: NDArray[np.intp]

    @classmethod
    def of(cls, tracks: Sequence[Track]) -> RaceTracks:
        """The record of races whose tracks are given, one for each."""
        places = {track: place for place, track in enumerate(dict.fromkeys(tracks))}
        return cls(tuple(places), np.array([places[track] for track in tracks], dtype=np.intp))

    def each(self) -> list[Track]:
        """The track of every race."""
        return [self.pool[place] for place in self.index.tolist()]

    @cached_property
    def groups(self) -> tuple[tuple[NDArray[np.intp], Track], ...]:
        """The races on each track, and the track."""
        places = [0] if len(self.pool) == 1 else np.unique(self.index).tolist()
        return tuple((np.flatnonzero(self.index == place), self.pool[place]) for place in places)

    @cached_property
    def lengths(self) -> NDArray[np.float64]:
        """Length of each race's track, (n,) m."""
        return np.array([track.length for track in self.pool])[self.index]
