"""The kernel behind every LIDAR: the distances along all beams to the nearest walls and boxes, exactly.

It goes from walls to beams, not from beams to walls: each edge near the car is met by a handful of neighbouring beams,
which a rough angle of its ends finds, and an exact test confirms.
"""

from __future__ import annotations

from math import cos, hypot, pi, sin
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from racer.sensors.boxes import corners
from racer.sim import inlined, kernel

CELL_M = 0.25  # of the grid of walls, at the least
ROUGH = 0.006  # rad, more than the error of the rough angle


class Walls(NamedTuple):
    """Edges, and which of them are within reach of each cell of a grid.

    Attributes:
        edges: (e, 4) m, `x0, y0, x1, y1`.
        start, near: the edges within reach of somewhere in cell c, row by row, are `near[start[c]:start[c + 1]]`.
        columns: of the grid.
        x, y: m, its lower left corner; beyond the grid nothing is within reach.
        cell: m.
    """

    edges: NDArray[np.float64]
    start: NDArray[np.int64]
    near: NDArray[np.int32]
    columns: int
    x: float
    y: float
    cell: float


def walls_of(edges: NDArray[np.float64], reach: float) -> Walls:
    """Sort edges (e, 4) m into a grid for beams that reach so far, m."""
    cell = max(CELL_M, 0.2 * reach)
    if len(edges) == 0:
        return Walls(np.zeros((0, 4)), np.zeros(2, np.int64), np.zeros(0, np.int32), 1, 0.0, 0.0, cell)
    low = edges.reshape(-1, 2).min(axis=0) - reach
    size = edges.reshape(-1, 2).max(axis=0) + reach - low
    columns, rows = (int(side / cell) + 1 for side in size.tolist())
    start, near = _sort(edges, float(low[0]), float(low[1]), cell, rows, columns, reach)
    return Walls(edges, start, near, columns, float(low[0]), float(low[1]), cell)


@kernel
def _sort(edges: Any, x: float, y: float, cell: float, rows: int, columns: int, reach: float) -> Any:
    counts = np.zeros(rows * columns + 1, dtype=np.int64)
    near = np.empty(0, dtype=np.int32)
    within = reach + cell * 0.7072
    for filling in (False, True):
        if filling:
            near = np.empty(np.sum(counts), dtype=np.int32)
            total = 0
            for c in range(rows * columns + 1):
                count = counts[c]
                counts[c] = total
                total += count
        for e in range(len(edges)):
            x0, y0, x1, y1 = edges[e, 0] - x, edges[e, 1] - y, edges[e, 2] - x, edges[e, 3] - y
            dx, dy = x1 - x0, y1 - y0
            length2 = dx * dx + dy * dy
            for row in range(
                max(0, int((min(y0, y1) - within) / cell)), min(rows, int((max(y0, y1) + within) / cell) + 1)
            ):
                for column in range(
                    max(0, int((min(x0, x1) - within) / cell)), min(columns, int((max(x0, x1) + within) / cell) + 1)
                ):
                    px, py = (column + 0.5) * cell - x0, (row + 0.5) * cell - y0
                    t = min(1.0, max(0.0, (px * dx + py * dy) / length2)) if length2 > 0.0 else 0.0
                    if hypot(px - t * dx, py - t * dy) <= within:
                        c = row * columns + column
                        if filling:
                            near[counts[c]] = e
                        counts[c] += 1
    start = np.empty_like(counts)
    start[0] = 0
    start[1:] = counts[:-1]
    return start, near


