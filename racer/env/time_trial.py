"""Gymnasium's view of a time trial: one car alone, or many side by side with one contract.

Both environments are the same `_Field` of races; a car in the vector environment gets, bit for bit, what the single
environment gets that was reset with the same seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from racer.reward import Params, RewardFunction, VectorReward, load_reward
from racer.sensors import Observer, Sensor, make_sensors
from racer.shelf import DEFAULTS
from racer.sim import (
    CARS,
    DEFAULT,
    IN_PROGRESS,
    LAP_COMPLETE,
    OFF,
    PAUSE,
    RANDOM,
    STATUS,
    TIME_UP,
    ActionSpace,
    Car,
    DiscreteActions,
    Randomization,
    Rules,
    Start,
    TrackSampler,
    World,
)
from racer.track import Track, load_track

TrackSource = str | Path | Track | TrackSampler
RewardSource = str | Path | Callable[[dict[str, Any]], Any] | RewardFunction | VectorReward | None
StepCallback = Callable[[Params, NDArray[Any], NDArray[np.float64], NDArray[np.int64]], None]
Observation = Any  # an array, or a dict of arrays where there are several sensors
Action = Any  # an array of float32, or a whole number where actions are discrete


class TimeTrial(gym.Env[Observation, Action]):
    """One car against the clock.

    ## Description
    A DeepRacer-like 1/18 scale car drives laps on a closed track. An action holds for one control step of 1/15 s. As in
    DeepRacer, the reward of a step is `reward_function(params)` of the pose *before* the action acts together with
    the action, and the same pose is judged: leaving the track is found one step later.

    ## Action space
    `Box(-1, 1, (2,), float32)`; values outside are clipped, nan is refused.

    | Index | Action | -1 | +1 |
    |---|---|---|---|
    | 0 | commanded steering angle | 30 degrees to the right | 30 degrees to the left |
    | 1 | commanded speed | 0.5 m/s | 4 m/s |

    ## Observation space
    `Box(-10, 10, (30,), float32)`: scaled to about -1..1.

    | Index | Entry |
    |---|---|
    | 0 | speed / 4 m/s |
    | 1 | sideways speed of the origin / 1 m/s, to the left positive |
    | 2 | yaw rate / 3 rad/s |
    | 3 | angle of the front wheels / 30 degrees |
    | 4 | last commanded steering / 30 degrees |
    | 5 | last commanded speed / 4 m/s |
    | 6 | front point's offset from the centre line / half the track's width, left positive |
    | 7 | half the track's width, m |
    | 8 | sine of the heading less that of the centre line |
    | 9 | cosine of the same |
    | 10 + 2k | centre line d metres ahead, forwards, / d metres; d = 0.3, 0.6, 0.9, 1.3, 1.7, 2.2, 2.8, 3.5, 4.3, 5.2 |
    | 11 + 2k | the same point, to the left, / d metres |

    Points ahead are seen from the car's front point (0.14 m ahead of its origin) in the car's frame. The last command
    is observed because it stays in force for the dead time of the next.

    ## Reward
    What the learner's `reward_function(params)` returns, unchanged. With `reward_function=None` the metres gained along
    the centre line since the last step, computed in the kernel.

    ## Starting state
    At rest on the centre line, facing along it. `start="random"` draws the place (one in five starts is on the start
    line), `"rotate"` moves on by 5 % of a lap each episode, `"line"` is the start line.

    ## Episode end
    Terminated: all four wheels off the track; no movement for 15 steps; progress falling for 15 steps.
    Truncated: the laps are complete, or the time limit is over. `info["status"]` names which.

    ## Info
    `progress` (percent of the current lap, 100 at the end of the last), `laps` complete, `lap_time_s` of the last
    complete lap (interpolated to the crossing; absent before), `status` (a name of `racer.sim.STATUS`).

    ## Arguments
    | Argument | Default | Meaning |
    |---|---|---|
    | `track` | `"harbor"` | name on the shelf, path, or `Track`; `"random"`: another one in each episode |
    | `reward_function` | None | name on the shelf, path, callable, or None |
    | `car` | `"deepracer"` | name of a car, or `Car` |
    | `start` | `"random"` | see above |
    | `laps` | 1 | that complete an episode |
    | `time_limit_s` | 180 | simulated seconds |
    | `actions` | continuous | `racer.sim.ContinuousActions`, or `DiscreteActions` for a `Discrete(n)` space |
    | `sensors` | `("state",)` | words (`"LIDAR:stack=2"`) or `Sensor`s; others than `state` make it a `Dict` |
    | `randomization` | off | `racer.sim.Randomization`: what differs from episode to episode |

    ## Example
    >>> import gymnasium, racer
    >>> env = gymnasium.make("racer/TimeTrial-v0", track="harbor", reward_function="centerline")
    >>> observation, info = env.reset(seed=1)
    >>> observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
    >>> sorted(env.unwrapped.reward_params)[:3]
    ['all_wheels_on_track', 'closest_objects', 'closest_waypoints']

    ## Version history
    * v0: first version.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  as Gymnasium declares it

    def __init__(
        self,
        track: TrackSource = DEFAULTS["tracks"],
        reward_function: RewardSource = None,
        car: str | Car = "deepracer",
        start: Start = "random",
        laps: int = 1,
        time_limit_s: float = 180.0,
        actions: ActionSpace = DEFAULT,
        sensors: tuple[str | Sensor, ...] = ("state",),
        randomization: Randomization = OFF,
    ) -> None:
        """Make the environment; the arguments are in the class's table.

        Raises:
            RacerError: the track or the reward cannot be used.
            ValueError: another argument makes no sense.
        """
        rules = Rules(start, laps, time_limit_s)
        self._field = _Field(1, track, reward_function, car, rules, actions, sensors, randomization, threads=1)
        self.observation_space, self.action_space = self._field.observation_space, self._field.action_space
        self._seeded = False

    @property
    def track(self) -> Track:
        """The track that is driven; of random ones that of this episode."""
        return self._field.world.track

    @property
    def car(self) -> Car:
        """The kind of car."""
        return self._field.world.car

    @property
    def state(self) -> np.void:
        """The car's whole state: a read-only view of a `racer.sim.CAR_STATE` record."""
        record: Any = self._field.state[0]
        return cast(np.void, record)

    @property
    def reward_params(self) -> dict[str, Any]:
        """A copy of the `params` that the last reward was given; after a reset, those of the prepare step."""
        return self._field.params.of(0)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start the next episode; with a seed, start all over."""
        super().reset(seed=seed)
        if seed is not None or not self._seeded:
            self._field.world.seed(int(self.np_random_seed or 0))
            self._seeded = True
        self._field.reset()
        return self._field.observed(0), self._info()

    def step(self, action: Action) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Drive one control step.

        Raises:
            RewardError: the reward function failed.
            ValueError: the action is not one of the action space.
        """
        if not self._seeded:
            raise gym.error.ResetNeeded("call reset() before the first step()")
        field = self._field
        field.step(_array(action)[None])
        status = field.status.item(0)
        ended = status != IN_PROGRESS
        truncated = status in (LAP_COMPLETE, TIME_UP)
        return field.observed(0), field.rewards.item(0), ended and not truncated, truncated, self._info()

    def _info(self) -> dict[str, Any]:
        state = self._field.state[0]
        status = int(state["status"])
        laps, length = int(state["laps"]), self._field.world.track.length
        progress = 100.0 if status == LAP_COMPLETE else (float(state["distance"]) - laps * length) * (100.0 / length)
        info = {"progress": progress, "laps": laps, "status": STATUS[status]}
        if laps:
            info["lap_time_s"] = float(state["lap_time"])
        return info


