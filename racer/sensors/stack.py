"""Several observations of one sensor, one after the other: they show what a single picture cannot, such as speed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from racer.errors import SensorError

if TYPE_CHECKING:
    from racer.sensors.registry import Sensor
    from racer.sim import World

MOST_FRAMES = 16


@dataclass(frozen=True)
class Stack:
    """A sensor whose last observations are stacked side by side along the last axis, the newest last.

    At the start of an episode all of them are the first one.

    Attributes:
        sensor: a single one.
        frames: how many observations, one control step apart.

    Raises:
        SensorError: a stack of stacks, or of fewer than 2 or more than 16.
    """

    sensor: Sensor
    frames: int = 2

    def __post_init__(self) -> None:
        """Refuse what is no stack."""
        if isinstance(self.sensor, Stack):
            raise SensorError(f"{self.name} is stacked already; say how many frames in one place")
        if isinstance(self.frames, bool) or not isinstance(self.frames, int) or not 2 <= self.frames <= MOST_FRAMES:
            raise SensorError(f"{self.name} cannot be stacked {self.frames!r} times; it takes 2 to {MOST_FRAMES}")

    @property
    def name(self) -> str:
        """The sensor's."""
        return self.sensor.name

    @property
    def low(self) -> float:
        """The sensor's."""
        return self.sensor.low

    @property
    def high(self) -> float:
        """The sensor's."""
        return self.sensor.high

    @property
    def dtype(self) -> type[np.generic]:
        """The sensor's."""
        return self.sensor.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The sensor's, with a longer last axis."""
        *rows, last = self.sensor.shape
        return *rows, last * self.frames

    def observe(self, world: World, out: NDArray[Any]) -> None:
        """Fill `out` (n, m, *shape) as at the start of an episode; `Observer` remembers what was before."""
        fresh = np.empty((*out.shape[:2], *self.sensor.shape), self.dtype)
        self.sensor.observe(world, fresh)
        fill(out, fresh)


def fill(stacks: NDArray[Any], fresh: NDArray[Any]) -> None:
    """Make all frames of `stacks` (..., k * c) the `fresh` one (..., c)."""
    stacks.reshape(*stacks.shape[:-1], -1, fresh.shape[-1])[:] = fresh[..., None, :]


def push(stacks: NDArray[Any], fresh: NDArray[Any]) -> None:
    """Put `fresh` (..., c) behind the frames of `stacks` (..., k * c), and let go of the oldest."""
    last = fresh.shape[-1]
    stacks[..., :-last] = stacks[..., last:]
    stacks[..., -last:] = fresh
