"""Races by a rulebook: a driver's trials, side by side, each under a seed of its own, with the rulebook's noise.

Invariant: a race's result depends on the rulebook, the driver and the seed alone. How many races are driven at once
makes no difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from racer.env import TimeTrialVector
from racer.errors import RulesError
from racer.racing.agents import Driver
from racer.racing.race import RaceConditions, actions_of
from racer.racing.results import CourseResult, LapResult, RaceResult, TrialResult
from racer.racing.rulebook import Rulebook
from racer.racing.scoring import score
from racer.replay import LapBook
from racer.sim import CARS, CRASHED, OFF_TRACK, PAUSE, STATUS, STEP_S
from racer.track import Track

__all__ = ["drive_trials", "race_by_rules", "races_by_rules"]

COUNTED = {"off_tracks": OFF_TRACK, "crashes": CRASHED, "held": PAUSE}
"""What is counted in each lap: steps with a status."""


def race_by_rules(
    driver_on: Callable[[Track], Driver],
    rulebook: Rulebook,
    conditions: RaceConditions = RaceConditions(),  # noqa: B008 (it is frozen)
    *,
    name: str = "",
) -> RaceResult:
    """Let a driver race by a rulebook.

    Args:
        driver_on: gives the driver for a track.
        rulebook: the rules.
        conditions: what it races with: its actions, its sensors and the seed. The rulebook says the rest.
        name: the driver's, for the result.

    Raises:
        RulesError: such races cannot be driven yet, or the rules do not allow the driver's sensors.
        ShelfError, TrackError: a track does not exist, or cannot be raced.
        AgentError: as for `racer.racing.drive`.
    """
    return races_by_rules(driver_on, rulebook, conditions, [conditions.seed], name=name)[0]


def races_by_rules(
    driver_on: Callable[[Track], Driver],
    rulebook: Rulebook,
    conditions: RaceConditions,
    seeds: Sequence[int],
    *,
    name: str = "",
) -> list[RaceResult]:
    """The same race under several seeds, side by side.

    Args:
        driver_on, rulebook, conditions, name: as for `race_by_rules`, but for the seed.
        seeds: one a race, from 0 to 2**63 - 1. Trial k of a race has the seed of the race + k, from 0.

    Raises:
        RacerError: as for `race_by_rules`.
    """
    if not rulebook.allows(conditions.sensors):
        raise RulesError(
            f"the driver observes {', '.join(conditions.sensors)}, but the rules allow {', '.join(rulebook.sensors)} "
            "(sensors)",
            "sensors",
        )
    numbers = [seed + trial for seed in seeds for trial in range(rulebook.race.trials)]
    found: list[list[CourseResult]] = [[] for _ in seeds]
    for track in rulebook.courses():
        trials = _trials(driver_on(track), track, rulebook, conditions, numbers)
        for k, race in enumerate(found):
            own = tuple(trials[k * rulebook.race.trials : (k + 1) * rulebook.race.trials])
            race.append(CourseResult(track, own, score(rulebook, [trial.laps for trial in own])))
    return [RaceResult(name, rulebook, seed, tuple(race)) for seed, race in zip(seeds, found, strict=True)]


def _trials(
    driver: Driver, track: Track, rulebook: Rulebook, conditions: RaceConditions, seeds: Sequence[int]
) -> list[TrialResult]:
    """A trial under each seed."""
    how: Any = {"actions": conditions.actions, "sensors": conditions.sensors, "rules": rulebook.rules}
    env = TimeTrialVector(len(seeds), track, None, CARS[rulebook.car], randomization=rulebook.randomization, **how)
    found = drive_trials(driver, env, seeds, rulebook.warm_up_laps)
    return [replace(trial, number=(trial.number - 1) % rulebook.race.trials + 1) for trial in found]


def drive_trials(
    driver: Driver, env: TimeTrialVector, seeds: Sequence[int], warm_up_laps: int = 0
) -> list[TrialResult]:
    """A trial under each seed, side by side: an episode of each car of an environment.

    Args:
        driver: who drives all of them.
        env: one car for each seed; its rules say when an episode ends.
        seeds: of the cars.
        warm_up_laps: that are numbered 0, before the first that counts.

    Raises:
        AgentError: as for `racer.racing.drive`.
    """
    observations, _ = env.reset(seed=list(seeds))
    book, tally = LapBook(env.num_envs), _Tally(env.num_envs)
    ends: list[tuple[str, float] | None] = [None] * env.num_envs
    laps: list[list[LapResult]] = [[] for _ in seeds]
    while None in ends:
        actions = actions_of(driver, observations, env)
        book.before(env.state[:, None])
        speeds, numbers = env.state["speed"].copy(), book.numbers[:, 0].copy()
        observations, _, terminated, truncated, infos = env.step(actions)
        ended, status = terminated | truncated, env.state["status"].copy()
        for i in np.flatnonzero(ended).tolist():
            status[i] = STATUS.index(infos["final_info"]["status"][i])
        tally.add(status, speeds)
        over = book.after(env.state[:, None], status[:, None], ended[:, None])[:, 0]
        for i in np.flatnonzero(over).tolist():
            if ends[i] is None and len(book.laps[i][0]) >= numbers[i]:
                laps[i].append(tally.take(i, warm_up_laps, book.laps[i][0][-1]))
            if ends[i] is None and ended[i]:
                ends[i] = STATUS[status[i]], float(infos["final_info"]["progress"][i])
    return [
        TrialResult(number, seed, tuple(driven), *(end or ("", 0.0)))
        for number, (seed, driven, end) in enumerate(zip(seeds, laps, ends, strict=True), start=1)
    ]


class _Tally:
    """What happened to each car in the lap that it is in."""

    def __init__(self, cars: int) -> None:
        self._counts = {name: np.zeros(cars, dtype=np.int64) for name in COUNTED}
        self._steps, self._speed = np.zeros(cars, dtype=np.int64), np.zeros(cars)

    def add(self, status: NDArray[np.int64], speeds: NDArray[np.float64]) -> None:
        """Count a step, which found the cars with a status and at a speed, (n,)."""
        for name, counted in COUNTED.items():
            self._counts[name] += status == counted
        self._steps += 1
        self._speed += speeds

    def take(self, car: int, warm_up_laps: int, lap: Any) -> LapResult:
        """The result of the lap that a car has ended, and begin the next."""
        counts = {name: int(values[car]) for name, values in self._counts.items()}
        held_s = counts.pop("held") * STEP_S
        result = LapResult(
            number=lap.index - warm_up_laps,
            start_s=lap.start_s,
            time_s=lap.time_s,
            complete=lap.complete,
            penalty_s=held_s,
            resets=lap.resets,
            mean_speed_mps=float(self._speed[car] / self._steps[car]),
            **counts,
        )
        for values in (*self._counts.values(), self._steps, self._speed):
            values[car] = 0
        return result
