"""The lookup tables of a road's borders, worked out once for each track: which edges can decide where."""

from __future__ import annotations

from math import hypot
from typing import Any

import numpy as np
from numpy.typing import NDArray

from racer.sim.borders import (
    CELL_M,
    MIXED,
    NEAR_M,
    OUTSIDE,
    WITHIN_INNER,
    WITHIN_OUTER,
    FloatArray,
    IntArray,
    nearest_on_edge,
    sides,
)
from racer.sim.compiled import kernel
from racer.sim.projection import distance, point_at

STRETCH = 64  # pieces in a row are looked at together first, so that not each is measured from every edge
SLACK_M = 1e-6  # by which points may miss a cell for rounding, m: more than enough


@kernel
def near_edges(center: FloatArray, arc: FloatArray, edges: FloatArray, n_outer: int) -> IntArray:
    """Candidates for the nearest edge of each border, for each piece of the centre line; `Road.near`."""
    pieces = int(arc[-1] * (1.0 / NEAR_M)) + 1
    found = np.empty((pieces, 2, 1), dtype=np.int32)
    for border, (start, end) in enumerate(((0, n_outer), (n_outer, len(edges)))):
        everywhere = np.arange(start, end)
        for first in range(0, pieces, STRETCH):
            x, y = point_at(center, arc, (first + 0.5 * STRETCH) * NEAR_M)
            here = _near(edges, everywhere, x, y, STRETCH * NEAR_M)
            for piece in range(first, min(pieces, first + STRETCH)):
                x, y = point_at(center, arc, (piece + 0.5) * NEAR_M)
                near = _near(edges, here, x, y, NEAR_M)
                while found.shape[2] < len(near):
                    found = np.concatenate((found, found[:, :, -1:]), axis=2)
                found[piece, border] = near[-1]
                found[piece, border, : len(near)] = near
    return found


@kernel
def _near(edges: FloatArray, some: Any, x: float, y: float, length: float) -> Any:
    """Those of some edges that can be nearest to a point of a piece of a line with a length, m, and its middle (x, y).

    On the way from the middle to the point, half the length at most, the distance to each edge changes by no more than
    the way: an edge that is farther from the middle than the nearest one by more than the length is never the nearest.
    """
    away = np.empty(len(some))
    for k in range(len(some)):
        qx, qy = nearest_on_edge(edges, some[k], x, y)
        away[k] = distance(x - qx, y - qy)
    return some[away <= away.min() + length + SLACK_M]


@kernel
def cells(
    edges: FloatArray, n_outer: int, grid_x: float, grid_y: float, rows: int, columns: int
) -> tuple[IntArray, IntArray, IntArray, NDArray[np.uint8]]:
    """The grid, and what decides in its cells near a border: `grid`, `cell_start`, `cell_edges`, `cell_within`.

    Whether a point is inside is a matter of the edges to its right at its height. Of those that pass a cell's
    whole height to the right of it, a number that is the same for all of its points; the others are its edges.
    """
    grid = np.zeros((rows, columns), dtype=np.int32)
    for e in range(len(edges)):
        x0, y0, x1, y1 = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
        pieces = int(hypot(x1 - x0, y1 - y0) / (0.5 * CELL_M)) + 1
        for k in range(pieces + 1):
            column = int((x0 + (x1 - x0) * k / pieces - grid_x) / CELL_M)
            row = int((y0 + (y1 - y0) * k / pieces - grid_y) / CELL_M)
            for r in range(max(0, row - 1), min(rows, row + 2)):
                for c in range(max(0, column - 1), min(columns, column + 2)):
                    grid[r, c] = MIXED
    near = int((grid == MIXED).sum())
    starts, within, found = np.zeros(near + 1, np.int32), np.zeros(near, np.uint8), np.empty(1024, np.int32)
    lowest, highest = np.minimum(edges[:, 1], edges[:, 3]), np.maximum(edges[:, 1], edges[:, 3])
    near = count = 0
    for r in range(rows):
        low, high = grid_y + r * CELL_M - SLACK_M, grid_y + (r + 1) * CELL_M + SLACK_M
        here = np.flatnonzero((lowest <= high) & (highest >= low))
        for c in range(columns):
            if grid[r, c] == OUTSIDE:
                if c > 0 and grid[r, c - 1] < MIXED:
                    grid[r, c] = grid[r, c - 1]  # no border runs between the two
                else:
                    x, y = grid_x + (c + 0.5) * CELL_M, grid_y + (r + 0.5) * CELL_M
                    grid[r, c] = sides(edges, n_outer, here, 0, len(here), 0, x, y) == WITHIN_OUTER
                continue
            left, right = grid_x + c * CELL_M - SLACK_M, grid_x + (c + 1) * CELL_M + SLACK_M
            for k in range(len(here)):
                e = here[k]
                x0, y0, x1, y1 = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
                a, b = x0, x1  # of the part at the cell's height
                if y0 != y1:
                    a = x0 + min(1.0, max(0.0, (low - y0) / (y1 - y0))) * (x1 - x0)
                    b = x0 + min(1.0, max(0.0, (high - y0) / (y1 - y0))) * (x1 - x0)
                if max(a, b) < left:
                    continue
                if min(a, b) > right and lowest[e] < low and highest[e] > high:
                    within[near] ^= WITHIN_OUTER if e < n_outer else WITHIN_INNER
                    continue
                if count == len(found):
                    found = np.concatenate((found, np.empty_like(found)))
                found[count] = e
                count += 1
            if count == starts[near]:
                grid[r, c] = within[near] == WITHIN_OUTER
                within[near] = 0
                continue
            grid[r, c] = MIXED + near
            near += 1
            starts[near] = count
    return grid, starts[: near + 1].copy(), found[:count].copy(), within[:near].copy()
