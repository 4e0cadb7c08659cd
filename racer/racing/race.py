"""Races: an agent drives laps, and the outcome is an evaluation result or a replay.

A race is a number of laps from the start line, flying after the first. Leaving the track, stopping or running out of
time ends the lap as incomplete, and the next one starts from the line, standing. With penalties only time does: the car
is put back, held for a while, and goes on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from racer import __version__
from racer.env import ConcatVectorEnv, RewardSource, StepCallback, TimeTrialVector
from racer.errors import AgentError
from racer.racing.agents import Driver, failure
from racer.replay import Drive, Lap, LapBook, Recorder, Replay
from racer.reward import VectorReward, load_reward
from racer.sim import (
    CARS,
    CRASHED,
    DEFAULT,
    IN_PROGRESS,
    LAP_COMPLETE,
    OFF,
    STATUS,
    ActionSpace,
    Car,
    ContinuousActions,
    DiscreteActions,
    Rules,
    physics_version,
)
from racer.track import Track

LAP_LIMIT_S = 180.0  # simulated time that a race has for each of its laps, s


@dataclass(frozen=True)
class RaceConditions:
    """What a driver races with.

    Attributes:
        car: which one.
        actions: what the driver's actions mean.
        sensors: what it observes.
        seed: of the environment; a driver that draws no random numbers drives the same whatever it is.
        penalty_s: what leaving the track costs; None ends the lap. See `racer.sim.Rules`.
        rules: of a rulebook, in place of the penalty and of the number of laps. Then it is one trial that is driven,
            which ends where the rules end it.
    """

    car: Car = CARS["deepracer"]
    actions: ActionSpace = DEFAULT
    sensors: tuple[str, ...] = ("state",)
    seed: int = 0
    penalty_s: float | None = None
    rules: Rules | None = None


def drive(
    driver: Driver,
    track: Track,
    laps: int = 3,
    conditions: RaceConditions = RaceConditions(),
    *,
    name: str = "",
    reward_function: RewardSource = "progress",
    on_lap: Callable[[int], None] | None = None,
    step_callback: StepCallback | None = None,
) -> Replay:
    """Let a driver race, and record it.

    Args:
        driver: who drives. If it has a method `begin(env)`, that is called once before its first action; if it has an
            attribute `finished` that becomes true, the race ends there.
        track: where.
        laps: tried; with the rules of a rulebook, as many as these say.
        conditions: what it races with.
        name: the driver's, for the record.
        reward_function: computed for each step, but without influence.
        on_lap: called with the number of laps tried so far, whenever it has grown.
        step_callback: as for `TimeTrialVector.step_callback`; called once more after the race, at the step that finds
            the last lap complete.

    Returns:
        The record; its `laps` are as many as asked for, or fewer where rules ended the trial or the driver is finished
        earlier.

    Raises:
        AgentError: the driver raises, or its actions are not of the action space.
        RewardError: the reward function fails.
    """
    rules = conditions.rules or Rules("line", laps, LAP_LIMIT_S * laps, penalty_s=conditions.penalty_s)
    laps = rules.laps
    how: Any = {"actions": conditions.actions, "sensors": conditions.sensors, "rules": rules}
    env = TimeTrialVector(1, track, reward_function, conditions.car, **how)
    env.step_callback = step_callback
    recorder = Recorder()
    _race(env, driver, laps, conditions.seed, recorder, on_lap, once=conditions.rules is not None)
    tried = recorder.laps[0][0][:laps]
    if step_callback is not None and tried[-1].complete:
        env.step(actions_of(driver, env.observe(), env))
    if isinstance(reward_function, VectorReward):
        reward = reward_function.reward.name
    else:
        reward = "progress" if reward_function is None else load_reward(reward_function).name
    physics = physics_version()
    return Replay(
        track=track,
        car=conditions.car,
        drives=(Drive(name, reward, tuple(tried), recorder.take()[:, 0, 0], conditions.sensors),),
        seed=conditions.seed,
        created=datetime.now(UTC).isoformat(timespec="microseconds"),
        engine=__version__,
        physics=physics.motion,
        arithmetic=physics.bits,
        rules=rules,
    )


class Attempt(NamedTuple):
    """One lap tried in an evaluation.

    Attributes:
        reward: sum over its steps; 0 where the environment has no reward function.
        progress: percent of the lap driven.
        time_s: how long the lap took, s; None if it was not completed.
        end: how it ended, a name of `racer.sim.STATUS`.
    """

    reward: float
    progress: float
    time_s: float | None
    end: str = STATUS[LAP_COMPLETE]


@dataclass(frozen=True)
class EvaluationResult:
    """How good a driver is. Complete laps count first, then lap time.

    Attributes:
        completed: share of the laps tried that were completed, over all cars.
        lap_time_s: mean time of the undisturbed car's laps, s; infinite if it did not complete all of them. On several
            tracks the geometric mean over them, so that a percent counts the same on every track.
        laps: the undisturbed car's laps; on several tracks those on the first.
        ends: how each of them ended, a name of `racer.sim.STATUS`, and its progress, percent.
        attempts: the laps of all cars, disturbed or not.
    """

    completed: float
    lap_time_s: float
    laps: tuple[Lap, ...]
    ends: tuple[tuple[str, float], ...] = ()
    attempts: tuple[Attempt, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether the undisturbed car completed all its laps, on every track."""
        return math.isfinite(self.lap_time_s)

    @property
    def best_lap_s(self) -> float | None:
        """The undisturbed car's fastest complete lap, s."""
        return min((lap.time_s for lap in self.laps if lap.complete), default=None)

    @property
    def crashed(self) -> float:
        """Share of the laps tried that a crash ended, over all cars."""
        return float(np.mean([attempt.end == STATUS[CRASHED] for attempt in self.attempts or (Attempt(0, 0, 0),)]))

    @property
    def rank(self) -> tuple[bool, float, float]:
        """What results are compared by; the greater, the better."""
        return self.clean, round(self.completed, 2), -self.lap_time_s


