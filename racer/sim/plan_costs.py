"""What a plan costs: leaving the road, and lack of progress; and the slopes of both."""

from __future__ import annotations

from math import cos, exp, log, sin
from typing import Any

import numpy as np
from numpy.typing import NDArray

from racer.sim.car import HEADING, X, Y
from racer.sim.compiled import inlined, kernel
from racer.sim.course import beside, progress
from racer.sim.plan_motion import NUDGE

__all__ = ["cost_of", "front_of", "progress_of", "slopes_of"]

FloatArray = NDArray[np.float64]


@kernel
def front_of(state: Any, car: Any) -> tuple[float, float]:
    """The front point of a car, m."""
    return state[X] + car.front_point * cos(state[HEADING]), state[Y] + car.front_point * sin(state[HEADING])


@kernel
def progress_of(course: Any, x: float, y: float, before: float) -> float:
    """Arc length of a point, near another one, m."""
    return float(progress(course, x, y, before)[0])


@kernel
def cost_of(state: Any, before: float, worth: float, course: Any, car: Any, settings: Any) -> tuple[float, float]:
    """What a state costs, and its progress."""
    c, s = cos(state[HEADING]), sin(state[HEADING])
    along = progress(course, state[X] + car.front_point * c, state[Y] + car.front_point * s, before)[0]
    lacking = settings.margin - _farthest_in(state[X], state[Y], c, s, course, car, settings.soft)[0]
    outside = max(0.0, lacking)
    return settings.edge * outside * outside + settings.steep * outside * outside * outside - worth * along, along


@inlined
def _farthest_in(
    x: float, y: float, c: float, s: float, course: Any, car: Any, soft: float
) -> tuple[float, float, float, float]:
    """The greatest distance that a wheel's centre keeps from the border, m; and its slopes in x, y and the heading.

    Where two wheels are nearly as far in, the greatest is taken softly: a plan would get stuck on an edge there.
    """
    most = -1e9
    for wheel in range(4):
        arm_x, arm_y = _arm(wheel, c, s, car)
        most = max(most, beside(course, x + arm_x, y + arm_y)[0])
    total, sum_x, sum_y, sum_turn = 0.0, 0.0, 0.0, 0.0
    for wheel in range(4):
        arm_x, arm_y = _arm(wheel, c, s, car)
        value, slope_x, slope_y = beside(course, x + arm_x, y + arm_y)
        if value > most - 8.0 * soft:
            weight = exp((value - most) / soft)
            total += weight
            sum_x += weight * slope_x
            sum_y += weight * slope_y
            sum_turn += weight * (slope_y * arm_x - slope_x * arm_y)
    return most + soft * log(total), sum_x / total, sum_y / total, sum_turn / total


@inlined
def _arm(wheel: int, c: float, s: float, car: Any) -> tuple[float, float]:
    ahead = car.front_axle if wheel < 2 else car.rear_axle
    left = car.wheel_offset_front if wheel < 2 else car.wheel_offset_rear
    if wheel % 2 == 1:
        left = -left
    return ahead * c - left * s, ahead * s + left * c


@kernel
def slopes_of(
    state: Any, before: float, worth: float, course: Any, car: Any, settings: Any, vx: FloatArray, vxx: FloatArray
) -> None:
    """Add the slopes of a state's cost, and its curvature, to `vx` (n,) and `vxx` (n, n)."""
    where = np.array([X, Y, HEADING])
    c, s = cos(state[HEADING]), sin(state[HEADING])
    inside, slope_x, slope_y, slope_turn = _farthest_in(state[X], state[Y], c, s, course, car, settings.soft)
    lacking = settings.margin - inside
    if lacking > 0.0:
        slope = np.array([slope_x, slope_y, slope_turn])
        for i in range(3):
            vx[where[i]] -= (2.0 * settings.edge + 3.0 * settings.steep * lacking) * lacking * slope[i]
            for j in range(3):
                vxx[where[i], where[j]] += (2.0 * settings.edge + 6.0 * settings.steep * lacking) * slope[i] * slope[j]
    if worth != 0.0:
        slope, more = np.empty(3), np.empty(3)
        _along(state, before, course, car, slope)
        moved = state.copy()
        for i in range(3):
            vx[where[i]] -= worth * slope[i]
            moved[where[i]] += NUDGE
            _along(moved, before, course, car, more)
            moved[where[i]] -= NUDGE
            for j in range(3):
                bend = 0.5 * settings.curved * worth * (more[j] - slope[j]) / NUDGE
                vxx[where[i], where[j]] += settings.pull * abs(worth) * slope[i] * slope[j] - bend
                vxx[where[j], where[i]] -= bend


@kernel
def _along(state: Any, before: float, course: Any, car: Any, slope: FloatArray) -> None:
    """Fill in the slopes of a state's progress in x, y and the heading."""
    arm_x, arm_y = car.front_point * cos(state[HEADING]), car.front_point * sin(state[HEADING])
    _, slope[0], slope[1] = progress(course, state[X] + arm_x, state[Y] + arm_y, before)
    slope[2] = slope[1] * arm_x - slope[0] * arm_y