class TimeTrialVector(VectorEnv[Observation, Action, NDArray[Any]]):
    """Many cars, each in a time trial of its own; `TimeTrial`'s docstring says what each of them sees and does.

    Reset with seed s, car i starts and goes on as a single environment reset with seed s + i. Episodes restart in the
    step that ends them (`AutoresetMode.SAME_STEP`): the step returns the first observation of the new episode,
    `info["final_obs"]` and `info["final_info"]` hold the last of the old one, its `status` included.
    """

    metadata: dict[str, Any] = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012

    def __init__(
        self,
        num_envs: int = 1,
        track: TrackSource = DEFAULTS["tracks"],
        reward_function: RewardSource = None,
        car: str | Car = "deepracer",
        start: Start = "random",
        laps: int = 1,
        time_limit_s: float = 180.0,
        actions: ActionSpace = DEFAULT,
        sensors: tuple[str | Sensor, ...] = ("state",),
        randomization: Randomization = OFF,
        threads: int = 1,
        penalty_s: float | None = None,
    ) -> None:
        """Make the environment.

        Args:
            num_envs: number of cars.
            track, reward_function, car, start, laps, time_limit_s, actions, sensors, randomization: as for `TimeTrial`.
            threads: over which the cars are spread; results do not depend on it.
            penalty_s: for races: a car that leaves the track, drives backwards or stands still is put back and goes
                on, held for so long; see `racer.sim.Rules`. While it is held its status is `pause`, and its reward 0
                without a call. None: its episode ends.

        Raises:
            RacerError: the track or the reward cannot be used.
            ValueError: another argument makes no sense.
        """
        if num_envs < 1:
            raise ValueError(f"num_envs is {num_envs}; it must be at least 1")
        self.num_envs = num_envs
        rules = Rules(start, laps, time_limit_s, penalty_s=penalty_s)
        self.field = _Field(num_envs, track, reward_function, car, rules, actions, sensors, randomization, threads)
        self.single_observation_space = self.field.observation_space
        self.single_action_space = self.field.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._all = np.ones(num_envs, dtype=np.bool_)
        self._seeded = False

    @property
    def track(self) -> Track:
        """The track that is driven; of random ones the first car's."""
        return self.field.world.track

    @property
    def car(self) -> Car:
        """The kind of car."""
        return self.field.world.car

    @property
    def actions(self) -> ActionSpace:
        """What the actions command."""
        return self.field.actions

    @property
    def state(self) -> NDArray[np.void]:
        """The cars' whole states: a read-only view of (num_envs,) `racer.sim.CAR_STATE` records."""
        return self.field.state

    @property
    def commands(self) -> NDArray[np.float64]:
        """What the last step commanded, (num_envs, 2): steering (degrees, left positive) and speed (m/s)."""
        return self.field.commands[:, 0]

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start the next episode of every car; with a seed s (or a list of seeds, one a car), start all over."""
        if isinstance(seed, Sequence):
            self._seed_each(seed)
        else:
            super().reset(seed=seed)
            if seed is not None or not self._seeded:
                self.field.world.seed(int(self.np_random_seed or 0))
        self._seeded = True
        self.field.reset()
        return self.field.observed(), self._infos()

    def step(
        self, actions: Action
    ) -> tuple[Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Drive every car one control step.

        Raises:
            RewardError: the reward function failed.
            ValueError: the actions are not of the action space, one a car.
        """
        if not self._seeded:
            raise gym.error.ResetNeeded("call reset() before the first step()")
        field = self.field
        field.step(_array(actions))
        status = field.status.copy()
        ended = field.world.rules.ends[status]
        truncated = (status == LAP_COMPLETE) | (status == TIME_UP)
        rewards = field.rewards.copy()
        final: dict[str, Any] = {}
        if ended.any():
            final_obs = np.full(self.num_envs, None, dtype=object)
            for i in np.flatnonzero(ended).tolist():
                final_obs[i] = field.observed(i)
            final = {"final_obs": final_obs, "_final_obs": ended}
            final |= {"final_info": self._final_infos(ended), "_final_info": ended}
            field.reset(ended)
        return field.observed(), rewards, ended & ~truncated, truncated, self._infos() | final

    @property
    def step_callback(self) -> StepCallback | None:
        """Called in every step as `step_callback(params, actions, rewards, status)`; None: nothing is called.

        It is called before the cars whose episode has ended start anew, with tables of all cars that the next step
        overwrites: the pose before the action acts, the action, its reward, and an index into `racer.sim.STATUS`.
        """
        return self.field.step_callback

    @step_callback.setter
    def step_callback(self, callback: StepCallback | None) -> None:
        self.field.step_callback = callback

    def close_extras(self, **kwargs: Any) -> None:
        """Let go of the threads."""
        self.field.world.close()

    def _seed_each(self, seeds: Sequence[int | None]) -> None:
        if len(seeds) != self.num_envs or not all(isinstance(seed, int) for seed in seeds):
            raise ValueError(f"seeds must be {self.num_envs} whole numbers, one a car, not {list(seeds)!r:.80}")
        self.field.world.seed(0)
        self.field.state_to_write["seed"] = [int(seed or 0) % 2**64 for seed in seeds]

    def _infos(self) -> dict[str, Any]:
        state = self.field.state
        laps = state["laps"].copy()
        return {
            "progress": self.field.progress(),
            "_progress": self._all,
            "laps": laps,
            "_laps": self._all,
            "lap_time_s": state["lap_time"].copy(),
            "_lap_time_s": laps > 0,
        }

    def _final_infos(self, ended: NDArray[np.bool_]) -> dict[str, Any]:
        status = self.field.status
        final = self._infos() | {"status": _STATUS_NAMES[status], "_status": self._all}
        final["progress"][status == LAP_COMPLETE] = 100.0
        return {key: value & ended if key.startswith("_") else value for key, value in final.items()}


