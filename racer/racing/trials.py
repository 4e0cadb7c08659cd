"""Trials: how a driver does on many tracks, in both directions of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from racer import shelf
from racer.errors import TrackError
from racer.racing.agents import Driver
from racer.racing.race import RaceConditions, drive
from racer.replay import Lap, Replay, keep_mark, mark_of, percent_of_mark
from racer.sim import RANDOM
from racer.track import Track, load_track, make_track

__all__ = ["SHELF", "Trial", "both_directions", "trials"]

SHELF = "shelf"
"""What stands for every track on the shelf."""

MOST = 1000  # random tracks in a trial


@dataclass(frozen=True)
class Trial:
    """What a driver did on a track in one direction.

    Attributes:
        track: driven in that direction.
        trained: whether the driver has trained on it, in that direction.
        laps: tried.
        mark: the best race known there with that car, before this one; None if none is known.
    """

    track: Track
    trained: bool
    laps: tuple[Lap, ...]
    mark: Replay | None = None

    @property
    def completed(self) -> int:
        """How many of the laps are complete."""
        return len(self._times)

    @property
    def best_lap_s(self) -> float | None:
        """Time of the fastest complete lap, s."""
        return min(self._times, default=None)

    @property
    def mean_lap_s(self) -> float | None:
        """Mean time of the complete laps, s."""
        return float(np.mean(self._times)) if self._times else None

    @property
    def percent_of_mark(self) -> float | None:
        """How much of the mark the fastest complete lap is."""
        return percent_of_mark(self.best_lap_s, self.mark)

    @property
    def _times(self) -> list[float]:
        return [lap.time_s for lap in self.laps if lap.complete]


def both_directions(words: str) -> list[Track]:
    """Load several tracks, each in both directions.

    Args:
        words: separated by commas: names or paths of tracks, `SHELF`, or `random:K` for the random tracks 1 to K, on
            which nothing trains.

    Raises:
        ShelfError, TrackError: a track does not exist, or cannot be driven.
    """
    tracks: list[Track] = []
    for word in map(str.strip, words.split(",")):
        kind, _, count = word.partition(":")
        if word == SHELF:
            tracks += map(load_track, shelf.names("tracks"))
        elif kind == RANDOM:
            if not count.isdecimal() or not 1 <= int(count) <= MOST:
                raise TrackError(f"{word!r}: write {RANDOM}:K for K random tracks, from 1 to {MOST}")
            tracks += map(make_track, range(1, int(count) + 1))
        else:
            tracks.append(load_track(word))
    return [way for track in tracks for way in (track, track.reverse())]


def trials(
    driver_on: Callable[[Track], Driver],
    tracks: Sequence[Track],
    laps: int = 3,
    trained: Sequence[Track] = (),
    conditions: RaceConditions = RaceConditions(),  # noqa: B008 (it is frozen)
) -> Iterator[Trial]:
    """Let a driver race on one track after the other; a lap that beats a mark becomes it.

    Args:
        driver_on: gives the driver for a track.
        tracks: where, in the directions to be driven.
        laps: tried on each.
        trained: the tracks that it has trained on, in the directions that it has.
        conditions: what it races with.

    Raises:
        RacerError: as for `drive`.
    """
    known = {one.digest for one in trained}
    for track in tracks:
        race = drive(driver_on(track), track, laps, conditions, reward_function=None)
        mark = mark_of(track, conditions.car)
        keep_mark(race)
        yield Trial(track, track.digest in known, race.laps, mark)
