"""The kernel behind every camera: a perspective picture of the ground, row by row.

A near row looks the profile up once a pixel, and draws edges as wide as the pixel's footprint. A far row, whose pixels
see long thin strips of ground, is the mean of several lines (*taps*) through the shares. Every picture is drawn from
its own pose alone, by the same code: it is the same bits alone and in a batch.
"""

from __future__ import annotations

from math import ceil, cos, floor, sin
from typing import Any

import numpy as np

from racer.sensors.ground import DASH_EDGE, GROUND_EDGE, LINE_EDGE, MARGIN_M, TEXEL_M, UNITS, WHOLE, Ground
from racer.sensors.perspective import ACROSS, AHEAD, LEVEL, SCALE, SHIFT, SKY, UP, WIDER, survey
from racer.sim import inlined, kernel

SUB = 65536.0  # parts of a cell in fixed-point numbers
WIDEST = 2.0 * UNITS * MARGIN_M  # of a blurred edge, in units of the profile
BLOCK = 16  # pixels that vector code takes at a time
EDGE = 0.01  # cells at the edge of a map that are not used, for the sake of rounding
I32, F32, U64 = np.int32, np.float32, np.uint64  # what vector code is made of; indices without a test of their sign


@kernel
def draw(
    poses: Any,
    mount_x: float,
    mount_y: float,
    views: Any,
    surveyed: bool,
    rows: Any,
    first: Any,
    taps: Any,
    ground: Ground,
    out: Any,
) -> None:
    """Draw what the cars at `poses` (n, m, 3) see into `out` (n, m, height, width).

    Args:
        poses: x, y (m) and heading (rad) of the cars' origins.
        mount_x, mount_y: m, where on the car the lens is.
        views: (n, m) or, the same for all, (1, 1) of `VIEW`.
        surveyed: whether `rows`, `first` and `taps` are filled by `survey` for all; else they are room for that.
        rows, first, taps: see there.
        ground: of the track.
        out: uint8.
    """
    profile, shares, levels = ground.profile, ground.shares, ground.levels
    height, width = out.shape[2], out.shape[3]
    profile_rows, profile_columns = profile.shape
    flat_profile, flat_out = profile.reshape(-1), out.reshape(-1)
    sums, cells = np.zeros(width, dtype=np.uint64), np.zeros(width + BLOCK, dtype=np.int32)
    places = np.zeros(width + BLOCK, dtype=np.int32)
    greys = np.zeros(width + BLOCK, dtype=np.uint8)
    for i in range(poses.shape[0]):
        for j in range(poses.shape[1]):
            view = views[i if len(views) > 1 else 0, j if views.shape[1] > 1 else 0]
            if not surveyed:
                survey(view, width, height, len(levels), rows, first, taps)
            c, s = cos(poses[i, j, 2]), sin(poses[i, j, 2])
            foot_x = poses[i, j, 0] + c * mount_x - s * mount_y - ground.x
            foot_y = poses[i, j, 1] + s * mount_x + c * mount_y - ground.y
            place = (i * poses.shape[1] + j) * height * width
            for v in range(height):
                if rows[v, SKY] == 1.0:
                    _fill(
                        flat_out,
                        place,
                        place + width,
                        np.uint8(view.horizon + rows[v, AHEAD] * (view.zenith - view.horizon) + 0.5),
                    )
                elif first[v] == first[v + 1]:
                    _near(
                        flat_out,
                        place,
                        width,
                        v,
                        foot_x,
                        foot_y,
                        c,
                        s,
                        rows,
                        flat_profile,
                        profile_rows,
                        profile_columns,
                        places,
                        cells,
                        greys,
                        view,
                    )
                else:
                    _far(
                        flat_out,
                        place,
                        width,
                        v,
                        foot_x,
                        foot_y,
                        c,
                        s,
                        rows,
                        first,
                        taps,
                        shares,
                        levels,
                        places,
                        sums,
                        view,
                    )
                place += width


@kernel
def weave(left: Any, right: Any, out: Any) -> None:
    """Put the pictures of two lenses together into `out` (..., 2)."""
    flat_left, flat_right, flat = left.reshape(-1), right.reshape(-1), out.reshape(-1)
    for k in range(len(flat_left)):
        flat[2 * k] = flat_left[k]
        flat[2 * k + 1] = flat_right[k]


