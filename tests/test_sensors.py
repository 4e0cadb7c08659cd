"""Sensors: what they perceive, held against projections, pictures and rays that are worked out here once more."""

import dataclasses
import gc
import json
import math
import pickle
import re
import warnings
import weakref
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from roads import RADIUS, STRAIGHT, WIDTH, stadium
from shapely.geometry import LinearRing, LineString, Point
from shapely.ops import unary_union
from typer.testing import CliRunner

from racer.cli import app
from racer.env import TimeTrial, TimeTrialVector
from racer.errors import RacerError, SensorError
from racer.sensors import DESCRIPTIONS, SENSORS, Camera, Lidar, camera, ground, make_sensors
from racer.sim import BOX, Randomization, World
from racer.track import load_track, track_from_arrays
from racer.track.borders import with_offset_borders

CAMERAS = ("FRONT_FACING_CAMERA", "LEFT_CAMERA", "STEREO_CAMERAS", "observation")
LIDARS = ("LIDAR", "SECTOR_LIDAR", "DISCRETIZED_SECTOR_LIDAR")
COMBINED = (
    *((name,) for name in SENSORS),
    ("state", "FRONT_FACING_CAMERA"),
    ("STEREO_CAMERAS", "LIDAR"),
    ("LEFT_CAMERA", "SECTOR_LIDAR", "state"),
)
SMALL = Camera(size=(40, 30))
DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "sensors.md"


@pytest.fixture(scope="module")
def oval():
    """The stadium as a track: straights along y = 0 and y = 2 `RADIUS`, its road `WIDTH` wide."""
    ring = stadium()
    ring = np.vstack([ring, ring[:1]])
    half = np.full(len(ring), WIDTH / 2)
    return track_from_arrays("oval", ring, *with_offset_borders(ring, right=half, left=half))


# --- Cameras ------------------------------------------------------------------------------------------------


def seen_at(points, pose, setting, left=0.0, size=None, height=None):
    """Where on the picture the camera sees points (n, 3) m of the world: (n, 2) px, and how deep they are, m."""
    x, y, heading = pose
    width, rows = size or setting.size
    turn = np.array([[math.cos(heading), math.sin(heading), 0], [-math.sin(heading), math.cos(heading), 0], [0, 0, 1]])
    lens = np.array([setting.ahead_m, left, setting.height_m if height is None else height])
    ahead, aside, up = (((np.atleast_2d(points) - (x, y, 0.0)) @ turn.T) - lens).T
    c, s = math.cos(setting.pitch), math.sin(setting.pitch)
    depth, down = c * ahead - s * up, -s * ahead - c * up
    focal = width / 2 / math.tan(setting.field_of_view / 2)
    return np.stack([width / 2 - focal * aside / depth, rows / 2 + focal * down / depth], axis=1), depth


def looks(monkeypatch, setting, pose, maps):
    """A picture of ground that is no track's."""
    monkeypatch.setattr(camera, "ground_of", lambda track: maps)
    return setting.look(None, [pose])[0].astype(float)


def test_defaults_are_the_originals():
    front = Camera()
    assert front.shape == (120, 160, 1) and front.dtype is np.uint8 and (front.low, front.high) == (0.0, 255.0)
    assert front.focal_px == pytest.approx(126.0, abs=0.2)
    assert Camera("STEREO_CAMERAS").shape == (120, 160, 2)
    horizon = 60.0 - front.focal_px * math.tan(front.pitch)
    assert math.degrees(math.atan((60.0 - horizon) / front.focal_px)) == pytest.approx(15.0, abs=0.01)
    top = math.degrees(math.atan(60.0 / front.focal_px)) - math.degrees(front.pitch)
    assert top == pytest.approx(10.4, abs=0.1)
    down = front.pitch + math.atan(60.0 / front.focal_px)
    assert front.height_m / math.tan(down) == pytest.approx(0.153, abs=0.001)


def test_a_camera_can_be_compared_kept_and_sent_elsewhere():
    listed = Camera(size=[80, 60])
    assert listed == Camera(size=(80, 60)) and hash(listed) == hash(Camera(size=(80, 60)))
    assert listed.look(load_track("bean"), [(0.0, 0.0, 0.0)]).shape == (1, 60, 80, 1)
    for made in (listed, Lidar(blind="rear")):
        assert pickle.loads(pickle.dumps(made)) == made


