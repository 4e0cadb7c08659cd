"""The centre line as kernels use it at every step: projections on it, and what holds at a place along it.

Everything is exact in float64, and does not depend on how many cars ask.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from racer.sim.compiled import inlined, kernel

WINDOW_M = 0.4  # how far along the line a car's projection may be from its last one, m

FloatArray = NDArray[np.float64]


@kernel
def project(center: FloatArray, x: float, y: float) -> tuple[int, float]:
    """Globally nearest point of the centre line: (segment, share of it 0..1); the first one of equals."""
    best, best_t, best_d = 0, 0.0, np.inf
    for i in range(center.shape[0] - 1):
        t, d = project_on_segment(center, i, x, y)
        if d < best_d:
            best, best_t, best_d = i, t, d
    return best, best_t


@inlined
def project_near(center: FloatArray, arc: FloatArray, x: float, y: float, segment: int, s: float) -> tuple[int, float]:
    """Nearest point of the centre line within `WINDOW_M` of arc length s: (segment, share of it 0..1).

    Staying on the stretch the car is on is what keeps its progress from jumping to a neighbouring one.
    """
    last = center.shape[0] - 2
    best = segment
    best_t, best_d = project_on_segment(center, segment, x, y)
    i, reach = segment, arc[segment + 1] - s
    while reach < WINDOW_M:
        i = 0 if i == last else i + 1
        t, d = project_on_segment(center, i, x, y)
        if d < best_d:
            best, best_t, best_d = i, t, d
        reach += arc[i + 1] - arc[i]
    i, reach = segment, s - arc[segment]
    while reach < WINDOW_M:
        i = last if i == 0 else i - 1
        t, d = project_on_segment(center, i, x, y)
        if d < best_d:
            best, best_t, best_d = i, t, d
        reach += arc[i + 1] - arc[i]
    return best, best_t


@inlined
def project_on_segment(center: FloatArray, i: int, x: float, y: float) -> tuple[float, float]:
    """Nearest point of centre-line segment i to (x, y): its share of the segment 0..1, and the distance squared, m2."""
    x0, y0 = center[i, 0], center[i, 1]
    dx, dy = center[i + 1, 0] - x0, center[i + 1, 1] - y0
    length2 = dx * dx + dy * dy
    t = 0.0
    if length2 > 0.0:
        t = min(1.0, max(0.0, ((x - x0) * dx + (y - y0) * dy) / length2))
    ex, ey = x - (x0 + t * dx), y - (y0 + t * dy)
    return t, ex * ex + ey * ey


@inlined
def at_row(values: FloatArray, segment: int, t: float) -> float:
    """`values` (one a centre-line row) at share t of a segment, linearly between its rows."""
    return float(values[segment] + t * (values[segment + 1] - values[segment]))


@kernel
def point_at(center: FloatArray, arc: FloatArray, s: float) -> tuple[float, float]:
    """The point of the centre line at arc length s, m, which wraps around."""
    s = s % arc[-1]
    i = min(int(np.searchsorted(arc, s, side="right")) - 1, len(arc) - 2)
    t = (s - arc[i]) / (arc[i + 1] - arc[i])
    return at_row(center[:, 0], i, t), at_row(center[:, 1], i, t)


@inlined
def distance(x: float, y: float) -> float:
    """Length of (x, y); a third of the cost of `hypot`, whose care for huge numbers is not needed here."""
    return sqrt(x * x + y * y)
