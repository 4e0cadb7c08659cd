"""The kernels' geometry against Shapely and against paper, on every track there is."""

import gc
import math
import os
import subprocess
import sys
import weakref

import numpy as np
import pytest
import shapely
from drives import ring
from roads import RADIUS, STRAIGHT, route, stadium
from shapely import LinearRing, LineString, Polygon
from shapely.ops import nearest_points

from racer.errors import TrackError
from racer.sim import at_row, nearest_borders, project, road_of
from racer.sim.borders import on_road
from racer.sim.projection import project_near
from racer.track import track_from_arrays


def places(track, rng, count):
    """Points (count, 2) m on the road and some way beside it, and their place along the line."""
    s = rng.uniform(0.0, track.length, count)
    i = np.searchsorted(track.s, s, side="right") - 1
    step = track.center[i + 1] - track.center[i]
    along = step / np.hypot(*step.T)[:, None]
    on_line = track.center[i] + along * (s - track.s[i])[:, None]
    aside = rng.uniform(-1.5, 1.5, count) * track.width
    return on_line + np.stack([-along[:, 1], along[:, 0]], axis=1) * aside[:, None], on_line


def test_projection_is_shapelys(course):
    line = LineString(course.center)
    points, _ = places(course, np.random.default_rng(1), 150)
    points = np.vstack([points, course.center[::7]])
    arc = np.array([at_row(course.s, *project(course.center, x, y)) for x, y in points])
    feet = np.array([[np.interp(s, course.s, course.center[:, k]) for k in (0, 1)] for s in arc])
    dots = shapely.points(points)
    np.testing.assert_allclose(np.hypot(*(points - feet).T), shapely.distance(line, dots), atol=1e-9)
    apart = np.abs(arc - shapely.line_locate_point(line, dots))
    assert np.max(np.minimum(apart, course.length - apart)) < 1e-7


def test_projection_finds_the_very_waypoints(course):
    for given in (course, course.reverse()):
        road = road_of(given)
        segments = [project(road.center, x, y) for x, y in road.center[:-1]]
        arc = [at_row(road.s, i, share) for i, share in segments]
        np.testing.assert_allclose(arc, given.s[:-1], rtol=0, atol=1e-12)


def test_road_is_what_lies_between_the_borders(course):
    road = road_of(course)
    rng = np.random.default_rng(2)
    low, high = course.outer.min(axis=0) - 0.5, course.outer.max(axis=0) + 0.5
    near = []
    for border in (course.inner, course.outer):  # on both sides, from 0.1 mm to a few cells
        i = rng.integers(0, len(border) - 1, 500)
        on = border[i] + rng.uniform(0.0, 1.0, (500, 1)) * (border[i + 1] - border[i])
        near.append(on + rng.normal(0.0, 1.0, (500, 2)) * 10.0 ** rng.uniform(-4.0, -0.7, (500, 1)))
    points = np.vstack([rng.uniform(low, high, (1000, 2)), places(course, rng, 1000)[0], *near])
    found = np.array([on_road(road, x, y) for x, y in points])
    inside = [shapely.contains_xy(Polygon(border), *points.T) for border in (course.outer, course.inner)]
    expected = inside[0] & ~inside[1]
    np.testing.assert_array_equal(found, expected)
    assert 0.2 < expected.mean() < 0.8
    whole, hole = Polygon(course.outer), Polygon(course.inner)
    if whole.is_valid and hole.is_valid:
        np.testing.assert_array_equal(found, shapely.contains_xy(whole.difference(hole), *points.T))


def test_points_far_away_or_not_a_number_are_off_the_road():
    road = road_of(ring())
    for x, y in ((1e9, 0.0), (-1e9, 2.0), (0.0, -1e300), (math.inf, 0.0), (math.nan, 0.0), (2.0, math.nan)):
        assert not on_road(road, x, y)
    assert on_road(road, 2.0, 0.01)