@pytest.mark.parametrize(
    ("setting", "left"),
    [
        (Camera(), 0.0),
        (Camera("LEFT_CAMERA"), 0.03),
        (Camera(size=(80, 60)), 0.0),
        (Camera(size=(200, 90), field_of_view=1.6, pitch=0.4, height_m=0.2, ahead_m=0.0), 0.0),
    ],
)
def test_a_painted_point_falls_on_its_pixel(monkeypatch, setting, left):
    rng = np.random.default_rng(5)
    rows, columns, corner = 800, 800, (-4.0, -4.0)
    middles = [corner[k] + (np.arange(n) + 0.5) * ground.TEXEL_M for k, n in ((0, columns), (1, rows))]
    bare = np.full((rows, columns), ground.ROAD, np.uint8)
    plain = ground.ground_from(bare, *corner)
    tried = 0
    for ahead in np.arange(0.2, 3.01, 0.1):
        pose = (*rng.uniform(-0.5, 0.5, 2), rng.uniform(-math.pi, math.pi))
        aside = rng.uniform(-0.45, 0.45) * (ahead + 0.1)
        forwards = ahead + setting.ahead_m
        c, s = math.cos(pose[2]), math.sin(pose[2])
        point = np.array([pose[0] + c * forwards - s * aside, pose[1] + s * forwards + c * aside, 0.0])
        ((u, v),), _ = seen_at(point, pose, setting, left)
        if not (4 < u < setting.size[0] - 4 and v < setting.size[1] - 4):
            continue
        away = np.hypot(middles[0][None, :] - point[0], middles[1][:, None] - point[1])
        radius = 0.01 + 0.012 * ahead
        dot = np.maximum(bare, np.clip(ground.DASH_EDGE + 1000.0 * (radius - away), 0, 255)).astype(np.uint8)
        painted = looks(monkeypatch, setting, pose, ground.ground_from(dot, *corner))
        light = (painted - looks(monkeypatch, setting, pose, plain))[..., 0].clip(0.0)
        assert light.sum() > 0.0
        found_v, found_u = ((light * (np.indices(light.shape)[k] + 0.5)).sum() / light.sum() for k in (0, 1))
        assert (found_u, found_v) == (pytest.approx(u, abs=1.0), pytest.approx(v, abs=1.0)), ahead
        tried += 1
    assert tried > 20


def paint_of(x, y, length):
    """What is painted on the oval at points, by hand: 0 ground, 1 line, 2 road, 3 dash."""
    nearest = np.clip(x, 0.0, STRAIGHT)
    out = np.hypot(x - nearest, y - RADIUS) - RADIUS
    angle = np.arctan2(y - RADIUS, x - nearest) + math.pi / 2
    bend = np.where(x > STRAIGHT, RADIUS * angle + STRAIGHT / 2, 0.0)
    bend = np.where(x < 0.0, RADIUS * (angle % (2 * math.pi) - math.pi) + 1.5 * STRAIGHT + RADIUS * math.pi, bend)
    on_top = RADIUS * math.pi + STRAIGHT / 2 + (STRAIGHT - x)
    along = np.where((x >= 0.0) & (x <= STRAIGHT), np.where(y < RADIUS, x - STRAIGHT / 2, on_top), bend)
    period = length / round(length / 0.36)
    dash = (np.abs(out) < 0.025) & ((along + period / 4) % period < period / 2)
    return np.where(np.abs(out) > WIDTH / 2, 0, np.where(np.abs(out) > WIDTH / 2 - 0.05, 1, np.where(dash, 3, 2)))


def fine_picture(setting, pose, length, across=4, down=24):
    """The mean of many points in each pixel."""
    width, rows = setting.size
    focal = width / 2 / math.tan(setting.field_of_view / 2)
    u = ((np.arange(width * across) + 0.5) / across - width / 2) / focal
    v = ((np.arange(rows * down) + 0.5) / down - rows / 2) / focal
    c, s = math.cos(setting.pitch), math.sin(setting.pitch)
    fall = np.maximum(s + v * c, 1e-9)[:, None]
    ahead, aside = setting.height_m / fall * (c - v * s)[:, None], -setting.height_m / fall * u[None, :]
    forwards = ahead + setting.ahead_m
    c, s = math.cos(pose[2]), math.sin(pose[2])
    paint = paint_of(pose[0] + c * forwards - s * aside, pose[1] + s * forwards + c * aside, length)
    names = ("ground", "line", "road", "dash")
    grey = np.choose(paint, [camera.GREYS[name] for name in names])
    sky = camera.GREYS["horizon"]
    return np.where(fall > 1e-9, grey, sky).reshape(rows, down, width, across).mean(axis=(1, 3))


