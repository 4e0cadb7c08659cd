"""Boxes and bot cars: what stands and drives on a track besides the car."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

__all__ = ["BOX_M", "TrackObject"]

BOX_M = (0.5, 0.4)  # length along its heading and width of a box's collision rectangle, m


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
