"""Geometry of polylines: pure functions on `(n, 2)` arrays of metres, vectorised, NumPy only.

The symbols of the whole package are defined here:

| Symbol | Meaning | Unit |
|---|---|---|
| `s` | arc length along the centre line from its row 0, in the driving direction | m |
| `d` | signed lateral offset from the centre line, left positive | m |
| `psi` | heading, counter-clockwise from +x, in (-pi, pi] | rad |
| `kappa` | curvature of a line, positive in a left-hand bend | 1/m |
| `delta` | steering angle of the front wheels, left positive | rad |

Invariant: a closed polyline (a ring) repeats its first row as its last, everywhere: n rows, n - 1 segments.
Zero-length segments (a row repeated inside) are allowed unless a function says otherwise.
"""

from math import atan2

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Points",
    "arc_length",
    "headings",
    "is_closed",
    "nearest",
    "point_at",
    "resample",
    "signed_area",
    "smooth_curvature",
    "vertex_normals",
]

Points = NDArray[np.float64]  # (n, 2) m

PAIRS_AT_ONCE = 1_000_000  # of a point and a segment: bounds the memory to some tens of MB


def is_closed(line: Points) -> bool:
    """Whether the polyline is a ring: its last row equals its first exactly."""
    return len(line) > 1 and bool(np.all(line[0] == line[-1]))


def arc_length(line: Points) -> NDArray[np.float64]:
    """Cumulative arc length at each row, `(n,)` m; starts with 0, ends with the length of the line."""
    steps = np.diff(line, axis=0)
    along = np.zeros(len(line))
    np.cumsum(np.hypot(steps[:, 0], steps[:, 1]), out=along[1:])
    return along


def headings(line: Points) -> NDArray[np.float64]:
    """Heading `psi` of each segment, `(n - 1,)` rad; one without length has the next one's."""
    steps = np.diff(line, axis=0)
    valid = np.flatnonzero(np.any(steps != 0.0, axis=1))
    if len(valid) == 0:
        return np.zeros(len(steps))
    following = np.searchsorted(valid, np.arange(len(steps)))
    after_last = valid[0] if is_closed(line) else valid[-1]
    source = np.where(following < len(valid), valid[np.minimum(following, len(valid) - 1)], after_last)
    return directions(steps[source])


def directions(steps: Points) -> NDArray[np.float64]:
    """Where steps (n, 2) lead to, `(n,)` rad.

    One by one, since NumPy calculates arctan2 of many numbers in another way on processors that have AVX-512, and the
    last bits of a road decide the last bits of every drive on it.
    """
    return np.array([atan2(dy, dx) for dx, dy in steps.tolist()], dtype=np.float64)


def point_at(line: Points, s: ArrayLike) -> Points:
    """The points at given arc lengths.

    Args:
        line: `(n, 2)` m.
        s: Arc lengths of any shape `(...)`, m. They wrap around a ring, and stop at the ends of an open line.

    Returns:
        `(..., 2)` m.
    """
    along = arc_length(line)
    wanted = np.asarray(s, dtype=np.float64)
    if is_closed(line) and along[-1] > 0.0:
        wanted = np.mod(wanted, along[-1])
    return np.stack([np.interp(wanted, along, line[:, 0]), np.interp(wanted, along, line[:, 1])], axis=-1)


def resample(line: Points, spacing: float) -> Points:
    """The same line with equally spaced rows, as near to `spacing` m as a whole number of them allows."""
    length = float(arc_length(line)[-1])
    count = max(round(length / spacing), 3 if is_closed(line) else 1)
    rows = point_at(line, np.linspace(0.0, length, count + 1)[:-1])
    return np.vstack([rows, line[-1:]])