def test_pictures_of_a_road_are_the_means_of_what_each_pixel_sees(oval):
    setting = Camera()
    rng = np.random.default_rng(7)
    for s in np.linspace(0.3, oval.length, 12):
        k = np.searchsorted(oval.s, s) % (len(oval.s) - 1)
        dx, dy = oval.center[k + 1] - oval.center[k]
        x, y = oval.center[k] + rng.uniform(-0.25, 0.25, 2)
        pose = (x, y, math.atan2(dy, dx) + rng.uniform(-0.5, 0.5))
        picture = setting.look(oval, [pose])[0, ..., 0].astype(float)
        wanted = fine_picture(setting, pose, oval.length)
        horizon = math.ceil(60 - setting.focal_px * math.tan(setting.pitch))
        error = (picture - wanted)[horizon - 1 :]
        assert np.sqrt((error**2).mean(axis=1)).max() < 14.0
        assert np.abs(error).mean() < 1.0
        assert np.abs(error.mean(axis=1)).max() < 5.0
        sky = picture[: horizon - 1]
        assert (sky >= camera.GREYS["zenith"]).all() and (sky <= camera.GREYS["horizon"] + 1).all()


def test_far_rows_do_not_flicker(oval):
    """A car that creeps on, a millimetre at a time: what is two metres away and more hardly moves on the picture."""
    setting = Camera()
    x = 0.4 + np.arange(150) * 0.001
    pictures = setting.look(oval, np.stack([x, np.full(150, 0.05), np.full(150, 0.02)], axis=1))[..., 0].astype(float)
    horizon = round(60 - setting.focal_px * math.tan(setting.pitch))
    rows = pictures[:, horizon : horizon + 10]
    means = rows.mean(axis=2)
    assert np.abs(np.diff(means, axis=0)).max() < 0.5
    assert np.ptp(means, axis=0).max() < 4.0
    middle = rows[:, :, 70:90]  # where the dashes are
    assert middle.std(axis=2).max() > 3.0
    assert np.abs(np.diff(middle, axis=0)).max() < 20.0
    assert np.abs(np.diff(middle, axis=0)).mean() < 0.5


def test_the_left_lens_sees_near_things_further_to_the_right(oval):
    pose = (0.6, 0.0, 0.0)
    both = Camera("STEREO_CAMERAS").look(oval, [pose])[0].astype(float)
    left = Camera("LEFT_CAMERA").look(oval, [pose])[0, ..., 0]
    assert (both[..., 0] == left).all()
    moved = (0.6, -0.03, 0.0)
    assert (Camera().look(oval, [moved])[0, ..., 0] == both[..., 1]).all()
    row = both[100] == camera.GREYS["dash"]
    if row[:, 0].any() and row[:, 1].any():
        assert np.flatnonzero(row[:, 0]).mean() > np.flatnonzero(row[:, 1]).mean()


def test_away_from_the_track_there_is_bare_ground(oval):
    for pose in ((500.0, 0.0, 0.3), (-1e6, 1e6, 2.0), (2.0, 40.0, 1.57)):
        picture = Camera().look(oval, [pose])[0, ..., 0]
        assert (picture[30:] == camera.GREYS["ground"]).all()


def test_maps_live_as_long_as_their_track():
    track = load_track("pebble")
    assert ground.ground_of(track) is ground.ground_of(track)
    gone = weakref.ref(ground.ground_of(track).profile)
    del track
    gc.collect()
    assert gone() is None


# --- Boxes --------------------------------------------------------------------------------------------------


def box(x, y, heading=0.0, length=0.4, width=0.3, height=0.25, grey=150.0):
    made = np.zeros(1, BOX)
    made[0] = (x, y, heading, length, width, height, grey)
    return made


