"""What a car perceives: one file a sensor, each a kernel over a batch of cars. Physics knows none of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from racer.sensors.state import State
from racer.simulation import World


class Sensor(Protocol):
    """One sensor of every car of a world.

    Attributes:
        name: its key in the observation.
        low, high: of every entry.
        shape: of one car's observation.
        dtype: of it.
    """

    name: str
    low: float
    high: float
    shape: tuple[int, ...]
    dtype: type[np.generic]

    def observe(self, world: World, out: NDArray[Any]) -> None:
        """Fill `out` (n, m, *shape) with what the cars (n, m) of `world` perceive."""
        ...


SENSORS: dict[str, Callable[[], Sensor]] = {"state": State}
"""Every sensor by its name, the default first."""


def make_sensors(names: tuple[str | Sensor, ...]) -> tuple[Sensor, ...]:
    """The sensors that are asked for; a `Sensor` stands for itself, with its own settings.

    Raises:
        ValueError: there is no such sensor, none is asked for, or one twice.
    """
    unknown = [name for name in names if isinstance(name, str) and name not in SENSORS]
    if unknown:
        raise ValueError(f"there is no sensor {unknown[0]!r}; the sensors are {', '.join(SENSORS)}")
    made = tuple(SENSORS[sensor]() if isinstance(sensor, str) else sensor for sensor in names)
    given = [sensor.name for sensor in made]
    if not given or len(set(given)) < len(given):
        raise ValueError(f"sensors are {', '.join(given) or 'none'}; it takes at least one, and each once")
    return made
