"""What an agent may command: the action space, and what its numbers mean in degrees and m/s."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class ContinuousActions:
    """Two numbers of -1..1, for steering (left positive) and for speed, mapped linearly to their ranges.

    Attributes:
        steering_angle: commanded at -1 and at +1, degrees.
        speed: commanded at -1 and at +1, m/s.
    """

    steering_angle: tuple[float, float] = (-30.0, 30.0)
    speed: tuple[float, float] = (0.5, 4.0)

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ValueError: a range is empty or not finite.
        """
        for name, (low, high) in (("steering_angle", self.steering_angle), ("speed", self.speed)):
            if not (np.isfinite(low) and np.isfinite(high) and low < high):
                raise ValueError(f"{name} goes from {low} to {high}; it must be a finite range, the lower bound first")

    @property
    def top_speed(self) -> float:
        """The greatest that can be commanded, m/s."""
        return float(self.speed[1])

    def commands(self, actions: ArrayLike) -> NDArray[np.float64]:
        """Steering (degrees) and speed (m/s) of actions (..., 2); what lies outside -1..1 is clipped.

        Raises:
            ValueError: an action is not a finite number.
        """
        # float32 first: a replay keeps actions as float32, and must lead to the same commands.
        given = np.ascontiguousarray(actions, dtype=np.float32)
        commands = np.empty(given.shape)
        rows = given.reshape(-1, 2)
        if not self._scale(rows, *self._middle_and_half, commands.reshape(-1, 2)):
            row = rows[~np.isfinite(rows).all(axis=1)][0]
            raise ValueError(f"an action is {row.tolist()}; it must be finite numbers, for steering and speed")
        return commands

    def actions(self, commands: ArrayLike) -> NDArray[np.float32]:
        """The actions (..., 2) that command steering (degrees) and speed (m/s); the inverse of `commands`."""
        middle, half = self._middle_and_half
        return np.clip((np.asarray(commands) - middle) / half, -1.0, 1.0).astype(np.float32)

    @cached_property
    def _scale(self) -> Callable[..., bool]:
        from racer.sim.step import scale_actions  # compiled: who only reads a run's settings does not wait for it

        return scale_actions

    @cached_property
    def _middle_and_half(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        low, high = np.array([self.steering_angle, self.speed]).T
        return 0.5 * (low + high), 0.5 * (high - low)


@dataclass(frozen=True)
class DiscreteActions:
    """A choice from a list, by its position there.

    Attributes:
        choices: (steering in degrees, left positive; speed in m/s) of each.
    """

    choices: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        """Check the list.

        Raises:
            ValueError: it is empty, or holds a number that is not finite.
        """
        if not self.choices or not np.isfinite(np.array(self.choices, dtype=np.float64)).all():
            raise ValueError(
                f"the action space holds {len(self.choices)} choices; it must hold one or more, all finite"
            )

    @property
    def top_speed(self) -> float:
        """The greatest that can be commanded, m/s."""
        return float(max(speed for _, speed in self.choices))

    def commands(self, actions: ArrayLike) -> NDArray[np.float64]:
        """Steering (degrees) and speed (m/s), (..., 2), of actions (...).

        Raises:
            ValueError: an action is no position in the list.
        """
        chosen = np.asarray(actions)
        if chosen.dtype.kind not in "iu" or ((chosen < 0) | (chosen >= len(self.choices))).any():
            raise ValueError(
                f"an action is a whole number from 0 to {len(self.choices) - 1}, not {chosen.reshape(-1)[:4]}"
            )
        commands: NDArray[np.float64] = self._table[chosen]
        return commands

    @cached_property
    def _table(self) -> NDArray[np.float64]:
        return np.array(self.choices, dtype=np.float64)


ActionSpace = ContinuousActions | DiscreteActions

DEFAULT = ContinuousActions()
"""The whole range of the car."""


def actions_as_json(space: ActionSpace) -> dict[str, Any]:
    """An action space as JSON holds it: its fields by name, for `actions_from_json`."""
    return asdict(space)


def actions_from_json(data: Any) -> ActionSpace:
    """The action space that `actions_as_json` wrote.

    Raises:
        ValueError: the data is no action space.
    """
    if isinstance(data, Mapping) and data.keys() == {"choices"} and isinstance(data["choices"], list):
        return DiscreteActions(tuple(_pair("choices", choice) for choice in data["choices"]))
    if isinstance(data, Mapping) and data.keys() == {"steering_angle", "speed"}:
        return ContinuousActions(*(_pair(name, data[name]) for name in ("steering_angle", "speed")))
    raise ValueError(f"{data!r:.60} is no action space: it must hold choices, or the ranges steering_angle and speed")


def _pair(name: str, data: Any) -> tuple[float, float]:
    try:
        first, second = map(float, data)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} holds {data!r:.60}; it must be two numbers") from None
    return first, second