def hit(origin, direction, made):
    """Distance along a ray to a box (the slab method), else infinite."""
    c, s = math.cos(made["heading"]), math.sin(made["heading"])
    turn = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
    start = turn @ (origin - np.array([made["x"], made["y"], 0.0]))
    way = direction @ turn.T
    low = np.array([-made["length"] / 2, -made["width"] / 2, 0.0])
    high = np.array([made["length"] / 2, made["width"] / 2, made["height"]])
    with np.errstate(divide="ignore", invalid="ignore"):
        first, last = (low - start) / way, (high - start) / way
    near, far = np.minimum(first, last).max(axis=-1), np.maximum(first, last).min(axis=-1)
    return np.where((near < far) & (near > 0.0), near, np.inf)


def test_boxes_hide_what_is_behind_them(oval):
    """Against a picture made ray by ray: the grey of the nearest box at each pixel that lies inside it."""
    rng = np.random.default_rng(3)
    setting = Camera(size=(120, 90), field_of_view=1.4)
    pose = (0.0, 0.0, 0.4)
    width, rows = setting.size
    v, u = np.indices((rows, width)) + 0.5
    c, s = math.cos(setting.pitch), math.sin(setting.pitch)
    right, down = (u - width / 2) / setting.focal_px, (v - rows / 2) / setting.focal_px
    local = np.stack([c - down * s, -right, -s - down * c], axis=-1)
    c, s = math.cos(pose[2]), math.sin(pose[2])
    way = local @ np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
    lens = np.array([c * setting.ahead_m, s * setting.ahead_m, setting.height_m])
    covered = crowded = flat = 0
    for _ in range(25):
        scene = []
        while len(scene) < 7:  # boxes do not stand in one another
            x, y = rng.uniform(0.3, 3.0), rng.uniform(-1.2, 1.2)
            size = {"length": rng.uniform(0.05, 0.6), "width": rng.uniform(0.05, 0.4), "height": rng.uniform(0.05, 0.3)}
            new = box(c * x - s * y, s * x + c * y, rng.uniform(-3, 3), **size, grey=30.0 + 20.0 * len(scene))
            reach = lambda made: math.hypot(made["length"][0], made["width"][0]) / 2  # noqa: E731
            apart = [math.hypot(new["x"][0] - o["x"][0], new["y"][0] - o["y"][0]) for o in scene]
            clear = math.hypot(new["x"][0] - lens[0], new["y"][0] - lens[1]) > reach(new) + 0.05
            if clear and all(d > reach(new) + reach(o) for d, o in zip(apart, scene, strict=True)):
                scene.append(new)
        scene = np.concatenate(scene)
        picture = setting.look(oval, [pose], scene)[0, ..., 0].astype(float)
        bare = setting.look(oval, [pose])[0, ..., 0].astype(float)
        distances = np.stack([hit(lens, way, one) for one in scene])
        nearest = np.where(np.isfinite(distances.min(axis=0)), distances.argmin(axis=0), -1)
        inside = np.ones_like(nearest, bool)  # all neighbours see the same: no edge is near
        for down, right in np.ndindex(3, 3):
            inside &= np.roll(nearest, (down - 1, right - 1), axis=(0, 1)) == nearest
        inside[[0, -1]] = inside[:, [0, -1]] = False
        assert (picture == bare)[inside & (nearest < 0)].mean() > 0.999  # slivers of boxes pass between the rays
        for number, one in enumerate(scene):
            seen = picture[inside & (nearest == number)]
            if len(seen):  # at most three sides, each with a grey of its own between 0.6 and 1.1 of the box's
                assert (seen >= 0.59 * one["grey"] - 1).all() and (seen <= 1.1 * one["grey"] + 1).all()
                _, times = np.unique(seen, return_counts=True)
                flat += np.sort(times)[-3:].sum()
                covered += len(seen)
        crowded += (np.isfinite(distances).sum(axis=0) > 1).sum()
        again = setting.look(oval, [pose], scene[rng.permutation(len(scene))])[0, ..., 0]
        assert (again == picture).all()
    assert covered > 20_000 and crowded > 3_000 and flat > 0.97 * covered


