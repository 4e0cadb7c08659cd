"""The track as the kernels see it: flat arrays, built once from a `Track` and never changed."""

from __future__ import annotations

from math import hypot
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from racer.errors import TrackError
from racer.sim.borders import CELL_M, FloatArray, IntArray, nearest_borders
from racer.sim.lookup import cells, near_edges
from racer.track import directions

if TYPE_CHECKING:
    from racer.track import Track

LOOK_AHEAD_SPACING_M = 0.05  # spacing of the table the state sensor reads the line ahead from, m
CURVATURE_SPAN_M = 0.3  # the line's curvature is its turning over this length, m (a polyline has none of its own)


class Road(NamedTuple):
    """Arrays of one closed track in its driving direction.

    Attributes:
        center: (n, 2) m, the centre line; the last row repeats the first.
        s: (n,) m, arc length at each row; `s[-1]` is the length.
        curvature: (n,) 1/m, left positive.
        half_width: (n,) m, half the width at each row.
        is_ccw: whether the driving direction is counter-clockwise (the inner border is then on the left).
        edges: (e, 4) m, the edges `x0, y0, x1, y1` of the outer border, then those of the inner one.
        n_outer: how many of the edges are the outer border's.
        near: (pieces, 2, k) for each piece of the centre line, `borders.NEAR_M` long, all edges of the outer and of the
            inner border that can be nearest to a point of it; the last one repeated where there are fewer.
        grid: (rows, columns) `INSIDE` or `OUTSIDE` where a whole cell is; `MIXED` + k is the k-th cell near a border.
        grid_x, grid_y: m, the grid's lower left corner.
        cell_start, cell_edges: for the k-th cell near a border, the edges `cell_edges[cell_start[k]:cell_start[k + 1]]`
            decide about its points.
        cell_within: bits, whether its points lie inside the outer (1) and the inner (2) border but for these edges.
        ahead: (k, 2) m, the centre line at equal spacing `ahead_spacing`, first row repeated at the end.
        ahead_spacing: m.
    """

    center: FloatArray
    s: FloatArray
    curvature: FloatArray
    half_width: FloatArray
    is_ccw: bool
    edges: FloatArray
    n_outer: int
    near: IntArray
    grid: IntArray
    grid_x: float
    grid_y: float
    cell_start: IntArray
    cell_edges: IntArray
    cell_within: NDArray[np.uint8]
    ahead: FloatArray
    ahead_spacing: float


_roads: WeakKeyDictionary[Track, Road] = WeakKeyDictionary()


def road_of(track: Track) -> Road:
    """The kernel arrays of `track`, which are kept as long as the track is.

    Raises:
        TrackError: the track is open: racer races on closed circuits.
    """
    road = _roads.get(track)
    if road is None:
        road = _roads[track] = _build(track)
    return road


def _build(track: Track) -> Road:
    if not track.closed:
        raise TrackError(
            f"track {track.name!r} is open (its last row is not its first): racer races on closed circuits. "
            "Choose one with 'racer list tracks', or close the line"
        )
    center = np.ascontiguousarray(track.center, dtype=np.float64)
    s = np.ascontiguousarray(track.s, dtype=np.float64)
    outer, inner = _edges(track.outer), _edges(track.inner)
    edges = np.vstack([outer, inner])
    near = near_edges(center, s, edges, len(outer))
    width = np.empty(len(center))
    for i in range(len(center)):
        ix, iy, ox, oy = nearest_borders(edges, near, s[i], center[i, 0], center[i, 1])
        width[i] = hypot(ox - ix, oy - iy)
    grid_x, grid_y = edges[:, ::2].min() - CELL_M, edges[:, 1::2].min() - CELL_M
    columns = int((edges[:, ::2].max() - grid_x) / CELL_M) + 2
    rows = int((edges[:, 1::2].max() - grid_y) / CELL_M) + 2
    grid, cell_start, cell_edges, cell_within = cells(edges, len(outer), grid_x, grid_y, rows, columns)
    count = max(8, round(s[-1] / LOOK_AHEAD_SPACING_M))
    at = np.linspace(0.0, s[-1], count + 1)
    ahead = np.column_stack([np.interp(at, s, center[:, 0]), np.interp(at, s, center[:, 1])])
    ahead[-1] = ahead[0]
    return Road(
        center=center,
        s=s,
        curvature=_curvature(center, s),
        half_width=0.5 * width,
        is_ccw=bool(track.is_ccw),
        edges=edges,
        n_outer=len(outer),
        near=near,
        grid=grid,
        grid_x=float(grid_x),
        grid_y=float(grid_y),
        cell_start=cell_start,
        cell_edges=cell_edges,
        cell_within=cell_within,
        ahead=ahead,
        ahead_spacing=float(s[-1] / count),
    )


def _edges(ring: FloatArray) -> FloatArray:
    ring = np.asarray(ring, dtype=np.float64)
    if not np.array_equal(ring[0], ring[-1]):
        ring = np.vstack([ring, ring[:1]])
    return np.ascontiguousarray(np.hstack([ring[:-1], ring[1:]]))


def _curvature(center: FloatArray, s: FloatArray) -> FloatArray:
    """Turning of the line over `CURVATURE_SPAN_M` about each row, 1/m.

    The heading is taken to change evenly between the middles of two segments: a polyline turns at its rows
    alone, and a span with one row more in it than the next is no sharper bend.
    """
    step = np.diff(center, axis=0)
    real = (step != 0.0).any(axis=1)  # a repeated row has no heading
    psi = np.unwrap(directions(step[real]))
    middle, length = (0.5 * (s[:-1] + s[1:]))[real], s[-1]
    lap = psi[-1] - psi[0] + (psi[0] - psi[-1] + np.pi) % (2.0 * np.pi) - np.pi
    at = np.concatenate([middle - length, middle, middle + length])
    heading = np.concatenate([psi - lap, psi, psi + lap])
    before, after = (np.interp(s + side * 0.5 * CURVATURE_SPAN_M, at, heading) for side in (-1.0, 1.0))
    return np.asarray((after - before) / CURVATURE_SPAN_M)