def test_borders_nearest_to_the_line_are_shapelys(course):
    road = road_of(course)
    _, on_line = places(course, np.random.default_rng(3), 150)
    inner, outer = LinearRing(course.inner), LinearRing(course.outer)
    for x, y in np.vstack([on_line, course.center[::5]]):
        s = at_row(road.s, *project(road.center, x, y))
        ix, iy, ox, oy = nearest_borders(road.edges, road.near, s, x, y)
        point = shapely.Point(x, y)
        assert math.hypot(ix - x, iy - y) == pytest.approx(inner.distance(point), abs=1e-9)
        assert math.hypot(ox - x, oy - y) == pytest.approx(outer.distance(point), abs=1e-9)
        by_inner, by_outer = (nearest_points(border, point)[0] for border in (inner, outer))
        assert math.hypot(ox - ix, oy - iy) == pytest.approx(by_inner.distance(by_outer), abs=1e-6)


def nearest_of(edges, x, y):
    """The nearest point of edges (e, 4), the first one of equals, by measuring them all."""
    x0, y0 = edges[:, 0], edges[:, 1]
    dx, dy = edges[:, 2] - x0, edges[:, 3] - y0
    length2 = dx * dx + dy * dy
    share = np.divide((x - x0) * dx + (y - y0) * dy, length2, out=np.zeros(len(edges)), where=length2 > 0)
    share = np.clip(share, 0.0, 1.0)
    qx, qy = x0 + share * dx, y0 + share * dy
    best = np.argmin((qx - x) ** 2 + (qy - y) ** 2)
    return qx[best], qy[best]


def test_borders_nearest_to_the_line_are_those_of_all_edges(course):
    """To the last bit, all along the line and at its rows: the candidates of a piece leave nothing out."""
    for track in (course, course.reverse()):
        road = road_of(track)
        along = np.concatenate([np.random.default_rng(4).uniform(0.0, track.length, 500), track.s])
        for s in along:
            segment = min(int(np.searchsorted(road.s, s, side="right")) - 1, len(road.s) - 2)
            share = (s - road.s[segment]) / (road.s[segment + 1] - road.s[segment])
            x, y = (at_row(road.center[:, k], segment, share) for k in (0, 1))
            found = nearest_borders(road.edges, road.near, s, x, y)
            assert found == (
                *nearest_of(road.edges[road.n_outer :], x, y),
                *nearest_of(road.edges[: road.n_outer], x, y),
            )


def test_half_width_is_half_the_tracks_own(course):
    np.testing.assert_allclose(2.0 * road_of(course).half_width, course.widths, atol=1e-9)


def test_curvature_of_a_circle_is_one_over_its_radius():
    for radius, rows in ((0.7, 100), (2.0, 60), (2.0, 400), (6.0, 130)):
        track = ring(radius, rows)
        np.testing.assert_allclose(road_of(track).curvature, 1.0 / radius, rtol=0.03)
        np.testing.assert_allclose(road_of(track.reverse()).curvature, -1.0 / radius, rtol=0.03)


def test_curvature_of_a_stadium_is_that_of_its_parts():
    table = route(stadium(0.03))
    track = track_from_arrays("stadium", table[:, :2], table[:, 2:4], table[:, 4:6])
    road = road_of(track)
    x = road.center[:, 0]
    straight = (x > 0.3) & (x < STRAIGHT - 0.3)
    bend = (x > STRAIGHT + 0.3) | (x < -0.3)
    assert straight.any() and bend.any()
    np.testing.assert_allclose(road.curvature[straight], 0.0, atol=1e-9)
    np.testing.assert_allclose(road.curvature[bend], 1.0 / RADIUS, rtol=0.02)
    turned = np.trapezoid(road.curvature, road.s)
    assert turned == pytest.approx(2.0 * math.pi, rel=0.01)


def test_look_ahead_table_is_the_line_at_equal_distances(course):
    road, line = road_of(course), LineString(course.center)
    count = len(road.ahead) - 1
    assert road.ahead_spacing * count == pytest.approx(course.length)
    wanted = shapely.line_interpolate_point(line, np.arange(count) * road.ahead_spacing)
    np.testing.assert_allclose(road.ahead[:-1], shapely.get_coordinates(wanted), atol=1e-9)
    np.testing.assert_array_equal(road.ahead[-1], road.ahead[0])