def test_a_box_stands_where_it_is(oval):
    setting, pose = Camera(size=(320, 240)), (0.5, 0.0, 0.0)
    made = box(1.8, 0.05, 0.3)
    changed = setting.look(oval, [pose], made)[0, ..., 0] != setting.look(oval, [pose])[0, ..., 0]
    c, s = math.cos(0.3), math.sin(0.3)
    corners = [
        (1.8 + c * a - s * b, 0.05 + s * a + c * b, z) for a in (-0.2, 0.2) for b in (-0.15, 0.15) for z in (0.0, 0.25)
    ]
    places, _ = seen_at(corners, pose, setting)
    rows, columns = np.nonzero(changed)
    assert columns.min() == pytest.approx(places[:, 0].min() - 0.5, abs=1.0)
    assert columns.max() == pytest.approx(places[:, 0].max() - 0.5, abs=1.0)
    assert rows.min() == pytest.approx(places[:, 1].min() - 0.5, abs=1.0)
    assert rows.max() == pytest.approx(places[:, 1].max() - 0.5, abs=1.0)


def test_boxes_about_the_lens_do_no_harm(oval):
    for made in (box(0.1453, 0.0), box(0.15, 0.2, 0.7), box(-1.0, 0.0), box(0.35, 0.0, 0.0), box(0.1453 + 0.2, 0.0)):
        Camera().look(oval, [(0.0, 0.0, 0.0)], made)
    everywhere = Camera().look(oval, [(0.0, 0.0, 0.0)], box(0.32, 0.0, 0.0, 0.3, 3.0, 3.0, 100.0))[0]
    assert len(np.unique(everywhere)) == 1


def test_cars_of_one_race_see_each_other_and_no_other_race(oval):
    world = World(oval, races=2, cars=2)
    world.seed(0)
    world.reset()
    for race, behind in ((0, 0.8), (1, 3.0)):
        for k, back in ((0, behind), (1, 0.0)):
            car = world.cars[race, k]
            car["x"], car["y"], car["heading"] = 1.5 - back, 0.0, 0.0
    alone = Camera().look(oval, [(0.7, 0.0, 0.0), (1.5, 0.0, 0.0)])
    out = np.zeros((2, 2, 120, 160, 1), np.uint8)
    Camera().observe(world, out)
    near, far = ((out[race, 0] == 0).sum() for race in (0, 1))
    dark = [(out[race, 0, ..., 0] < 45).sum() for race in (0, 1)]
    assert dark[0] > 6 * dark[1] > 0
    assert (near, far) == (0, 0)
    assert (out[:, 1] == alone[1]).all()  # nobody is in front of the first
    one_by_one = world.boxes()
    assert one_by_one.shape == (2, 2, 1)
    assert one_by_one["x"].tolist() == [[[1.5], [0.7]], [[1.5], [-1.5]]]
    distances = np.zeros((2, 2, 64), np.float32)
    Lidar(walls=False, clip_m=2.0, blind="rear").observe(world, distances)
    assert distances[0, 0].min() == pytest.approx(0.8 - 0.32352 / 2 - 0.0291, abs=0.005)
    assert (distances[1, 0] == 2.0).all() and (distances[:, 1] == 2.0).all()


# --- LIDARs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("blind", ["front", "rear"])
@pytest.mark.parametrize("clip", [0.5, 1.0, 12.0])
@pytest.mark.parametrize("name", ["harbor", "whirlpool"])
def test_beams_end_where_shapely_says(name, clip, blind):
    track = load_track(name)
    rings = unary_union([LinearRing(track.inner), LinearRing(track.outer)])
    made = np.concatenate([box(*track.center[9] + 0.1, 0.5), box(*track.center[40], 1.0, 0.2, 0.2)])
    walls = unary_union([rings, *(outline(one) for one in made)])
    rng = np.random.default_rng(2)
    poses = np.column_stack([track.center[rng.integers(0, len(track.center), 12)], rng.uniform(-math.pi, math.pi, 12)])
    poses[:, :2] += rng.normal(0.0, 0.3, (12, 2))
    poses[0, :2], poses[1, :2] = track.center[8] - 0.1, track.center[39] + 0.3
    sensor = Lidar(clip_m=clip, blind=blind)
    for pose, told in zip(poses, sensor.measure(track, poses, made), strict=True):
        origin = Point(pose[:2] + 0.0291 * np.array([math.cos(pose[2]), math.sin(pose[2])]))
        for angle, distance in zip(sensor.angles + pose[2], told, strict=True):
            end = (origin.x + clip * math.cos(angle), origin.y + clip * math.sin(angle))
            met = LineString([origin, end]).intersection(walls)
            assert distance == pytest.approx(clip if met.is_empty else origin.distance(met), abs=1e-9)


