"""DeepRacer's `params`: the dict that a reward function is given.

This file alone knows the 27 keys. A kernel writes their numbers for a whole batch into three small tables, and
`Params.of` turns a row of each into a learner's dict of plain Python values. Poses of running episodes and
lone poses (`params_at`) go through the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import cos, hypot, pi, sin
from operator import call, or_
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from racer.sim import CARS, STEP_S, Car, Road, World, at_row, lean, nearest_borders, project, road_of, wheels_on_road
from racer.track import Track

if TYPE_CHECKING:
    from racer.reward.objects import Surroundings
    from racer.sim import TrackObject

FLOATS = (
    "x",
    "y",
    "heading",
    "distance_from_center",
    "projection_distance",
    "progress",
    "steps",
    "speed",
    "steering_angle",
    "track_width",
    "sim_time",
)
"""Columns of the table of floats."""

KEYS = (
    "all_wheels_on_track",
    "x",
    "y",
    "heading",
    "distance_from_center",
    "projection_distance",
    "progress",
    "steps",
    "speed",
    "steering_angle",
    "track_width",
    "track_length",
    "waypoints",
    "closest_waypoints",
    "is_left_of_center",
    "is_reversed",
    "is_offtrack",
    "is_crashed",
    "closest_objects",
    "objects_location",
    "objects_distance",
    "objects_distance_from_center",
    "objects_left_of_center",
    "objects_heading",
    "objects_speed",
    "object_in_camera",
    "sim_time",
)
"""Every key of `params`, all of them always present."""

ALMOST = 100.0 - 1e-9  # percent: 100 appears once, when the car has crossed the line


Build = Callable[[list[float], list[int], list[bool]], dict[str, Any]]


class Params:
    """The dicts of a batch of cars.

    Attributes:
        floats, waypoints, flags: (cars, ...) tables, filled by `describe`: the columns `FLOATS`; the previous and the
            next waypoint; all wheels on track, left of centre, off track. Car j of race i has the row `i * m + j`.
    """

    def __init__(self, track: Track, count: int) -> None:
        """Make room for `count` cars, on `track` until `describe` finds them on others."""
        self.floats = np.zeros((count, len(FLOATS)))
        self.waypoints = np.zeros((count, 2), dtype=np.int64)
        self.flags = np.zeros((count, 3), dtype=np.bool_)
        self._track: Track | None = track  # None where cars are on several
        self._builds: list[Build] | Build = _build_for(track)  # of each car; one where all are on the same track
        self._around: Surroundings | None = None  # of worlds with traffic

    def describe(self, world: World, commands: NDArray[np.float64]) -> None:
        """Fill the tables with the cars of `world` where they stand, about to be given `commands`.

        This is what DeepRacer's reward of a step sees: the pose before the action acts, and the action (steering in
        degrees and speed in m/s, as commanded, whatever the actuators allow).
        """
        tables = self.floats, self.waypoints, self.flags
        if world.traffic is not None:
            if self._around is None:
                from racer.reward.objects import Surroundings

                self._around = Surroundings(len(self.floats), world.things.shape[1] + world.cars.shape[1] - 1)
            self._around.describe(world)
        if world.one_track:
            _describe(world.cars.reshape(-1), commands.reshape(-1, 2), tuple(world.road), *tables)
            if self._track is not world.track:
                self._track, self._builds = world.track, _build_for(world.track)
            return
        self._track, builds = None, [_build_for(world.track)] * len(self.floats)
        for races, part in world.by_track():
            numbers = np.arange(len(builds)).reshape(world.cars.shape)[races].ravel()
            some = tuple(table[numbers] for table in tables)
            _describe(part.cars.reshape(-1), commands[races].reshape(-1, 2), tuple(part.road), *some)
            for table, described in zip(tables, some, strict=True):
                table[numbers] = described
            build = _build_for(part.track)
            for number in numbers.tolist():
                builds[number] = build
        self._builds = builds

    def mark_crashed(self, world: World) -> None:
        """Fill in who has crashed, once a world that was described has taken its step.

        As in DeepRacer, `is_crashed` is filled in when the rules have judged the pose, the other keys before.
        """
        if self._around is not None:
            self._around.mark_crashed(world.cars)

    def prepare(self, world: World) -> None:
        """Fill the tables with cars just put down: DeepRacer's prepare step, in which nothing is commanded."""
        self.describe(world, np.zeros((*world.cars.shape, 2)))
        self.floats[:, FLOATS.index("steps")] -= 1.0

    def rows(self, cars: slice, floats: list[list[float]]) -> Iterator[dict[str, Any]]:
        """The dicts of several cars; `floats` are their rows of that table."""
        others = self.waypoints[cars].tolist(), self.flags[cars].tolist()
        if isinstance(self._builds, list):
            rows = map(call, self._builds[cars], floats, *others)
        else:
            rows = map(self._builds, floats, *others)
        return rows if self._around is None else map(or_, rows, self._around.rows(cars))

    def of(self, i: int) -> dict[str, Any]:
        """The dict of car i: a new one each time, so that a reward function may change it."""
        return next(self.rows(slice(i, i + 1), [self.floats[i].tolist()]))


