"""`params` against the reference: keys, types, Shapely's geometry, and every row of the original's logs."""

import csv
import math

import numpy as np
import pytest
import shapely
from drives import ring
from shapely import LinearRing, LineString, Point, Polygon
from shapely.ops import nearest_points

import racer.reward
from racer.errors import TrackError
from racer.reward import params_at
from racer.reward.params import KEYS
from racer.sim import CARS
from racer.track import load_track, track_from_arrays

# Written from section 1.1 of the reference, not from the code.
TYPES = {
    "all_wheels_on_track": bool,
    "x": float,
    "y": float,
    "heading": float,
    "distance_from_center": float,
    "projection_distance": float,
    "progress": float,
    "steps": float,
    "speed": float,
    "steering_angle": float,
    "track_width": float,
    "track_length": float,
    "waypoints": list,
    "closest_waypoints": list,
    "is_left_of_center": bool,
    "is_reversed": bool,
    "is_offtrack": bool,
    "is_crashed": bool,
    "closest_objects": list,
    "objects_location": list,
    "objects_distance": list,
    "objects_distance_from_center": list,
    "objects_left_of_center": list,
    "objects_heading": list,
    "objects_speed": list,
    "object_in_camera": bool,
    "sim_time": float,
}

# Wheel centres ahead of the model origin and left of it, m (reference 4.1).
WHEELS = ((0.082311, 0.079601), (0.082311, -0.079601), (-0.081663, 0.08105), (-0.081663, -0.08105))
FRONT_POINT = 0.14


class Oracle:
    """What the reference says, computed with Shapely from a track's lines alone."""

    def __init__(self, track):
        self.line, self.ccw = LineString(track.center), LinearRing(track.center).is_ccw
        self.inner, self.outer = LinearRing(track.inner), LinearRing(track.outer)
        self.inside = [Polygon(track.outer), Polygon(track.inner)]
        for polygon in self.inside:
            shapely.prepare(polygon)
        steps = np.hypot(*np.diff(track.center, axis=0).T)
        self.arc = np.concatenate([[0.0], np.cumsum(steps)])

    def __call__(self, x, y, heading):
        point = Point(x, y)
        s = self.line.project(point)
        foot = self.line.interpolate(s)
        by_inner, by_outer = (nearest_points(border, foot)[0] for border in (self.inner, self.outer))
        following = int(np.argmax(self.arc > s + 1e-9))  # on a vertex, that vertex is the previous one
        c, sn = math.cos(heading), math.sin(heading)
        wheels = [(x + (a - FRONT_POINT) * c - left * sn, y + (a - FRONT_POINT) * sn + left * c) for a, left in WHEELS]
        in_outer, in_inner = (shapely.contains_xy(polygon, np.array(wheels)) for polygon in self.inside)
        on = in_outer & ~in_inner
        return {
            "x": pytest.approx(x),
            "y": pytest.approx(y),
            "heading": pytest.approx(math.degrees(heading)),
            "distance_from_center": pytest.approx(self.line.distance(point), abs=1e-9),
            "projection_distance": pytest.approx(s, abs=1e-7),
            "track_width": pytest.approx(by_inner.distance(by_outer), abs=1e-6),
            "track_length": pytest.approx(self.line.length, rel=1e-12),
            "closest_waypoints": [following - 1, following],
            "is_left_of_center": (point.distance(by_inner) < point.distance(by_outer)) != (not self.ccw),
            "all_wheels_on_track": bool(on.all()),
            "is_offtrack": not on.any(),
        }


def poses(track, count, seed):
    rng = np.random.default_rng(seed)
    s = rng.uniform(0.0, track.length, count)
    x, y = (np.interp(s, track.s, track.center[:, k]) for k in (0, 1))
    aside = rng.normal(0.0, 0.5, (2, count)) * track.width
    return np.stack([x + aside[0], y + aside[1], rng.uniform(-math.pi, math.pi, count)], axis=1).tolist()


def test_all_keys_with_their_plain_types():
    given = params_at(ring(), 2.0, 0.1, 1.5, speed=2, steering_angle=np.float64(0.1), steps=np.int64(7))
    assert {key: type(value) for key, value in given.items()} == TYPES
    assert set(KEYS) == set(TYPES) and len(KEYS) == 27
    assert {type(row) for row in given["waypoints"]} == {tuple}
    assert {type(number) for row in given["waypoints"] for number in row} == {float}
    assert [type(index) for index in given["closest_waypoints"]] == [int, int]


def test_what_a_lone_car_is_told_about_others():
    given = params_at(ring(), 2.0, 0.1, 1.5)
    assert given["closest_objects"] == [0, 0]
    for key in KEYS:
        if key.startswith("objects_"):
            assert given[key] == [], key
    assert not given["is_crashed"] and not given["object_in_camera"]


def test_commands_are_told_as_they_were_given():
    given = params_at(ring(), 2.0, 0.1, 1.5, speed=9.5, steering_angle=math.radians(-77.0), steps=12)
    assert given["speed"] == 9.5
    assert given["steering_angle"] == pytest.approx(-77.0)
    assert given["steps"] == 12.0
    assert given["sim_time"] == pytest.approx(12 / 15)