NOISE = 0.03  # standard deviation of the disturbance of the actions, in a space of -1..1; PPO ends with 0.05
SLIPS = 0.02  # where they are discrete, the share of them that is random instead


def evaluate(env: TimeTrialVector | ConcatVectorEnv, driver: Driver, laps: int, seed: int) -> EvaluationResult:
    """Evaluate a driver in a race of several cars: the first undisturbed, the others with noise on their actions.

    Undisturbed laps repeat themselves and say little about how close to the edge they were driven.

    Args:
        env: with `start="line"` and at least `laps` laps; the first car is the undisturbed one, in a `ConcatVectorEnv`
            the first of each part whose cars are not randomised.
        driver: who drives all the cars.
        laps: tried by each car.
        seed: of the disturbance.

    Raises:
        AgentError: as for `drive`.
    """
    book = LapBook(env.num_envs)
    try:
        ends, attempts = _race(env, driver, laps, seed, book, None)
    finally:
        env.blind = False
    results = [cars[0][:laps] for cars in book.laps]
    done = [lap.complete for result in results for lap in result]
    steady = [results[place] for place in _undisturbed(env)]
    clean = all(lap.complete for result in steady for lap in result)
    means = [np.mean([lap.time_s for lap in result]) for result in steady]
    mean = float(np.exp(np.mean(np.log(means)))) if clean else float("inf")
    how = tuple(ends.get(lap.index, ("lap_complete", 100.0)) for lap in steady[0])
    tried = tuple(attempt for car in attempts for attempt in car[:laps])
    return EvaluationResult(float(np.mean(done)), mean, tuple(steady[0]), how, tried)


def _undisturbed(env: TimeTrialVector | ConcatVectorEnv) -> list[int]:
    """Places of the cars that are driven without noise: the first of each part that is not randomised, or of all."""
    firsts = [(place.start, part.field.world.randomization == OFF) for part, place in _parts(env)]
    return [place for place, steady in firsts if steady] or [place for place, _ in firsts]


def _parts(env: TimeTrialVector | ConcatVectorEnv) -> list[tuple[TimeTrialVector, slice]]:
    """The environments that it is put together of, and the places of their cars."""
    if isinstance(env, ConcatVectorEnv):
        return list(zip(env.parts, env.places, strict=True))
    return [(env, slice(0, env.num_envs))]


