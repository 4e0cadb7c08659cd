"""Where on the road a car stands: its place along the centre line, and which of its wheels are on the road."""

from __future__ import annotations

from math import cos, sin
from typing import Any

from racer.sim.borders import INSIDE, MIXED, cell_at, on_road
from racer.sim.compiled import inlined, lean
from racer.sim.projection import at_row, distance, project_near


@inlined
def locate(state: Any, car: Any, road: Any) -> None:
    """Find where on the track a car stands, near where it stood a step earlier."""
    c, s = cos(state.heading), sin(state.heading)
    x, y = state.x + car.front_point * c, state.y + car.front_point * s
    state.front_x, state.front_y = x, y
    center, arc = road.center, road.s
    i, share = project_near(center, arc, x, y, state.segment, state.s)
    dx, dy = center[i + 1, 0] - center[i, 0], center[i + 1, 1] - center[i, 1]
    away_x, away_y = x - center[i, 0] - share * dx, y - center[i, 1] - share * dy
    state.segment, state.share = i, share
    state.s = at_row(arc, i, share)
    state.offset = distance(away_x, away_y) * (1.0 if dx * away_y >= dy * away_x else -1.0)
    state.wheels_on_track = wheels_on_road(state.x, state.y, c, s, car, road)


@inlined
def wheels_on_road(x: float, y: float, c: float, s: float, car: Any, road: Any) -> int:
    """How many of the four wheel centres lie on the road, for an origin (m) and the cosine and sine of the heading."""
    count, near_border = 0, False
    for wheel in range(4):
        wheel_x, wheel_y = _wheel_at(wheel, x, y, c, s, car)
        cell = cell_at(road.grid, road.grid_x, road.grid_y, wheel_x, wheel_y)
        count += cell == INSIDE
        near_border |= cell >= MIXED
    if near_border:  # out of line: the mere presence of exact geometry in this loop would double its time
        count = _wheels_exactly(x, y, c, s, car, road)
    return count


@inlined
def _wheel_at(wheel: int, x: float, y: float, c: float, s: float, car: Any) -> tuple[float, float]:
    """Centre of a wheel, m: front left, front right, rear left, rear right."""
    ahead = car.front_axle if wheel < 2 else car.rear_axle
    half = car.wheel_offset_front if wheel < 2 else car.wheel_offset_rear
    left = half if wheel % 2 == 0 else -half
    return x + ahead * c - left * s, y + ahead * s + left * c


@lean
def _wheels_exactly(x: float, y: float, c: float, s: float, car: Any, road: Any) -> int:
    count = 0
    for wheel in range(4):
        wheel_x, wheel_y = _wheel_at(wheel, x, y, c, s, car)
        count += on_road(road, wheel_x, wheel_y)
    return count
