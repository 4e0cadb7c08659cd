"""The keys of `params` that describe boxes, bot cars and other cars.

Invariant: places are those of DeepRacer's `params`, along the centre line in the driving direction, each object
projected on the point of the line that is nearest to it. Cars of running races and lone poses go through the same code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from math import atan, cos, sin, tan
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from racer.sensors import Camera
from racer.sim import (
    BOX_M,
    CAR_STATE,
    THING,
    Rules,
    TrackObject,
    Traffic,
    World,
    at_row,
    lean,
    meet,
    project,
    project_near,
    road_of,
)

if TYPE_CHECKING:
    from racer.sim import Car
    from racer.track import Track

__all__ = ["Surroundings", "object_params"]

NEAR_M, FAR_M = 0.02, 300.0  # what the camera sees begins and ends there
X, Y, ALONG, OFFSET, HEADING = range(5)


class Surroundings:
    """What `params` say of the objects around each car of a world with traffic: boxes or bot cars, then other cars."""

    def __init__(self, count: int, objects: int) -> None:
        """Make room for `count` cars with so many `objects` around each."""
        self._places = np.zeros((count, objects, 5))
        self._closest = np.zeros((count, 2), np.int64)
        self._in_camera = np.zeros(count, np.bool_)
        self._crashed = np.zeros(count, np.bool_)
        self._speeds: list[float] = [0.0] * objects

    def describe(self, world: World) -> None:
        """Fill in the objects of a world as they stand; nobody has crashed until `mark_crashed` says so."""
        if world.traffic is not None and world.traffic.bots is not None:
            # Where there are bot cars, the original says their speed of every object.
            self._speeds = [float(world.traffic.bots.speed)] * len(self._speeds)
        self._crashed[:] = False
        tables = self._places, self._closest, self._in_camera
        if world.one_track:
            _describe(world.cars, world.things, world.road.center, world.road.s, _lens(world.car), *tables)
            return
        for races, part in world.by_track():
            numbers = np.arange(len(self._closest)).reshape(world.cars.shape)[races].ravel()
            some = tuple(table[numbers] for table in tables)
            _describe(part.cars, part.things, part.road.center, part.road.s, _lens(world.car), *some)
            for table, described in zip(tables, some, strict=True):
                table[numbers] = described

    def mark_crashed(self, cars: NDArray[np.void]) -> None:
        """Fill in which of the cars (n, m) have crashed in the newest step."""
        self._crashed[:] = cars["hit"].reshape(-1) >= 0

    def rows(self, cars: slice) -> Iterator[dict[str, Any]]:
        """For several cars the eight keys that describe objects, and `is_crashed`."""
        places, lefts = self._places[cars], (self._places[cars, :, OFFSET] > 0.0).tolist()
        columns = (
            places[:, :, : Y + 1].tolist(),
            places[:, :, ALONG].tolist(),
            np.abs(places[:, :, OFFSET]).tolist(),
            lefts,
            places[:, :, HEADING].tolist(),
        )
        others = self._closest[cars].tolist(), self._in_camera[cars].tolist(), self._crashed[cars].tolist()
        for at, along, away, left, heading, closest, in_camera, crashed in zip(*columns, *others, strict=True):
            yield {
                "is_crashed": crashed,
                "closest_objects": closest,
                "objects_location": list(map(tuple, at)),
                "objects_distance": along,
                "objects_distance_from_center": away,
                "objects_left_of_center": left,
                "objects_heading": heading,
                "objects_speed": self._speeds[:],
                "object_in_camera": in_camera,
            }


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
        The eight keys that describe objects, and `is_crashed`. `object_in_camera` is what the original means it to be:
        the object ahead is in the picture.
    """
    road = road_of(track)
    cars, things = np.zeros((1, 1), CAR_STATE), np.zeros((1, len(objects)), THING)
    state: Any = cars[0, 0]
    state["x"], state["y"] = x - car.front_point * cos(heading), y - car.front_point * sin(heading)
    state["heading"] = heading
    state["segment"], state["share"] = project(road.center, x, y)
    state["s"] = at_row(road.s, state["segment"], state["share"])
    for thing, one in zip(things[0], objects, strict=True):
        thing["x"], thing["y"], thing["heading"], thing["is_bot"] = one.x, one.y, one.heading, one.is_bot
        thing["length"], thing["width"] = (car.length, car.width) if one.is_bot else BOX_M
        thing["segment"], thing["share"] = project(road.center, one.x, one.y)
        thing["s"] = at_row(road.s, thing["segment"], thing["share"])
        thing["offset"] = _offset(road.center, one.x, one.y, thing["segment"], thing["share"])
    around = Surroundings(1, len(objects))
    _describe(cars, things, road.center, road.s, _lens(car), around._places, around._closest, around._in_camera)
    meet(cars, things, road, car.constants, Rules().constants, Traffic().constants)
    around.mark_crashed(cars)
    described = next(around.rows(slice(0, 1)))
    shared = next((one.speed for one in objects if one.speed is not None), 0.0)
    return described | {"objects_speed": [float(shared if one.speed is None else one.speed) for one in objects]}


