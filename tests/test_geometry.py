"""Geometry of polylines: against circles, where the answer is known, and against Shapely on random lines."""

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from shapely import LineString, Point

import racer.track.geometry as geo

TAU = 2.0 * math.pi


def circle(radius=2.0, rows=400, center=(1.0, -3.0), turns=1.0):
    angle = np.linspace(0.0, TAU * turns, rows + 1)
    line = np.asarray(center) + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    line[-1] = line[0]
    return line


coordinates = st.floats(-10.0, 10.0).map(lambda x: round(x, 3))


def polylines(least=2, most=40):
    """Rows on a millimetre grid, so that Shapely and we cannot disagree over the last bit."""
    shape = st.integers(least, most).map(lambda rows: (rows, 2))
    return arrays(np.float64, shape, elements=coordinates)


def without_repeats(line):
    return line[np.append(True, np.any(np.diff(line, axis=0) != 0.0, axis=1))]


def test_a_circle_has_the_length_area_and_curvature_of_one():
    ring = circle()
    assert geo.is_closed(ring)
    assert geo.arc_length(ring)[-1] == pytest.approx(TAU * 2.0, rel=1e-4)
    assert geo.signed_area(ring) == pytest.approx(math.pi * 4.0, rel=1e-3)
    assert geo.signed_area(ring[::-1]) == pytest.approx(-math.pi * 4.0, rel=1e-3)
    np.testing.assert_allclose(geo.smooth_curvature(ring, 0.05, 0.6), 0.5, rtol=1e-2)
    np.testing.assert_allclose(geo.smooth_curvature(ring[::-1], 0.05, 0.6), -0.5, rtol=1e-2)


def test_normals_of_a_circle_point_at_its_centre_when_it_runs_counter_clockwise():
    ring = circle()
    inwards = (np.array([1.0, -3.0]) - ring) / 2.0
    np.testing.assert_allclose(geo.vertex_normals(ring), inwards, atol=1e-9)


def test_points_at_arc_lengths_wrap_around_a_ring_and_stop_at_the_ends_of_a_line():
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]], dtype=float)
    np.testing.assert_allclose(geo.point_at(square, [0.5, 4.5, -0.5]), [[0.5, 0], [0.5, 0], [0, 0.5]])
    np.testing.assert_allclose(geo.point_at(square[:3], [-1.0, 1.5, 9.0]), [[0, 0], [1, 0.5], [1, 1]])
    assert geo.point_at(square, np.zeros((2, 3))).shape == (2, 3, 2)


def test_resampling_keeps_the_ends_and_spaces_the_rows_equally():
    ring = geo.resample(circle(rows=1000), 0.1)
    steps = np.diff(geo.arc_length(ring))
    assert geo.is_closed(ring)
    assert len(ring) - 1 == round(TAU * 2.0 / 0.1)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-3)


def test_headings_skip_a_repeated_row():
    line = np.array([[0, 0], [0, 0], [1, 0], [1, 0], [1, 1], [1, 1]], dtype=float)
    np.testing.assert_allclose(geo.headings(line), [0.0, 0.0, math.pi / 2, math.pi / 2, math.pi / 2])
    ring = np.array([[0, 0], [2, 0], [2, 2], [0, 0], [0, 0]], dtype=float)
    assert geo.headings(ring)[-1] == 0.0, "at the end of a ring, the next segment is its first"


@given(polylines(), polylines(1, 20))
@settings(max_examples=150, deadline=None)
def test_nearest_points_agree_with_shapely(line, points):
    if np.all(line == line[0]):
        line = np.vstack([line, line[0] + 1.0])
    found, where = geo.nearest(points, line)
    path = LineString(line)
    for point, here, s in zip(points, found, where, strict=True):
        assert math.dist(point, here) == pytest.approx(path.distance(Point(point)), abs=1e-9)
        assert 0.0 <= s <= geo.arc_length(line)[-1] + 1e-9


@given(st.integers(3, 300), st.floats(0.5, 5.0), polylines(1, 20))
@settings(max_examples=60, deadline=None)
def test_the_arc_length_of_a_nearest_point_is_where_it_is(rows, radius, points):
    ring = circle(radius, rows)
    found, where = geo.nearest(points, ring)
    np.testing.assert_allclose(geo.point_at(ring, where), found, atol=1e-9)


def test_nearest_points_come_in_chunks_without_a_difference(monkeypatch):
    points = np.random.default_rng(1).normal(size=(57, 2)) * 3.0
    whole = geo.nearest(points, circle())
    monkeypatch.setattr(geo, "PAIRS_AT_ONCE", 900)
    for one, other in zip(whole, geo.nearest(points, circle()), strict=True):
        np.testing.assert_array_equal(one, other)
