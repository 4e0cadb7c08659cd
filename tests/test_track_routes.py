"""DeepRacer's own tracks: `.npy` routes, taken exactly as they are."""

import math
import re

import numpy as np
import pytest
from public import ROUTES, SHARED, needs_routes
from roads import WIDTH, route
from shapely import LineString, Point

from racer.errors import TrackError
from racer.track import arc_length, import_track, load_track, save_track, track_from_arrays, track_summary


def test_a_route_is_taken_exactly_as_it_is(tmp_path):
    table = route()
    table = np.insert(table, 38, table[38], axis=0)  # as 59 of the 127 real ones have
    np.save(tmp_path / "r.npy", table)
    track = load_track(tmp_path / "r.npy")
    np.testing.assert_array_equal(np.hstack([track.center, track.inner, track.outer]), table)
    assert track.length == pytest.approx(arc_length(table[:, :2])[-1])
    assert track.turns == 2


def test_width_is_between_nearest_border_points_not_paired_rows(tmp_path):
    table = route()
    table[:, 2:4] = np.vstack([np.roll(table[:-1, 2:4], 25, axis=0), np.roll(table[:-1, 2:4], 25, axis=0)[:1]])
    assert np.max(np.hypot(*(table[:, 2:4] - table[:, 4:6]).T)) > 1.2 * WIDTH
    np.save(tmp_path / "r.npy", table)
    assert load_track(tmp_path / "r.npy").width_max == pytest.approx(WIDTH, abs=0.01)


def test_an_open_track_loads_and_says_so(tmp_path):
    x = np.linspace(0.0, 5.0, 22)
    table = np.stack([x, 0 * x, x, 0 * x + 0.3, x, 0 * x - 0.3], axis=1)
    np.save(tmp_path / "line.npy", table)
    track = load_track(tmp_path / "line.npy")
    assert not track.closed
    assert track.is_ccw
    assert track.start == (0.0, 0.0, 0.0)
    assert track.width == pytest.approx(0.6)
    assert track_summary(track)["direction"] == "open"
    back = track.reverse()
    assert back.start == pytest.approx((5.0, 0.0, math.pi))
    np.testing.assert_array_equal(back.left, track.right[::-1])
    with pytest.raises(TrackError, match=r"line\.csv: a CSV cannot hold 'line': it is open"):
        save_track(track, tmp_path / "line.csv")


def test_borders_of_their_own_are_not_forced_into_a_csv(tmp_path):
    table = route()
    table[:, 2:4] *= 1.0 + 1e-4
    track = track_from_arrays("r", table[:, :2], table[:, 2:4], table[:, 4:6])
    with pytest.raises(TrackError, match=r"save it as \.npy"):
        save_track(track, tmp_path / "r.csv")
    save_track(track, tmp_path / "r.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "r.npy"), table)


def test_a_corner_folded_in_a_route_is_taken_but_a_tangle_is_not(tmp_path):
    table = route()
    table[40:43, 2:4] = table[40:43, 2:4][::-1]  # three inner rows in the wrong order: a small loop
    table[41, 3] += 0.01
    np.save(tmp_path / "fold.npy", table)
    assert not LineString(table[:, 2:4]).is_simple
    assert load_track(tmp_path / "fold.npy").width == pytest.approx(WIDTH, abs=0.01)
    table[20:80, 2:4] = table[20:80, 2:4][::-1]
    np.save(tmp_path / "tangle.npy", table)
    with pytest.raises(TrackError, match=r"tangle\.npy, row \d+"):
        load_track(tmp_path / "tangle.npy")


@needs_routes
@pytest.mark.parametrize("path", ROUTES or [None], ids=lambda path: getattr(path, "stem", "none"))
def test_every_real_route_loads_exactly(path):
    table = np.load(path)
    track = load_track(path)
    np.testing.assert_array_equal(np.hstack([track.center, track.inner, track.outer]), table)
    assert track.closed == (path.stem != "Straight_track")
    inner, outer = LineString(track.inner), LineString(track.outer)
    for row in range(0, len(table), 7):
        point = Point(table[row, :2])
        a, b = (line.interpolate(line.project(point)) for line in (inner, outer))
        assert track.widths[row] == pytest.approx(a.distance(b), abs=1e-6)
    assert track.reverse().reverse().digest == track.digest


def reference_table():
    """Rows of table 2.2 of the reference: name, rows, direction, length, width, start x and y, heading."""
    text = (SHARED / "deepracer-reference.md").read_text().replace("\N{MINUS SIGN}", "-")
    number = r"([-\d.]+)"
    size = rf"(\d+) \| \W*(\w*)\W* \| {number} \| {number}[^|]*"  # rows, direction, length, width
    line = rf"^\| (\w+)[^|]*\|[^|]*\| {size} \| {number}, {number} \| {number} \|$"
    lines = re.findall(line, text, re.MULTILINE)
    return [
        (name, int(rows), direction, *map(float, values))
        for name, rows, direction, *values in lines
        if (SHARED / "tracks" / f"{name}.npy").exists()
    ]


@needs_routes
def test_tracks_measure_what_the_reference_measured():
    table = reference_table()
    assert len(table) >= 12
    for name, rows, direction, length, width, x, y, heading in table:
        track = load_track(SHARED / "tracks" / f"{name}.npy")
        assert len(track.center) == rows, name
        assert track.length == pytest.approx(length, abs=1e-2), name
        assert track.width == pytest.approx(width, abs=1e-3), name
        assert track.start[:2] == pytest.approx((x, y), abs=0.006), name
        assert abs(math.remainder(math.degrees(track.start[2]) - heading, 360.0)) < 0.51, name
        if direction:
            assert track.is_ccw == (direction == "CCW"), name


def test_importing_keeps_a_route_exactly(tmp_path):
    np.save(tmp_path / "route.npy", route())
    stored = import_track(tmp_path / "route.npy", tmp_path / "tracks")
    assert stored == tmp_path / "tracks" / "route.npy"
    np.testing.assert_array_equal(np.load(stored), route())
