"""All sensors by name. One file holds one sensor, a kernel over a batch of cars; physics knows none of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from racer.errors import SensorError
from racer.sensors.camera import LENSES, Camera
from racer.sensors.lidar import CLIPS, Lidar
from racer.sensors.spec import name_of, sensor_of
from racer.sensors.stack import Stack
from racer.sensors.state import State
from racer.sim import World

__all__ = ["DESCRIPTIONS", "SENSORS", "Camera", "Lidar", "Sensor", "Stack", "State", "make_sensors", "name_of"]


class Sensor(Protocol):
    """One sensor of every car of a world."""

    @property
    def name(self) -> str:
        """Its key in the observation."""
        ...

    @property
    def low(self) -> float:
        """Least value of every entry."""
        ...

    @property
    def high(self) -> float:
        """Greatest value of every entry."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one car's observation."""
        ...

    @property
    def dtype(self) -> type[np.generic]:
        """Of every entry."""
        ...

    def observe(self, world: World, out: NDArray[Any]) -> None:
        """Fill `out` (n, m, *shape) with what the cars (n, m) of `world` observe."""
        ...


SENSORS: dict[str, Callable[[], Sensor]] = {
    "state": State,
    **{name: partial(Camera, name) for name in LENSES},
    **{name: partial(Lidar, name) for name in CLIPS},
}
"""Every sensor by its name, with its default settings, the default sensor first. The others have DeepRacer's names."""

DESCRIPTIONS = {
    "state": "where the car is on the road, how fast, and where the road goes on",
    "FRONT_FACING_CAMERA": "a grey picture of the road ahead",
    "observation": "the same, by its old name",
    "LEFT_CAMERA": "the left one of the two cameras",
    "STEREO_CAMERAS": "both cameras, 6 cm apart, one channel each",
    "LIDAR": "how far it is to the border, or to a box, in 64 directions, 1 m at most",
    "SECTOR_LIDAR": "for each of 8 sectors, whether anything is within 0.5 m",
    "DISCRETIZED_SECTOR_LIDAR": "for each of 8 sectors, in which of 8 ranges up to 2 m the nearest thing is",
}
"""What each sensor observes, in a line."""

KINDS = {"camera": tuple(LENSES), "LIDAR": tuple(CLIPS)}
"""Sensors of which a car has one at most, as in the original."""


def make_sensors(specs: tuple[str | Sensor, ...]) -> tuple[Sensor, ...]:
    """The sensors that are asked for.

    Args:
        specs: a name each, with settings behind colons (`racer.sensors.spec`); a `Sensor` stands for itself.

    Raises:
        SensorError: there is no such sensor or setting, none is asked for, one twice, or two of a kind.
    """
    made = tuple(sensor_of(spec) if isinstance(spec, str) else spec for spec in specs)
    given = [sensor.name for sensor in made]
    if not given or len(set(given)) < len(given):
        raise SensorError(f"sensors are {', '.join(given) or 'none'}; it takes at least one, and each once")
    for kind, names_of_kind in KINDS.items():
        two = [name for name in given if name in names_of_kind]
        if len(two) > 1:
            raise SensorError(f"a car has one {kind} at most, not {' and '.join(two)}")
    return made