def test_it_is_the_rewards_module_that_offers_it():
    assert racer.reward.params_at is params_at


def test_every_dict_is_a_new_one():
    track = ring()
    first, again = params_at(track, 2.0, 0.0, 0.0), params_at(track, 2.0, 0.0, 0.0)
    for key, value in first.items():
        if isinstance(value, list):
            assert value is not again[key], key
            value.append("spoiled")
    assert params_at(track, 2.0, 0.0, 0.0) == again


def test_geometry_is_shapelys(course):
    seen = []
    for track in (course, course.reverse()):
        oracle = Oracle(track)
        for x, y, heading in poses(track, 60, seed=5):
            given = params_at(track, x, y, heading)
            expected = oracle(x, y, heading)
            assert {key: given[key] for key in expected} == expected, (x, y, heading)
            seen.append((given["is_left_of_center"], given["all_wheels_on_track"], given["is_offtrack"]))
    assert all(set(column) == {False, True} for column in zip(*seen, strict=True))


def test_waypoints_are_the_rows_in_driving_direction(course):
    there, back = (params_at(track, 0.0, 0.0, 0.0) for track in (course, course.reverse()))
    assert there["waypoints"] == [tuple(row) for row in course.center.tolist()]
    assert back["waypoints"] == there["waypoints"][::-1]
    assert (there["is_reversed"], back["is_reversed"]) == (False, True)


def test_a_waypoint_exactly_hit_is_the_previous_one(course):
    for track in (course, course.reverse()):
        for i in range(len(track.center) - 1):
            x, y = track.center[i]
            if (track.center[i + 1] == track.center[i]).all():
                continue  # of two in one place it is the later one
            given = params_at(track, x, y, 0.0)
            assert given["closest_waypoints"] == [i, i + 1]
            assert given["distance_from_center"] < 1e-12


def test_the_end_of_the_ring_is_before_its_first_waypoint():
    """`ndist` exactly 1: nearer to the last segment's end than to the first one's start, by a rounding."""
    track = ring(rows=61)
    last = len(track.center) - 1
    found = set()
    for x in (np.nextafter(2.0, 1.0), 2.0, np.nextafter(2.0, 3.0)):
        for y in (-1e-16, -1e-300, 0.0, 1e-300, 1e-16):
            given = params_at(track, x, y, 0.0)
            pair = given["closest_waypoints"]
            found.add(tuple(pair))
            full = given["projection_distance"] == given["track_length"]
            assert pair == [last, 0] if full else pair in ([0, 1], [last - 1, last])
    assert (0, 1) in found


def test_a_repeated_row_is_kept_and_skipped():
    plain = ring()
    lines = [np.insert(line, 20, line[20], axis=0) for line in (plain.center, plain.inner, plain.outer)]
    track = track_from_arrays("doubled", *lines)
    angle = [2.0 * math.pi * k / 60 for k in (19.5, 20.5)]
    before, after = (params_at(track, 2.1 * math.cos(a), 2.1 * math.sin(a), a)["closest_waypoints"] for a in angle)
    assert (before, after) == ([19, 20], [21, 22])
    x, y = track.center[20]
    assert params_at(track, x, y, 0.0)["closest_waypoints"] == [21, 22]
    assert len(params_at(track, x, y, 0.0)["waypoints"]) == len(plain.center) + 1


@pytest.mark.parametrize("reverse", [False, True])
def test_left_is_the_drivers_left(reverse):
    """On a ring about the origin: counter-clockwise the inside is left, clockwise it is right."""
    track = ring().reverse() if reverse else ring()
    assert params_at(track, 1.8, 0.0, 0.0)["is_left_of_center"] is not reverse
    assert params_at(track, 2.2, 0.0, 0.0)["is_left_of_center"] is reverse


def test_a_clockwise_track_is_not_a_reversed_one():
    there = ring().reverse()
    track = track_from_arrays("clockwise", there.center, there.inner, there.outer)
    given = params_at(track, 1.8, 0.0, 0.0)
    assert not given["is_reversed"]
    assert not given["is_left_of_center"]


@pytest.mark.parametrize(
    ("heading", "degrees"),
    [
        (0.0, 0.0),
        (math.pi, 180.0),
        (1.5 * math.pi, -90.0),
        (-1.5 * math.pi, 90.0),
        (20 * math.pi + 1, 57.29578),
    ],
)
def test_headings_are_degrees_within_half_a_turn(heading, degrees):
    assert params_at(ring(), 2.0, 0.0, heading)["heading"] == pytest.approx(degrees)


def test_minus_half_a_turn_is_told_as_half_a_turn():
    assert params_at(ring(), 2.0, 0.0, -math.pi)["heading"] == 180.0


def on_ring(share, **more):
    """Progress on the ring at a share of the lap (the polygon's own shares, at its vertices)."""
    vertex = round(share * 60)
    x, y = ring().center[vertex % 60]
    return params_at(ring(), x, y, 0.0, **more)["progress"]


