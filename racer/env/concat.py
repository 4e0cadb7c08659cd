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

from racer.env.field import Field, StepCallback, action_array
from racer.env.rendering import Picture, Renderer
from racer.env.resets import Seeds, mask_of, seeds_of
from racer.env.vector import TimeTrialVector
from racer.sim import CAR_STATE, ActionSpace, Car
from racer.track import Track

__all__ = ["ConcatVectorEnv"]


class ConcatVectorEnv(VectorEnv[Any, Any, NDArray[Any]]):
    """Several vector environments as one; `TimeTrialVector`'s docstring says what its methods do.

    Attributes:
        parts: the environments; the first cars are those of the first one.
        places: of each part's cars among all of them.
    """

    def __init__(self, parts: Sequence[TimeTrialVector]) -> None:
        """Put environments together.

        Args:
            parts: one or more, with the same kind of car, actions, sensors, autoreset and render mode.

        Raises:
            ValueError: there are none, or they differ.
        """
        self.closed = True  # until it is made: before 1.3, Gymnasium closes what is collected
        if not parts:
            raise ValueError("there is no environment to put together")
        first = parts[0]
        for part in parts[1:]:
            for what in ("car", "actions", "single_observation_space", "metadata", "render_mode"):
                one, other = getattr(first, what), getattr(part, what)
                if one != other:
                    raise ValueError(f"environments side by side have one {what}, not {one!r:.60} and {other!r:.60}")
        self.render_mode = first.render_mode
        for part in parts:
            if part.render_mode == "human":
                part.render_mode = None  # one window shows all of them
        self.parts = tuple(parts)
        self.metadata = first.metadata
        self.num_envs = sum(part.num_envs for part in parts)
        self.single_observation_space = first.single_observation_space
        self.single_action_space = first.single_action_space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        ends = accumulate((part.num_envs for part in parts), initial=0)
        self._renderer, self._seeded = Renderer(), False
        self.places = [slice(*pair) for pair in pairwise(ends)]
        self.closed = False

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
        return np.concatenate([part.state for part in self.parts], dtype=CAR_STATE)  # else NumPy compares all fields

    @property
    def privileged(self) -> str | None:
        """The same for all parts; see `TimeTrialVector.privileged`."""
        return self.parts[0].privileged

    @privileged.setter
    def privileged(self, sensor: str | None) -> None:
        for part in self.parts:
            part.privileged = sensor

    @property
    def blind(self) -> bool:
        """The same for all parts; see `TimeTrialVector.blind`."""
        return self.parts[0].blind

    @blind.setter
    def blind(self, blind: bool) -> None:
        for part in self.parts:
            part.blind = blind

    def observe(self) -> Any:
        """The newest observations of all cars, once more: a copy."""
        return _joined([part.observe() for part in self.parts])

    def reset(self, *, seed: Seeds = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start the next episode of every car, or of some; see `TimeTrialVector.reset`.

        Raises:
            ValueError: the seeds or the mask do not fit the cars.
            ResetNeeded: the first reset has a mask.
        """
        mask, seeds = mask_of(options, self.num_envs, not self._seeded), seeds_of(seed, self.num_envs)
        infos = []
        for part, place in zip(self.parts, self.places, strict=True):
            if mask is None:
                infos.append((place, part.reset(seed=seeds[place])[1]))
            elif mask[place].any():
                infos.append((place, part.reset(seed=seeds[place], options={"reset_mask": mask[place]})[1]))
        self._seeded = True
        self._show()
        return self.observe(), self._merged(infos)

    def step(self, actions: Any) -> tuple[Any, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Drive every car one control step.

        Raises:
            RewardError: the reward function failed.
            ValueError: the actions are not of the action space, one a car.
            ResetNeeded: there was no reset yet; or the autoreset is disabled and an episode is over.
        """
        given = action_array(actions)
        shape = self.action_space.shape
        if given.shape != shape:
            raise ValueError(f"actions have the shape {given.shape}; it must be {shape}, a row for each car")
        self.actions.commands(given)  # refuses what no car can do before the first part drives
        steps = [part.step(given[place]) for part, place in zip(self.parts, self.places, strict=True)]
        seen, rewards, terminated, truncated, infos = zip(*steps, strict=True)
        self._show()
        ends = np.concatenate(terminated), np.concatenate(truncated)
        merged = self._merged(list(zip(self.places, infos, strict=True)))
        return _joined(seen), np.concatenate(rewards), *ends, merged

    def render(self) -> tuple[Picture, ...] | None:
        """A picture of each car, where `render_mode` is `"rgb_array"`; else None."""
        if self.render_mode != "rgb_array":
            return None
        return tuple(picture for part in self.parts for picture in part.render() or ())

    def render_together(self) -> Picture | None:
        """One picture of all cars, a tile for each track, where `render_mode` is `"rgb_array"`; else None."""
        return self._renderer.together(self._fields) if self.render_mode == "rgb_array" else None

    @property
    def step_callback(self) -> StepCallback | None:
        """The first part's step callback; see `TimeTrialVector.step_callback`."""
        return self.parts[0].step_callback

    @step_callback.setter
    def step_callback(self, callback: StepCallback | None) -> None:
        self.parts[0].step_callback = callback

    def close_extras(self, **kwargs: Any) -> None:
        """Close all parts."""
        self._renderer.close()
        for part in self.parts:
            part.close()

    @property
    def _fields(self) -> list[Field]:
        return [part.field for part in self.parts]

    def _show(self) -> None:
        if self.render_mode == "human":
            self._renderer.show(self._fields)

    def _merged(self, parts: Sequence[tuple[slice, dict[str, Any]]]) -> dict[str, Any]:
        """Infos of all cars: what a part does not tell (no episode ended there) is 0, None or false for its cars."""
        merged: dict[str, Any] = {}
        for key in {key: None for _, info in parts for key in info}:
            values = [(place, info[key]) for place, info in parts if key in info]
            if isinstance(values[0][1], dict):
                merged[key] = self._merged(values)
            elif len(values) == len(self.parts):
                merged[key] = np.concatenate([value for _, value in values])
            else:
                known = values[0][1]
                empty = None if known.dtype.kind == "O" else 0
                merged[key] = np.full((self.num_envs, *known.shape[1:]), empty, known.dtype)
                for place, value in values:
                    merged[key][place] = value
        return merged


def _joined(seen: Sequence[Any]) -> Any:
    """Observations of all cars: an array, or a dict of arrays."""
    if isinstance(seen[0], dict):
        return {name: np.concatenate([one[name] for one in seen]) for name in seen[0]}
    return np.concatenate(seen)
