"""The keys of `params` that describe boxes and bot cars.

Invariant: places are those of DeepRacer's `params`, along the centre line in the driving direction, each object
projected on the point of the line that is nearest to it, wherever the car is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import atan, cos, hypot, sin, tan
from typing import TYPE_CHECKING, Any

from racer.sensors import Camera
from racer.sim import BOX_M, TrackObject, at_row, project, road_of

if TYPE_CHECKING:
    from racer.sim import Car
    from racer.track import Track

__all__ = ["object_params"]

NEAR_M, FAR_M = 0.02, 300.0  # what the camera sees begins and ends there


def object_params(
    track: Track, x: float, y: float, heading: float, objects: Sequence[TrackObject], car: Car
) -> dict[str, Any]:
    """The keys of `params` that describe objects, for a car at any pose.

    Args:
        track: a closed one.
        x, y: of the car's front point, m.
        heading: rad.
        objects: at least one.
        car: for its size, which bot cars share.

    Returns:
        The nine keys that begin with `object`, `closest_objects` and `is_crashed`. `object_in_camera` is what the
        original means it to be: the object ahead is in the picture.
    """
    road = road_of(track)
    along, aside = [], []
    for one in (TrackObject(x, y), *objects):
        i, share = project(road.center, one.x, one.y)
        dx, dy = road.center[i + 1] - road.center[i]
        away_x, away_y = one.x - road.center[i, 0] - share * dx, one.y - road.center[i, 1] - share * dy
        along.append(float(at_row(road.s, i, share)))
        aside.append(float(hypot(away_x, away_y)) * (1.0 if dx * away_y > dy * away_x else -1.0))
    here, distances = along[0], along[1:]
    order = sorted(range(len(objects)), key=distances.__getitem__)
    following = bisect_right([distances[k] for k in order], here)
    behind, ahead = order[following - 1], order[following % len(order)]
    # Where there are bot cars the original gives boxes their speed, too.
    shared = next((one.speed for one in objects if one.speed is not None), 0.0)
    origin = x - car.front_point * cos(heading), y - car.front_point * sin(heading)
    hit = [
        _touches(origin, heading, one, car) and (not one.is_bot or here < place)
        for one, place in zip(objects, distances, strict=True)
    ]
    return {
        "is_crashed": any(hit),
        "closest_objects": [behind, ahead],
        "objects_location": [(float(one.x), float(one.y)) for one in objects],
        "objects_distance": distances,
        "objects_distance_from_center": [abs(offset) for offset in aside[1:]],
        "objects_left_of_center": [offset > 0.0 for offset in aside[1:]],
        "objects_heading": [float(one.heading) if one.is_bot else 0.0 for one in objects],
        "objects_speed": [float(shared if one.speed is None else one.speed) for one in objects],
        "object_in_camera": _in_camera(origin, heading, objects[ahead], car),
    }


def _size(one: TrackObject, car: Car) -> tuple[float, float]:
    return (car.length, car.width) if one.is_bot else BOX_M


def _corners(x: float, y: float, heading: float, size: tuple[float, float]) -> list[tuple[float, float]]:
    c, s = cos(heading), sin(heading)
    halves = [(0.5 * a * size[0], 0.5 * b * size[1]) for a in (1.0, -1.0) for b in (1.0, -1.0)]
    return [(x + c * along - s * left, y + s * along + c * left) for along, left in halves]


def _seen_from(x: float, y: float, heading: float, point: tuple[float, float]) -> tuple[float, float]:
    """How far ahead of a pose a point is, and how far to its left, m."""
    dx, dy, c, s = point[0] - x, point[1] - y, cos(heading), sin(heading)
    return c * dx + s * dy, c * dy - s * dx


def _touches(origin: tuple[float, float], heading: float, one: TrackObject, car: Car) -> bool:
    """Whether a corner of the car is inside the object; the original does not ask the other way round."""
    length, width = _size(one, car)
    seen = [_seen_from(one.x, one.y, one.heading, p) for p in _corners(*origin, heading, (car.length, car.width))]
    return any(abs(ahead) < 0.5 * length and abs(left) < 0.5 * width for ahead, left in seen)


def _in_camera(origin: tuple[float, float], heading: float, one: TrackObject, car: Car) -> bool:
    """Whether the middle or a corner of what it covers of the ground is in the default camera's picture."""
    camera = Camera()
    half = 0.5 * camera.field_of_view
    steepest = atan(tan(half) * camera.size[1] / camera.size[0])
    c, s = cos(camera.pitch), sin(camera.pitch)
    for point in [(one.x, one.y), *_corners(one.x, one.y, one.heading, _size(one, car))]:
        ahead, left = _seen_from(*origin, heading, point)
        ahead -= camera.ahead_m
        depth, down = c * ahead + s * camera.height_m, c * camera.height_m - s * ahead
        if NEAR_M < depth < FAR_M and abs(left) <= depth * tan(half) and abs(down) <= depth * tan(steepest):
            return True
    return False
