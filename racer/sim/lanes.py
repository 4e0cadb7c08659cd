"""The two lanes of a road as smooth lines, which boxes stand on and bot cars follow."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from racer.sim.borders import nearest_borders
from racer.sim.compiled import kernel, lean
from racer.sim.projection import point_at
from racer.sim.road import Road, road_of
from racer.track import Track

__all__ = ["Lanes", "lane_point", "lanes_of"]

SPACING_M = 0.05  # of a lane's rows along the centre line, m
SMOOTH_M = 0.6  # over which a lane's line is smoothed, m: halfway to the nearest border there are kinks

Lanes = NDArray[np.float64]

_lanes: WeakKeyDictionary[Track, Lanes] = WeakKeyDictionary()


def lanes_of(track: Track) -> Lanes:
    """The lanes of a track, which are kept as long as the track is.

    Returns:
        (2, k + 1, 4): of the right lane and of the left one, at equal distances along the centre line, the point `x, y`
        halfway to the border (m), and how it moves with each metre of centre line, `dx, dy`; the last row repeats
        the first.

    Raises:
        TrackError: the track is open.
    """
    lanes = _lanes.get(track)
    if lanes is None:
        lanes = _lanes[track] = _build(road_of(track))
    return lanes


def _build(road: Road) -> Lanes:
    length = float(road.s[-1])
    count = max(8, round(length / SPACING_M))
    middle = np.empty((2, count, 2))
    _middles(road.center, road.s, road.edges, road.near, road.is_ccw, middle)
    width = 2 * round(0.5 * SMOOTH_M / length * count) + 1
    window = np.hanning(width + 2)[1:-1]
    window /= window.sum()
    turned = np.fft.rfft(np.roll(np.pad(window, (0, count - width)), -(width // 2)))
    points = np.fft.irfft(np.fft.rfft(middle, axis=1) * turned[None, :, None], count, axis=1)
    along = (np.roll(points, -1, axis=1) - np.roll(points, 1, axis=1)) * (0.5 * count / length)
    lanes = np.concatenate([points, along], axis=2)
    return np.ascontiguousarray(np.concatenate([lanes, lanes[:, :1]], axis=1))


@kernel
def _middles(center: Any, arc: Any, edges: Any, near: Any, is_ccw: bool, middle: Any) -> None:
    """Fill `middle` with the points halfway between the centre line and the nearest points of the borders."""
    count = middle.shape[1]
    for k in range(count):
        s = k * arc[-1] / count
        x, y = point_at(center, arc, s)
        inner_x, inner_y, outer_x, outer_y = nearest_borders(edges, near, s, x, y)
        inner, outer = (1, 0) if is_ccw else (0, 1)
        middle[inner, k, 0], middle[inner, k, 1] = 0.5 * (x + inner_x), 0.5 * (y + inner_y)
        middle[outer, k, 0], middle[outer, k, 1] = 0.5 * (x + outer_x), 0.5 * (y + outer_y)


@lean
def lane_point(lanes: Any, length: float, s: float, left: float, leaving: float) -> tuple[float, float, float]:
    """A point of the lanes, or between them: x, y (m), and the heading of who drives there (rad).

    Args:
        lanes: `lanes_of` a track.
        length: of its centre line, m.
        s: m along it, from 0 to its length.
        left: 0 in the right lane, 1 in the left one.
        leaving: how `left` changes with each metre.
    """
    count = lanes.shape[1] - 1
    place = s / length * count
    k = min(int(place), count - 1)
    share = place - k
    right_x = lanes[0, k, 0] + share * (lanes[0, k + 1, 0] - lanes[0, k, 0])
    right_y = lanes[0, k, 1] + share * (lanes[0, k + 1, 1] - lanes[0, k, 1])
    left_x = lanes[1, k, 0] + share * (lanes[1, k + 1, 0] - lanes[1, k, 0])
    left_y = lanes[1, k, 1] + share * (lanes[1, k + 1, 1] - lanes[1, k, 1])
    right_dx = lanes[0, k, 2] + share * (lanes[0, k + 1, 2] - lanes[0, k, 2])
    right_dy = lanes[0, k, 3] + share * (lanes[0, k + 1, 3] - lanes[0, k, 3])
    left_dx = lanes[1, k, 2] + share * (lanes[1, k + 1, 2] - lanes[1, k, 2])
    left_dy = lanes[1, k, 3] + share * (lanes[1, k + 1, 3] - lanes[1, k, 3])
    across_x, across_y = left_x - right_x, left_y - right_y
    dx = right_dx + left * (left_dx - right_dx) + leaving * across_x
    dy = right_dy + left * (left_dy - right_dy) + leaving * across_y
    return right_x + left * across_x, right_y + left * across_y, float(np.arctan2(dy, dx))
