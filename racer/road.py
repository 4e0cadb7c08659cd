"""The track as the kernels see it: flat arrays, and the geometry that runs every step.

A `Road` is built once from a `Track` and never changes. Everything in here is exact in float64 and does
not depend on how many cars ask: lookups only ever narrow down *which* segments are measured, never how.
"""

from __future__ import annotations

from math import hypot, sqrt
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from racer.errors import TrackError
from racer.kernel import inlined, kernel

if TYPE_CHECKING:
    from racer.track import Track

CELL_M = 0.025  # edge of a cell of the lookup grid, m: fine, so that few wheels are in a cell that a border crosses
LOOK_AHEAD_SPACING_M = 0.05  # spacing of the table the observation reads the line ahead from, m
WINDOW_M = 0.4  # how far along the line a car's projection may be from its last one, m
CURVATURE_SPAN_M = 0.3  # the line's curvature is its turning over this length, m (a polyline has none of its own)
OUTSIDE, INSIDE, MIXED = 0, 1, 2

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int32]


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
        near_start, near: for centre-line segment i, the edges `near[near_start[i]:near_start[i + 1]]` are all
            that can be nearest to a point of the segment.
        grid: (rows, columns) `INSIDE` or `OUTSIDE` where a whole cell is, else `MIXED`.
        grid_x, grid_y: m, the grid's lower left corner.
        row_start, row_edges: the edges that reach into each row of the grid, as for `near`.
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
    near_start: IntArray
    near: IntArray
    grid: NDArray[np.uint8]
    grid_x: float
    grid_y: float
    row_start: IntArray
    row_edges: IntArray
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
    near_start, near = _near_edges(center, edges, len(outer))
    width = np.empty(len(center))
    for i in range(len(center)):
        segment = min(i, len(center) - 2)
        first, last = near_start[segment], near_start[segment + 1]
        ix, iy, ox, oy = nearest_borders(edges, len(outer), near, first, last, center[i, 0], center[i, 1])
        width[i] = hypot(ox - ix, oy - iy)
    grid_x, grid_y = edges[:, ::2].min() - CELL_M, edges[:, 1::2].min() - CELL_M
    columns = int((edges[:, ::2].max() - grid_x) / CELL_M) + 2
    rows = int((edges[:, 1::2].max() - grid_y) / CELL_M) + 2
    row_start, row_edges = _edges_by_row(edges, grid_y, rows)
    grid = _grid(edges, len(outer), grid_x, grid_y, rows, columns, row_start, row_edges)
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
        near_start=near_start,
        near=near,
        grid=grid,
        grid_x=float(grid_x),
        grid_y=float(grid_y),
        row_start=row_start,
        row_edges=row_edges,
        ahead=ahead,
        ahead_spacing=float(s[-1] / count),
    )


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
def distance(x: float, y: float) -> float:
    """Length of (x, y); a third of the cost of `hypot`, whose care for huge numbers is not needed here."""
    return sqrt(x * x + y * y)


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
def cell_at(grid: NDArray[np.uint8], grid_x: float, grid_y: float, x: float, y: float) -> int:
    """What the lookup grid knows of (x, y): `INSIDE`, `OUTSIDE`, or `MIXED` where a border is near."""
    across, up = (x - grid_x) * (1.0 / CELL_M), (y - grid_y) * (1.0 / CELL_M)
    cell = OUTSIDE
    if 0.0 <= across < grid.shape[1] and 0.0 <= up < grid.shape[0]:
        cell = grid[int(up), int(across)]
    return cell


@kernel
def on_road(
    grid: NDArray[np.uint8],
    grid_x: float,
    grid_y: float,
    edges: FloatArray,
    n_outer: int,
    row_start: IntArray,
    row_edges: IntArray,
    x: float,
    y: float,
) -> bool:
    """Whether (x, y) lies inside the outer border and outside the inner one."""
    cell = cell_at(grid, grid_x, grid_y, x, y)
    if cell != MIXED:
        return bool(cell == INSIDE)
    row = int((y - grid_y) * (1.0 / CELL_M))
    return _inside(edges, n_outer, row_edges, row_start[row], row_start[row + 1], x, y)


@kernel
def nearest_borders(
    edges: FloatArray, n_outer: int, near: IntArray, first: int, last: int, x: float, y: float
) -> tuple[float, float, float, float]:
    """The points of the inner and of the outer border nearest to (x, y): inner x, y, outer x, y.

    Args:
        edges, n_outer, near: of the road.
        first, last: the candidates `near[first:last]` of the segment that (x, y) lies on.
        x, y: m, a point of the centre line. The two points' distance is the track's width there, as in DeepRacer.
    """
    outer_d, inner_d = np.inf, np.inf
    ox, oy, ix, iy = 0.0, 0.0, 0.0, 0.0
    for k in range(first, last):
        e = near[k]
        qx, qy = _nearest_on_edge(edges, e, x, y)
        d = (qx - x) ** 2 + (qy - y) ** 2
        if e < n_outer:
            if d < outer_d:
                outer_d, ox, oy = d, qx, qy
        elif d < inner_d:
            inner_d, ix, iy = d, qx, qy
    return ix, iy, ox, oy


@kernel
def _inside(edges: FloatArray, n_outer: int, which: IntArray, first: int, last: int, x: float, y: float) -> bool:
    in_outer, in_inner = False, False
    for k in range(first, last):
        e = which[k]
        x0, y0, x1, y1 = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
            if e < n_outer:
                in_outer = not in_outer
            else:
                in_inner = not in_inner
    return in_outer and not in_inner


