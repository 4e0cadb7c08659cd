"""Perspective: which lines of the ground the rows of a camera's picture see.

A row of pixels sees a straight line of the ground, evenly spaced, wherever the car is and wherever it looks to. How far
ahead that line is, and how far apart its pixels are, depends on the camera alone, and is worked out once.
"""

from __future__ import annotations

from math import ceil, floor, log2
from typing import Any

import numpy as np

from racer.sensors.ground import MARGIN_M, TEXEL_M
from racer.sim import inlined, kernel

VIEW = np.dtype(
    [
        ("focal", "f8"),  # px
        ("sine", "f8"),  # of the pitch, positive downwards
        ("cosine", "f8"),
        ("height", "f8"),  # of the lens above the ground, m
        ("ground", "f8"),  # greys, 0..255
        ("line", "f8"),
        ("road", "f8"),
        ("dash", "f8"),
        ("horizon", "f8"),  # of the sky
        ("zenith", "f8"),
        ("light", "f8"),  # factor of the boxes' greys
    ]
)
"""What a picture depends on besides the pose."""

NEAR_M = 2.5 * MARGIN_M  # a longer footprint sees more of an edge than the profile holds
STRETCH = 3.0  # taps stand at most so many times further apart along the view than the pixels across it
MOST_TAPS = 8
ZENITH = 0.35  # rad above the horizon where the sky is as grey as at the zenith

AHEAD, ACROSS, UP, WIDER, SKY = range(5)  # columns of the rows
SCALE, LEVEL, SHIFT = range(2, 5)  # columns of the taps, after the first two


@kernel
def survey(view: Any, width: int, height: int, levels: int, rows: Any, first: Any, taps: Any) -> None:
    """Work out which lines of the ground the rows of a picture see.

    Args:
        view: a `VIEW` record.
        width, height: of the picture, px.
        levels: how many the shares have.
        rows: (height, 5), filled. Near rows: how far ahead of the lens it is, the way from a pixel to the next, how
            both grow to the row above; in cells of the profile. Rows of sky: the place between horizon (0) and
            zenith (1). All: the share of sky, 0..1.
        first: (height + 1,), filled: the taps of a far row v are `first[v]` to `first[v + 1]`; others have none.
        taps: (height * MOST_TAPS, 5), filled: how far ahead and from a pixel to the next, in cells of its level of the
            shares; cells to a metre, the level, and a shift to the left in cells.
    """
    focal, sine, cosine, tall = view.focal, view.sine, view.cosine, view.height
    count = 0
    for v in range(height):
        first[v] = count
        upper, lower = (v - 0.5 * height) / focal, (v + 1.0 - 0.5 * height) / focal
        down = 0.5 * (upper + lower)
        rows[v, SKY] = 0.0
        if sine + lower * cosine <= 0.0:
            rows[v, SKY], rows[v, AHEAD] = 1.0, min(1.0, -(sine + down * cosine) / ZENITH)
            continue
        if sine + upper * cosine > 0.0:
            further, nearer = _ahead(view, upper), _ahead(view, lower)
            across = tall / ((sine + down * cosine) * focal)
            if further - nearer <= NEAR_M:
                wider = (tall / (sine + upper * cosine) - tall / (sine + lower * cosine)) / focal
                rows[v, AHEAD], rows[v, ACROSS] = _ahead(view, down) / TEXEL_M, across / TEXEL_M
                rows[v, UP], rows[v, WIDER] = (further - nearer) / TEXEL_M, wider / TEXEL_M
                continue
            lines = min(MOST_TAPS, ceil((further - nearer) / (STRETCH * across)))
        else:
            horizon = -sine / cosine
            rows[v, SKY] = (horizon - upper) * focal
            upper, lines = horizon, MOST_TAPS
        for k in range(lines):
            top, bottom = upper + (lower - upper) * k / lines, upper + (lower - upper) * (k + 1) / lines
            at = 0.5 * (top + bottom)
            across = tall / ((sine + at * cosine) * focal)
            span = 1e9
            if sine + top * cosine > 1e-9:
                span = 0.6 * max(across, _ahead(view, top) - _ahead(view, bottom))
            level = min(levels - 1, max(0, floor(log2(span / (2.0 * TEXEL_M)) + 0.5)))
            scale = 1.0 / (TEXEL_M * 2.0 ** (level + 1))
            taps[count, AHEAD], taps[count, ACROSS] = _ahead(view, at) * scale, across * scale
            taps[count, SCALE], taps[count, LEVEL] = scale, level
            # The lines of a row are shifted against each other by a cell in all: sideways, too, it is a mean.
            taps[count, SHIFT] = ((5 * k) % lines + 0.5) / lines - 0.5
            count += 1
    first[height] = count


@inlined
def _ahead(view: Any, down: float) -> Any:
    """How far ahead of the lens a row looks, m; `down` is the row's place below the middle over the focal length."""
    return view.height * (view.cosine - down * view.sine) / (view.sine + down * view.cosine)
