"""Races: an agent drives laps, and what comes of it is told in laps or recorded as a replay.

A race is a number of laps from the start line, flying after the first. Leaving the track, stopping or running out of
time ends the lap as incomplete, and the next one starts from the line, standing. With penalties only time does: the car
is put back, held for a while, and goes on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from racer import __version__
from racer.env import ConcatVectorEnv, RewardSource, StepCallback, TimeTrialVector
from racer.errors import AgentError
from racer.racing.agents import Driver, failure
from racer.replay import STEP_DTYPE, Lap, Replay
from racer.reward import VectorReward, load_reward
from racer.sim import CARS, DEFAULT, STEP_S, ActionSpace, Car, ContinuousActions, DiscreteActions
from racer.track import Track


def drive(
    driver: Driver,
    track: Track,
    laps: int = 3,
    *,
    name: str = "",
    reward_function: RewardSource = "progress",
    car: Car = CARS["deepracer"],
    seed: int = 0,
    actions: ActionSpace = DEFAULT,
    sensors: tuple[str, ...] = ("state",),
    progress: Callable[[int], None] | None = None,
    trace: StepCallback | None = None,
    penalty_s: float | None = None,
) -> Replay:
    """Let a driver race, and record it.

    Args:
        driver: who drives.
        track: where.
        laps: tried.
        name: the driver's, for the record.
        reward_function: told for each step, but without influence.
        car: which one.
        seed: of the environment; a driver that draws no random numbers drives the same whatever it is.
        actions: what the driver's actions mean.
        sensors: what it perceives.
        progress: called with the number of laps tried so far, whenever it has grown.
        trace: told every step, and after the race the one that finds the last lap complete.
        penalty_s: what leaving the track costs; None ends the lap. See `racer.sim.Rules`.

    Returns:
        The record; its `laps` are as many as asked for.

    Raises:
        AgentError: the driver raises, or its actions are not of the action space.
        RewardError: the reward function fails.
    """
    limit = 180.0 * laps
    env = TimeTrialVector(
        1, track, reward_function, car, "line", laps, limit, actions=actions, sensors=sensors, penalty_s=penalty_s
    )
    env.step_callback = trace
    recorder = _Recorder(env)
    result = _race(env, driver, laps, seed, recorder, progress)[0][0]
    if trace is not None and result[-1].complete:
        env.step(actions_of(driver, env.field.observed(), env))
    if isinstance(reward_function, VectorReward):
        reward = reward_function.reward.name
    else:
        reward = "progress" if reward_function is None else load_reward(reward_function).name
    return Replay(
        track=track,
        car=car,
        driver=name,
        reward=reward,
        seed=seed,
        created=datetime.now(UTC).isoformat(timespec="microseconds"),
        engine=__version__,
        laps=tuple(result),
        steps=recorder.steps(),
        penalty_s=penalty_s,
    )


@dataclass(frozen=True)
class Score:
    """How good a driver is; the greater, the better. Complete laps first, then lap time.

    Attributes:
        completed: share of the laps tried that were completed, over all cars.
        lap_time_s: mean time of the undisturbed car's laps, s; infinite if it did not complete all of them. Of several
            tracks the geometric mean over them, so that a percent counts the same on every track.
        laps: the undisturbed car's laps; of several tracks those on the first.
        ends: how each of them ended, a name of `racer.sim.STATUS`, and its progress, percent.
    """

    completed: float
    lap_time_s: float
    laps: tuple[Lap, ...]
    ends: tuple[tuple[str, float], ...] = ()

    @property
    def clean(self) -> bool:
        """Whether the undisturbed car completed all its laps, on every track."""
        return math.isfinite(self.lap_time_s)

    @property
    def best_lap_s(self) -> float | None:
        """The undisturbed car's fastest complete lap, s."""
        return min((lap.time_s for lap in self.laps if lap.complete), default=None)

    @property
    def rank(self) -> tuple[bool, float, float]:
        """What scores are compared by."""
        return self.clean, round(self.completed, 2), -self.lap_time_s


NOISE = 0.1  # standard deviation of the disturbance of the actions, in a space of -1..1
SLIPS = 0.02  # where they are discrete, the share of them that is drawn by lot instead


def score(env: TimeTrialVector | ConcatVectorEnv, driver: Driver, laps: int, seed: int) -> Score:
    """Judge a driver by a race of several cars: the first undisturbed, the others with noise on their actions.

    Undisturbed laps repeat themselves and say little about how close to the edge they were driven.

    Args:
        env: with `start="line"` and at least `laps` laps; the first car, in a
            `ConcatVectorEnv` the first of each part, is undisturbed.
        driver: who drives all the cars.
        laps: tried by each car.
        seed: of the disturbance.

    Raises:
        AgentError: as for `drive`.
    """
    results, ends = _race(env, driver, laps, seed, None, None)
    done = [lap.complete for result in results for lap in result]
    steady = [results[place] for place in _undisturbed(env)]
    clean = all(lap.complete for result in steady for lap in result)
    means = [np.mean([lap.time_s for lap in result]) for result in steady]
    mean = float(np.exp(np.mean(np.log(means)))) if clean else float("inf")
    told = tuple(ends.get(lap.index, ("lap_complete", 100.0)) for lap in steady[0])
    return Score(float(np.mean(done)), mean, tuple(steady[0]), told)


def _undisturbed(env: TimeTrialVector | ConcatVectorEnv) -> list[int]:
    """Places of the cars that are judged without noise: the first of each part."""
    parts = env.parts if isinstance(env, ConcatVectorEnv) else [env]
    return list(accumulate((part.num_envs for part in parts[:-1]), initial=0))