@kernel
def _nearest_on_edge(edges: FloatArray, e: int, x: float, y: float) -> tuple[float, float]:
    x0, y0 = edges[e, 0], edges[e, 1]
    dx, dy = edges[e, 2] - x0, edges[e, 3] - y0
    length2 = dx * dx + dy * dy
    t = 0.0
    if length2 > 0.0:
        t = min(1.0, max(0.0, ((x - x0) * dx + (y - y0) * dy) / length2))
    return x0 + t * dx, y0 + t * dy


@kernel
def _point_edge2(edges: FloatArray, e: int, x: float, y: float) -> float:
    qx, qy = _nearest_on_edge(edges, e, x, y)
    return (x - qx) * (x - qx) + (y - qy) * (y - qy)


@kernel
def _near_edges(center: FloatArray, edges: FloatArray, n_outer: int) -> tuple[IntArray, IntArray]:
    """Candidates for the nearest border edge of each segment.

    The distance to an edge is a convex function along a segment, so it is at most the larger of its two end
    values, and at least the smaller one less the segment's length: an edge whose least possible distance is
    above the best guaranteed one is never the nearest.
    """
    segments = center.shape[0] - 1
    starts = np.zeros(segments + 1, dtype=np.int32)
    found = np.empty(1024, dtype=np.int32)
    count = 0
    at_start, at_end = np.empty(len(edges)), np.empty(len(edges))
    for i in range(segments):
        length = hypot(center[i + 1, 0] - center[i, 0], center[i + 1, 1] - center[i, 1])
        for first, last in ((0, n_outer), (n_outer, len(edges))):
            bound = np.inf
            for e in range(first, last):
                at_start[e] = np.sqrt(_point_edge2(edges, e, center[i, 0], center[i, 1]))
                at_end[e] = np.sqrt(_point_edge2(edges, e, center[i + 1, 0], center[i + 1, 1]))
                bound = min(bound, max(at_start[e], at_end[e]))
            for e in range(first, last):
                if 0.5 * (at_start[e] + at_end[e] - length) <= bound + 1e-9:
                    if count == len(found):
                        found = np.concatenate((found, np.empty_like(found)))
                    found[count] = e
                    count += 1
        starts[i + 1] = count
    return starts, found[:count].copy()


@kernel
def _edges_by_row(edges: FloatArray, grid_y: float, rows: int) -> tuple[IntArray, IntArray]:
    counts = np.zeros(rows + 1, dtype=np.int32)
    low, high = np.empty(len(edges), dtype=np.int32), np.empty(len(edges), dtype=np.int32)
    for e in range(len(edges)):
        low[e] = max(0, int((min(edges[e, 1], edges[e, 3]) - grid_y) / CELL_M) - 1)
        high[e] = min(rows - 1, int((max(edges[e, 1], edges[e, 3]) - grid_y) / CELL_M) + 1)
        for row in range(low[e], high[e] + 1):
            counts[row + 1] += 1
    starts = np.cumsum(counts).astype(np.int32)
    filled = starts[:-1].copy()
    found = np.empty(starts[-1], dtype=np.int32)
    for e in range(len(edges)):
        for row in range(low[e], high[e] + 1):
            found[filled[row]] = e
            filled[row] += 1
    return starts, found


@kernel
def _grid(
    edges: FloatArray,
    n_outer: int,
    grid_x: float,
    grid_y: float,
    rows: int,
    columns: int,
    row_start: IntArray,
    row_edges: IntArray,
) -> NDArray[np.uint8]:
    grid = np.zeros((rows, columns), dtype=np.uint8)
    for e in range(len(edges)):
        x0, y0, x1, y1 = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
        pieces = int(hypot(x1 - x0, y1 - y0) / (0.5 * CELL_M)) + 1
        for k in range(pieces + 1):
            column = int((x0 + (x1 - x0) * k / pieces - grid_x) / CELL_M)
            row = int((y0 + (y1 - y0) * k / pieces - grid_y) / CELL_M)
            for r in range(max(0, row - 1), min(rows, row + 2)):
                for c in range(max(0, column - 1), min(columns, column + 2)):
                    grid[r, c] = MIXED
    for r in range(rows):
        for c in range(columns):
            if grid[r, c] == MIXED:
                continue
            if c > 0 and grid[r, c - 1] != MIXED:
                grid[r, c] = grid[r, c - 1]  # no border runs between the two
                continue
            x, y = grid_x + (c + 0.5) * CELL_M, grid_y + (r + 0.5) * CELL_M
            if _inside(edges, n_outer, row_edges, row_start[r], row_start[r + 1], x, y):
                grid[r, c] = INSIDE
    return grid


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
    psi = np.unwrap(np.arctan2(step[real, 1], step[real, 0]))
    middle, length = (0.5 * (s[:-1] + s[1:]))[real], s[-1]
    lap = psi[-1] - psi[0] + (psi[0] - psi[-1] + np.pi) % (2.0 * np.pi) - np.pi
    at = np.concatenate([middle - length, middle, middle + length])
    heading = np.concatenate([psi - lap, psi, psi + lap])
    before, after = (np.interp(s + side * 0.5 * CURVATURE_SPAN_M, at, heading) for side in (-1.0, 1.0))
    return np.asarray((after - before) / CURVATURE_SPAN_M)
