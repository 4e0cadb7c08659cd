"""Many cars, each in a time trial of its own, as a `gymnasium.vector.VectorEnv`.

A car here gets, bit for bit, what the single environment gets that was reset with the same seed.
"""

from __future__ import annotations

from typing import Any, Unpack

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from racer.env.field import Action, Field, Observation, StepCallback, action_array
from racer.env.options import RENDER_MODES, Options, RewardSource, Setup, TrackSource, check_count
from racer.env.rendering import RENDER_FPS, Picture, Renderer
from racer.env.resets import Seeds, mask_of, one_seed, seeds_of
from racer.shelf import DEFAULTS
from racer.sim import IN_PROGRESS, LAP_COMPLETE, STATUS, ActionSpace, Car, Start
from racer.track import Track

STATUS_NAMES = np.array(STATUS)


class TimeTrialVector(VectorEnv[Observation, Action, NDArray[Any]]):
    """Many cars, each in a time trial of its own; `TimeTrial`'s docstring says what each of them observes and does.

    Reset with seed s, car i starts and goes on as a single environment reset with seed s + i. `reset` also takes a
    sequence of seeds, one a car, where None lets a car go on to its next episode; and
    `options={"reset_mask": mask}`, (num_envs,) of bool, which resets some cars and leaves the others as they are.

    ## Autoreset
    `autoreset_mode` is an `AutoresetMode` of Gymnasium or its value as a string.

    - `SAME_STEP` ("SameStep", the default and the fastest): an episode restarts in the step that ends it. The step
      returns the first observation of the new episode; `info["final_obs"]` and `info["final_info"]` hold the last of
      the old one.
    - `NEXT_STEP` ("NextStep"): the step after the end restarts the episode. It ignores the car's action and gives no
      reward. Gymnasium's wrappers of vector observations take this mode and the next one.
    - `DISABLED` ("Disabled"): the caller resets cars whose episode ended, with `reset_mask`.

    ## Info
    The keys of `TimeTrial` as arrays, each with a mask under its name and a leading underscore; and `privileged`, if it
    is asked for: see there.

    ## Rendering
    With `render_mode="rgb_array"`, `render()` returns a tuple of pictures, one for each car, and `render_together()`
    one picture of all cars. `"human"` shows that picture in a window.

    ## Example
    >>> import gymnasium, racer
    >>> envs = gymnasium.make_vec("racer/TimeTrial-v0", num_envs=3, max_episode_steps=20, autoreset_mode="NextStep")
    >>> observations, infos = envs.reset(seed=1)
    >>> for step in range(20):
    ...     observations, rewards, terminated, truncated, infos = envs.step(envs.action_space.sample() * 0.1)
    >>> truncated.tolist(), infos["status"].tolist()
    ([True, True, True], ['in_progress', 'in_progress', 'in_progress'])
    """

    metadata: dict[str, Any] = {  # noqa: RUF012  as Gymnasium declares it
        "render_modes": list(RENDER_MODES),
        "render_fps": RENDER_FPS,
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        track: TrackSource = DEFAULTS["tracks"],
        reward_function: RewardSource = None,
        car: str | Car = "deepracer",
        start: Start = "random",
        laps: int = 1,
        time_limit_s: float = 180.0,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        **options: Unpack[Options],
    ) -> None:
        """Make the environment.

        Args:
            num_envs: number of cars.
            track, reward_function, car, start, laps, time_limit_s, options: as for `TimeTrial`.
            autoreset_mode: when the next episode of a car starts; see above.

        Raises:
            RacerError: the track or the reward cannot be used.
            ValueError: another argument makes no sense.
        """
        self.closed = True  # until it is made: before 1.3, Gymnasium closes what is collected
        check_count("num_envs", num_envs)
        try:
            self._autoreset = AutoresetMode(autoreset_mode)
        except ValueError:
            modes = ", ".join(repr(mode.value) for mode in AutoresetMode)
            raise ValueError(f"autoreset_mode is {autoreset_mode!r:.60}; it must be one of {modes}") from None
        self.num_envs = num_envs
        setup = Setup(track, reward_function, car, start, laps, time_limit_s, **options)
        self.field = Field(num_envs, 1 + len(setup.opponents), setup)
        self.metadata = {**self.metadata, "autoreset_mode": self._autoreset}
        self.single_observation_space = self.field.observation_space
        self.single_action_space = self.field.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.render_mode = setup.render_mode
        self._all = np.ones(num_envs, dtype=np.bool_)
        self._in_progress = STATUS_NAMES[np.full(num_envs, IN_PROGRESS)]
        self._in_progress.flags.writeable = False  # as it is handed out in every step without a copy
        self._pauses = setup.chosen_rules.penalty_s is not None
        self._over: NDArray[np.bool_] | None = None  # cars whose episode is over, where there are any
        self._privileged: str | None = None
        self._renderer = Renderer()
        self._seeded = False
        self.closed = False

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
        return self.field.state[:, 0]

    @property
    def commands(self) -> NDArray[np.float64]:
        """What the last step commanded, (num_envs, 2): steering (degrees, left positive) and speed (m/s)."""
        return self.field.commands[:, 0]

    @property
    def step_callback(self) -> StepCallback | None:
        """Called in every step as `step_callback(params, actions, rewards, status)`; None: nothing is called.

        It is called before the cars whose episode has ended start anew, with tables of all cars that the next step
        overwrites: the pose before the action acts, the action, its reward, and an index into `racer.sim.STATUS`.
        In other autoreset modes than `SAME_STEP`, a waiting car is reported once more, with the status that ended it.
        """
        return self.field.step_callback

    @step_callback.setter
    def step_callback(self, callback: StepCallback | None) -> None:
        self.field.step_callback = callback

    @property
    def privileged(self) -> str | None:
        """A sensor that tells the truth about each car in `info["privileged"]`; None: there is none.

        No driver observes it. It is for value networks, which nobody needs once a driver has learned
        (Pinto et al. 2017, arXiv:1710.06542). Nothing of it is varied, late or lost, whatever the randomisation. Set it
        before a reset.
        """
        return self._privileged

    @privileged.setter
    def privileged(self, sensor: str | None) -> None:
        self.field.add_privileged(sensor)
        self._privileged = sensor

    @property
    def blind(self) -> bool:
        """Whether observations stay as they are, and no picture is drawn: for who learns by `privileged` alone.

        Reset all cars when it ends.
        """
        return self.field.blind

    @blind.setter
    def blind(self, blind: bool) -> None:
        self.field.blind = blind

    def observe(self) -> Observation:
        """The newest observations of all cars, once more: a copy."""
        return self.field.observed(slice(None), 0)

    def reset(self, *, seed: Seeds = None, options: dict[str, Any] | None = None) -> tuple[Observation, dict[str, Any]]:
        """Start the next episode of every car, or of some; with seeds, start all over.

        Args:
            seed: None; a whole number s, which is s + i for car i; or a sequence with a seed or None for each car.
            options: `"reset_mask"`: (num_envs,) of bool, which cars are reset.

        Raises:
            ValueError: the seeds or the mask do not fit the cars.
            ResetNeeded: the first reset has a mask.
        """
        mask, seeds = mask_of(options, self.num_envs, not self._seeded), seeds_of(seed, self.num_envs)
        scalar = None if isinstance(seed, list | tuple | np.ndarray) else one_seed(seed)
        super().reset(seed=scalar)
        if not self._seeded:
            self.field.world.seed(int(self.np_random_seed or 0))
            self._seeded = True
        given = np.array([each is not None for each in seeds])
        if given.any():
            self.field.world.seed([each or 0 for each in seeds], given if mask is None else given & mask)
        self.field.reset(mask)
        over = None if mask is None or self._over is None else self._over & ~mask
        self._over = over if over is not None and over.any() else None
        self._show()
        return self.observe(), self._infos(self._all if mask is None else mask.copy())

    def step(
        self, actions: Action
    ) -> tuple[Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Drive every car one control step.

        Raises:
            RewardError: the reward function failed.
            ValueError: the actions are not of the action space, one a car.
            ResetNeeded: there was no reset yet; or the autoreset is disabled and an episode is over.
        """
        field, over = self.field, self._over
        if not self._seeded:
            raise gym.error.ResetNeeded("call reset() before the first step()")
        if over is not None and self._autoreset is AutoresetMode.DISABLED:
            cars = ", ".join(map(str, np.flatnonzero(over)[:8]))
            raise gym.error.ResetNeeded(f"the episode is over for cars {cars}: reset them, with a reset_mask")
        given = action_array(actions)
        if given.shape != self.action_space.shape:
            shape = self.action_space.shape
            raise ValueError(f"actions have the shape {given.shape}; it must be {shape}, a row for each car")
        field.step(given[:, None], over)
        terminated, truncated = (ends[:, 0] for ends in field.ends())
        rewards = field.rewards[:, 0].copy()
        if over is not None:
            terminated[over] = truncated[over] = False
            field.reset(over)
        ended = terminated | truncated
        final: dict[str, Any] = {}
        if self._autoreset is not AutoresetMode.SAME_STEP:
            self._over = ended if ended.any() else None
        elif ended.any():
            final = self._final(ended)
            field.reset(ended)
        self._show()
        return self.observe(), rewards, terminated, truncated, self._infos(self._all, self._over is not None) | final

    def render(self) -> tuple[Picture, ...] | None:
        """A picture of each car, (500, 800, 3), where `render_mode` is `"rgb_array"`; else None.

        Raises:
            ResetNeeded: there was no reset yet.
        """
        return self._renderer.races(self.field) if self._renders() else None

    def render_together(self) -> Picture | None:
        """One picture of all cars, (height, width, 3), where `render_mode` is `"rgb_array"`; else None.

        On one track it is as large as the picture of one car; random tracks become tiles of it.

        Raises:
            ResetNeeded: there was no reset yet.
        """
        return self._renderer.together([self.field]) if self._renders() else None

    def close_extras(self, **kwargs: Any) -> None:
        """Close the window, and let go of the threads."""
        self._renderer.close()
        self.field.world.close()

    def _renders(self) -> bool:
        if self.render_mode == "rgb_array" and not self._seeded:
            raise gym.error.ResetNeeded("call reset() before the first render()")
        return self.render_mode == "rgb_array"

    def _show(self) -> None:
        if self.render_mode == "human":
            self._renderer.show([self.field])

    def _final(self, ended: NDArray[np.bool_]) -> dict[str, Any]:
        """The last observations and infos of episodes that end in this step."""
        observations = np.empty(self.num_envs, dtype=object)  # None each
        for car in ended.nonzero()[0].tolist():
            observations[car] = self.field.observed(car, 0)
        final_info = self._infos(ended)
        return {"final_obs": observations, "_final_obs": ended, "final_info": final_info, "_final_info": ended}

    def _infos(self, mask: NDArray[np.bool_], ended: bool = True) -> dict[str, Any]:
        """Infos of all cars, those of the mask to be read; `ended` is false where none is at the end of its episode."""
        state, status = self.state, self.field.status[:, 0]
        progress = self.field.progress()[:, 0]
        laps = state["laps"].copy()
        if ended:
            progress[status == LAP_COMPLETE] = 100.0
        infos = {
            "progress": progress,
            "_progress": mask,
            "laps": laps,
            "_laps": mask,
            "lap_time_s": np.where(laps, state["lap_time"], np.nan),
            "_lap_time_s": mask,
            "status": STATUS_NAMES[status] if ended or self._pauses else self._in_progress,
            "_status": mask,
        }
        if self.field.world.traffic is not None:
            infos |= {"crashes": state["crashes"].copy(), "_crashes": mask}
        if self.field.privileged is not None:
            infos |= {"privileged": self.field.privileged.values[0][:, 0].copy(), "_privileged": mask}
        return infos
