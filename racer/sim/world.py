"""Races: n of them side by side, m cars in each, one control step at a time.

Physics is written once. A single environment is a world of one race; a car in a batch of 512 behaves bit for bit as
it does alone, because every car is computed by the same scalar code from its own state, its own seed and counters.
What differs from race to race is kept in records beside the cars' states: which track each race is on (`RaceTracks`),
its boxes and bot cars (`THING`) and, where they are randomised, the constants of each car (`CAR_CONSTANTS`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from racer.sim.car import AT_ONCE, CARS, ROWS, Car
from racer.sim.crowd import crowd_alike, crowd_each, crowd_on
from racer.sim.lanes import Lanes, lanes_of
from racer.sim.objects import THING, boxes_around
from racer.sim.randomization import CAR_CONSTANTS, OFF, Randomization, randomise
from racer.sim.road import Road, road_of
from racer.sim.rules import FOR_GOOD, Rules
from racer.sim.start import start_episodes
from racer.sim.state import CAR_STATE
from racer.sim.step import all_finite, drive_alike, drive_each, drive_on
from racer.sim.things import set_out
from racer.sim.track_sampler import Races, RaceTracks, TrackSampler
from racer.sim.traffic import Traffic
from racer.track import Track

__all__ = ["World", "gather", "scatter"]

OUT_OF_SIGHT_M = 1e5  # x of a car that was taken out of its race


class World:
    """n races of m cars each.

    Attributes:
        cars: (n, m) array of `CAR_STATE`.
        car: the type of all cars.
        constants: its numbers, as the kernels take them.
        car_constants: (n, m) of `CAR_CONSTANTS`, each car's own in this episode; None where all cars are alike.
        rules: of the races.
        randomization: what differs from episode to episode.
        traffic: what the races have beside the learner's car; None: nothing, and their cars pass through each other.
        things: (n, b) of `THING`, the boxes or bot cars of each race; b is 0 where there are none.
        top_speed: the greatest that is commanded, m/s; a randomised throttle depends on it.
        sampler: gives a race another track with each episode; None where all races stay on one track.
        tracks: which track each race is on.
        one_track: whether all are on the same.
        track, road: of the first race, and that track's kernel arrays.
    """

    def __init__(
        self,
        track: Track | TrackSampler,
        races: int = 1,
        cars: int = 1,
        car: Car = CARS["deepracer"],
        rules: Rules | None = None,
        threads: int = 1,
        randomization: Randomization = OFF,
        traffic: Traffic | None = None,
    ) -> None:
        """Make the world; `reset` puts the cars down.

        Args:
            track: a closed one for all races, or a sampler that gives each race a track of its own.
            races: n.
            cars: m, in each race.
            car: the type of all cars.
            rules: of the races.
            threads: over which the races are spread. Results do not depend on it; below some 1,000 cars one thread is
                the fastest.
            randomization: what differs from episode to episode.
            traffic: what the races have beside the learner's car.

        Raises:
            TrackError: the track is open.
            ValueError: the track is too short for the boxes or bot cars.
        """
        self.car, self.rules, self.randomization = car, rules or Rules(), randomization
        self.cars: NDArray[np.void] = np.zeros((races, cars), dtype=CAR_STATE)
        self.constants, self._rules = car.constants, self.rules.constants
        self.car_constants: NDArray[np.void] | None = None
        if randomization != OFF:
            self.car_constants = np.zeros((races, cars), CAR_CONSTANTS)
        self.traffic = traffic
        self.things: NDArray[np.void] = np.zeros((races, 0 if traffic is None else traffic.count), THING)
        self._traffic = None if traffic is None else tuple(traffic.constants)
        self.top_speed = car.max_speed
        self._threads = ThreadPoolExecutor(threads) if threads > 1 else None
        self._shares = max(1, threads)
        self._jobs: list[tuple[Races, Road, Lanes | None]] = []  # of one step
        self._parts: list[tuple[NDArray[np.intp], World]] = []  # of the tracks, where there are several
        self.sampler = track if isinstance(track, TrackSampler) else None
        first = track.track(0) if isinstance(track, TrackSampler) else track
        self._move_to(RaceTracks((first,), np.zeros(races, dtype=np.intp)))

    @property
    def length(self) -> float | NDArray[np.float64]:
        """Length of the track, m; (n,) where the races are on several."""
        return self.track.length if self.one_track else self.tracks.lengths

    def seed(self, seed: int | Sequence[int], which: NDArray[np.bool_] | None = None) -> None:
        """Begin the episodes anew of all races, or of those that `which`, (n,), is true for.

        Race i gets the seed `seed + i`, or the i-th one of several.
        """
        chosen = slice(None) if which is None else which
        seeds = seed if isinstance(seed, Sequence) else [seed + i for i in range(len(self.cars))]
        self.cars["seed"][chosen] = np.array([one % 2**64 for one in seeds], dtype=np.uint64)[chosen, None]
        self.cars["episode"][chosen] = -1
        self.cars["clock"][chosen] = 0

    def reset(self, which: NDArray[np.bool_] | None = None) -> None:
        """Put the cars of all races, or of those `which` is true for, at the start of their next episode."""
        if which is None:
            which = np.ones(len(self.cars), dtype=np.bool_)
        if self.sampler is not None:
            fresh = np.flatnonzero(which)
            tracks = self.tracks.each()
            for race, number in zip(fresh.tolist(), self.sampler.numbers(self.cars[fresh, 0]).tolist(), strict=True):
                tracks[race] = self.sampler.track(number)
            self._move_to(RaceTracks.of(tracks))
        if self.one_track:
            self._start_episodes(which)
            return
        for races, part in self.by_track(which):
            part._start_episodes(np.ones(len(part.cars), dtype=np.bool_))
            scatter(part, self, races)

    def remove_car(self, race: int, car: int) -> None:
        """Take a car out of its race, which it has finished or given up, until the race is reset.

        It is held for good: it does not move, and as every car that is held nobody runs into it. It is put where
        nobody sees it, either.
        """
        self.cars["held"][race, car] = FOR_GOOD
        self.cars["x"][race, car] = OUT_OF_SIGHT_M

    def step(self, commands: NDArray[np.float64], rewards: NDArray[np.float64]) -> None:
        """Judge every car where it stands, then move it through one control step.

        With a penalty (see `Rules`), a car that is put back or held is not moved.

        Args:
            commands: (n, m, 2) steering (degrees, left positive) and speed (m/s).
            rewards: (n, m), filled with the metres gained since the last step along the track.

        Raises:
            ValueError: a command is not a finite number; no car has moved.
        """
        if not all_finite(commands):
            race, car, which = (int(k[0]) for k in np.nonzero(~np.isfinite(commands)))
            name = ("steering", "speed")[which]
            raise ValueError(
                f"the {name} of car {car} in race {race} is {commands[race, car, which]}, not a finite number"
            )
        self._jobs = self._jobs or self._split()
        if self._threads is None:
            for job in self._jobs:
                self._drive(*job, commands, rewards)
        else:
            submit = self._threads.submit
            for done in [submit(self._drive, *job, commands, rewards) for job in self._jobs]:
                done.result()

    def run(self, commands: NDArray[np.float64], things: NDArray[np.void] | None = None) -> NDArray[np.void]:
        """Take several steps in a row with commands that are known beforehand, as those of a replay are.

        It gives the same bits as `step` does, in a fraction of the time for few cars.

        Args:
            commands: (k, n, m, 2), those of each step.
            things: (k + 1, n, b) of `THING`, filled with the boxes and bot cars before each step, and after the last
                one; None: these are not wanted.

        Returns:
            (k + 1, n, m) of `CAR_STATE`: the cars before each step, and after the last one.

        Raises:
            ValueError: a command is not a finite number, the races are on several tracks, or cars are randomised.
        """
        if not self.one_track or self.car_constants is not None:
            raise ValueError("only races on one track, with cars as they are, take several steps at once")
        if not all_finite(commands):
            raise ValueError(f"a command of step {np.argwhere(~np.isfinite(commands))[0][0]} is not a finite number")
        states = np.empty((len(commands) + 1, *self.cars.shape), CAR_STATE)
        constants = tuple(self.road), tuple(self.constants), tuple(self._rules)
        gained, motion = np.empty(self.cars.shape), np.empty((ROWS, AT_ONCE))
        if self._traffic is None:
            drive_on(self.cars, commands, gained, states, *constants, motion)
            return states
        road, car, rules = constants
        seen = np.empty((len(states), *self.things.shape), THING) if things is None else things
        beside = road, lanes_of(self.track), car, rules, self._traffic
        crowd_on(self.cars, self.things, commands, gained, states, seen, *beside, motion)
        return states

    def by_track(self, which: NDArray[np.bool_] | None = None) -> Iterator[tuple[Races, World]]:
        """The races on each track, and a world of these alone, for what takes one track at a time.

        Args:
            which: (n,), to go through the races that it is true for; None for all races.

        Yields:
            The races, and their world: of copies (see `scatter`), or this world itself if it is all of it.
        """
        if which is not None:
            for races, track in self.tracks.groups:
                chosen = which.nonzero()[0] if self.one_track else races[which[races]]
                if len(chosen):
                    yield chosen, gather(self, chosen, track)
        elif self.one_track:
            yield slice(None), self
        else:
            self._parts = self._parts or [(races, gather(self, races, track)) for races, track in self.tracks.groups]
            for races, part in self._parts:
                _copy(self, races, part)
                yield races, part

    def boxes(self) -> NDArray[np.void]:
        """What each car has around it, for sensors: (n, m, k) of `BOX`; the other cars come last."""
        return boxes_around(self.cars, self.car, self.things)

    def close(self) -> None:
        """Let go of the threads."""
        if self._threads is not None:
            self._threads.shutdown()
            self._threads = None

    def _move_to(self, tracks: RaceTracks) -> None:
        self.tracks, self.one_track = tracks, len(tracks.groups) == 1
        self.track = tracks.groups[0][1] if self.one_track else tracks.pool[tracks.index[0]]
        self.road: Road = road_of(self.track)
        self._jobs, self._parts = [], []

    def _split(self) -> list[tuple[Races, Road, Lanes | None]]:
        """The jobs of one step: races that one call of the kernel drives, their road, and its lanes if need be."""
        shares: list[tuple[Races, Track]] = list(self.tracks.groups)
        if self.one_track:
            parts = np.array_split(np.arange(len(self.cars)), self._shares)
            shares = [(slice(part[0], part[-1] + 1), self.track) for part in parts if len(part)]
        with_lanes = self.traffic is not None
        return [(races, road_of(track), lanes_of(track) if with_lanes else None) for races, track in shares]

    def _start_episodes(self, which: NDArray[np.bool_]) -> None:
        start_episodes(self.cars, which, self.road, self.constants, self._rules)
        if self.car_constants is not None:
            self.car_constants[which] = np.array((*self.constants, 0.0, 0.0), CAR_CONSTANTS)
            ranges = self.randomization.constants
            randomise(self.cars, which, self.road, self.constants, ranges, self.car_constants)
        if self.traffic is not None:
            self.traffic.check_room(self.track.length, self.track.name)
            where = tuple(self.road), lanes_of(self.track)
            set_out(self.cars, self.things, which, *where, tuple(self.constants), self._traffic)

    def _drive(
        self,
        races: Races,
        road: Road,
        lanes: Lanes | None,
        commands: NDArray[np.float64],
        rewards: NDArray[np.float64],
    ) -> None:
        whole = isinstance(races, slice)  # then these are views, else copies
        cars = self.cars[races] if whole else _rows(self.cars)[races].view(CAR_STATE)
        given, gained, motion = commands[races], rewards[races], np.empty((ROWS, AT_ONCE))
        constants, rules = tuple(self.constants), tuple(self._rules)
        own = None if self.car_constants is None else (self.car_constants[races], self.top_speed)
        if lanes is not None:
            things, beside = self.things[races], (tuple(road), lanes, constants)
            if own is None:
                crowd_alike(cars, things, given, gained, *beside, rules, self._traffic, motion)
            else:
                crowd_each(
                    cars, things, given, gained, *beside, *own, rules, self._traffic, motion, np.empty((1, 1, 2))
                )
            if not whole:
                self.things[races] = things
        elif own is None:
            drive_alike(cars, given, gained, tuple(road), constants, rules, motion)
        else:
            drive_each(cars, given, gained, tuple(road), *own, rules, motion, np.empty((1, 1, 2)))
        if not whole:
            _rows(self.cars)[races], rewards[races] = _rows(cars), gained


def gather(world: World, races: NDArray[np.intp], track: Track | None = None) -> World:
    """A world of copies of some races of `world`; `scatter` puts them back.

    Args:
        world: any.
        races: numbers of races.
        track: that all of them are on, if the caller knows it.
    """
    part: World = object.__new__(World)
    part.__dict__.update(world.__dict__)
    _copy(world, races, part)
    index = world.tracks.index[races]
    if world.one_track:  # nothing else is to be found out
        part.tracks, part._jobs, part._parts = RaceTracks(world.tracks.pool, index), [], []
    else:
        part._move_to(RaceTracks(world.tracks.pool, index) if track is None else RaceTracks((track,), 0 * index))
    return part


def _copy(world: World, races: NDArray[np.intp], part: World) -> None:
    part.cars = _rows(world.cars)[races].view(CAR_STATE)
    part.things = world.things[races if world.things.size else slice(len(races))]  # a slice of nothing is quicker
    if world.car_constants is not None:
        part.car_constants = world.car_constants[races]


def scatter(part: World, world: World, races: Races) -> None:
    """Let the races of `world` become what they are in `part`, the world that was gathered from them."""
    _rows(world.cars)[races] = _rows(part.cars)
    if world.things.size:
        world.things[races] = part.things
    if world.car_constants is not None:
        world.car_constants[races] = part.car_constants


def _rows(cars: NDArray[Any]) -> NDArray[np.int64]:
    """The races as rows of eight bytes each: NumPy copies records field by field, five times as slowly."""
    return cars.view(np.int64).reshape(len(cars), -1)