@kernel
def _near(
    out: Any,
    place: int,
    width: int,
    v: int,
    foot_x: float,
    foot_y: float,
    c: float,
    s: float,
    rows: Any,
    profile: Any,
    profile_rows: int,
    profile_columns: int,
    places: Any,
    cells: Any,
    greys: Any,
    view: Any,
) -> None:
    ground = np.uint8(view.ground + 0.5)
    scale = 1.0 / TEXEL_M
    ahead, across, up, wider = rows[v, AHEAD], rows[v, ACROSS], rows[v, UP], rows[v, WIDER]
    middle = 0.5 * (width - 1)
    # In cells, counted from the middle of the first one.
    x = foot_x * scale + c * ahead - s * middle * across - 0.5
    y = foot_y * scale + s * ahead + c * middle * across - 0.5
    x_step, y_step = s * across, -c * across
    begin, end = _inside(x, x_step, profile_columns - 1.0, 0, width)
    begin, end = _inside(y, y_step, profile_rows - 1.0, begin, end)
    _fill(out, place, place + begin, ground)
    _fill(out, place + end, place + width, ground)
    by_x, by_y = np.floor(x_step * SUB + 0.5), np.floor(y_step * SUB + 0.5)
    zero_x, zero_y = np.floor((x + begin * x_step) * SUB + 0.5), np.floor((y + begin * y_step) * SUB + 0.5)
    _indices(places, end - begin, I32(zero_x), I32(zero_y), I32(by_x), I32(by_y), I32(profile_columns), I32(0))
    for k in range(end - begin):
        cells[U64(k)] = profile[U64(places[U64(k)])]
    up_x, up_y = c * up - s * (middle - begin) * wider, s * up + c * (middle - begin) * wider
    _shade(
        cells, greys, end - begin, I32(zero_x), I32(zero_y), I32(by_x), I32(by_y),
        F32(x_step), F32(y_step), F32(up_x), F32(up_y), F32(s * wider), F32(-c * wider),
        F32(view.ground), F32(view.line - view.ground), F32(view.road - view.line), F32(view.dash - view.road),
    )  # fmt: skip
    for k in range(end - begin):
        out[U64(place + begin + k)] = greys[U64(k)]


