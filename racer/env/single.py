"""One car alone in a time trial, as a `gymnasium.Env`."""

from __future__ import annotations

from math import degrees, isnan, nan
from typing import Any, Unpack, cast

import gymnasium as gym
import numpy as np

from racer.env.field import Action, Field, Observation, action_array
from racer.env.options import RENDER_MODES, Options, RewardSource, Setup, TrackSource
from racer.env.rendering import RENDER_FPS, Picture, Renderer
from racer.env.resets import one_seed
from racer.shelf import DEFAULTS
from racer.sim import LAP_COMPLETE, STATUS, Car, DiscreteActions, Start
from racer.track import Track

KEYS = {
    "w": (0.0, 2.5),
    "aw": (18.0, 2.0),
    "dw": (-18.0, 2.0),
    "a": (30.0, 1.0),
    "d": (-30.0, 1.0),
    "s": (0.0, 0.5),
}
"""Keys that drive the car: steering, degrees, left positive, and speed, m/s."""


class _SelfEqualNan(float):
    """A nan that equals itself: Gymnasium's `check_env` compares the infos of two steps by `==`."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, float) and isnan(other)

    def __hash__(self) -> int:
        return hash(nan)


NO_LAP_TIME = _SelfEqualNan(nan)


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
    Terminated: all four wheels off the track; no movement for 15 steps; progress falling for 15 steps. With `penalty_s`
    none of these ends the episode. Truncated: the laps are complete, the time limit is over, or there were
    `max_episode_steps`. `info["status"]` names which; after `max_episode_steps` it is what it was.

    ## Info
    Always the same keys, after `reset` as after `step`.

    | Key | Value |
    |---|---|
    | `progress` | percent of the current lap; 100 at the end of the last |
    | `laps` | laps complete in this episode |
    | `lap_time_s` | time of the last complete lap, s, interpolated to the crossing of the line; nan before the first |
    | `status` | name of the episode's status, of `racer.sim.STATUS` |

    ## Rendering
    `render_mode="rgb_array"`: `render()` returns an array of shape (500, 800, 3) and type uint8, the track from above
    with the car and the line that it drove, coloured by speed. `"human"`: every `reset` and `step` shows the same
    picture in a window, 15 times a second, which is real time. None: nothing is drawn, and `render()` returns None.
    `gymnasium.utils.play.play` drives with the keys w, a, s and d: see `get_keys_to_action`.

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
    | `sensors` | `("state",)` | names (`"LIDAR:stack=2"`) or sensors; any but `state` alone makes it a `Dict` |
    | `randomization` | off | `racer.sim.Randomization`: what differs from episode to episode |
    | `penalty_s` | None | s that leaving the track costs, in place of the end of the episode; see `racer.sim.Rules` |
    | `rules` | None | `racer.sim.Rules`, in place of start, laps, time_limit_s and penalty_s |
    | `threads` | 1 | over which many cars are spread; results do not depend on it |
    | `max_episode_steps` | None | steps that truncate an episode |
    | `render_mode` | None | `"human"` or `"rgb_array"`; see above |
    | `traffic` | None | `racer.sim.Traffic`: boxes or bot cars; see `ObjectAvoidance` and `HeadToBot` |
    | `opponents` | none | `racer.env.Opponent` each: who drives the other cars of the race; see `HeadToHead` |

    The first six are also taken by position, the others by keyword alone.

    ## Example
    >>> import gymnasium, racer
    >>> env = gymnasium.make("racer/TimeTrial-v0", track="harbor", reward_function="centerline")
    >>> observation, info = env.reset(seed=1)
    >>> observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
    >>> sorted(env.unwrapped.reward_params)[:3]
    ['all_wheels_on_track', 'closest_objects', 'closest_waypoints']
    >>> info["laps"], info["lap_time_s"], info["status"]
    (0, nan, 'in_progress')
    >>> env = gymnasium.make("racer/TimeTrial-v0", render_mode="rgb_array")
    >>> observation, info = env.reset(seed=1)
    >>> env.render().shape
    (500, 800, 3)

    ## Version history
    * v0: first version.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012  as Gymnasium declares it
        "render_modes": list(RENDER_MODES),
        "render_fps": RENDER_FPS,
    }

    def __init__(
        self,
        track: TrackSource = DEFAULTS["tracks"],
        reward_function: RewardSource = None,
        car: str | Car = "deepracer",
        start: Start = "random",
        laps: int = 1,
        time_limit_s: float = 180.0,
        **options: Unpack[Options],
    ) -> None:
        """Make the environment; the arguments are in the class's table.

        Raises:
            RacerError: the track or the reward cannot be used.
            ValueError: another argument makes no sense.
        """
        setup = Setup(track, reward_function, car, start, laps, time_limit_s, **options)
        self.field = Field(1, 1 + len(setup.opponents), setup)
        self.observation_space, self.action_space = self.field.observation_space, self.field.action_space
        self.render_mode: str | None = setup.render_mode
        self._renderer = Renderer()
        self._seeded = False

    @property
    def track(self) -> Track:
        """The track that is driven; of random ones that of this episode."""
        return self.field.world.track

    @property
    def car(self) -> Car:
        """The kind of car."""
        return self.field.world.car

    @property
    def state(self) -> np.void:
        """The car's whole state: a read-only view of a `racer.sim.CAR_STATE` record."""
        record: Any = self.field.state[0, 0]
        return cast(np.void, record)

    @property
    def reward_params(self) -> dict[str, Any]:
        """A copy of the `params` that the last reward was given; after a reset, those of the prepare step."""
        return self.field.params.of(0)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start the next episode; with a seed, start all over."""
        seed = one_seed(seed)
        super().reset(seed=seed)
        if seed is not None or not self._seeded:
            self.field.world.seed(int(self.np_random_seed or 0))
            self._seeded = True
        self.field.reset()
        if self.render_mode == "human":
            self._renderer.show([self.field])
        return self.field.observed(0, 0), self._info()

    def step(self, action: Action) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Drive one control step.

        Raises:
            RewardError: the reward function failed.
            ValueError: the action is not one of the action space.
        """
        if not self._seeded:
            raise gym.error.ResetNeeded("call reset() before the first step()")
        field = self.field
        given = action_array(action)
        if given.shape != self.action_space.shape:
            raise ValueError(_misshaped(given.shape, self.action_space.shape or ()))
        field.step(given[None, None])
        terminated, truncated = (ends.item(0) for ends in field.ends())
        if self.render_mode == "human":
            self._renderer.show([field])
        return field.observed(0, 0), field.rewards.item(0), terminated, truncated, self._info()

    def render(self) -> Picture | None:
        """The picture of this moment, (500, 800, 3), where `render_mode` is `"rgb_array"`; else None.

        Raises:
            ResetNeeded: there was no `reset` yet.
        """
        if self.render_mode != "rgb_array":
            return None
        if not self._seeded:
            raise gym.error.ResetNeeded("call reset() before the first render()")
        return self._renderer.races(self.field)[0]

    def close(self) -> None:
        """Close the window, and let go of the threads."""
        self._renderer.close()
        self.field.world.close()

    def get_keys_to_action(self) -> dict[str, Action]:
        """What `gymnasium.utils.play.play` does with the keys: w faster, s slower, a left, d right, and two at once.

        With continuous actions it also needs an action for when no key is pressed, for example
        `play(env, noop=numpy.array([0.0, -1.0], dtype="float32"))`.
        """
        actions, commands = self.field.actions, np.array(list(KEYS.values()))
        if isinstance(actions, DiscreteActions):
            scale = np.array([degrees(self.car.max_steering), self.car.max_speed])
            away = np.linalg.norm((np.array(actions.choices)[None] - commands[:, None]) / scale, axis=2)
            return dict(zip(KEYS, away.argmin(axis=1).tolist(), strict=True))
        return dict(zip(KEYS, actions.actions(commands), strict=True))

    def _info(self) -> dict[str, Any]:
        state = self.field.state[0, 0]
        status = int(state["status"])
        laps, length = int(state["laps"]), self.field.world.track.length
        progress = 100.0 if status == LAP_COMPLETE else (float(state["distance"]) - laps * length) * (100.0 / length)
        lap_time_s = float(state["lap_time"]) if laps else NO_LAP_TIME
        info = {"progress": progress, "laps": laps, "lap_time_s": lap_time_s, "status": STATUS[status]}
        return info if self.field.world.traffic is None else info | {"crashes": int(state["crashes"])}


def _misshaped(given: tuple[int, ...], shape: tuple[int, ...]) -> str:
    what = "a whole number" if shape == () else f"an array of the shape {shape}"
    batch = "; this is a batch of one, of which action[0] is the action" if given == (1, *shape) else ""
    return f"the action has the shape {given}; it must be {what}{batch}"
