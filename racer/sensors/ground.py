"""The ground of a track as a camera needs it: two maps of the same paint, built once per track.

Near a camera the paint must be sharp, far away it must be averaged. The *profile* (1 cm) holds how far it is to the
next edge of paint, so that an edge can be drawn as sharp as a pixel, however near. The *shares* (2 cm, 4 cm, ...) hold
how much of each square has which paint, so that a pixel that sees half a metre of ground at once gets its mean.
"""

from __future__ import annotations

from math import ceil, hypot
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from racer.sim import kernel
from racer.track import Points, Track, arc_length

TEXEL_M = 0.01  # of the profile; the finest level of the shares has twice that
LINE_M = 0.05  # width of the border lines (two-inch tape); their outer edge is the border that is judged
DASH_WIDTH_M = 0.05
DASH_M = 0.18  # of the centre line, about half a period; a whole number of periods makes a lap
PERIOD_M = 0.36
MARGIN_M = 0.06  # how far from an edge the profile still counts
TOP_M = DASH_WIDTH_M / 2.0  # as deep as the profile goes into a dash
STEEP = 2.0  # distances to the sides of a dash count so much: its blurred ends reach the less far to the sides

UNITS = 1000.0  # of the profile, to a metre
GROUND_EDGE = UNITS * MARGIN_M  # where on the profile ground becomes line, ...
LINE_EDGE = GROUND_EDGE + UNITS * LINE_M  # line becomes road, ...
ROAD = LINE_EDGE + UNITS * MARGIN_M  # (nothing but road)
DASH_EDGE = ROAD + UNITS * MARGIN_M  # and road becomes dash
TOP = DASH_EDGE + UNITS * TOP_M

FRAME_M = 0.1  # of bare ground around the track
FAR = 1e9
WHOLE = 4095  # what the shares of a cell sum to


class Ground(NamedTuple):
    """The maps. A cell [row, column] of t m covers `x + column * t` to `x + (column + 1) * t`, and the same in y.

    Attributes:
        x, y: m, the lower left corner.
        profile: (rows, columns) of `TEXEL_M`; each holds four bytes, the least first: the profile at the middle of the
            cell, of its neighbour to the right, above, and above to the right. The profile runs from 0 (bare ground)
            over the border line and the road (`ROAD`) to `TOP` (in a dash), a millimetre of distance to a unit.
        shares: the levels one after the other, the finest first; four times 16 bits a cell, the least first, which sum
            to `WHOLE`: ground, line, road, dash. The sum of 16 cells still fits.
        levels: (k, 3) for each level its first cell, rows and columns. Level l has cells of `TEXEL_M * 2 ** (l + 1)`.
    """

    x: float
    y: float
    profile: NDArray[np.uint32]
    shares: NDArray[np.uint64]
    levels: NDArray[np.int64]


_grounds: WeakKeyDictionary[Track, Ground] = WeakKeyDictionary()


def ground_of(track: Track) -> Ground:
    """The maps of `track`, which are kept as long as the track is."""
    ground = _grounds.get(track)
    if ground is None:
        ground = _grounds[track] = _paint(track)
    return ground


def ground_from(profile: NDArray[np.uint8], x: float, y: float) -> Ground:
    """The maps of any paint.

    Args:
        profile: (rows, columns) of `TEXEL_M`, see `Ground`; bare ground all around.
        x, y: m, its lower left corner.
    """
    _rows, _columns = profile.shape
    padded = np.pad(profile, ((0, 1), (0, 1)), mode="edge").astype(np.uint32)
    four = padded[:-1, :-1] | padded[:-1, 1:] << 8 | padded[1:, :-1] << 16 | padded[1:, 1:] << 24
    levels, maps, first = [], [], 0
    share = _halved(_materials(profile))
    while True:
        packed = _packed(share)
        levels.append((first, *packed.shape))
        maps.append(packed.ravel())
        first += packed.size
        if max(packed.shape) <= 2:
            break
        share = _halved(share)
    return Ground(x, y, np.ascontiguousarray(four), np.concatenate(maps), np.array(levels, dtype=np.int64))


