"""Boxes and bot cars: what stands and drives on a track besides the car, as rewards and sensors are given it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from racer.sim.car import Car

__all__ = ["BOX", "BOX_M", "NO_BOXES", "TrackObject", "boxes_around"]

BOX_M = (0.5, 0.4)  # length along its heading and width of a box's collision rectangle, m
CAR_HEIGHT_M = 0.22
CAR_GREY = 40.0

BOX = np.dtype(
    [
        ("x", "f8"),  # its middle, m
        ("y", "f8"),
        ("heading", "f8"),  # rad, of its length
        ("length", "f8"),  # m
        ("width", "f8"),
        ("height", "f8"),
        ("grey", "f8"),  # of its sides in full light, 0..255
    ]
)
"""Anything that stands on the ground, as sensors see it: cars are boxes, too."""

NO_BOXES: NDArray[np.void] = np.zeros((1, 1, 0), BOX)


@dataclass(frozen=True)
class TrackObject:
    """A box or a bot car.

    Attributes:
        x, y: of its centre, m.
        heading: rad.
        speed: of a bot car, m/s; None for a box.

    Raises:
        ValueError: one of them is no finite number.
    """

    x: float
    y: float
    heading: float = 0.0
    speed: float | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        numbers = (self.x, self.y, self.heading, self.speed or 0.0)
        if not all(isfinite(number) for number in numbers):
            raise ValueError(f"x, y, heading, speed of an object must be finite numbers, not {numbers}")

    @property
    def is_bot(self) -> bool:
        """Whether it is a bot car."""
        return self.speed is not None


def boxes_around(cars: NDArray[np.void], car: Car) -> NDArray[np.void]:
    """What the cars (n, m) of races have around them: (n, m, k) of `BOX`, the other cars of their race.

    A single car has nothing around it: then it is `NO_BOXES`, the same for all races.
    """
    n, m = cars.shape
    if m == 1:
        return NO_BOXES
    others = np.array([[k for k in range(m) if k != j] for j in range(m)])
    boxes = np.zeros((n, m, m - 1), BOX)
    for name in ("x", "y", "heading"):
        boxes[name] = cars[name][:, others]
    boxes["length"], boxes["width"] = car.length, car.width
    boxes["height"], boxes["grey"] = CAR_HEIGHT_M, CAR_GREY
    return boxes