def test_progress_counts_from_the_start_of_the_episode():
    assert on_ring(0.25) == pytest.approx(25.0)
    assert on_ring(0.25, start=0.2) == pytest.approx(5.0)
    assert on_ring(0.1, start=0.9) == pytest.approx(20.0)
    assert on_ring(0.5, start=0.5) == pytest.approx(100.0)  # raw 0 counts as 100 ...
    assert on_ring(0.5, start=0.5, previous_progress=0.0) == pytest.approx(0.0)  # ... but not at the start


def test_progress_is_unwrapped_against_the_step_before():
    assert on_ring(0.9, previous_progress=0.5) == pytest.approx(-10.0)  # backwards over the line
    assert on_ring(0.9, previous_progress=None) == pytest.approx(90.0)
    assert on_ring(0.05, previous_progress=98.0) == 100.0  # 105, capped
    assert on_ring(0.8, previous_progress=-15.0) == pytest.approx(-20.0)
    assert on_ring(0.6, previous_progress=95.0) == pytest.approx(60.0)  # a jump of less than 50 is believed


@pytest.mark.parametrize("name", ["x", "y", "heading", "speed", "steering_angle", "steps", "start"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused(name, value):
    pose = {"x": 2.0, "y": 0.0, "heading": 0.0} | {name: value}
    with pytest.raises(ValueError, match="must be finite numbers") as caught:
        params_at(ring(), **pose)
    assert "\n" not in str(caught.value)


def test_an_open_track_is_refused():
    line = np.stack([np.linspace(0.0, 5.0, 22), np.zeros(22)], axis=1)
    aside = np.array([0.0, 0.4])
    track = track_from_arrays("sprint", line, line + aside, line - aside)
    with pytest.raises(TrackError, match="is open"):
        params_at(track, 0.0, 0.0, 0.0)


def test_far_from_everything_it_still_answers():
    given = params_at(load_track("harbor"), 1e6, -1e6, 0.0)
    assert given["is_offtrack"] and not given["all_wheels_on_track"]
    assert given["distance_from_center"] == pytest.approx(math.hypot(1e6, 1e6), rel=1e-3)


LOGS = {
    "console2022_eval1_reinvent2018_simtrace.csv": "reinvent_base",
    "console2022_eval2_reinvent2018_simtrace.csv": "reinvent_base",
    "console2022_train_iter0_simtrace.csv": "reinvent_base",
    "console2022_train_iter25_simtrace.csv": "reinvent_base",
    "drfc2022_eval1_reinvent2018_simtrace.csv": "reinvent_base",
    "baadal2021_eval_simtrace.csv": "AmericasGeneratedInclStart",
    "droa2026_eval_spain_simtrace.csv": "Spain_track",
}


def test_no_log_is_left_out(logs):
    assert {path.name for path in logs.glob("*simtrace.csv")} == set(LOGS)


@pytest.mark.parametrize("name", LOGS)
def test_every_row_of_the_originals_logs(logs, route, name):
    """X, Y are the front point; an episode starts at a multiple of 5 % of a lap."""
    track = route(LOGS[name])
    with (logs / name).open() as file:
        rows = list(csv.DictReader(file))
    episode, start, previous, all_in = "", 0.0, 0.0, []
    for row in rows:
        x, y, heading = float(row["X"]), float(row["Y"]), math.radians(float(row["yaw"]))
        given = params_at(track, x, y, heading)
        if row["episode"] != episode:
            episode, previous = row["episode"], 0.0
            behind = (given["projection_distance"] - FRONT_POINT) / track.length
            start = round(behind * 20.0) % 20 / 20.0
        given = params_at(
            track,
            x,
            y,
            heading,
            speed=float(row["throttle"]),
            steering_angle=math.radians(float(row["steer"])),
            steps=float(row["steps"]),
            start=start,
            previous_progress=previous,
        )
        where = f"{name}, episode {episode}, step {row['steps']}"
        previous = 0.0 if given["progress"] == 100.0 else given["progress"]
        assert given["track_length"] == pytest.approx(float(row["track_len"]), rel=1e-6), where
        assert given["progress"] == pytest.approx(float(row["progress"]), abs=1e-3), where
        assert given["heading"] == pytest.approx(float(row["yaw"]), abs=1e-9), where
        assert given["steering_angle"] == pytest.approx(float(row["steer"])), where
        assert given["speed"] == float(row["throttle"]), where
        assert given["is_offtrack"] == (row["episode_status"] == "off_track"), where
        pair = given["closest_waypoints"]
        away = [math.dist((x, y), given["waypoints"][i]) for i in pair]
        assert pair[away[1] < away[0]] == int(row["closest_waypoint"]), where
        if row["episode_status"] != "pause":  # the car is being carried back
            all_in.append(given["all_wheels_on_track"] == (row["all_wheels_on_track"] == "True"))
    # The rest are steered front wheels within 4 mm of a border: they turn about a point beside their centre.
    assert np.mean(all_in) >= 0.998


def test_the_wheels_are_those_of_the_reference():
    car = CARS["deepracer"]
    ours = (car.front_axle, car.wheel_offset_front), (car.rear_axle, car.wheel_offset_rear)
    assert ours == WHEELS[::2]
    assert car.front_point == FRONT_POINT