def outline(made):
    c, s = math.cos(made["heading"]), math.sin(made["heading"])
    half = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)]) * (made["length"] / 2, made["width"] / 2)
    return LinearRing(half @ np.array([[c, s], [-s, c]]) + (made["x"], made["y"]))


def test_the_lidar_is_blind_in_front_unless_it_is_turned(oval):
    """A box right ahead, and one right behind."""
    pose, ahead, behind = (0.0, 10.0, 0.0), box(0.5, 10.0), box(-0.45, 10.0)
    original, turned = Lidar(), Lidar(blind="rear")
    away = np.degrees((original.angles + math.pi) % (2 * math.pi) - math.pi)
    assert np.abs(away).min() == pytest.approx(30.0, abs=0.01)
    assert np.abs(np.degrees(turned.angles)).max() == pytest.approx(150.0, abs=0.01)
    assert np.diff(original.angles) == pytest.approx(math.radians(300.0) / 63, abs=1e-5)
    assert original.look(oval, [pose], ahead).min() == 1.0 and turned.look(oval, [pose], behind).min() == 1.0
    assert original.look(oval, [pose], behind).min() == pytest.approx(0.45 - 0.2 + 0.0291, abs=0.003)
    assert turned.look(oval, [pose], ahead).min() == pytest.approx(0.5 - 0.2 - 0.0291, abs=0.003)


def test_a_lidar_looks_over_low_boxes_and_passes_borders_without_walls(oval):
    pose = (2.0, 0.0, 0.0)
    open_floor = Lidar(walls=False, blind="rear")
    assert (open_floor.look(oval, [pose]) == 1.0).all()
    assert (open_floor.look(oval, [pose], box(2.5, 0.0, height=0.18)) == 1.0).all()
    assert open_floor.look(oval, [pose], box(2.5, 0.0, height=0.19)).min() < 0.3
    assert Lidar().look(oval, [pose]).min() == pytest.approx(WIDTH / 2, abs=0.001)


def test_readings_are_clipped_and_summed_up_in_sectors(course):
    rng = np.random.default_rng(1)
    poses = np.column_stack([course.center[rng.integers(0, len(course.center), 30)], rng.uniform(-4, 4, 30)])
    poses[:, :2] += rng.normal(0.0, 0.2, (30, 2))
    distances = Lidar(clip_m=3.0).measure(course, poses)
    assert Lidar().look(course, poses) == pytest.approx(np.clip(distances, 0.15, 1.0), abs=1e-6)
    least = distances.reshape(30, 8, 8).min(axis=2)
    sectors = Lidar("SECTOR_LIDAR").look(course, poses)
    assert (sectors == (least < 0.5)).all() and 0.0 < sectors.mean() < 1.0
    one_hot = Lidar("DISCRETIZED_SECTOR_LIDAR").look(course, poses).reshape(30, 8, 8)
    assert (one_hot.sum(axis=2) == (least < 2.0)).all()
    assert (one_hot.argmax(axis=2) == np.where(least < 2.0, (least / 0.25).astype(int), 0)).all()
    quarters = Lidar("DISCRETIZED_SECTOR_LIDAR", clip_m=1.0, sectors=4, values=2)
    assert quarters.shape == (8,)
    assert (
        quarters.look(course, poses).reshape(30, 4, 2).sum(axis=2) == (least.reshape(30, 4, 2).min(axis=2) < 1)
    ).all()


def test_far_away_a_lidar_meets_nothing(oval):
    assert (Lidar(clip_m=12.0).look(oval, [(1e7, 0.0, 0.0), (0.0, -30.0, 1.0)]) == 12.0).all()


# --- In the environments ------------------------------------------------------------------------------------


def small(sensors):
    return tuple(SMALL if name == "FRONT_FACING_CAMERA" else name for name in sensors)


