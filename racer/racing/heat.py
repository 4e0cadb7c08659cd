"""Heats: several drivers race each other on one track, each with its own sensors, actions and policy.

Invariant: a driver that raises, hangs or commands nonsense retires, and the others go on. What decides the race is the
heat, the drivers and the seed; only a driver that hangs brings in the clock on the wall.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from racer import __version__
from racer.errors import AgentError, RulesError
from racer.racing.agents import Driver, failure
from racer.racing.caller import Caller
from racer.racing.heat_result import HeatResult, heat_result
from racer.racing.race import LAP_LIMIT_S, RaceConditions, checked_actions
from racer.replay import Crash, Drive, Recorder, Replay, places_of
from racer.reward import patience_s
from racer.sensors import Observer, make_sensors
from racer.sim import STEP_S, Car, Rules, Traffic, World, physics_version
from racer.track import Track

__all__ = ["Contestant", "Heat", "run_heat"]

MOST_DRIVERS = 8
GRACE_S = 60.0  # for those still driving when the first has finished
FIRST_PATIENCE = 12.0  # times the patience: what a driver's first answer may take, which may compile or load something


@dataclass(frozen=True)
class Contestant:
    """A driver in a heat.

    Attributes:
        name: of it; those who share one are numbered.
        driver: who drives.
        conditions: its car, its actions and its sensors; the heat says the rest.
    """

    name: str
    driver: Driver
    conditions: RaceConditions = RaceConditions()  # noqa: RUF009 (it is frozen)


@dataclass(frozen=True)
class Heat:
    """What is raced for.

    Attributes:
        track: where.
        laps: that finish the race, the first from a standing start, the others flying.
        traffic: the grid, and what else is on the track.
        penalty_s: simulated time for which a car is held that left the track or drove backwards, s.
        crash_penalty_s: the same for a car that is to blame for a crash, s.
        seed: random seed of the race.
        grace_s: simulated time that the others have when the first has finished, s. Then the race is over.
        lap_limit_s: simulated time for each lap, s, after which it is over, too, whoever is still driving.
    """

    track: Track
    laps: int = 3
    traffic: Traffic = Traffic()  # noqa: RUF009 (it is frozen)
    penalty_s: float = 5.0
    crash_penalty_s: float = 5.0
    seed: int = 0
    grace_s: float = GRACE_S
    lap_limit_s: float = LAP_LIMIT_S

    @property
    def rules(self) -> Rules:
        """What the simulation needs of it."""
        costs: Any = {"penalty_s": self.penalty_s, "crash_penalty_s": self.crash_penalty_s}
        return Rules("line", self.laps, self.lap_limit_s * self.laps, **costs)


def run_heat(heat: Heat, contestants: Sequence[Contestant]) -> HeatResult:
    """Let drivers race each other, and record it.

    Args:
        heat: what for.
        contestants: one to eight, in the order of the grid.

    Returns:
        The result, with a replay of all cars.

    Raises:
        AgentError: there are too many drivers or none, or they drive different cars.
        RulesError: the traffic does not fit on the track.
    """
    race = _Race(heat, contestants)
    try:
        while race.goes_on:
            race.step()
    finally:
        race.caller.close()
    return heat_result(race.replay(unique_names([one.name for one in contestants])))


class _Race:
    """A heat that is being raced.

    Attributes:
        caller: calls the drivers.
    """

    def __init__(self, heat: Heat, contestants: Sequence[Contestant]) -> None:
        car = _common_car(contestants)
        rules = dataclasses.replace(heat.rules, laps=1000, time_limit_s=1e6)  # the world knows no end of the race
        self._heat, self._over_s, self._steps = heat, heat.rules.time_limit_s, 0
        self._world = world = World(heat.track, 1, len(contestants), car, rules, traffic=heat.traffic)
        world.seed(heat.seed)
        try:
            world.reset()
        except ValueError as wrong:
            raise RulesError(f"this race cannot start: {wrong}") from wrong
        self._seats = [_Seat(place, one) for place, one in enumerate(contestants)]
        specs = {one.conditions.sensors for one in contestants}
        self._observers = {sensors: Observer(world, make_sensors(sensors)) for sensors in sorted(specs)}
        for observer in self._observers.values():
            observer.observe(np.ones(1, np.bool_))
        self._commands, self._gained = np.zeros((1, len(contestants), 2)), np.zeros((1, len(contestants)))
        self._things: list[NDArray[np.void]] = []
        self._crashes: list[Crash] = []
        self.caller, self._patience = Caller(), patience_s()

    @property
    def goes_on(self) -> bool:
        """Whether somebody is still driving, and has time to."""
        return any(seat.going for seat in self._seats) and self._steps * STEP_S < self._over_s

    def step(self) -> None:
        """Take one control step."""
        world, heat, commands = self._world, self._heat, self._commands
        going = [seat for seat in self._seats if seat.going]
        for seat in going:
            commands[0, seat.place] = seat.command(self._observers[seat.sensors], self.caller, self._patience)
            seat.recorder.before(world.cars[:, seat.own])
        if heat.traffic.bots or not self._things:
            self._things.append(places_of(world.things))
        world.step(commands, self._gained)
        for seat in going:
            own = world.cars[:, seat.own]
            seat.recorder.act(commands[:, seat.own], self._gained[:, seat.own])
            seat.recorder.after(own, own["status"], np.zeros((1, 1), np.bool_))
            if (hit := own["hit"].item()) >= 0:
                self._crashes.append(Crash(self._steps, seat.place, hit))
            seat.finished = own["laps"].item() >= heat.laps
            if not seat.going:
                commands[0, seat.place] = 0.0
                world.remove_car(0, seat.place)
        self._steps += 1
        if self._over_s == heat.rules.time_limit_s and any(seat.finished for seat in self._seats):
            self._over_s = min(self._over_s, self._steps * STEP_S + heat.grace_s)
        for observer in self._observers.values():
            observer.observe()

    def replay(self, names: Sequence[str]) -> Replay:
        """What was driven."""
        physics = physics_version()
        return Replay(
            track=self._heat.track,
            car=self._world.car,
            drives=tuple(seat.drive(name) for seat, name in zip(self._seats, names, strict=True)),
            seed=self._heat.seed,
            created=datetime.now(UTC).isoformat(timespec="microseconds"),
            engine=__version__,
            physics=physics.motion,
            arithmetic=physics.bits,
            rules=self._heat.rules,
            traffic=self._heat.traffic,
            things=np.concatenate(self._things),
            crashes=tuple(self._crashes),
        )


class _Seat:
    """A driver at work in a race.

    Attributes:
        place: of its car among those of the race.
        own: the same as a slice.
        sensors: that it observes.
        recorder: of its car's steps.
        finished: whether it has driven all its laps.
        retired: why it gave up; empty as long as it has not.
    """

    def __init__(self, place: int, contestant: Contestant) -> None:
        self.place, self.own = place, slice(place, place + 1)
        self.sensors, self._actions = contestant.conditions.sensors, contestant.conditions.actions
        self._driver, self._has_answered = contestant.driver, False
        self.recorder = Recorder()
        self.finished, self.retired = False, ""

    @property
    def going(self) -> bool:
        """Whether it is still in the race."""
        return not self.finished and not self.retired

    def command(self, observer: Observer, caller: Caller, patience: float) -> NDArray[np.float64]:
        """What its driver wants, steering in degrees and speed in m/s; if that fails, nothing, and it has retired."""
        observed = observer.observed(0, self.own)
        waits_s = patience if self._has_answered else FIRST_PATIENCE * patience
        try:
            answer = self._answer(caller, observed, waits_s)
            commands: NDArray[np.float64] = self._actions.commands(checked_actions(answer, self._actions, 1))[0]
        except AgentError as wrong:
            self.retired = str(wrong)
            return np.zeros(2)
        self._has_answered = True
        return commands

    def _answer(self, caller: Caller, observed: Any, waits_s: float) -> NDArray[Any]:
        try:
            answer: NDArray[Any] = caller.call(lambda: np.asarray(self._driver.act(observed)), waits_s)
        except AgentError:
            raise
        except (Exception, SystemExit) as wrong:
            raise failure(self._driver, wrong) from wrong
        return answer

    def drive(self, name: str) -> Drive:
        """What it drove."""
        self.recorder.close()
        laps, steps = tuple(self.recorder.laps[0][0]), self.recorder.take()[:, 0, 0]
        return Drive(name, "progress", laps, steps, self.sensors, self.retired)


def unique_names(names: Sequence[str]) -> list[str]:
    """Names of drivers, of whom those who share one are numbered."""
    count, taken, unique = Counter(names), set(names), []
    for name in names:
        number, chosen = 1, name
        while count[name] > 1 and (chosen in taken):
            chosen, number = f"{name} {number}", number + 1
        taken.add(chosen)
        unique.append(chosen)
    return unique


def _common_car(contestants: Sequence[Contestant]) -> Car:
    """The car that all of them drive.

    Raises:
        AgentError: there is none.
    """
    if not 1 <= len(contestants) <= MOST_DRIVERS:
        raise AgentError(f"there are {len(contestants)} drivers; a race has from 2 to {MOST_DRIVERS}")
    first = contestants[0]
    for other in contestants[1:]:
        if other.conditions.car != first.conditions.car:
            cars = (first.conditions.car.name, other.conditions.car.name)
            raise AgentError(
                f"{first.name} drives the car {cars[0]}, but {other.name} the car {cars[1]}; all cars of a race are "
                "alike, so leave one of the two out"
            )
    return first.conditions.car
