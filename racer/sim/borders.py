"""The borders as kernels use them at every step: which points are on the road, and which border points are nearest.

Everything is exact in float64: the lookup tables only ever narrow down *which* edges are measured, never how.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from racer.sim.compiled import inlined, lean

CELL_M = 0.025  # edge of a cell of the lookup grid, m: fine, so that few wheels are in a cell that a border crosses
NEAR_M = 0.005  # length of the pieces of the centre line whose nearest border edges are looked up, m
OUTSIDE, INSIDE, MIXED = 0, 1, 2
WITHIN_OUTER, WITHIN_INNER = 1, 2

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int32]


@lean
def on_road(road: Any, x: float, y: float) -> bool:
    """Whether (x, y) lies inside the outer border and outside the inner one."""
    cell = cell_at(road.grid, road.grid_x, road.grid_y, x, y)
    if cell < MIXED:
        return cell == INSIDE
    k = cell - MIXED
    first, last = road.cell_start[k], road.cell_start[k + 1]
    return sides(road.edges, road.n_outer, road.cell_edges, first, last, road.cell_within[k], x, y) == WITHIN_OUTER


@inlined
def cell_at(grid: IntArray, grid_x: float, grid_y: float, x: float, y: float) -> int:
    """What the lookup grid knows of (x, y): `INSIDE`, `OUTSIDE`, or `MIXED` and more where a border is near."""
    across, up = (x - grid_x) * (1.0 / CELL_M), (y - grid_y) * (1.0 / CELL_M)
    cell = OUTSIDE
    if 0.0 <= across < grid.shape[1] and 0.0 <= up < grid.shape[0]:
        cell = grid[int(up), int(across)]
    return cell


@lean
def nearest_borders(
    edges: FloatArray, near: IntArray, s: float, x: float, y: float
) -> tuple[float, float, float, float]:
    """The points of the inner and of the outer border nearest to (x, y): inner x, y, outer x, y.

    Args:
        edges, near: of the road.
        s, x, y: m, a point of the centre line. The two points' distance is the track's width there, as in DeepRacer.
    """
    piece = int(s * (1.0 / NEAR_M))
    outer_x, outer_y = _nearest_of(edges, near[piece, 0], x, y)
    inner_x, inner_y = _nearest_of(edges, near[piece, 1], x, y)
    return inner_x, inner_y, outer_x, outer_y


@inlined
def _nearest_of(edges: FloatArray, some: IntArray, x: float, y: float) -> tuple[float, float]:
    """The point of some edges nearest to (x, y); of the first one of equals."""
    best, best_x, best_y = np.inf, 0.0, 0.0
    for k in range(len(some)):
        qx, qy = nearest_on_edge(edges, some[k], x, y)
        d = (qx - x) ** 2 + (qy - y) ** 2
        is_nearer = d < best  # chosen rather than branched on, which no processor can foresee
        best = d if is_nearer else best
        best_x, best_y = qx if is_nearer else best_x, qy if is_nearer else best_y
    return best_x, best_y


@lean
def sides(edges: FloatArray, n_outer: int, which: Any, first: int, last: int, within: int, x: float, y: float) -> int:
    """Bits, whether a point is inside the outer and the inner border: each edge to the right of it changes that."""
    for k in range(first, last):
        e = which[k]
        x0, y0, x1, y1 = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
            within ^= WITHIN_OUTER if e < n_outer else WITHIN_INNER
    return within


@lean
def nearest_on_edge(edges: FloatArray, e: int, x: float, y: float) -> tuple[float, float]:
    """The point of an edge nearest to (x, y)."""
    x0, y0 = edges[e, 0], edges[e, 1]
    dx, dy = edges[e, 2] - x0, edges[e, 3] - y0
    length2 = dx * dx + dy * dy
    t = 0.0
    if length2 > 0.0:
        t = min(1.0, max(0.0, ((x - x0) * dx + (y - y0) * dy) / length2))
    return x0 + t * dx, y0 + t * dy
