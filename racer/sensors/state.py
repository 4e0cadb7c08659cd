"""The state sensor: where a car is on the track and what lies ahead, a small vector scaled to about -1..1."""

from __future__ import annotations

from math import cos, sin
from typing import Any

import numpy as np
from numpy.typing import NDArray

from racer.sim import CarConstants, Road, World, at_row, distance, lean

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
        """Fill `out` (n, m, len(ENTRIES)) with what the cars (n, m) of `world` observe."""
        work = np.empty((3, len(ENTRIES)))
        _observe(world.cars, tuple(world.road), tuple(world.constants), work, out)


@lean
def _observe(cars: Any, lines: Any, constants: Any, work: Any, out: NDArray[np.float32]) -> None:
    # Numba takes plain tuples from Python three times as fast as named ones.
    road = Road(*lines)
    car: Any = CarConstants(*constants)
    center, half_width, line = road.center, road.half_width, road.ahead
    count = line.shape[0] - 1
    # All entries are divided in one loop, and all places: then the compiler does several divisions at once.
    seen, scale, places = work[0], work[1], work[2]
    scale[:6] = SPEED_SCALE, LATERAL_SCALE, YAW_RATE_SCALE, car.max_steering, car.max_steering, SPEED_SCALE
    for n in range(AHEAD_M.shape[0]):
        scale[10 + 2 * n] = scale[11 + 2 * n] = AHEAD_M[n]
    for i in range(cars.shape[0]):
        for j in range(cars.shape[1]):
            state = cars[i, j]
            c, s = cos(state.heading), sin(state.heading)
            k = state.segment
            dx, dy = center[k + 1, 0] - center[k, 0], center[k + 1, 1] - center[k, 1]
            half = at_row(half_width, k, state.share)
            seen[0], seen[1], seen[2] = state.speed, state.lateral_speed, state.yaw_rate
            seen[3], seen[4], seen[5] = state.steering_angle, state.steering_command, state.speed_command
            seen[6], scale[6] = state.offset, half
            seen[7], scale[7] = half, 1.0
            seen[8], seen[9] = s * dx - c * dy, c * dx + s * dy
            scale[8] = scale[9] = distance(dx, dy)
            x, y = state.front_x, state.front_y
            for n in range(AHEAD_M.shape[0]):
                places[n] = (state.s + AHEAD_M[n]) / road.ahead_spacing
            for n in range(AHEAD_M.shape[0]):
                whole = int(places[n])
                share = places[n] - whole
                if whole >= count:
                    whole %= count
                px = line[whole, 0] + share * (line[whole + 1, 0] - line[whole, 0]) - x
                py = line[whole, 1] + share * (line[whole + 1, 1] - line[whole, 1]) - y
                seen[10 + 2 * n], seen[11 + 2 * n] = c * px + s * py, c * py - s * px
            for n in range(out.shape[2]):
                out[i, j, n] = min(BOUND, max(-BOUND, float(np.float32(seen[n] / scale[n]))))