@pytest.mark.parametrize("sensors", COMBINED, ids="+".join)
def test_checkers_of_gymnasium_and_stable_baselines_are_content(sensors):
    from stable_baselines3.common.env_checker import check_env as check_for_sb3

    env = gym.make("racer/TimeTrial-v0", sensors=sensors, disable_env_checker=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*(Box low|Box high|Box action).*")
        check_env(env.unwrapped, skip_render_check=True)
        # Two lenses are no picture to Stable-Baselines3, which knows one, three and four channels.
        warnings.filterwarnings("ignore", message=".*(image|pixels).*")
        check_for_sb3(env.unwrapped)
    space = env.observation_space
    if sensors == ("state",):
        assert isinstance(space, gym.spaces.Box)
    else:
        assert list(space.keys()) == sorted(sensors)


@pytest.mark.parametrize("sensors", COMBINED, ids="+".join)
def test_one_car_and_many_perceive_the_same_bits(sensors):
    sensors = small(sensors)
    many = TimeTrialVector(5, "needle", sensors=sensors, threads=2)
    alone = [TimeTrial("needle", sensors=sensors) for _ in range(5)]
    told, _ = many.reset(seed=11)
    singles = [env.reset(seed=11 + i)[0] for i, env in enumerate(alone)]
    rng = np.random.default_rng(0)
    restarts = 0
    for _ in range(60):
        for i, single in enumerate(singles):
            for name, values in single.items() if isinstance(single, dict) else [(None, single)]:
                batch = told if name is None else told[name]
                assert np.array_equal(batch[i], values)
        actions = rng.uniform(-1.0, 1.0, (5, 2)).astype(np.float32)
        told, _, terminated, truncated, _ = many.step(actions)
        for i, env in enumerate(alone):
            singles[i], _, over, cut, _ = env.step(actions[i])
            assert (over, cut) == (terminated[i], truncated[i])
            if over or cut:
                singles[i] = env.reset()[0]
                restarts += 1
    assert restarts > 0


@pytest.mark.parametrize("name", [*CAMERAS, *LIDARS])
def test_what_is_perceived_changes_as_the_car_drives_and_stays_in_its_space(name):
    env = TimeTrial("harbor", sensors=(name,), start="line")
    first, _ = env.reset(seed=0)
    assert first[name].shape == env.observation_space[name].shape
    steps = 25
    for _ in range(steps):
        told, _, over, _, _ = env.step(np.array([0.4, 0.2], np.float32))
        assert env.observation_space.contains(told)
        if over:
            break
    assert not np.array_equal(first[name], told[name])


def test_an_observation_once_given_does_not_change():
    env = TimeTrialVector(2, sensors=("FRONT_FACING_CAMERA", "LIDAR"))
    first, _ = env.reset(seed=0)
    kept = {name: values.copy() for name, values in first.items()}
    for _ in range(5):
        env.step(np.ones((2, 2), np.float32))
    assert all(np.array_equal(first[name], kept[name]) for name in first)


# --- Bad input ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": (0, 120)}, "a picture of 0 x 120 pixels cannot be drawn; its sides must be 8 to 1024"),
        ({"size": (10_000, 10_000)}, "a picture of 10000 x 10000 pixels"),
        ({"size": (160.0, 120)}, "a picture of 160.0 x 120 pixels"),
        ({"size": (160,)}, "a picture of 160 pixels"),
        ({"size": 160}, "a picture of 160 pixels"),
        ({"field_of_view": math.pi}, "the field of view is 180 degrees .* it must be 10 to 150 degrees$"),
        ({"field_of_view": 65}, "the field of view is 3724 degrees .* given in radians"),
        ({"field_of_view": 0.0}, "the field of view is 0 degrees"),
        ({"field_of_view": math.nan}, "the field of view is nan degrees"),
        ({"pitch": 2.0}, "the pitch is 114.6 degrees"),
        ({"pitch": "low"}, "the pitch is 'low'; it must be a number"),
        ({"height_m": None}, "the height of the lens is None; it must be a number"),
        ({"height_m": 0.0}, "the height of the lens is 0 m"),
        ({"ahead_m": math.inf}, "the place of the lens in front of the origin is inf m"),
        ({"name": "REAR_CAMERA"}, "there is no camera 'REAR_CAMERA'; the cameras are FRONT_FACING_CAMERA"),
    ],
)
def test_a_camera_that_cannot_be_is_refused(settings, message):
    with pytest.raises(SensorError, match=message) as refused:
        Camera(**settings)
    assert isinstance(refused.value, RacerError | ValueError)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "RADAR"}, "there is no LIDAR 'RADAR'; there are LIDAR, SECTOR"),
        ({"clip_m": 0.1}, "the LIDAR sees 0.1 m far; it must be more than 0.15"),
        ({"clip_m": 13.0}, "the LIDAR sees 13 m far"),
        ({"clip_m": math.nan}, "the LIDAR sees nan m far"),
        ({"clip_m": "far"}, "the LIDAR sees 'far' m far; it must be a number"),
        ({"values": "8"}, "a sector has 8 values"),
        ({"sectors": 7}, "64 beams cannot be shared out among 7 sectors"),
        ({"sectors": 0}, "64 beams cannot be shared out among 0 sectors"),
        ({"sectors": 8.5}, "64 beams cannot be shared out among 8.5 sectors"),
        ({"values": 0}, "a sector has 0 values"),
        ({"blind": "left"}, "the LIDAR is blind in the 'left'"),
    ],
)
def test_a_lidar_that_cannot_be_is_refused(settings, message):
    with pytest.raises(SensorError, match=message):
        Lidar(**settings)


