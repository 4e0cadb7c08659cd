"""Pure pursuit of the centre line: a plan to begin with, never a good one, but one that stays on the road."""

from __future__ import annotations

from math import cos, sin
from typing import Any

import numpy as np

from racer.sim.car import HEADING, SPEED, STEERING, X, Y
from racer.sim.compiled import kernel
from racer.sim.plan_costs import cost_of
from racer.sim.plan_motion import advance

__all__ = ["pursue"]


@kernel
def pursue(
    states: Any, controls: Any, worth: Any, start_s: float, records: Any, values: Any, now: Any,
    course: Any, car: Any, limits: Any, settings: Any, first: int, pace: float,
) -> float:  # fmt: skip
    """See `Plan.pursue`."""
    along, total, steps = start_s, 0.0, len(controls)
    length, count = course.spacing, len(course.line) - 1
    for k in range(steps):
        state = states[k]
        v = max(state[SPEED], 0.1)
        if k >= first:
            c, s = cos(state[HEADING]), sin(state[HEADING])
            aim = int((along + min(1.5, max(0.5, 0.36 * v))) / length) % count
            x, y = course.line[aim, 0] - state[X], course.line[aim, 1] - state[Y]
            ahead, left = c * x + s * y, c * y - s * x
            curvature = 2.0 * left / max(ahead * ahead + left * left, 0.01)
            controls[k, 0] = min(1.0, max(-1.0, np.arctan(curvature * (0.25 + 0.05 * v * v)) / limits.steering))
            allowed = limits.fastest
            for p in range(0, 80, 4):
                i, j = int(along / length) + p, int(along / length) + p + 6
                turn = course.tangents[i % count, 0] * course.tangents[j % count, 1]
                turn -= course.tangents[i % count, 1] * course.tangents[j % count, 0]
                bend = max(abs(turn) / (6.0 * length), 1e-3)
                allowed = min(allowed, np.sqrt(pace / bend + 2.0 * pace * max(0.0, p * length - 0.3)))
            wanted = allowed - v
            controls[k, 1] = min(1.0, max(-1.0, wanted / (limits.faster if wanted > 0.0 else limits.slower)))
        values[0] = state
        advance(records, values, controls[k : k + 1], 1, car, limits, now)
        states[k + 1] = values[0]
        cost, along = cost_of(states[k + 1], along, worth[k + 1], course, car, settings)
        total += cost + 0.5 * settings.effort * (controls[k, 0] ** 2 + controls[k, 1] ** 2)
        total += 0.5 * settings.smooth * (controls[k, 0] - state[STEERING] / limits.steering) ** 2
    return total
