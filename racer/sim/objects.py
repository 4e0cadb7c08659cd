"""Boxes and bot cars: what stands and drives on a track besides the car, as rewards and sensors are given it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from racer.sim.car import Car

__all__ = ["BOX", "BOX_M", "BOX_SEEN_M", "NO_BOXES", "THING", "TrackObject", "boxes_around"]

BOX_M = (0.5, 0.4)  # length along its heading and width of a box's collision rectangle, m
BOX_SEEN_M = (0.4, 0.3, 0.25)  # what sensors see of it: length, width, height, m
CAR_HEIGHT_M = 0.22
CAR_GREY, BOX_GREY = 40.0, 150.0

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


THING = np.dtype(
    [
        ("x", "f8"),  # its middle, m
        ("y", "f8"),
        ("heading", "f8"),  # rad
        ("speed", "f8"),  # along the centre line, m/s
        ("length", "f8"),  # of its collision rectangle, along its heading, m
        ("width", "f8"),
        ("s", "f8"),  # arc length of its middle's projection on the centre line, m, 0..length
        ("segment", "i8"),  # that projection's centre-line segment
        ("share", "f8"),  # and share of the segment, 0..1
        ("offset", "f8"),  # signed distance of its middle from the centre line, m, left positive
        ("is_bot", "i8"),  # 1 for a bot car, 0 for a box
        ("is_car", "i8"),  # 1 for what looks like a car: a bot car, or a parked one
        # A bot car's way.
        ("along", "f8"),  # where along the centre line it is driving, m
        ("left", "f8"),  # the lane that it drives in, or changes to: 1 for the left one, 0 for the right one
        ("changed", "f8"),  # share of a lane change, 0..1; 1 if none is under way
        ("change_in", "i8"),  # steps to the next change
        ("changes", "i8"),  # how many it began
        ("stopped", "i8"),  # steps that it still stands
    ],
    align=True,
)
"""The state of a box or a bot car of a race."""


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


def boxes_around(cars: NDArray[np.void], car: Car, things: NDArray[np.void] | None = None) -> NDArray[np.void]:
    """What the cars (n, m) of races have around them: (n, m, k) of `BOX`.

    First the boxes and bot cars of their race, then its other cars. Where there is nothing, it is `NO_BOXES`, the same
    for all races; with one car in each race it is (n, 1, k).

    Args:
        cars: of the races.
        car: their type, which bot cars share.
        things: (n, b) of `THING`, boxes and bot cars of the races; None if there are none.
    """
    n, m = cars.shape
    count = 0 if things is None else things.shape[1]
    if m == 1 and count == 0:
        return NO_BOXES
    boxes = np.zeros((n, m, count + m - 1), BOX)
    rivals = boxes[:, :, count:]
    others = np.array([[k for k in range(m) if k != j] for j in range(m)], np.intp)
    for name in ("x", "y", "heading"):
        rivals[name] = cars[name][:, others]
    boxes["length"], boxes["width"] = car.length, car.width
    boxes["height"], boxes["grey"] = CAR_HEIGHT_M, CAR_GREY
    if things is not None and count:
        first = boxes[:, :, :count]
        for name in ("x", "y", "heading"):
            first[name] = things[name][:, None]
        is_box = np.broadcast_to(things["is_car"][:, None] == 0, first.shape)
        for name, value in zip(("length", "width", "height", "grey"), (*BOX_SEEN_M, BOX_GREY), strict=True):
            first[name][is_box] = value
    return boxes
