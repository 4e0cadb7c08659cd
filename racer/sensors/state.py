"""The state sensor: where a car is on the track and what lies ahead, a small vector scaled to about -1..1."""

from __future__ import annotations

from math import cos, sin
from typing import Any

import numpy as np
from numpy.typing import NDArray

from racer.kernel import lean
from racer.road import Road, at_row, distance
from racer.simulation import World

AHEAD_M = np.array([0.3, 0.6, 0.9, 1.3, 1.7, 2.2, 2.8, 3.5, 4.3, 5.2])
"""How far ahead along the centre line it looks, m. At 4 m/s a car needs some 3 m to brake for a bend."""

SPEED_SCALE = 4.0  # m/s
LATERAL_SCALE = 1.0  # m/s
YAW_RATE_SCALE = 3.0  # rad/s
BOUND = 10.0  # of every entry, however far from the track a car is

ENTRIES = (
    "speed / 4 m/s",
    "sideways speed of the origin / 1 m/s, to the left positive",
    "yaw rate / 3 rad/s",
    "angle of the front wheels / 30 degrees",
    "last commanded steering / 30 degrees",
    "last commanded speed / 4 m/s",
    "front point's offset from the centre line / half the track's width, left positive",
    "half the track's width, m",
    "sine of the heading less that of the centre line",
    "cosine of the same",
    *(f"centre line {m:g} m ahead, {way}, / {m:g} m" for m in AHEAD_M for way in ("forwards", "to the left")),
)
"""Meaning of each entry; the points ahead are seen from the front point in the car's frame."""


class State:
    """The sensor; `racer.env.TimeTrial` documents its entries."""

    name = "state"
    low: float = -BOUND
    high: float = BOUND
    shape: tuple[int, ...] = (len(ENTRIES),)
    dtype: type[np.generic] = np.float32

    def observe(self, world: World, out: NDArray[np.float32]) -> None:
        """Fill `out` (n, m, len(ENTRIES)) with what the cars (n, m) of `world` perceive."""
        _observe(world.cars, world.road, world.constants, out)


@lean
def _observe(cars: Any, road: Road, car: Any, out: NDArray[np.float32]) -> None:
    center, half_width, line = road.center, road.half_width, road.ahead
    spacing = road.ahead_spacing
    count = line.shape[0] - 1
    for i in range(cars.shape[0]):
        for j in range(cars.shape[1]):
            state = cars[i, j]
            c, s = cos(state.heading), sin(state.heading)
            k = state.segment
            dx, dy = center[k + 1, 0] - center[k, 0], center[k + 1, 1] - center[k, 1]
            along = distance(dx, dy)
            half = at_row(half_width, k, state.share)
            row = out[i, j]
            row[0] = state.speed / SPEED_SCALE
            row[1] = state.lateral_speed / LATERAL_SCALE
            row[2] = state.yaw_rate / YAW_RATE_SCALE
            row[3] = state.steering_angle / car.max_steering
            row[4] = state.steering_command / car.max_steering
            row[5] = state.speed_command / SPEED_SCALE
            row[6] = state.offset / half
            row[7] = half
            row[8] = (s * dx - c * dy) / along
            row[9] = (c * dx + s * dy) / along
            x, y = state.front_x, state.front_y
            for n in range(AHEAD_M.shape[0]):
                position = (state.s + AHEAD_M[n]) / spacing
                whole = int(position)
                share = position - whole
                whole = whole % count
                px = line[whole, 0] + share * (line[whole + 1, 0] - line[whole, 0]) - x
                py = line[whole, 1] + share * (line[whole + 1, 1] - line[whole, 1]) - y
                row[10 + 2 * n] = (c * px + s * py) / AHEAD_M[n]
                row[11 + 2 * n] = (c * py - s * px) / AHEAD_M[n]
            for n in range(row.shape[0]):
                row[n] = min(BOUND, max(-BOUND, row[n]))
