"""The field: n races of m cars each, with their rewards and observations. Every environment is a face of one.

Arrays are of shape (n, m), as in `racer.sim.World`; only the faces of a time trial know that m is 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from racer.env.options import RewardSource, Setup
from racer.reward import Params, VectorReward, load_reward
from racer.sensors import Observer, make_sensors
from racer.sim import (
    LAP_COMPLETE,
    MISTAKES,
    OFF,
    PAUSE,
    RANDOM,
    STATUS,
    TIME_UP,
    ActionSpace,
    DiscreteActions,
    TrackSampler,
    World,
    spread,
)
from racer.track import load_track

StepCallback = Callable[[Params, NDArray[Any], NDArray[np.float64], NDArray[np.int64]], None]
Observation = Any  # an array, or a dict of arrays where there are several sensors
Action = Any  # an array of float32, or a whole number where actions are discrete

OPPONENT = 63  # the draw of a car's episode that says who drives it
OPPONENTS_PENALTY_S = 1.0  # in training, where the learner's mistakes cost no time but end the episode
# By the number of a status:
TRUNCATES = np.isin(np.arange(len(STATUS)), (LAP_COMPLETE, TIME_UP))
IS_MISTAKE = np.isin(np.arange(len(STATUS)), MISTAKES)


class Field:
    """n races of m cars each.

    Attributes:
        world: the races.
        params: what the reward functions get, a row for each car.
        actions: what the actions command.
        commands: (n, m, 2) of the last step: steering (degrees, left positive) and speed (m/s).
        rewards: (n, m) of the last step.
        state: (n, m) of `racer.sim.CAR_STATE`, a read-only view.
        observation_space, action_space: of one car.
        privileged: observes what is no driver's to know; see `TimeTrialVector.privileged`.
        blind: whether the learners observe nothing; see `TimeTrialVector.blind`.
        step_callback: called in every step, with a row for each car; see `TimeTrialVector.step_callback`.
    """

    def __init__(self, races: int, cars: int, setup: Setup) -> None:
        """Make n `races` of m `cars` each.

        Raises:
            RacerError: the track, the reward or a sensor cannot be used.
            ValueError: another argument makes no sense.
        """
        track = TrackSampler() if isinstance(setup.track, str) and setup.track == RANDOM else setup.track
        where = track if isinstance(track, TrackSampler) else load_track(track)
        rules = setup.chosen_rules
        if setup.opponents and rules.penalty_s is None:  # the learner's mistakes end the episode, theirs cost them time
            rules = replace(rules, penalty_s=OPPONENTS_PENALTY_S)
        self.world = World(where, races, cars, setup.kind, rules, setup.threads, setup.randomization, setup.traffic)
        self._opponents = [(one, Observer(self.world, make_sensors(one.sensors))) for one in setup.opponents]
        self._learners = cars - len(setup.opponents)
        self._draws = np.zeros((races, len(setup.opponents)))  # who drives an opponent's car in this episode
        self.params = Params(self.world.track, races * cars)
        self._reward = _vector_reward(setup.reward_function, races * cars)
        self.rewards = np.zeros((races, cars))
        self.commands = np.zeros((races, cars, 2))
        self._see_states()
        self.actions = setup.actions
        self.world.top_speed = setup.actions.top_speed
        self.action_space = _action_space(setup.actions)
        self._observer = Observer(self.world, make_sensors(setup.chosen_sensors))
        spaces: dict[str, gym.Space[Any]] = {
            s.name: gym.spaces.Box(s.low, s.high, s.shape, cast(Any, s.dtype)) for s in self._observer.sensors
        }
        is_plain = self._observer.is_plain
        self.observation_space: gym.Space[Any] = spaces["state"] if is_plain else gym.spaces.Dict(spaces)
        # With one car alone the params are always at hand; with many only where a reward asks for them.
        self._describes = races * self._learners == 1 or self._reward is not None
        self._terminates = setup.chosen_rules.ends & ~TRUNCATES
        self._resets_end = setup.chosen_rules.resets_end
        self._most_steps = setup.max_episode_steps
        self.privileged: Observer | None = None
        self.blind = False
        self.step_callback: StepCallback | None = None

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Be a copy: a copy of a view shows nothing of the copied world."""
        self.__dict__.update(state)
        self._see_states()

    def _see_states(self) -> None:
        self.state = self.world.cars.view()
        self.state.flags.writeable = False

    @property
    def status(self) -> NDArray[np.int64]:
        """Indices into `racer.sim.STATUS`, (n, m)."""
        return self.state["status"]

    def progress(self) -> NDArray[np.float64]:
        """Percent of the current lap, (n, m); of a race that is complete, of the lap that would follow."""
        length, cars = self.world.length, self.state.reshape(-1)  # in one row, which is a third quicker
        if not isinstance(length, float):
            length = np.repeat(length, self.state.shape[1])
        progress = (cars["distance"] - cars["laps"] * length) * (100.0 / length)
        return np.asarray(progress.reshape(self.state.shape))

    def ends(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether the last step terminated and truncated each car's episode, (n, m) both."""
        status = self.status
        terminated, truncated = self._terminates.take(status), TRUNCATES.take(status)
        if self._resets_end:
            terminated |= IS_MISTAKE.take(status) & (self.state["held"] == 0)
        if self._most_steps is not None:
            truncated |= self.state["steps"] > self._most_steps  # the prepare step counts as one
        return terminated, truncated

    def reset(self, which: NDArray[np.bool_] | None = None) -> None:
        """Start the next episode of all races, or of those that `which`, (n,), is true for."""
        self.world.reset(which)
        for observer in self._observers:
            observer.observe(which)
        for k, (one, _) in enumerate(self._opponents):
            if one.drawn:
                car = self._learners + k
                started = np.arange(len(self._draws)) if which is None else np.flatnonzero(which)
                drawn = [spread(state, car, OPPONENT) for state in self.world.cars[started, car]]
                self._draws[started, k] = np.add(drawn, 1.0) / 2.0
        self.rewards[slice(None) if which is None else which] = 0.0
        if which is None and self._describes:
            self.params.prepare(self.world)

    def step(self, actions: NDArray[Any], idle: NDArray[np.bool_] | None = None) -> None:
        """Drive one control step.

        Args:
            actions: (n, m, 2), or (n, m) where they are discrete; m without the cars that opponents drive.
            idle: (n,), races that stand still in this step, whatever their actions; they get no reward.

        Raises:
            RewardError: the reward function failed.
            ValueError: an action is not of the action space; no car has moved.
        """
        world, rewards = self.world, self.rewards
        if idle is not None:
            actions = np.where(idle.reshape(-1, *[1] * (actions.ndim - 1)), np.zeros((), actions.dtype), actions)
        self.commands = commands = self._commanded(self.actions.commands(actions))
        kept = None if idle is None else (world.cars[idle], world.things[idle])
        if self._describes or self.step_callback is not None:
            self.params.describe(world, commands)
        world.step(commands, rewards)
        self.params.mark_crashed(world)
        if kept is not None:
            world.cars[idle], world.things[idle] = kept
            rewards[idle] = 0.0
        if self._reward is not None:
            waits = world.rules.penalty_s is not None or world.traffic is not None
            held = self.status == PAUSE if waits else None
            if self._opponents and held is not None:
                held[:, self._learners :] = True
            if idle is not None:
                held = idle[:, None] | (False if held is None else held)
            self._reward(self.params, rewards.reshape(-1), None if held is None else held.reshape(-1))
        if self.step_callback is not None and not self._opponents:
            rows = actions.reshape(rewards.size, *actions.shape[2:])
            self.step_callback(self.params, rows, rewards.reshape(-1), self.status.reshape(-1))
        for observer in self._observers:
            observer.observe()

    def add_privileged(self, sensor: str | None) -> None:
        """Let all cars be observed by a sensor that is no driver's, exactly and at once; None ends it.

        Raises:
            SensorError: there is no such sensor.
        """
        self.privileged = None if sensor is None else Observer(self.world, make_sensors((sensor,)), OFF)

    @property
    def _observers(self) -> list[Observer]:
        own = [] if self.blind else [self._observer]
        privileged = [] if self.privileged is None else [self.privileged]
        return [*own, *(observer for _, observer in self._opponents), *privileged]

    def _commanded(self, commands: NDArray[np.float64]) -> NDArray[np.float64]:
        """The commands of all cars, for those of the learners: opponents choose theirs by what they observe."""
        if not self._opponents:
            return commands
        every = np.empty(self.commands.shape)
        every[:, : self._learners] = commands
        for car, (one, observer) in enumerate(self._opponents, self._learners):
            drawn = (self._draws[:, car - self._learners],) if one.drawn else ()
            every[:, car] = one.actions.commands(one.driver.act(observer.observed(slice(None), car), *drawn))
        return every

    def observed(self, race: int | slice, car: int | slice) -> Observation:
        """A copy of what the cars at a place in (n, m) observe."""
        return self._observer.observed(race, car)


def action_array(actions: Any) -> NDArray[Any]:
    """Actions as an array of numbers.

    Raises:
        ValueError: they are none.
    """
    try:
        array = np.asarray(actions, order="C")
    except ValueError:  # rows of different lengths
        array = np.array(None)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"actions are an array of numbers, not {actions!r:.60}")
    return array


def _vector_reward(source: RewardSource, count: int) -> VectorReward | None:
    if source is None or isinstance(source, VectorReward):
        return source
    return VectorReward(load_reward(source), count)


def _action_space(actions: ActionSpace) -> gym.Space[Any]:
    if isinstance(actions, DiscreteActions):
        return gym.spaces.Discrete(len(actions.choices))
    return gym.spaces.Box(-1.0, 1.0, (2,), np.float32)
