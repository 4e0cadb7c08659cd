"""How plans move cars: what controls command, many cars at once, and the slopes of the motion by differences.

`move` is a black box here: its derivatives are differences between copies of the car that start or steer a little
differently, all moved as one batch.
"""

from __future__ import annotations

from math import pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from racer.sim.car import AT_ONCE, HEADING, SPEED, STEERING, WANTED, Y, move
from racer.sim.compiled import inlined, kernel

__all__ = ["NUDGE", "advance", "command_of", "copies_of", "differentiate", "turned"]

NUDGE = 1e-3  # by which a state differs from a copy's, in its own unit
TOUCH = 5e-3  # the same for a control

FloatArray = NDArray[np.float64]


@inlined
def command_of(steering: float, speed: float, measured: float, limits: Any) -> tuple[float, float]:
    """What controls of -1..1 command at a measured speed (m/s): steering (rad), speed (m/s)."""
    wanted = measured + speed * (limits.faster if speed > 0.0 else limits.slower)
    return steering * limits.steering, min(limits.fastest, max(limits.slowest, wanted))


@kernel
def advance(
    records: Any, values: FloatArray, controls: FloatArray, count: int, car: Any, limits: Any, now: Any
) -> None:
    """Move the first `count` cars one step; `values` are the fields of their `records`."""
    for first in range(0, count, AT_ONCE):
        some = records[first : min(first + AT_ONCE, count)]
        for i in range(len(some)):
            now[STEERING, i], now[WANTED, i] = command_of(
                controls[first + i, 0], controls[first + i, 1], values[first + i, SPEED], limits
            )
        move(some, car, now)
        for i in range(len(some)):
            for j in range(values.shape[1]):
                values[first + i, j] = now[j, i]


@inlined
def turned(angle: float) -> float:
    """An angle within -pi..pi."""
    return float(angle - 2.0 * pi * np.rint(angle / (2.0 * pi)))


@inlined
def copies_of(n: int, curved: bool) -> int:
    """How many copies of the car the derivatives of one step take, for n fields of its motion; see `differentiate`."""
    m, free = n + 2, n + 2 - (Y + 1)
    return 2 * m + free * (free - 1) // 2 if curved else 2 * m


@kernel
def differentiate(
    states: Any, controls: Any, records: Any, values: Any, now: Any, car: Any, limits: Any, curved: bool,
    a: Any, b: Any, bends: Any,
) -> None:  # fmt: skip
    """Fill in the slopes of each step's motion, and how they change.

    Args:
        states, controls: of the plan.
        records, values, now: to work on, see `Plan`.
        car, limits: constants.
        curved: whether to fill in `bends`, too.
        a: (steps, n, n) slopes of the new state in the old one.
        b: (steps, n, 2) slopes in the controls.
        bends: (steps, m, m, n) second derivatives in all m = n + 2, states before controls, but the place, which
            only shifts the motion.
    """
    steps, n = len(controls), states.shape[1]
    m, first = n + 2, Y + 1
    width = copies_of(n, curved)
    given = np.empty((steps * width, 2))
    for k in range(steps):
        row = k * width
        for which in range(m):
            for sign in (1.0, -1.0):
                values[row], given[row] = states[k], controls[k]
                _nudge(values[row], given[row], which, n, sign)
                row += 1
        for i in range(first, m if curved else 0):
            for j in range(first, i):
                values[row], given[row] = states[k], controls[k]
                _nudge(values[row], given[row], i, n, 1.0)
                _nudge(values[row], given[row], j, n, 1.0)
                row += 1
    advance(records, values, given, steps * width, car, limits, now)
    for k in range(steps):
        after = states[k + 1]
        for row in range(k * width, (k + 1) * width):
            for j in range(n):
                away = values[row, j] - after[j]
                values[row, j] = turned(away) if j == HEADING else away
        start = k * width
        for i in range(m):
            size = NUDGE if i < n else TOUCH
            for j in range(n):
                more, less = values[start + 2 * i, j], values[start + 2 * i + 1, j]
                if i < n:
                    a[k, j, i] = (more - less) / (2.0 * size)
                else:
                    b[k, j, i - n] = (more - less) / (2.0 * size)
                bends[k, i, i, j] = (more + less) / (size * size) if i >= first else 0.0
        row = start + 2 * m
        for i in range(first, m if curved else 0):
            for j in range(first, i):
                size = (NUDGE if i < n else TOUCH) * (NUDGE if j < n else TOUCH)
                for p in range(n):
                    both = values[row, p] - values[start + 2 * i, p] - values[start + 2 * j, p]
                    bends[k, i, j, p] = bends[k, j, i, p] = both / size
                row += 1


@inlined
def _nudge(state: Any, control: Any, which: int, n: int, sign: float) -> None:
    if which < n:
        state[which] += sign * NUDGE
    else:
        control[which - n] += sign * TOUCH