def vertex_normals(line: Points) -> Points:
    """Unit normals to the left at each row, `(n, 2)`: across the mean of the two directions that meet.

    Zero-length segments must not occur.
    """
    steps = np.diff(line, axis=0)
    tangents = steps / np.hypot(steps[:, 0], steps[:, 1])[:, None]
    if is_closed(line):
        before = np.vstack([tangents[-1:], tangents])
        after = np.vstack([tangents, tangents[:1]])
    else:
        before = np.vstack([tangents[:1], tangents])
        after = np.vstack([tangents, tangents[-1:]])
    bisectors = before + after
    size = np.hypot(bisectors[:, 0], bisectors[:, 1])
    bisectors = np.where(size[:, None] > 0.0, bisectors / np.where(size > 0.0, size, 1.0)[:, None], after)
    return np.stack([-bisectors[:, 1], bisectors[:, 0]], axis=1)


def smooth_curvature(line: Points, spacing: float, window: float) -> NDArray[np.float64]:
    """Curvature `kappa` of the resampled line, averaged over a window, so that short rows do not make noise.

    Args:
        line: `(n, 2)` m.
        spacing: Distance of the samples, m (see `resample`).
        window: Length of the stretch that one value is the mean of, m.

    Returns:
        `(k - 1,)` 1/m, one for each row of the resampled line but the last; beyond its ends an open line is
        straight.
    """
    samples = resample(line, spacing)
    step = float(arc_length(samples)[-1]) / (len(samples) - 1)
    psi = headings(samples)
    before = np.roll(psi, 1)
    if not is_closed(line):
        before[0] = psi[0]
    kappa = (np.mod(psi - before + np.pi, 2.0 * np.pi) - np.pi) / step
    half = min(max(round(window / step / 2.0), 0), (len(kappa) - 1) // 2)
    padded = np.pad(kappa, half, mode="wrap") if is_closed(line) else np.pad(kappa, half)
    return np.convolve(padded, np.full(2 * half + 1, 1.0 / (2 * half + 1)), mode="valid")


def signed_area(ring: Points) -> float:
    """Area inside a ring, m²: positive if it runs counter-clockwise (the shoelace formula)."""
    x, y = (ring - ring[0]).T
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2.0)


def nearest(points: Points, line: Points) -> tuple[Points, NDArray[np.float64]]:
    """The nearest points of a polyline, exactly and without memory of earlier ones.

    Args:
        points: `(m, 2)` m.
        line: `(n, 2)` m, n >= 2.

    Returns:
        The nearest points `(m, 2)` m and their arc lengths on the line `(m,)` m.
    """
    start, step = line[:-1], np.diff(line, axis=0)
    squared = np.sum(step**2, axis=1)
    along = arc_length(line)
    # A nearest point inside a segment of length h has an end of that segment at most h / 2 from it, so by
    # Pythagoras only rows within sqrt(least² + h²/4) matter: few pairs are left for the exact formula.
    reach = float(squared.max()) / 4.0
    found = np.empty((len(points), 2))
    where = np.empty(len(points))
    rows_at_once = max(PAIRS_AT_ONCE // len(line), 1)
    for first in range(0, len(points), rows_at_once):
        part = points[first : first + rows_at_once]
        to_rows = (part[:, :1] - line[:, 0]) ** 2 + (part[:, 1:] - line[:, 1]) ** 2
        near = to_rows <= to_rows.min(axis=1, keepdims=True) * (1.0 + 1e-9) + reach * (1.0 + 1e-9)
        row, segment = np.nonzero(near[:, :-1] | near[:, 1:])
        length = np.where(squared[segment] > 0.0, squared[segment], 1.0)
        share = np.sum((part[row] - start[segment]) * step[segment], axis=1) / length
        share = np.clip(share, 0.0, 1.0)
        candidate = start[segment] + share[:, None] * step[segment]
        distance = np.sum((candidate - part[row]) ** 2, axis=1)
        order = np.lexsort((segment, distance, row))
        best = order[np.searchsorted(row[order], np.arange(len(part)))]
        found[first : first + len(part)] = candidate[best]
        where[first : first + len(part)] = along[segment[best]] + share[best] * np.sqrt(squared[segment[best]])
    return found, where