def _race(
    env: TimeTrialVector | ConcatVectorEnv,
    driver: Driver,
    laps: int,
    seed: int,
    recorder: _Recorder | None,
    progress: Callable[[int], None] | None,
) -> tuple[list[list[Lap]], dict[int, tuple[str, float]]]:
    """Race until every car has tried its laps; returns them, car by car, and how the first car's failed ones ended."""
    observations, _ = env.reset(seed=seed)
    noise = np.random.default_rng(seed)
    results: list[list[Lap]] = [[] for _ in range(env.num_envs)]
    episode_s, done = np.zeros(env.num_envs), np.zeros(env.num_envs, dtype=np.int64)
    resets = np.zeros(env.num_envs, dtype=np.int64)
    ends: dict[int, tuple[str, float]] = {}
    shaky = np.setdiff1d(np.arange(env.num_envs), _undisturbed(env))
    step = 0
    while any(len(result) < laps for result in results):
        actions = actions_of(driver, observations, env)
        actions[shaky] = _disturbed(actions[shaky], env.actions, noise)
        if recorder is not None:
            recorder.before(actions[0])
        began, free = env.state["lap_start_s"].copy(), env.state["held"] == 0
        observations, rewards, terminated, truncated, infos = env.step(actions)
        if recorder is not None:
            recorder.after(rewards[0], bool(terminated[0] or truncated[0]))
        ended = terminated | truncated
        resets += free & (env.state["held"] > 0)
        counted = np.where(ended, infos["final_info"]["laps"] if ended.any() else 0, infos["laps"])
        for i in np.flatnonzero((counted > done) | ended):
            result = results[i]
            if counted[i] > done[i] and not ended[i]:
                time_s = float(env.state["lap_time"][i])
                start_s = float(episode_s[i] + began[i])
                result.append(Lap(len(result) + 1, start_s, time_s, True, False, int(resets[i])))
                done[i], resets[i] = counted[i], 0
                if recorder is not None and i == 0:
                    recorder.lap += 1
            elif ended[i]:
                status = str(infos["final_info"]["status"][i])
                if status != "lap_complete":
                    start_s = float(episode_s[i] + began[i])
                    off = status == "off_track"
                    time_s = (step + 1) * STEP_S - start_s
                    result.append(Lap(len(result) + 1, start_s, time_s, False, off, int(resets[i])))
                    if i == 0:
                        ends[len(result)] = status, float(infos["final_info"]["progress"][i])
                    if recorder is not None and i == 0:
                        recorder.lap += 1
                episode_s[i], done[i], resets[i] = (step + 1) * STEP_S, 0, 0
            if progress is not None and i == 0:
                progress(len(result))
        step += 1
    return [result[:laps] for result in results], ends


def actions_of(driver: Driver, observations: Any, env: TimeTrialVector | ConcatVectorEnv) -> NDArray[Any]:
    """A driver's actions for the observations of `env`, checked.

    Raises:
        AgentError: the driver raises, or its actions are not finite or not of the environment's shape.
    """
    space = env.action_space
    assert space.shape is not None and space.dtype is not None
    try:
        given = np.asarray(driver.act(observations))
    except (Exception, SystemExit) as wrong:
        raise failure(driver, wrong) from wrong
    if not np.can_cast(given.dtype, space.dtype, "same_kind"):
        raise AgentError(f"act() gave {given.dtype} where it must give {space.dtype}: {given.tolist()!r:.60}")
    if given.shape != space.shape:
        raise AgentError(
            f"act() gave actions of the shape {given.shape} for {env.num_envs} cars; it must be {space.shape}"
        )
    with np.errstate(over="ignore"):
        actions = given.astype(space.dtype)
    if not np.isfinite(actions).all():
        raise AgentError(f"act() gave an action that is not finite: {given[~np.isfinite(actions)][0]}")
    if isinstance(env.actions, DiscreteActions) and not space.contains(actions):
        most = len(env.actions.choices) - 1
        raise AgentError(f"act() gave {actions.tolist()!r:.60}; a choice is a whole number from 0 to {most}")
    return actions


def _disturbed(actions: NDArray[Any], space: ActionSpace, noise: np.random.Generator) -> NDArray[Any]:
    """The actions with noise on them."""
    if isinstance(space, ContinuousActions):
        return actions + noise.normal(0.0, NOISE, actions.shape).astype(np.float32)
    slipped, slips = actions.copy(), noise.random(actions.shape) < SLIPS
    slipped[slips] = noise.integers(len(space.choices), size=int(slips.sum()))
    return slipped


class _Recorder:
    """Writes down every step of the first car."""

    def __init__(self, env: TimeTrialVector) -> None:
        self.lap = 1
        self._env, self._rows, self._restart = env, [], True  # type: tuple[TimeTrialVector, list[Any], bool]

    def before(self, action: NDArray[np.float32]) -> None:
        row = np.zeros(1, STEP_DTYPE)[0]
        state = self._env.state[0]
        for name in STEP_DTYPE.names or ():
            if name in (state.dtype.names or ()) and name not in (
                "wheels_on_track",
                "steering_command",
                "speed_command",
            ):
                row[name] = state[name]
        commands = self._env.actions.commands(action)
        row["steering_command"], row["speed_command"] = np.radians(commands[0]), commands[1]
        row["lap"], row["restart"] = self.lap, self._restart
        row["off_track"], row["wheels_on_track"] = state["wheels_on_track"] == 0, state["wheels_on_track"] == 4
        self._rows.append(row)

    def after(self, reward: float, ended: bool) -> None:
        self._rows[-1]["reward"] = reward
        self._restart = ended

    def steps(self) -> NDArray[np.void]:
        return np.array(self._rows, dtype=STEP_DTYPE)
