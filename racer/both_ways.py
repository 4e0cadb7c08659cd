"""Both ways round: half of the cars of a batch drive a track in its direction, the others against it.

Each half is a `TimeTrialVector` with a world, a reward and seeds of its own; this file lays what they give
side by side. DeepRacer's alternating direction shows a driver the same mixture, one episode after the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from racer.actions import ActionSpace
from racer.car import Car
from racer.env import TimeTrialVector, Trace
from racer.track import Track

__all__ = ["BothWays"]

Arrays = tuple[NDArray[Any], ...]


class BothWays(VectorEnv[Any, Any, NDArray[Any]]):
    """Two batches as one; `TimeTrial`'s docstring says what each car sees and does.

    Attributes:
        ahead: the first cars, which drive in the track's direction.
        against: the others.
    """

    def __init__(self, ahead: TimeTrialVector, against: TimeTrialVector) -> None:
        """Put two batches together.

        Args:
            ahead: on a track.
            against: on `track.reverse()`, with the same actions and sensors.
        """
        self.metadata = ahead.metadata
        self.ahead, self.against = ahead, against
        self.num_envs = ahead.num_envs + against.num_envs
        self.single_observation_space = ahead.single_observation_space
        self.single_action_space = ahead.single_action_space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    @property
    def track(self) -> Track:
        """The track in its own direction."""
        return self.ahead.track

    @property
    def car(self) -> Car:
        """The kind of car."""
        return self.ahead.car

    @property
    def actions(self) -> ActionSpace:
        """What the actions command."""
        return self.ahead.actions

    @property
    def state(self) -> NDArray[np.void]:
        """A copy of the cars' whole states, (num_envs,) `racer.simulation.CAR_STATE` records."""
        return np.concatenate([self.ahead.state, self.against.state])

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start the next episode of every car; with a seed (or a list of them, one a car), start all over."""
        cut = self.ahead.num_envs
        first, second = (seed[:cut], seed[cut:]) if isinstance(seed, list) else (seed, seed)
        if isinstance(second, int):
            second += cut
        (seen, info), (seen_against, info_against) = (
            self.ahead.reset(seed=first),
            self.against.reset(seed=second),
        )
        return _joined(seen, seen_against), self._infos(info, info_against)

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
        cut = self.ahead.num_envs
        one, other = self.ahead.step(given[:cut]), self.against.step(given[cut:])
        rewards, terminated, truncated = (np.concatenate(pair) for pair in zip(one[1:4], other[1:4], strict=True))
        return _joined(one[0], other[0]), rewards, terminated, truncated, self._infos(one[4], other[4])

    def trace(self, tracer: Trace | None) -> None:
        """Have every step of the cars that drive in the track's direction told, or with None stop that."""
        self.ahead.trace(tracer)

    def close_extras(self, **kwargs: Any) -> None:
        """Close both batches."""
        self.ahead.close()
        self.against.close()

    def _infos(self, one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
        """Infos of all cars: what one batch does not tell (no episode ended there) is absent for its cars."""
        return dict(self._pairs(one, other))

    def _pairs(self, one: dict[str, Any], other: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        counts = self.ahead.num_envs, self.against.num_envs
        for key in one | other:
            parts = [info.get(key) for info in (one, other)]
            if any(isinstance(part, dict) for part in parts):
                yield key, self._infos(*(part or {} for part in parts))
                continue
            dtype = next(part.dtype for part in parts if part is not None)
            filled = [np.zeros(n, dtype) if part is None else part for part, n in zip(parts, counts, strict=True)]
            yield key, np.concatenate(filled)


def _joined(one: Any, other: Any) -> Any:
    """Observations of all cars: an array, or a dict of arrays."""
    if isinstance(one, dict):
        return {name: np.concatenate([one[name], other[name]]) for name in one}
    return np.concatenate([one, other])