class _Template:
    """What the `params` of all cars on a track share."""

    def __init__(self, track: Track) -> None:
        self._waypoints = [(float(x), float(y)) for x, y in track.center]
        constant = {"track_length": float(track.length), "is_reversed": bool(track.reversed)}
        constant |= {"is_crashed": False, "object_in_camera": False}
        self._constant: dict[str, Any] = {key: constant.get(key) for key in KEYS}

    def build(self, floats: list[float], waypoints: list[int], flags: list[bool]) -> dict[str, Any]:
        """One dict from a row of each table."""
        # Written out: this runs once for each car and step of a training, and a loop over keys costs twice as much.
        params = self._constant.copy()
        (
            params["x"],
            params["y"],
            params["heading"],
            params["distance_from_center"],
            params["projection_distance"],
            params["progress"],
            params["steps"],
            params["speed"],
            params["steering_angle"],
            params["track_width"],
            params["sim_time"],
        ) = floats
        params["all_wheels_on_track"], params["is_left_of_center"], params["is_offtrack"] = flags
        params["closest_waypoints"] = waypoints
        params["waypoints"] = self._waypoints[:]
        params["closest_objects"] = [0, 0]
        params["objects_location"] = []
        params["objects_distance"] = []
        params["objects_distance_from_center"] = []
        params["objects_left_of_center"] = []
        params["objects_heading"] = []
        params["objects_speed"] = []
        return params


_templates: WeakKeyDictionary[Track, _Template] = WeakKeyDictionary()


def _build_for(track: Track) -> Build:
    """What makes the dict of a car on `track` from a row of each table."""
    template = _templates.get(track)
    if template is None:
        template = _templates[track] = _Template(track)
    return template.build


@dataclass(frozen=True)
class Moment:
    """What `params` say of a car besides its pose.

    Attributes:
        speed: commanded, m/s.
        steering_angle: commanded, rad, left positive.
        steps: counter of the episode's steps.
        start: where the episode started (its origin), as a share of the lap.
        previous_progress: percent, of the step before; keeps progress from wrapping between 0 and 100.
        sim_time: s; by default what `steps` amount to.
    """

    speed: float = 0.0
    steering_angle: float = 0.0
    steps: float = 2.0
    start: float = 0.0
    previous_progress: float | None = None
    sim_time: float | None = None


def params_at(
    track: Track,
    x: float,
    y: float,
    heading: float,
    *,
    car: Car = CARS["deepracer"],
    objects: Sequence[TrackObject] = (),
    **moment: Any,
) -> dict[str, Any]:
    """The `params` of a car at any pose, as a reward function would be given them.

    Args:
        track: a closed track.
        x, y: m, the point that DeepRacer's `x`, `y` and logs speak of: `car.front_point` ahead of the origin.
        heading: rad.
        car: for its wheels.
        objects: boxes and bot cars on the track.
        **moment: `speed` (m/s) and `steering_angle` (rad) as commanded, `steps`, `start`, `previous_progress`,
            `sim_time`; see `Moment`.

    Returns:
        A new dict of `KEYS`. The projection is the globally nearest one, as in the original.

    Raises:
        TrackError: the track is open.
        ValueError: a number is not finite.
        TypeError: there is no such argument.
    """
    given = Moment(**moment)
    numbers = (x, y, heading, given.speed, given.steering_angle, given.steps, given.start)
    if not np.isfinite(numbers).all():
        raise ValueError(f"x, y, heading, speed, steering_angle, steps, start must be finite numbers, not {numbers}")
    road = road_of(track)
    params = Params(track, 1)
    if not -pi < heading <= pi:
        heading = pi - (pi - heading) % (2.0 * pi)
    fill_pose(params, 0, (x, y, heading), road, car)
    floats = params.floats[0]
    progress = (floats[FLOATS.index("projection_distance")] / road.s[-1] - given.start) * 100.0
    if progress <= 0.0:
        progress += 100.0
    if given.previous_progress is not None:
        if given.previous_progress > progress + 50.0:
            progress += 100.0
        elif progress > given.previous_progress + 50.0:
            progress -= 100.0
    floats[FLOATS.index("progress")] = min(100.0, progress)
    floats[FLOATS.index("steps")] = given.steps
    floats[FLOATS.index("speed")] = given.speed
    floats[FLOATS.index("steering_angle")] = given.steering_angle * 180.0 / pi
    floats[FLOATS.index("sim_time")] = given.steps * STEP_S if given.sim_time is None else given.sim_time
    described = params.of(0)
    if objects:
        from racer.reward.objects import object_params

        described |= object_params(track, x, y, heading, objects, car)
    return described