def test_projection_near_the_last_one_follows_a_car_around_the_ring(course):
    """Step by step around the lap it stays with the nearest point, over the start line too."""
    road = road_of(course)
    segment, s = 0, 0.0
    for at in np.arange(0.0, course.length + 0.5, 0.11):
        x, y = (np.interp(at % course.length, road.s, road.center[:, k]) for k in (0, 1))
        segment, share = project_near(road.center, road.s, x, y, segment, s)
        s = at_row(road.s, segment, share)
        assert min(abs(s - at % course.length), course.length - abs(s - at % course.length)) < 1e-9


def test_projection_near_the_last_one_does_not_see_the_neighbouring_stretch():
    """Two straights 0.9 m apart: a point nearer to the other one still belongs to its own."""
    track = neighbours()
    road = road_of(track)
    segment, _ = project(road.center, 2.0, 0.0)
    s = float(np.interp(2.0, road.center[: len(road.center) // 3, 0], road.s[: len(road.center) // 3]))
    there, _ = project(road.center, 2.0, 0.7)
    assert abs(road.s[there] - s) > 1.0
    i, share = project_near(road.center, road.s, 2.0, 0.7, segment, s)
    assert at_row(road.s, i, share) == pytest.approx(s, abs=1e-9)


def neighbours():
    """A flat loop: two straights of 4 m, 0.9 m apart, 0.8 m wide."""
    ends = 0.45
    angle = np.linspace(-math.pi / 2, math.pi / 2, 25)[:-1]
    bend = ends * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x = np.linspace(0.0, 4.0, 41)[:-1]
    center = np.vstack(
        [
            np.stack([x, 0.0 * x], axis=1),
            bend + np.array([4.0, ends]),
            np.stack([4.0 - x, 0.0 * x + 2.0 * ends], axis=1),
            np.array([0.0, ends]) - bend,
        ]
    )
    center = np.vstack([center, center[:1]])
    ring = Polygon(center)
    inner, outer = (np.array(ring.buffer(d, quad_segs=16).exterior.coords)[::-1] for d in (-0.4, 0.4))
    return track_from_arrays("neighbours", center, inner, outer)


def test_repeated_rows_change_nothing():
    plain = ring()
    lines = [np.insert(line, 20, line[20], axis=0) for line in (plain.center, plain.inner, plain.outer)]
    doubled = track_from_arrays("doubled", *lines)
    points, _ = places(plain, np.random.default_rng(4), 300)
    one, two = road_of(plain), road_of(doubled)
    for x, y in points:
        s, t = (at_row(road.s, *project(road.center, x, y)) for road in (one, two))
        assert s == pytest.approx(t, abs=1e-12)
    np.testing.assert_allclose(np.delete(two.curvature, 20), one.curvature, atol=1e-9)
    np.testing.assert_array_equal(one.ahead, two.ahead)


def test_an_open_track_is_refused():
    table = route()[:100]
    track = track_from_arrays("sprint", table[:, :2], table[:, 2:4], table[:, 4:6])
    with pytest.raises(TrackError, match="'sprint' is open"):
        road_of(track)


def test_a_road_is_kept_as_long_as_its_track():
    track = ring()
    assert road_of(track) is road_of(track)
    gone = weakref.ref(track), weakref.ref(road_of(track).grid)
    del track
    gc.collect()
    assert [each() for each in gone] == [None, None]


LINES = """
import hashlib
from racer.env import TimeTrialVector
from racer.shelf import names
from racer.sim import road_of
from racer.track import headings, load_track, make_track

tracks = [load_track(name) for name in names("tracks")] + [make_track(seed) for seed in range(5)]
env = TimeTrialVector(4, "random", sensors=("LIDAR:blind=rear",))
digest = hashlib.sha256(env.reset(seed=1)[0]["LIDAR"].tobytes())
for track in tracks:
    digest.update(headings(track.center).tobytes())
    for line in road_of(track):
        digest.update(getattr(line, "tobytes", lambda line=line: repr(line).encode())())
print(digest.hexdigest())
"""


def test_a_road_has_the_same_bits_on_every_processor():
    """NumPy calculates by what a processor can do; a replay that was driven on one must verify on another."""
    found = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    told = []
    for disabled in ([], found):
        env = {**os.environ, "NPY_DISABLE_CPU_FEATURES": " ".join(disabled)}
        told.append(subprocess.run([sys.executable, "-c", LINES], env=env, capture_output=True, text=True, check=True))
    assert told[0].stdout == told[1].stdout != ""