def _paint(track: Track) -> Ground:
    borders = [_edges(track.inner), _edges(track.outer)]
    corners = np.vstack([track.inner, track.outer, track.center])
    low, high = corners.min(axis=0) - FRAME_M, corners.max(axis=0) + FRAME_M
    columns, rows = (ceil(size / TEXEL_M) for size in (high - low).tolist())
    x, y = float(low[0]), float(low[1])
    edge = np.full((rows, columns), FAR, dtype=np.float32)
    inside = np.zeros((rows, columns), dtype=np.bool_)
    for ring in borders:
        _distances(ring, x, y, 2.0 * MARGIN_M + LINE_M, edge)
        _flip(ring, x, y, inside)
    count = max(1, round(track.length / PERIOD_M))
    dash = np.full((rows, columns), -FAR, dtype=np.float32)
    _dashes(track.center, arc_length(track.center), track.length / count, x, y, dash)
    return ground_from(_profile(edge, inside, dash), x, y)


def _edges(ring: Points) -> Points:
    if not np.array_equal(ring[0], ring[-1]):
        ring = np.vstack([ring, ring[:1]])
    return np.hstack([ring[:-1], ring[1:]])


@kernel
def _distances(edges: Any, x: float, y: float, reach: float, out: Any) -> None:
    """Lower `out` to the distance from the edges, m, wherever that is less than `reach`."""
    for e in range(len(edges)):
        x0, y0, x1, y1 = edges[e, 0] - x, edges[e, 1] - y, edges[e, 2] - x, edges[e, 3] - y
        dx, dy = x1 - x0, y1 - y0
        length2 = dx * dx + dy * dy
        first = max(0, int((min(x0, x1) - reach) / TEXEL_M))
        last = min(out.shape[1], int((max(x0, x1) + reach) / TEXEL_M) + 1)
        for row in range(
            max(0, int((min(y0, y1) - reach) / TEXEL_M)), min(out.shape[0], int((max(y0, y1) + reach) / TEXEL_M) + 1)
        ):
            py = (row + 0.5) * TEXEL_M - y0
            for column in range(first, last):
                px = (column + 0.5) * TEXEL_M - x0
                t = min(1.0, max(0.0, (px * dx + py * dy) / length2)) if length2 > 0.0 else 0.0
                away = hypot(px - t * dx, py - t * dy)
                if away < out[row, column]:
                    out[row, column] = away


@kernel
def _flip(edges: Any, x: float, y: float, inside: Any) -> None:
    """Turn over every cell whose middle lies inside a ring (the even-odd rule)."""
    rows, columns = inside.shape
    for e in range(len(edges)):
        x0, y0, x1, y1 = edges[e, 0] - x, edges[e, 1] - y, edges[e, 2] - x, edges[e, 3] - y
        low, high = min(y0, y1), max(y0, y1)
        for row in range(max(0, int(low / TEXEL_M - 0.5)), min(rows, int(high / TEXEL_M + 0.5) + 1)):
            py = (row + 0.5) * TEXEL_M
            if (y0 > py) != (y1 > py):
                cut = (x0 + (py - y0) * (x1 - x0) / (y1 - y0)) / TEXEL_M
                for column in range(max(0, ceil(cut - 0.5)), columns):
                    inside[row, column] = not inside[row, column]


