"""Several learners in one race, as PettingZoo's parallel environment; it needs the extra `racer[pettingzoo]`."""

from __future__ import annotations

from typing import Any, Unpack

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from racer.env.field import Action, Field, Observation, action_array
from racer.env.options import RENDER_MODES, Options, RewardSource, Setup, TrackSource, check_count
from racer.env.races import HEAD_TO_HEAD
from racer.env.rendering import RENDER_FPS, Picture, Renderer
from racer.env.resets import one_seed
from racer.shelf import DEFAULTS
from racer.sim import LAP_COMPLETE, STATUS, Car, Start

try:
    from pettingzoo import ParallelEnv
except ImportError as wrong:
    raise ImportError("several learners in one race need PettingZoo; install it: pip install pettingzoo") from wrong


class ParallelHeadToHead(ParallelEnv):  # type: ignore[misc]
    """Several cars that race each other, each a learner: a parallel environment of PettingZoo's.

    Agents are `"car_0"`, `"car_1"`, …; what each of them observes, does and earns is what `TimeTrial` and
    `ObjectAvoidance` say. Each car has a reward function of its own.

    ## Description
    All start on a grid in an order that is drawn in each episode, 0.75 m apart, and race to the same line. Cars
    collide: who is behind is to blame, and its episode ends with the status `"crashed"`. A car whose episode has ended
    is off the track; the others go on. With `penalty_s` mistakes cost time instead.

    ## Info
    Of each agent `progress`, `laps`, `status` and `crashes`, as in `ObjectAvoidance`.

    ## Example
    >>> from racer.env import ParallelHeadToHead
    >>> env = ParallelHeadToHead(cars=3, reward_function="overtake")
    >>> observations, infos = env.reset(seed=1)
    >>> sorted(observations), observations["car_0"].shape
    (['car_0', 'car_1', 'car_2'], (42,))
    >>> while env.agents:
    ...     actions = {agent: env.action_space(agent).sample() for agent in env.agents}
    ...     observations, rewards, terminated, truncated, infos = env.step(actions)
    """

    metadata: dict[str, Any] = {  # noqa: RUF012  as PettingZoo declares it
        "name": "racer/HeadToHead-v0",
        "render_modes": list(RENDER_MODES),
        "render_fps": RENDER_FPS,
        "is_parallelizable": True,
    }

    def __init__(
        self,
        cars: int = 2,
        track: TrackSource = DEFAULTS["tracks"],
        reward_function: RewardSource = None,
        car: str | Car = "deepracer",
        start: Start = "random",
        laps: int = 1,
        **options: Unpack[Options],
    ) -> None:
        """Make the environment.

        Args:
            cars: how many race.
            track, reward_function, car, start, laps, options: as for `TimeTrial`; `traffic` by default a drawn grid.

        Raises:
            RacerError: the track or the reward cannot be used.
            ValueError: another argument makes no sense.
        """
        check_count("cars", cars)
        setup = Setup(track, reward_function, car, start, laps, **{**HEAD_TO_HEAD, **options})
        if setup.opponents:
            raise ValueError("every car of this environment is a learner's; leave out opponents")
        self.field = Field(1, cars, setup)
        self.possible_agents = [f"car_{j}" for j in range(cars)]
        self.agents: list[str] = []
        self.render_mode = setup.render_mode
        self._renderer = Renderer()
        self._seeded = False

    def observation_space(self, agent: str) -> gym.Space[Any]:
        """The same object for every agent."""
        return self.field.observation_space

    def action_space(self, agent: str) -> gym.Space[Any]:
        """The same object for every agent."""
        return self.field.action_space

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, dict[str, Any]]]:
        """Start the next race; with a seed, start all over."""
        seed = one_seed(seed)
        if seed is not None or not self._seeded:
            self.field.world.seed(int(np.random.default_rng().integers(2**32)) if seed is None else seed)
            self._seeded = True
        self.field.reset()
        self.agents = self.possible_agents[:]
        self._show()
        return self._of(self.field.observed), self._infos()

    def step(
        self, actions: dict[str, Action]
    ) -> tuple[dict[str, Observation], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Drive every car one control step.

        Args:
            actions: of each agent in `agents`.

        Raises:
            RewardError: the reward function failed.
            ValueError: an action is missing, or not of the action space.
            ResetNeeded: there was no reset yet.
        """
        if not self._seeded:
            raise gym.error.ResetNeeded("call reset() before the first step()")
        if not self.agents:
            return {}, {}, {}, {}, {}  # as PettingZoo's wrappers expect of a race that is over
        self.field.step(self._actions(actions)[None])
        terminated, truncated = (ends[0].tolist() for ends in self.field.ends())
        rewards = self.field.rewards[0].tolist()
        seen = self._of(self.field.observed), self._of(lambda _, j: float(rewards[j]))
        ends = self._of(lambda _, j: bool(terminated[j])), self._of(lambda _, j: bool(truncated[j]))
        infos = self._infos()
        for agent in self.agents:
            if ends[0][agent] or ends[1][agent]:
                self.field.world.remove_car(0, self.possible_agents.index(agent))
        self.agents = [agent for agent in self.agents if not (ends[0][agent] or ends[1][agent])]
        self._show()
        return *seen, *ends, infos

    def render(self) -> Picture | None:
        """The picture of this moment where `render_mode` is `"rgb_array"`; else None."""
        return self._renderer.races(self.field)[0] if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        """Close the window, and let go of the threads."""
        self._renderer.close()
        self.field.world.close()

    def _actions(self, given: dict[str, Action]) -> NDArray[Any]:
        """The actions of all cars, those of cars that are out of the race at rest."""
        missing = [agent for agent in self.agents if agent not in given]
        if missing:
            raise ValueError(f"there is no action for {', '.join(missing)}; every agent in the race needs one")
        space = self.field.action_space
        actions = np.zeros((len(self.possible_agents), *(space.shape or ())), space.dtype)
        for j, agent in enumerate(self.possible_agents):
            if agent in self.agents:
                action = action_array(given[agent])
                if action.shape != space.shape:
                    raise ValueError(f"the action of {agent} has the shape {action.shape}; it must be {space.shape}")
                actions[j] = action
        return actions

    def _of(self, value: Any) -> dict[str, Any]:
        """`value(race, car)` of each agent in the race."""
        return {agent: value(0, j) for j, agent in enumerate(self.possible_agents) if agent in self.agents}

    def _infos(self) -> dict[str, dict[str, Any]]:
        progress, state = self.field.progress()[0], self.field.state[0]

        def info(_: int, j: int) -> dict[str, Any]:
            status = int(state["status"][j])
            done = 100.0 if status == LAP_COMPLETE else float(progress[j])
            numbers = {"laps": int(state["laps"][j]), "crashes": int(state["crashes"][j])}
            return {"progress": done, "status": STATUS[status], **numbers}

        return self._of(info)

    def _show(self) -> None:
        if self.render_mode == "human":
            self._renderer.show([self.field])
