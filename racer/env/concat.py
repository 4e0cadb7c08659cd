"""Several vector environments as one: on several tracks, or in both directions of one.

Each part is a `TimeTrialVector` with a world and a reward of its own; this file lays what they give side by side.
Invariant: a car that was reset with seed s gets what a single environment on its track gets that was reset
with s and the car's place in the whole batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from racer.env.time_trial import StepCallback, TimeTrialVector
from racer.sim import ActionSpace, Car
from racer.track import Track

__all__ = ["ConcatVectorEnv"]


class ConcatVectorEnv(VectorEnv[Any, Any, NDArray[Any]]):
    """Several batches as one; `TimeTrial`'s docstring says what each car sees and does.

    Attributes:
        parts: the batches; the first cars are those of the first one.
    """

    def __init__(self, parts: Sequence[TimeTrialVector]) -> None:
        """Put batches together.

        Args:
            parts: one or more, with the same kind of car, actions and sensors.
        """
        first = parts[0]
        self.parts = tuple(parts)
        self.metadata = first.metadata
        self.num_envs = sum(part.num_envs for part in parts)
        self.single_observation_space = first.single_observation_space
        self.single_action_space = first.single_action_space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        ends = accumulate((part.num_envs for part in parts), initial=0)
        self._places = [slice(*pair) for pair in pairwise(ends)]

    @property
    def track(self) -> Track:
        """The first part's track."""
        return self.parts[0].track

    @property
    def car(self) -> Car:
        """The kind of car."""
        return self.parts[0].car

    @property
    def actions(self) -> ActionSpace:
        """What the actions command."""
        return self.parts[0].actions

    @property
    def state(self) -> NDArray[np.void]:
        """A copy of the cars' whole states, (num_envs,) `racer.sim.CAR_STATE` records."""
        return np.concatenate([part.state for part in self.parts])

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start the next episode of every car; with a seed (or a list of them, one a car), start all over."""
        told = []
        for part, place in zip(self.parts, self._places, strict=True):
            own = seed[place] if isinstance(seed, list) else None if seed is None else seed + place.start
            told.append(part.reset(seed=own))
        return _joined([seen for seen, _ in told]), self._infos([info for _, info in told])

    def step(self, actions: Any) -> tuple[Any, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Drive every car one control step.

        Raises:
            RewardError: the reward function failed.
            ValueError: the actions are not of the action space, one a car.
        """
        given = np.asarray(actions)
        shape = self.action_space.shape
        if given.shape != shape:
            raise ValueError(f"actions have the shape {given.shape}; it must be {shape}, a row for each car")
        told = [part.step(given[place]) for part, place in zip(self.parts, self._places, strict=True)]
        seen, rewards, terminated, truncated, infos = zip(*told, strict=True)
        ends = np.concatenate(terminated), np.concatenate(truncated)
        return _joined(seen), np.concatenate(rewards), *ends, self._infos(infos)

    @property
    def step_callback(self) -> StepCallback | None:
        """The first part's step callback; see `TimeTrialVector.step_callback`."""
        return self.parts[0].step_callback

    @step_callback.setter
    def step_callback(self, callback: StepCallback | None) -> None:
        self.parts[0].step_callback = callback

    def close_extras(self, **kwargs: Any) -> None:
        """Close all parts."""
        for part in self.parts:
            part.close()

    def _infos(self, infos: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Infos of all cars: what a part does not tell (no episode ended there) is 0 or false for its cars."""
        return self._merged(list(zip(self._places, infos, strict=True)))

    def _merged(self, told: Sequence[tuple[slice, dict[str, Any]]]) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for key in {key: None for _, info in told for key in info}:
            values = [(place, info[key]) for place, info in told if key in info]
            if isinstance(values[0][1], dict):
                merged[key] = self._merged(values)
            elif len(values) == len(self.parts):
                merged[key] = np.concatenate([value for _, value in values])
            else:
                merged[key] = np.zeros(self.num_envs, values[0][1].dtype)
                for place, value in values:
                    merged[key][place] = value
        return merged


def _joined(seen: Sequence[Any]) -> Any:
    """Observations of all cars: an array, or a dict of arrays."""
    if isinstance(seen[0], dict):
        return {name: np.concatenate([one[name] for one in seen]) for name in seen[0]}
    return np.concatenate(seen)