@kernel
def _dashes(center: Any, arc: Any, period: float, x: float, y: float, out: Any) -> None:
    """Set `out` to how deep a cell's middle lies in a dash, m, below 0 outside, where that is more than -`MARGIN_M`."""
    dash = period * DASH_M / PERIOD_M
    reach = 0.5 * DASH_WIDTH_M + MARGIN_M
    nearest = np.full(out.shape, np.float32(reach))
    for i in range(len(center) - 1):
        x0, y0 = center[i, 0] - x, center[i, 1] - y
        dx, dy = center[i + 1, 0] - center[i, 0], center[i + 1, 1] - center[i, 1]
        length = hypot(dx, dy)
        if length == 0.0:
            continue
        dx, dy = dx / length, dy / length
        left, right = min(x0, x0 + dx * length) - reach, max(x0, x0 + dx * length) + reach
        low, high = min(y0, y0 + dy * length) - reach, max(y0, y0 + dy * length) + reach
        for row in range(max(0, int(low / TEXEL_M)), min(out.shape[0], int(high / TEXEL_M) + 1)):
            py = (row + 0.5) * TEXEL_M - y0
            for column in range(max(0, int(left / TEXEL_M)), min(out.shape[1], int(right / TEXEL_M) + 1)):
                px = (column + 0.5) * TEXEL_M - x0
                along = min(length, max(0.0, px * dx + py * dy))
                away = hypot(px - along * dx, py - along * dy)
                if away < nearest[row, column]:
                    nearest[row, column] = away
                    # The first dash begins a quarter of a period behind the start line.
                    phase = (arc[i] + along + 0.25 * period) % period
                    end = min(phase, dash - phase) if phase < dash else -min(phase - dash, period - phase)
                    out[row, column] = min(STEEP * (0.5 * DASH_WIDTH_M - away), end, TOP_M)


@kernel
def _profile(edge: Any, inside: Any, dash: Any) -> Any:
    out = np.zeros(edge.shape, dtype=np.uint8)
    for row in range(edge.shape[0]):
        for column in range(edge.shape[1]):
            into = min(edge[row, column], 1.0) * (1.0 if inside[row, column] else -1.0)
            value = min(ROAD, max(0.0, GROUND_EDGE + UNITS * into))
            if value == ROAD and dash[row, column] > -MARGIN_M:
                value = DASH_EDGE + UNITS * dash[row, column]
            out[row, column] = round(value)
    return out


@kernel
def _materials(profile: Any) -> Any:
    """Shares (rows, columns, 4) of ground, line, road and dash in cells of the profile's size."""
    out = np.empty((*profile.shape, 4), dtype=np.float32)
    wide = UNITS * TEXEL_M
    for row in range(profile.shape[0]):
        for column in range(profile.shape[1]):
            value = float(profile[row, column])
            line = min(1.0, max(0.0, (value - GROUND_EDGE) / wide + 0.5))
            road = min(1.0, max(0.0, (value - LINE_EDGE) / wide + 0.5))
            dash = min(1.0, max(0.0, (value - DASH_EDGE) / wide + 0.5))
            out[row, column, 0], out[row, column, 1] = 1.0 - line, line - road
            out[row, column, 2], out[row, column, 3] = road - dash, dash
    return out


@kernel
def _halved(share: Any) -> Any:
    """Means over squares of two by two cells; beyond the edge is ground."""
    rows, columns = (share.shape[0] + 1) // 2, (share.shape[1] + 1) // 2
    out = np.zeros((rows, columns, 4), dtype=np.float32)
    for row in range(rows):
        for column in range(columns):
            for r in range(2 * row, 2 * row + 2):
                for c in range(2 * column, 2 * column + 2):
                    if r < share.shape[0] and c < share.shape[1]:
                        for k in range(4):
                            out[row, column, k] += 0.25 * share[r, c, k]
                    else:
                        out[row, column, 0] += 0.25
    return out


@kernel
def _packed(share: Any) -> Any:
    out = np.empty(share.shape[:2], dtype=np.uint64)
    for row in range(share.shape[0]):
        for column in range(share.shape[1]):
            line, road = round(WHOLE * share[row, column, 1]), round(WHOLE * share[row, column, 2])
            dash = round(WHOLE * share[row, column, 3])
            ground = max(0, WHOLE - line - road - dash)
            road = WHOLE - ground - line - dash
            out[row, column] = ground | line << 16 | road << 32 | dash << 48
    return out
