"""The track as the kernels see it: flat arrays, and the geometry that runs every step.

A `Road` is built once from a `Track` and never changes. Everything in here is exact in float64 and does
not depend on how many cars ask: lookups only ever narrow down *which* segments are measured, never how.
"""

from __future__ import annotations

from math import hypot, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from racer.errors import TrackError
from racer.sim.kernel import inlined, kernel, lean

if TYPE_CHECKING:
    from racer.track import Track

CELL_M = 0.025  # edge of a cell of the lookup grid, m: fine, so that few wheels are in a cell that a border crosses
NEAR_M = 0.005  # length of the pieces of the centre line whose nearest border edges are looked up, m
STRETCH = 64  # of them in a row are looked at together first, so that not each is measured from every edge
LOOK_AHEAD_SPACING_M = 0.05  # spacing of the table the observation reads the line ahead from, m
WINDOW_M = 0.4  # how far along the line a car's projection may be from its last one, m
CURVATURE_SPAN_M = 0.3  # the line's curvature is its turning over this length, m (a polyline has none of its own)
OUTSIDE, INSIDE, MIXED = 0, 1, 2
WITHIN_OUTER, WITHIN_INNER = 1, 2
SLACK_M = 1e-6  # by which points may miss a cell for rounding, m: more than enough

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
        near: (pieces, 2, k) for each piece of the centre line, `NEAR_M` long, all edges of the outer and of the inner
            border that can be nearest to a point of it; the last one repeated where there are fewer.
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
    near = _near_edges(center, s, edges, len(outer))
    width = np.empty(len(center))
    for i in range(len(center)):
        ix, iy, ox, oy = nearest_borders(edges, near, s[i], center[i, 0], center[i, 1])
        width[i] = hypot(ox - ix, oy - iy)
    grid_x, grid_y = edges[:, ::2].min() - CELL_M, edges[:, 1::2].min() - CELL_M
    columns = int((edges[:, ::2].max() - grid_x) / CELL_M) + 2
    rows = int((edges[:, 1::2].max() - grid_y) / CELL_M) + 2
    grid, cell_start, cell_edges, cell_within = _cells(edges, len(outer), grid_x, grid_y, rows, columns)
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
def cell_at(grid: IntArray, grid_x: float, grid_y: float, x: float, y: float) -> int:
    """What the lookup grid knows of (x, y): `INSIDE`, `OUTSIDE`, or `MIXED` and more where a border is near."""
    across, up = (x - grid_x) * (1.0 / CELL_M), (y - grid_y) * (1.0 / CELL_M)
    cell = OUTSIDE
    if 0.0 <= across < grid.shape[1] and 0.0 <= up < grid.shape[0]:
        cell = grid[int(up), int(across)]
    return cell


@lean
def on_road(road: Road, x: float, y: float) -> bool:
    """Whether (x, y) lies inside the outer border and outside the inner one."""
    cell = cell_at(road.grid, road.grid_x, road.grid_y, x, y)
    if cell < MIXED:
        return cell == INSIDE
    k = cell - MIXED
    first, last = road.cell_start[k], road.cell_start[k + 1]
    return _within(road.edges, road.n_outer, road.cell_edges, first, last, road.cell_within[k], x, y) == WITHIN_OUTER


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
        qx, qy = _nearest_on_edge(edges, some[k], x, y)
        d = (qx - x) ** 2 + (qy - y) ** 2
        is_nearer = d < best  # chosen rather than branched on, which no processor can foresee
        best = d if is_nearer else best
        best_x, best_y = qx if is_nearer else best_x, qy if is_nearer else best_y
    return best_x, best_y


@lean
def _within(edges: FloatArray, n_outer: int, which: Any, first: int, last: int, within: int, x: float, y: float) -> int:
    """Bits, whether a point is inside the outer and the inner border: each edge to the right of it changes that."""
    for k in range(first, last):
        e = which[k]
        x0, y0, x1, y1 = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
            within ^= WITHIN_OUTER if e < n_outer else WITHIN_INNER
    return within


@lean
def _nearest_on_edge(edges: FloatArray, e: int, x: float, y: float) -> tuple[float, float]:
    x0, y0 = edges[e, 0], edges[e, 1]
    dx, dy = edges[e, 2] - x0, edges[e, 3] - y0
    length2 = dx * dx + dy * dy
    t = 0.0
    if length2 > 0.0:
        t = min(1.0, max(0.0, ((x - x0) * dx + (y - y0) * dy) / length2))
    return x0 + t * dx, y0 + t * dy


@kernel
def _near_edges(center: FloatArray, arc: FloatArray, edges: FloatArray, n_outer: int) -> IntArray:
    """Candidates for the nearest edge of each border of each piece of the centre line; of whole stretches before."""
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
        qx, qy = _nearest_on_edge(edges, some[k], x, y)
        away[k] = distance(x - qx, y - qy)
    return some[away <= away.min() + length + SLACK_M]


@kernel
def _cells(
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
                    grid[r, c] = _within(edges, n_outer, here, 0, len(here), 0, x, y) == WITHIN_OUTER
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