class _Field:
    """n races of one car each, with rewards and observations: what both environments are made of."""

    def __init__(
        self,
        count: int,
        track: TrackSource,
        reward: RewardSource,
        car: str | Car,
        rules: Rules,
        actions: ActionSpace,
        sensors: tuple[str | Sensor, ...],
        randomization: Randomization,
        threads: int,
    ) -> None:
        kind = car if isinstance(car, Car) else CARS.get(car)
        if kind is None:
            raise ValueError(f"there is no car {car!r}; the cars are {', '.join(CARS)}")
        sampled = TrackSampler() if track == RANDOM else track
        where = sampled if isinstance(sampled, TrackSampler) else load_track(sampled)
        self.world = World(where, count, 1, kind, rules, threads, randomization)
        self.params = Params(self.world.track, count)
        self.learner = _rewards(reward, count)
        self.rewards = np.zeros(count)
        self.commands = np.zeros((count, 1, 2))
        self._see_states()
        self.actions = actions
        self.action_space = _action_space(actions)
        self._shape = (count, *(self.action_space.shape or ()))
        self._observer = Observer(self.world, make_sensors(sensors))
        spaces_by_name: dict[str, gym.Space[Any]] = {
            s.name: gym.spaces.Box(s.low, s.high, s.shape, cast(Any, s.dtype)) for s in self._observer.sensors
        }
        self._names = list(spaces_by_name)
        self._single = self._names == ["state"]
        self.observation_space: gym.Space[Any] = (
            spaces_by_name["state"] if self._single else gym.spaces.Dict(spaces_by_name)
        )
        # With one car alone the params are always at hand; with many only where a reward asks for them.
        self._describes = count == 1 or self.learner is not None
        self.step_callback: StepCallback | None = None

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Be a copy: a copy of a view shows nothing of the copied world."""
        self.__dict__.update(state)
        self._see_states()

    def _see_states(self) -> None:
        self.state_to_write = self.world.cars[:, 0]
        self.state = self.state_to_write.view()
        self.state.flags.writeable = False

    @property
    def status(self) -> NDArray[np.int64]:
        return self.state["status"]

    def progress(self) -> NDArray[np.float64]:
        length = self.world.length
        return np.asarray((self.state["distance"] - self.state["laps"] * length) * (100.0 / length))

    def reset(self, which: NDArray[np.bool_] | None = None) -> None:
        self.world.reset(which)
        self._observer.observe(which)
        if which is None and self._describes:
            self.params.describe(self.world, np.zeros((len(self.rewards), 1, 2)))
            self.params.floats[:, 6] -= 1.0

    def step(self, actions: NDArray[Any]) -> None:
        if actions.shape != self._shape:
            raise ValueError(f"actions have the shape {actions.shape}; it must be {self._shape}, a row for each car")
        self.commands = commands = self.actions.commands(actions).reshape(-1, 1, 2)
        if self._describes or self.step_callback is not None:
            self.params.describe(self.world, commands)
        self.world.step(commands, self.rewards.reshape(-1, 1))
        if self.learner is not None:
            held = self.status == PAUSE if self.world.rules.penalty_s is not None else None
            self.learner(self.params, self.rewards, held)
        if self.step_callback is not None:
            self.step_callback(self.params, actions, self.rewards, self.status)
        self._observer.observe()

    def observed(self, i: int | None = None) -> Any:
        """A copy of what all cars perceive, or car i."""
        told = [(values[:, 0] if i is None else values[i, 0]).copy() for values in self._observer.values]
        return told[0] if self._single else dict(zip(self._names, told, strict=True))


_STATUS_NAMES = np.array(STATUS)


def _rewards(source: RewardSource, count: int) -> VectorReward | None:
    if source is None or isinstance(source, VectorReward):
        return source
    return VectorReward(load_reward(source), count)


def _array(actions: Any) -> NDArray[Any]:
    try:
        array = np.asarray(actions)
    except ValueError:  # rows of different lengths
        array = np.array(None)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"actions are an array of numbers, not {actions!r:.60}")
    return array


def _action_space(actions: ActionSpace) -> gym.Space[Any]:
    if isinstance(actions, DiscreteActions):
        return gym.spaces.Discrete(len(actions.choices))
    return gym.spaces.Box(-1.0, 1.0, (2,), np.float32)