def _race(
    env: TimeTrialVector | ConcatVectorEnv,
    driver: Driver,
    laps: int,
    seed: int,
    book: LapBook,
    on_lap: Callable[[int], None] | None,
    once: bool = False,
) -> tuple[dict[int, tuple[str, float]], list[list[Attempt]]]:
    """Race until every car has tried its laps, which `book` counts; with `once` until the first car's episode ends.

    Returns:
        How the first car's failed laps ended, and the attempts of each car.
    """
    observations, _ = env.reset(seed=seed)
    if callable(begin := getattr(driver, "begin", None)):
        begin(env)
    noise = np.random.default_rng(seed)
    disturbed = np.setdiff1d(np.arange(env.num_envs), _undisturbed(env))
    ends: dict[int, tuple[str, float]] = {}
    attempts: list[list[Attempt]] = [[] for _ in range(env.num_envs)]
    earned, parts = np.zeros(env.num_envs), _parts(env)
    while any(len(cars[0]) < laps for cars in book.laps):
        if getattr(driver, "finished", False) is True:
            book.close()
            break
        actions = actions_of(driver, observations, env)
        actions[disturbed] = _disturbed(actions[disturbed], env.actions, noise)
        book.before(env.state[:, None])
        observations, rewards, terminated, truncated, infos = env.step(actions)
        if isinstance(book, Recorder) and isinstance(env, TimeTrialVector):
            book.act(env.commands[:, None], rewards[:, None])
        ended, status = terminated | truncated, np.full(env.num_envs, IN_PROGRESS)
        for i in np.flatnonzero(ended).tolist():
            status[i] = STATUS.index(infos["final_info"]["status"][i])
        over = book.after(env.state[:, None], status[:, None], ended[:, None])
        earned += rewards
        for i in np.flatnonzero(over[:, 0]).tolist():
            if len(book.laps[i][0]) > len(attempts[i]):
                lap, progress, end = book.laps[i][0][-1], 100.0, STATUS[LAP_COMPLETE]
                if not lap.complete:
                    progress, end = float(infos["final_info"]["progress"][i]), STATUS[status[i]]
                attempts[i].append(Attempt(float(earned[i]), progress, lap.time_s if lap.complete else None, end))
            elif attempts[i]:  # the step that finds the last lap complete is paid for that lap
                attempts[i][-1] = attempts[i][-1]._replace(reward=attempts[i][-1].reward + float(earned[i]))
            earned[i] = 0.0
        tried = len(book.laps[0][0])
        if over[0, 0] and tried and not book.laps[0][0][-1].complete:
            ends[tried] = STATUS[status[0]], float(infos["final_info"]["progress"][0])
        if over[0, 0] and on_lap is not None:
            on_lap(tried)
        if once and ended[0]:
            break
        for part, place in parts if over.any() else ():
            part.blind = all(len(cars[0]) >= laps for cars in book.laps[place])  # nobody looks at what is done
    return ends, attempts


def actions_of(driver: Driver, observations: Any, env: TimeTrialVector | ConcatVectorEnv) -> NDArray[Any]:
    """A driver's actions for the observations of `env`, checked.

    Raises:
        AgentError: the driver raises, or its actions are not finite or not of the environment's shape.
    """
    try:
        given = np.asarray(driver.act(observations))
    except (Exception, SystemExit) as wrong:
        raise failure(driver, wrong) from wrong
    return checked_actions(given, env.actions, env.num_envs)


def checked_actions(array: NDArray[Any], space: ActionSpace, count: int) -> NDArray[Any]:
    """What a driver's `act` gave for `count` cars, as actions of an action space.

    Raises:
        AgentError: they are not finite or not of the space.
    """
    discrete = isinstance(space, DiscreteActions)
    dtype, shape = (np.dtype(np.int64), (count,)) if discrete else (np.dtype(np.float32), (count, 2))
    if not np.can_cast(array.dtype, dtype, "same_kind"):
        raise AgentError(f"act() gave {array.dtype} where it must give {dtype}: {array.tolist()!r:.60}")
    if array.shape != shape:
        raise AgentError(f"act() gave actions of the shape {array.shape} for {count} cars; it must be {shape}")
    with np.errstate(over="ignore"):
        actions: NDArray[Any] = array.astype(dtype)
    if not np.isfinite(actions).all():
        raise AgentError(f"act() gave an action that is not finite: {array[~np.isfinite(actions)][0]}")
    if isinstance(space, DiscreteActions) and not ((actions >= 0) & (actions < len(space.choices))).all():
        most = len(space.choices) - 1
        raise AgentError(f"act() gave {actions.tolist()!r:.60}; a choice is a whole number from 0 to {most}")
    return actions


def _disturbed(actions: NDArray[Any], space: ActionSpace, noise: np.random.Generator) -> NDArray[Any]:
    """The actions with noise on them."""
    if isinstance(space, ContinuousActions):
        return actions + noise.normal(0.0, NOISE, actions.shape).astype(np.float32)
    slipped, slips = actions.copy(), noise.random(actions.shape) < SLIPS
    slipped[slips] = noise.integers(len(space.choices), size=int(slips.sum()))
    return slipped