def fill_pose(params: Params, i: int, pose: tuple[float, float, float], road: Road, car: Car) -> None:
    """Write into row i what a pose alone decides: `x`, `y` (m, the front point) and the heading (rad, -pi..pi)."""
    x, y, heading = pose
    c, sn = cos(heading), sin(heading)
    segment, share = project(road.center, x, y)
    wheels = wheels_on_road(x - car.front_point * c, y - car.front_point * sn, c, sn, car.constants, road)
    _fill(i, x, y, heading, segment, share, wheels, road, params.floats, params.waypoints, params.flags)


@lean
def _describe(cars: Any, commands: Any, lines: Any, floats: Any, waypoints: Any, flags: Any) -> None:
    road = Road(*lines)  # Numba takes plain tuples from Python three times as fast as named ones
    length = road.s[-1]
    for i in range(len(cars)):
        state = cars[i]
        x, y, wheels = state.front_x, state.front_y, state.wheels_on_track
        _fill(i, x, y, state.heading, state.segment, state.share, wheels, road, floats, waypoints, flags)
        lap_done = state.laps > 0 and state.lap_step == state.steps
        driven = (state.distance - state.laps * length) / length * 100.0
        floats[i, 5] = 100.0 if lap_done else min(ALMOST, driven)
        floats[i, 6] = state.steps + 1
        floats[i, 7] = commands[i, 1]
        floats[i, 8] = commands[i, 0]
        floats[i, 10] = (state.clock + 1) * STEP_S


@lean
def _fill(
    i: int,
    x: float,
    y: float,
    heading: float,
    segment: int,
    share: float,
    wheels: int,
    road: Any,
    floats: Any,
    waypoints: Any,
    flags: Any,
) -> None:
    """Write into row i what the front point (x, y), the heading, the projection and the wheels on the road decide."""
    center, arc = road.center, road.s
    px = center[segment, 0] + share * (center[segment + 1, 0] - center[segment, 0])
    py = center[segment, 1] + share * (center[segment + 1, 1] - center[segment, 1])
    s = at_row(arc, segment, share)
    inner_x, inner_y, outer_x, outer_y = nearest_borders(road.edges, road.near, s, px, py)
    floats[i, 0], floats[i, 1], floats[i, 2] = x, y, heading * 180.0 / pi
    floats[i, 3], floats[i, 4] = hypot(x - px, y - py), s
    floats[i, 9] = hypot(outer_x - inner_x, outer_y - inner_y)
    last = len(arc) - 1
    following = segment + 1
    while following < last and arc[following] <= s:
        following += 1
    if arc[following] <= s:
        waypoints[i, 0], waypoints[i, 1] = last, 0
    else:
        waypoints[i, 0], waypoints[i, 1] = following - 1, following
    to_inner, to_outer = (x - inner_x) ** 2 + (y - inner_y) ** 2, (x - outer_x) ** 2 + (y - outer_y) ** 2
    nearer_inner = to_inner < to_outer
    if not abs(to_inner - to_outer) > 1e-9 * to_inner:  # squares are quicker to be had, but rounded otherwise
        nearer_inner = hypot(x - inner_x, y - inner_y) < hypot(x - outer_x, y - outer_y)
    flags[i, 0] = wheels == 4
    flags[i, 1] = nearer_inner == road.is_ccw
    flags[i, 2] = wheels == 0