@pytest.mark.parametrize(
    ("sensors", "message"),
    [
        ((), "sensors are none"),
        (("LIDAR", "LIDAR"), "each once"),
        (("FRONT_FACING_CAMERA", "STEREO_CAMERAS"), "one camera at most, not FRONT_FACING_CAMERA and STEREO_CAMERAS"),
        (("observation", SMALL), "one camera at most"),
        (("LIDAR", "state", "SECTOR_LIDAR"), "one LIDAR at most, not LIDAR and SECTOR_LIDAR"),
        (("CAMERA",), "there is no sensor 'CAMERA'; the sensors are state, FRONT_FACING_CAMERA"),
    ],
)
def test_a_list_that_contradicts_itself_is_refused(sensors, message):
    with pytest.raises(SensorError, match=message):
        make_sensors(sensors)
    with pytest.raises(SensorError, match=message):
        TimeTrial(sensors=sensors)


# --- On the command line ------------------------------------------------------------------------------------


def test_every_sensor_is_listed_with_what_it_tells():
    assert list(DESCRIPTIONS) == list(SENSORS)
    done = CliRunner().invoke(app, ["sensors", "--json"])
    listed = {each["name"]: each for each in json.loads(done.stdout)}
    assert list(listed) == list(SENSORS)
    assert listed["LIDAR"] == {
        "name": "LIDAR",
        "shape": [64],
        "dtype": "float32",
        "low": 0.15,
        "high": 1.0,
        "about": DESCRIPTIONS["LIDAR"],
    }
    table = CliRunner().invoke(app, ["sensors"]).stdout
    assert all(name in table and DESCRIPTIONS[name] in table for name in SENSORS)


@pytest.mark.slow
def test_the_picture_shows_the_cameras_pictures(tmp_path):
    from matplotlib.image import imread

    target = tmp_path / "sensors.png"
    done = CliRunner().invoke(app, ["sensors", "--track", "bean", "--plot", str(target)])
    assert done.exit_code == 0, done.output
    picture = (imread(target)[..., :3] * 255).round().astype(int)
    grey = (picture == picture[..., :1]).all(axis=2)
    for name in ("road", "dash", "line", "ground"):
        assert (grey & (picture[..., 0] == camera.GREYS[name])).sum() > 3000, name


@pytest.mark.slow
def test_a_picture_that_cannot_be_drawn_is_refused_with_one_message(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments, message in (
        (["--plot", "sensors.txt"], "name the picture .png"),
        (["--track", "nowhere"], "there is no track 'nowhere'"),
    ):
        done = CliRunner().invoke(app, ["sensors", *arguments])
        assert done.exit_code == 1 and message in done.output
    assert not list(tmp_path.iterdir())


# --- The document -------------------------------------------------------------------------------------------


def test_the_document_names_every_sensor_setting_and_picture():
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, build in SENSORS.items():
        row = next(line for line in text.splitlines() if line.startswith((f"| `{name}` |", f"| `{name}` (default)")))
        shape = "(" + ", ".join(map(str, build().shape)) + ("," if len(build().shape) == 1 else "") + ")"
        assert shape in row or "the same" in row, name
    for field in dataclasses.fields(Randomization):
        assert f"`{field.name}`" in text, field.name
    pictures = re.findall(r"\]\((images/.*?\.png)\)", text)
    assert len(pictures) == 6 and all((DOCUMENT.parent / picture).is_file() for picture in pictures)
    code = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(code) == 2
    names = {}
    for part in code:
        exec(part, names)
    assert names["observation"]["LIDAR"].shape == (64,)
    assert [sensor.name for sensor in make_sensors(names["sensors"])] == ["FRONT_FACING_CAMERA", "LIDAR", "state"]