@cache
def _lens(car: Car) -> tuple[float, ...]:
    """The default camera, as `_in_picture` takes it: its place, its pitch, how much it sees, and the car's size."""
    camera = Camera()
    wide = tan(0.5 * camera.field_of_view)
    high = tan(atan(wide * camera.size[1] / camera.size[0]))
    place = camera.ahead_m, camera.height_m, cos(camera.pitch), sin(camera.pitch)
    return (*place, wide, high, car.length, car.width)


@lean
def _describe(cars: Any, things: Any, center: Any, arc: Any, lens: Any, places: Any, closest: Any, seen: Any) -> None:
    """Fill the tables of `Surroundings`, a row for each car (n, m)."""
    length, count, m = arc[-1], things.shape[1], cars.shape[1]
    for i in range(cars.shape[0]):
        for j in range(m):
            row, state = i * m + j, cars[i, j]
            for b in range(count):
                one = things[i, b]
                at = places[row, b]
                at[0], at[1], at[2], at[3] = one.x, one.y, one.s, one.offset
                at[4] = one.heading if one.is_bot == 1 else 0.0
            k = count
            for other in range(m):
                if other != j:
                    rival, at = cars[i, other], places[row, k]
                    segment, share = project_near(center, arc, rival.x, rival.y, rival.segment, rival.s)
                    at[0], at[1], at[2] = rival.x, rival.y, at_row(arc, segment, share)
                    at[3], at[4] = _offset(center, rival.x, rival.y, segment, share), rival.heading
                    k += 1
            behind, ahead, least_behind, least_ahead = 0, 0, np.inf, np.inf
            for k in range(places.shape[1]):
                gap = places[row, k, 2] - state.s
                before, after = (gap if gap > 0.0 else gap + length), (-gap if gap <= 0.0 else length - gap)
                if before < least_ahead:
                    least_ahead, ahead = before, k
                if after <= least_behind:
                    least_behind, behind = after, k
            closest[row, 0], closest[row, 1] = behind, ahead
            if places.shape[1] > 0:
                box_length, box_width, turned = lens[6], lens[7], places[row, ahead, 4]
                if ahead < count:
                    thing = things[i, ahead]
                    box_length, box_width, turned = thing.length, thing.width, thing.heading
                x, y = places[row, ahead, 0], places[row, ahead, 1]
                seen[row] = _in_picture(state, x, y, turned, box_length, box_width, lens)


@lean
def _offset(center: Any, x: float, y: float, segment: int, share: float) -> float:
    """How far to the left of the point of the centre line that it is projected on a point is, m."""
    dx, dy = center[segment + 1, 0] - center[segment, 0], center[segment + 1, 1] - center[segment, 1]
    away_x, away_y = x - center[segment, 0] - share * dx, y - center[segment, 1] - share * dy
    return float(np.sqrt(away_x * away_x + away_y * away_y) * (1.0 if dx * away_y > dy * away_x else -1.0))


@lean
def _in_picture(state: Any, x: float, y: float, turned: float, length: float, width: float, lens: Any) -> bool:
    """Whether the middle or a corner of what an object covers of the ground is in the picture of a car's camera."""
    c, s = cos(state.heading), sin(state.heading)
    along, across = cos(turned), sin(turned)
    for corner in range(5):
        a = 0.0 if corner == 4 else 0.5 * length * (1.0 if corner < 2 else -1.0)
        b = 0.0 if corner == 4 else 0.5 * width * (1.0 if corner % 2 == 0 else -1.0)
        dx, dy = x + along * a - across * b - state.x, y + across * a + along * b - state.y
        ahead, left = c * dx + s * dy - lens[0], c * dy - s * dx
        depth, down = lens[2] * ahead + lens[3] * lens[1], lens[2] * lens[1] - lens[3] * ahead
        if NEAR_M < depth < FAR_M and abs(left) <= depth * lens[4] and abs(down) <= depth * lens[5]:
            return True
    return False
