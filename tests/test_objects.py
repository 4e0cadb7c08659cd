"""What `params` tell of boxes and bot cars, against Shapely and the reference."""

import math

import numpy as np
import pytest
from drives import ring
from shapely import LinearRing, LineString, Point, Polygon

from racer.reward import params_at
from racer.reward.params import KEYS
from racer.sensors import Camera
from racer.sim import BOX, TrackObject

CAR_M = (0.32352, 0.1961)  # reference 4.1


def rectangle(x, y, heading, length, width):
    c, s = math.cos(heading), math.sin(heading)
    corners = [(0.5 * a * length, 0.5 * b * width) for a, b in ((1, 1), (1, -1), (-1, -1), (-1, 1))]
    return Polygon([(x + c * a - s * b, y + s * a + c * b) for a, b in corners])


def on_the_road(track, count, seed):
    """Poses on the road or a little beside it: x, y, heading."""
    rng = np.random.default_rng(seed)
    s, d = rng.uniform(0.0, track.length, count), rng.uniform(-0.5, 0.5, count) * track.width
    i = np.clip(np.searchsorted(track.s, s) - 1, 0, len(track.s) - 2)
    step = track.center[i + 1] - track.center[i]
    step /= np.hypot(*step.T)[:, None]
    at = track.center[i] + (s - track.s[i])[:, None] * step + d[:, None] * np.stack([-step[:, 1], step[:, 0]], axis=1)
    return [(x, y, h) for (x, y), h in zip(at.tolist(), rng.uniform(-math.pi, math.pi, count).tolist(), strict=True)]


@pytest.mark.parametrize("reverse", [False, True])
def test_places_are_shapelys(reverse):
    track = ring(3.0, 90).reverse() if reverse else ring(3.0, 90)
    line, inside = LineString(track.center), Polygon(track.center)
    for seed in range(40):
        x, y, heading = on_the_road(track, 1, seed)[0]
        objects = [TrackObject(*pose) for pose in on_the_road(track, 1 + seed % 5, seed + 100)]
        given = params_at(track, x, y, heading, objects=objects)
        points = [Point(one.x, one.y) for one in objects]
        along = [line.project(point) for point in points]
        assert given["objects_location"] == [(one.x, one.y) for one in objects]
        assert given["objects_distance"] == pytest.approx(along, abs=1e-7)
        assert given["objects_distance_from_center"] == pytest.approx([line.distance(p) for p in points], abs=1e-9)
        assert given["objects_left_of_center"] == [
            inside.contains(p) ^ (not LinearRing(track.center).is_ccw) for p in points
        ]
        here = line.project(Point(x, y))
        ahead = min(range(len(along)), key=lambda k: (along[k] - here) % track.length)
        behind = min(range(len(along)), key=lambda k: (here - along[k]) % track.length)
        assert given["closest_objects"] == [behind, ahead]


def test_a_crash_is_where_the_rectangles_overlap():
    track, crashed = ring(), set()
    for seed in range(300):
        x, y, heading = on_the_road(track, 1, seed)[0]
        rng = np.random.default_rng(seed)
        box = TrackObject(x + rng.normal(0.0, 0.25), y + rng.normal(0.0, 0.25), rng.uniform(-4.0, 4.0))
        origin = x - 0.14 * math.cos(heading), y - 0.14 * math.sin(heading)
        car, thing = rectangle(*origin, heading, *CAR_M), rectangle(box.x, box.y, box.heading, 0.5, 0.4)
        given = params_at(track, x, y, heading, objects=[box])["is_crashed"]
        assert given is car.intersects(thing)
        crashed.add((given, any(thing.contains(Point(corner)) for corner in car.exterior.coords)))
    assert (True, False) in crashed, "a corner of the box in the car is a crash, too"


def test_a_crash_with_a_bot_is_charged_to_the_car_behind():
    track = ring()
    x, y = 2.0 * math.cos(1.0), 2.0 * math.sin(1.0)
    for angle, charged in ((1.12, True), (0.88, False)):
        bot = TrackObject(2.0 * math.cos(angle), 2.0 * math.sin(angle), angle + 0.5 * math.pi, 0.2)
        heading = 1.0 + 0.5 * math.pi
        front = x + 0.14 * math.cos(heading), y + 0.14 * math.sin(heading)
        at = params_at(track, *front, heading, objects=[bot])
        assert at["is_crashed"] is charged
        box = TrackObject(bot.x, bot.y, bot.heading)
        assert params_at(track, *front, heading, objects=[box])["is_crashed"]


def test_headings_and_speeds_of_boxes_and_bots():
    track = ring()
    bots = [TrackObject(0.0, 2.0, math.pi, 0.7), TrackObject(0.0, -2.0, 0.0, 0.7)]
    boxes = [TrackObject(-2.0, 0.0, 1.0)]
    given = params_at(track, 2.0, 0.1, 1.5, objects=boxes)
    assert (given["objects_heading"], given["objects_speed"]) == ([0.0], [0.0])
    given = params_at(track, 2.0, 0.1, 1.5, objects=[*bots, *boxes])
    assert given["objects_heading"] == [math.pi, 0.0, 0.0]
    assert given["objects_speed"] == [0.7, 0.7, 0.7], "with bot cars, their speed is told of boxes too"


def test_the_object_ahead_is_in_the_picture_when_the_camera_draws_it():
    track, camera = ring(4.0, 120), Camera()
    seen = set()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        s = rng.uniform(0.3, 2.5) / 4.0
        heading = 0.5 * math.pi + rng.uniform(-0.9, 0.9)
        one = TrackObject(4.0 * math.cos(s), 4.0 * math.sin(s), s + 0.5 * math.pi)
        front = 4.0 + 0.14 * math.cos(heading), 0.14 * math.sin(heading)
        given = params_at(track, *front, heading, objects=[one])["object_in_camera"]
        box = np.zeros(1, BOX)
        box["x"], box["y"], box["heading"] = one.x, one.y, one.heading
        box["length"], box["width"], box["height"] = 0.5, 0.4, 0.001  # its floor alone
        pose = [[4.0, 0.0, heading]]
        drawn = bool((camera.look(track, pose, box) != camera.look(track, pose)).any())
        if given:
            assert drawn, seed
        seen.add((given, drawn))
    assert {(True, True), (False, False)} <= seen


def test_values_are_plain_and_no_key_is_new():
    given = params_at(ring(), 2.0, 0.1, 1.5, objects=[TrackObject(0, 2), TrackObject(np.float64(0.0), -2.0, 0.1, 1)])
    assert set(given) == set(KEYS)
    assert [type(k) for k in given["closest_objects"]] == [int, int]
    for key in ("objects_distance", "objects_distance_from_center", "objects_heading", "objects_speed"):
        assert {type(value) for value in given[key]} == {float}, key
    assert {type(value) for value in given["objects_left_of_center"]} == {bool}
    assert {type(value) for row in given["objects_location"] for value in row} == {float}
    assert type(given["is_crashed"]) is type(given["object_in_camera"]) is bool


@pytest.mark.parametrize("values", [(math.nan, 0.0), (0.0, math.inf), (0.0, 0.0, math.nan), (0.0, 0.0, 0.0, math.inf)])
def test_an_object_that_is_nowhere_is_refused(values):
    with pytest.raises(ValueError, match="of an object must be finite"):
        TrackObject(*values)