@kernel
def cast(
    poses: Any,
    ahead: float,
    height: float,
    turn: float,
    spread: float,
    directions: Any,
    walls: Walls,
    boxes: Any,
    reach: float,
    out: Any,
) -> None:
    """Measure the distances along the beams of LIDARs.

    Args:
        poses: (n, m, 3) x, y (m) and heading (rad) of the cars' origins.
        ahead, height: m, where on the car it is.
        turn: rad, of its axis against the car's heading.
        spread: rad, from the first beam to the last; the axis is in the middle.
        directions: (beams, 2) cosine and sine of the beams' angles to the axis.
        walls: what stands there, for this reach or a greater one.
        boxes: (n, m, k) or (1, 1, k) of `BOX`; those lower than the LIDAR are not met.
        reach: m.
        out: (n, m, beams), filled: m, `reach` where nothing is met.
    """
    edges, start, near = walls.edges, walls.start, walls.near
    columns, cell, walls_x, walls_y = walls.columns, walls.cell, walls.x, walls.y
    rows = (len(start) - 1) // columns
    beams = len(directions)
    spacing = spread / (beams - 1)
    plan = np.zeros((4, 2))
    for i in range(poses.shape[0]):
        for j in range(poses.shape[1]):
            c, s = cos(poses[i, j, 2]), sin(poses[i, j, 2])
            x, y = poses[i, j, 0] + c * ahead, poses[i, j, 1] + s * ahead
            c, s = cos(poses[i, j, 2] + turn), sin(poses[i, j, 2] + turn)
            for k in range(beams):
                out[i, j, k] = reach
            across, up = (x - walls_x) / cell, (y - walls_y) / cell
            if 0.0 <= across < columns and 0.0 <= up < rows:
                here = int(up) * columns + int(across)
                last, end_x, end_y, end_place = -2, 0.0, 0.0, 0.0
                for n in range(start[here], start[here + 1]):
                    e = near[n]
                    if e == last + 1 and edges[e, 0] == edges[last, 2] and edges[e, 1] == edges[last, 3]:
                        from_x, from_y, from_place = end_x, end_y, end_place
                    else:
                        dx, dy = edges[e, 0] - x, edges[e, 1] - y
                        from_x, from_y = c * dx + s * dy, c * dy - s * dx
                        from_place = (_angle(from_x, from_y) + 0.5 * spread) / spacing
                    dx, dy = edges[e, 2] - x, edges[e, 3] - y
                    end_x, end_y = c * dx + s * dy, c * dy - s * dx
                    end_place = (_angle(end_x, end_y) + 0.5 * spread) / spacing
                    last = e
                    _meet(out, i, j, beams, directions, from_x, from_y, from_place, end_x, end_y, end_place, spacing)
            if boxes.shape[2] > 0:
                for b in range(boxes.shape[2]):
                    box = boxes[i if len(boxes) > 1 else 0, j if boxes.shape[1] > 1 else 0, b]
                    if box.height >= height:
                        corners(box, x, y, c, s, plan)
                        for k in range(4):
                            n = (k + 1) % 4
                            from_place = (_angle(plan[k, 0], plan[k, 1]) + 0.5 * spread) / spacing
                            end_place = (_angle(plan[n, 0], plan[n, 1]) + 0.5 * spread) / spacing
                            _meet(
                                out, i, j, beams, directions, plan[k, 0], plan[k, 1], from_place,
                                plan[n, 0], plan[n, 1], end_place, spacing,
                            )  # fmt: skip


@inlined
def _angle(x: float, y: float) -> float:
    """Angle of (x, y), rad, to within `ROUGH` (the arctangent as a parabola; Rajan et al. 2006)."""
    wide, high = abs(x), abs(y)
    ratio = min(wide, high) / max(max(wide, high), 1e-12)
    angle = ratio * (0.25 * pi + 0.273 * (1.0 - ratio))
    if high > wide:
        angle = 0.5 * pi - angle
    if x < 0.0:
        angle = pi - angle
    return angle if y >= 0.0 else -angle


@kernel
def _meet(
    out: Any,
    i: int,
    j: int,
    beams: int,
    directions: Any,
    ax: float,
    ay: float,
    a_place: float,
    bx: float,
    by: float,
    b_place: float,
    spacing: float,
) -> None:
    """Shorten the beams that meet the edge from a to b, whose ends lie roughly at beams `a_place` and `b_place`."""
    ex, ey = bx - ax, by - ay
    area = ax * ey - ay * ex
    if area < 0.0:  # counter-clockwise, as the beams are
        ax, ay, a_place, bx, by, b_place = bx, by, b_place, ax, ay, a_place
        ex, ey, area = -ex, -ey, -area
    slack, half = ROUGH / spacing, pi / spacing
    if a_place - b_place > half:  # across the angle of pi, where places begin anew
        _shorten(out, i, j, max(0, int(a_place - slack)), beams, directions, ax, ay, bx, by, ex, ey, area)
        a_place = 0.0
    first, last = min(a_place, b_place) - slack, max(a_place, b_place) + slack
    _shorten(out, i, j, max(0, int(first)), min(beams, int(last) + 1), directions, ax, ay, bx, by, ex, ey, area)


@inlined
def _shorten(
    out: Any,
    i: int,
    j: int,
    first: int,
    last: int,
    directions: Any,
    ax: float,
    ay: float,
    bx: float,
    by: float,
    ex: float,
    ey: float,
    area: float,
) -> None:
    for k in range(first, last):
        dx, dy = directions[k, 0], directions[k, 1]
        if ax * dy >= ay * dx and bx * dy <= by * dx:
            across = dx * ey - dy * ex
            if area < out[i, j, k] * across:
                out[i, j, k] = area / across