@inlined
def _shade(
    cells: Any,
    greys: Any,
    count: int,
    at_x: Any,
    at_y: Any,
    by_x: Any,
    by_y: Any,
    x_step: Any,
    y_step: Any,
    up_x: Any,
    up_y: Any,
    up_x_step: Any,
    up_y_step: Any,
    ground: Any,
    to_line: Any,
    to_road: Any,
    to_dash: Any,
) -> None:
    """Greys of `count` pixels and some more. All in 32 bits and without a branch, so that it becomes vector code."""
    for k in range((count + BLOCK - 1) // BLOCK * BLOCK):
        n = I32(k)
        share_x, share_y = F32(I32(at_x & I32(65535))) * F32(1.0 / SUB), F32(I32(at_y & I32(65535))) * F32(1.0 / SUB)
        at_x, at_y = I32(at_x + by_x), I32(at_y + by_y)
        four = cells[k]
        p00, p10 = F32(I32(four & I32(255))), F32(I32(I32(four >> I32(8)) & I32(255)))
        p01, p11 = F32(I32(I32(four >> I32(16)) & I32(255))), F32(I32(I32(four >> I32(24)) & I32(255)))
        slope_low, slope_high = p10 - p00, p11 - p01
        below, above = p00 + share_x * slope_low, p01 + share_x * slope_high
        value = below + share_y * (above - below)
        slope_x, slope_y = slope_low + share_y * (slope_high - slope_low), above - below
        # The footprint: how much the profile changes from pixel to pixel, sideways and up.
        wide = abs(slope_x * x_step + slope_y * y_step) + abs(
            slope_x * (up_x + F32(n) * up_x_step) + slope_y * (up_y + F32(n) * up_y_step)
        )
        sharp = F32(1.0) / max(F32(0.01), wide)
        # No edge is blurred further than the profile holds of it, and dashes half as far: they have corners.
        line_sharp, dash_sharp = max(sharp, F32(1.0 / WIDEST)), max(sharp, F32(2.0 / WIDEST))
        is_line = min(F32(1.0), max(F32(0.0), (value - F32(GROUND_EDGE)) * line_sharp + F32(0.5)))
        is_road = min(F32(1.0), max(F32(0.0), (value - F32(LINE_EDGE)) * line_sharp + F32(0.5)))
        is_dash = min(F32(1.0), max(F32(0.0), (value - F32(DASH_EDGE)) * dash_sharp + F32(0.5)))
        greys[k] = np.uint8(I32(ground + is_line * to_line + is_road * to_road + is_dash * to_dash + F32(0.5)))


@kernel
def _far(
    out: Any,
    place: int,
    width: int,
    v: int,
    foot_x: float,
    foot_y: float,
    c: float,
    s: float,
    rows: Any,
    first: Any,
    taps: Any,
    shares: Any,
    levels: Any,
    places: Any,
    sums: Any,
    view: Any,
) -> None:
    """One far row: the mean of its taps, and of the sky above the horizon."""
    middle = 0.5 * (width - 1)
    for u in range(width):
        sums[u] = 0
    for k in range(first[v], first[v + 1]):
        ahead, across, scale, level = taps[k, AHEAD], taps[k, ACROSS], taps[k, SCALE], int(taps[k, LEVEL])
        start, height, columns = levels[level, 0], levels[level, 1], levels[level, 2]
        left = middle * across + taps[k, SHIFT]
        x, y = foot_x * scale + c * ahead - s * left, foot_y * scale + s * ahead + c * left
        x_step, y_step = s * across, -c * across
        begin, end = _inside(x, x_step, columns, 0, width)
        begin, end = _inside(y, y_step, height, begin, end)
        for u in range(begin):
            sums[u] += U64(WHOLE)
        for u in range(end, width):
            sums[u] += U64(WHOLE)
        at_x, at_y = np.floor((x + begin * x_step) * SUB + 0.5), np.floor((y + begin * y_step) * SUB + 0.5)
        by_x, by_y = np.floor(x_step * SUB + 0.5), np.floor(y_step * SUB + 0.5)
        _indices(places, end - begin, I32(at_x), I32(at_y), I32(by_x), I32(by_y), I32(columns), I32(start))
        for k in range(end - begin):
            sums[U64(begin + k)] += shares[U64(places[U64(k)])]
    sky = F32(view.horizon * rows[v, SKY] + 0.5)
    part = (1.0 - rows[v, SKY]) / (WHOLE * (first[v + 1] - first[v]))
    ground, border, road, dash = (
        F32(view.ground * part),
        F32(view.line * part),
        F32(view.road * part),
        F32(view.dash * part),
    )
    for u in range(width):
        four = sums[u]
        grey = sky + F32(I32(four & U64(65535))) * ground + F32(I32((four >> U64(16)) & U64(65535))) * border
        grey += F32(I32((four >> U64(32)) & U64(65535))) * road + F32(I32(four >> U64(48))) * dash
        out[place + u] = np.uint8(I32(grey))


@inlined
def _indices(places: Any, count: int, x: Any, y: Any, by_x: Any, by_y: Any, columns: Any, start: Any) -> None:
    """Where the cells of `count` pixels (and some more) are in a map, for fixed-point places x, y of the first one.

    All numbers come as 32-bit ones made from floats: from 64-bit integers LLVM makes 64-bit sums and products here, on
    processors with AVX-512 in its widest and slowest registers.
    """
    for k in range((count + BLOCK - 1) // BLOCK * BLOCK):
        places[k] = I32(start + I32(I32(y >> I32(16)) * columns)) + I32(x >> I32(16))
        x, y = I32(x + by_x), I32(y + by_y)


@inlined
def _inside(at: float, step: float, most: float, begin: int, end: int) -> tuple[int, int]:
    """The part of the range `begin`..`end` of u for which `at + u * step` lies well within 0..`most`."""
    first, last = at + begin * step, at + (end - 1) * step
    if min(first, last) < EDGE or max(first, last) > most - EDGE:
        if abs(step) < 1e-12:
            end = begin
        else:
            low, high = (EDGE - at) / step, (most - EDGE - at) / step
            if low > high:
                low, high = high, low
            begin = min(end, max(begin, ceil(min(low, 1e9))))
            end = max(begin, min(end, floor(max(high, -1e9)) + 1))
    return begin, end


@inlined
def _fill(out: Any, begin: int, end: int, grey: Any) -> None:
    for k in range(begin, end):
        out[U64(k)] = grey
