"""PPO by images with a teacher, which has learned before it, by what is privileged, and many times as fast.

What holds a driver by images back is not what it sees: shown what to do, it soon does nearly as well as who knows
where it is. It is that images are dear and rewards say little about each. The idea is that of Chen et al. 2019
(arXiv:1912.12294) and, for what goes on learning by rewards, of Schmitt et al. 2018 (arXiv:1803.03835).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorWrapper
from numpy.typing import NDArray

from racer.env import ConcatVectorEnv, TimeTrialVector
from racer.errors import AgentError, ShelfError
from racer.racing import hyperparameters_of, load_agent
from racer.sensors import make_sensors
from racer.training.sb3.ppo import PPORecipe
from racer.training.sb3.recipe import Recipe

__all__ = ["TaughtPPORecipe"]

TEACHER = "teacher/"  # what its part of the state begins with
NOBODY = "none"
GAMMAS = ("gamma", "stuck_gamma", "last_gamma")  # a teacher's discounts


class TaughtPPORecipe(PPORecipe):
    """Proximal policy optimisation by images, with a teacher that learns by what is `privileged`.

    The teacher is another recipe, with the same actions and `loss_type`. In the first part of the budget it alone
    learns, and no image is drawn. In the rest the driver learns: from its own drives, by its rewards, and to do as the
    teacher would.

    Attributes:
        teacher: the recipe's name on the shelf of agents; `"none"` for no teacher.
        teacher_share: of the budget that is the teacher's.
        teacher_gamma: its discount, all the time; None for that of its recipe. The nearer to 1, the more it keeps away
            from whatever might end its drive, and so do those whom it teaches.
        imitation, last_imitation: what it is worth in the loss to do as the teacher would, when the driver begins to
            learn and at the end; in between it falls, slowly at first. So the driver learns what the teacher does, and
            in the end what pays for one who sees less.
    """

    teacher = NOBODY
    teacher_share = 0.25
    teacher_gamma: float | None = None
    imitation, last_imitation = 1.0, 1.0

    def build(self, env: TimeTrialVector | ConcatVectorEnv, seed: int) -> None:
        """Make the model, and its teacher."""
        self._teacher: Recipe | None = None
        self._cars = env
        self._taught, self._done = 0, 0.0  # steps of the teacher's; share of the driver's own part that is over
        self._share = 0.0 if self.teacher == NOBODY else self.teacher_share  # of the budget: what the teacher took
        self._used, self._resumed = 0.0, 0.0  # share of the budget; the same when it was saved, until that is looked at
        super().build(env, seed)
        if self.teacher != NOBODY:
            try:
                file = load_agent(self.teacher)
            except ShelfError as wrong:
                raise AgentError(f"teacher: {wrong}") from wrong
            asked: dict[str, Any] = {"loss_type": self.loss_type}
            if self.teacher_gamma is not None:
                asked |= dict.fromkeys(GAMMAS, self.teacher_gamma)
            known = hyperparameters_of(file.load()) or {}
            own = {name: value for name, value in asked.items() if name in known}
            made = file.make(cast(Any, _PrivilegedCars(env, self.privileged)), seed, own, device="cpu")
            if not isinstance(made, Recipe):
                raise AgentError(f"{self.teacher} cannot teach: it is none of racer's recipes")
            self._teacher = made

    @property
    def description(self) -> str:
        """What it observes, what it is made of, how fast it should be, and who teaches it."""
        taught = f" It is taught by {self.teacher}, which learns first, by {self.privileged}."
        return super().description + (taught if self._teacher is not None else "")

    def learn(self, report: Callable[[int, Mapping[str, float]], float]) -> None:
        """Let the teacher learn until its share is used up, then learn until the budget is; `report` as in `Recipe`.

        Who has begun to learn for itself goes on with that, however much more budget there is now.
        """
        teacher, model = self._teacher, cast(Any, self.model)
        if teacher is not None and model.num_timesteps == teacher.model.num_timesteps:

            def lesson(steps: int, metrics: Mapping[str, float]) -> float:
                self._taught = model.num_timesteps = steps
                return report(steps, metrics) / self.teacher_share

            self.phase, self._cars.blind = f"its teacher learns, by {self.privileged}", True
            try:
                teacher.learn(lesson)
            finally:
                self.phase, self._cars.blind = "", False
            model.num_timesteps = teacher.model.num_timesteps
        if teacher is not None:
            model.teacher = teacher.frozen()
        super().learn(report)

    def update_schedule(self, steps: int, used: float, progress: Sequence[float]) -> None:
        """Tell the schedule how far the driver's own part of the training has come; see `LapSchedule.update`."""
        if self._resumed:  # the same work may be a smaller share of the budget now
            self._share, self._resumed = self._share * used / self._resumed, 0.0
        self._used = used
        self._done = max(0.0, used - self._share) / (1.0 - self._share)
        super().update_schedule(steps - self._taught, self._done, progress)

    def tune(self) -> None:
        """Let what follows the schedule do so."""
        super().tune()
        fallen = (self.last_imitation / self.imitation) ** self._done**2
        cast(Any, self.model).imitation = 0.0 if self.teacher == NOBODY else self.imitation * fallen

    def warm_start(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Begin a new training with the networks of another, and with its teacher's."""
        super().warm_start(state)
        taught = _teachers(state)
        if self._teacher is not None and taught:
            self._teacher.warm_start(taught)

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """All that was learned, by the teacher as well."""
        if self._teacher is None:
            return super().state_dict()
        taught = {TEACHER + name: values for name, values in self._teacher.state_dict().items()}
        return super().state_dict() | taught | {"lesson": np.array([self._share, self._used])}

    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from `state_dict()`."""
        own = {name: values for name, values in state.items() if not name.startswith(TEACHER)}
        if self._teacher is not None:
            self._teacher.load_state_dict(_teachers(state))
            self._taught = self._teacher.model.num_timesteps
            self._share, self._used = state.get("lesson", np.array([self.teacher_share, 1.0])).tolist()
            self._resumed = self._used
        super().load_state_dict(own)


def _teachers(state: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(TEACHER): values for name, values in state.items() if name.startswith(TEACHER)}


class _PrivilegedCars(VectorWrapper):
    """The same cars, observed by what is privileged alone."""

    def __init__(self, env: TimeTrialVector | ConcatVectorEnv, sensor: str) -> None:
        super().__init__(env)
        (observed,) = make_sensors((sensor,))
        self.single_observation_space = spaces.Box(
            observed.low, observed.high, observed.shape, cast(Any, observed.dtype)
        )
        self.actions = env.actions

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode of every car."""
        info = super().reset(seed=seed, options=options)[1]
        return info["privileged"], info

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Drive every car one control step."""
        _, rewards, terminated, truncated, info = super().step(actions)
        if "final_info" in info:
            info["final_obs"] = info["final_info"]["privileged"]
        return info["privileged"], rewards, terminated, truncated, info
