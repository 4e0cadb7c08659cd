"""The road as plans see it: smooth distances to its borders and smooth progress, with their slopes."""

from __future__ import annotations

from math import inf, sqrt
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from racer.sim.borders import nearest_on_edge, on_road
from racer.sim.compiled import inlined, kernel
from racer.sim.road import Road, road_of
from racer.track import Track

__all__ = ["Course", "beside", "course_of", "progress"]

GRID_M = 0.025  # of the grid that distances are kept on, m
AROUND_M = 0.4  # how far beyond the borders it reaches, m: a car that is further away is lost

FloatArray = NDArray[np.float64]


class Course(NamedTuple):
    """A road as plans see it.

    Attributes:
        inside: (rows, columns) m, distance to the nearest border at the corners of a grid; negative off the road.
        x, y: m, the grid's lower left corner.
        line: (n, 2) m, the centre line at equal distances; the last row repeats the first.
        tangents: (n, 2) its directions there.
        spacing: m.
    """

    inside: FloatArray
    x: float
    y: float
    line: FloatArray
    tangents: FloatArray
    spacing: float


_courses: WeakKeyDictionary[Track, Course] = WeakKeyDictionary()


def course_of(track: Track) -> Course:
    """The course of a track, which is kept as long as the track is.

    Raises:
        TrackError: the track is open.
    """
    course = _courses.get(track)
    if course is None:
        course = _courses[track] = _build(road_of(track))
    return course


def _build(road: Road) -> Course:
    low = road.edges.reshape(-1, 2).min(axis=0) - AROUND_M
    size = road.edges.reshape(-1, 2).max(axis=0) + AROUND_M - low
    inside = np.empty((int(size[1] / GRID_M) + 2, int(size[0] / GRID_M) + 2))
    _measure(road, float(low[0]), float(low[1]), inside)
    line = road.ahead
    chords = np.roll(line[:-1], -1, axis=0) - np.roll(line[:-1], 1, axis=0)
    tangents = chords / np.hypot(chords[:, 0], chords[:, 1])[:, None]
    return Course(inside, float(low[0]), float(low[1]), line, np.vstack([tangents, tangents[:1]]), road.ahead_spacing)


@kernel
def _measure(road: Road, x: float, y: float, inside: FloatArray) -> None:
    """Fill in the distance to the nearest border at each corner of the grid."""
    for row in range(inside.shape[0]):
        for column in range(inside.shape[1]):
            px, py = x + column * GRID_M, y + row * GRID_M
            nearest = inf
            for e in range(len(road.edges)):
                qx, qy = nearest_on_edge(road.edges, e, px, py)
                nearest = min(nearest, (qx - px) ** 2 + (qy - py) ** 2)
            inside[row, column] = sqrt(nearest) if on_road(road, px, py) else -sqrt(nearest)


@inlined
def beside(course: Any, x: float, y: float) -> tuple[float, float, float]:
    """Distance to the nearest border at (x, y), m, negative off the road; and its slopes in x and y."""
    across, up = (x - course.x) * (1.0 / GRID_M), (y - course.y) * (1.0 / GRID_M)
    column = int(min(max(across, 0.0), course.inside.shape[1] - 1.001))
    row = int(min(max(up, 0.0), course.inside.shape[0] - 1.001))
    u, v = across - column, up - row
    a, b = course.inside[row, column], course.inside[row, column + 1]
    c, d = course.inside[row + 1, column], course.inside[row + 1, column + 1]
    value = (1.0 - v) * (a + u * (b - a)) + v * (c + u * (d - c))
    slope_x = ((1.0 - v) * (b - a) + v * (d - c)) * (1.0 / GRID_M)
    slope_y = ((1.0 - u) * (c - a) + u * (d - b)) * (1.0 / GRID_M)
    return value, slope_x, slope_y


@inlined
def progress(course: Any, x: float, y: float, before: float) -> tuple[float, float, float]:
    """Arc length of (x, y) on the centre line, near arc length `before`, m; and its slopes in x and y.

    A point lies between two rows as it lies between the lines that stand there square to the centre line: unlike its
    projection, that changes smoothly. Arc lengths go on from lap to lap.
    """
    count = len(course.line) - 1
    first = int(np.floor(before / course.spacing))
    place = first
    for _ in range(20):
        i = place % count
        after = (x - course.line[i, 0]) * course.tangents[i, 0] + (y - course.line[i, 1]) * course.tangents[i, 1]
        j = i + 1
        left = (x - course.line[j, 0]) * course.tangents[j, 0] + (y - course.line[j, 1]) * course.tangents[j, 1]
        if left >= 0.0 and place < first + 9:
            place += 1
        elif after < 0.0 and left < 0.0 and place > first - 9:
            place -= 1
        else:
            break
    between = max(after - left, 0.1 * course.spacing)
    share = after / between
    slope_x = ((1.0 - share) * course.tangents[i, 0] + share * course.tangents[j, 0]) / between
    slope_y = ((1.0 - share) * course.tangents[i, 1] + share * course.tangents[j, 1]) / between
    return (place + share) * course.spacing, slope_x * course.spacing, slope_y * course.spacing
