"""Tracks: what is read from a file, what is derived from it, and what is written back."""

import copy
import json
import math
import pickle
import re

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from roads import RADIUS, STRAIGHT, WIDTH, route, stadium, write_csv
from shapely import LineString, Point, Polygon

from racer.errors import FileError, RacerError, TrackError
from racer.track import Track, import_track, load_track, save_track, track_from_arrays, track_summary
from racer.track.geometry import vertex_normals


@pytest.fixture
def oval(tmp_path):
    return load_track(write_csv(tmp_path / "oval.csv", stadium(), head="# title: An Oval"))


def test_a_stadium_is_what_paper_says_it_is(oval):
    assert oval.name == "oval"
    assert oval.metadata["title"] == "An Oval"
    assert oval.closed
    assert oval.is_ccw
    assert oval.length == pytest.approx(2 * STRAIGHT + 2 * math.pi * RADIUS, rel=1e-3)
    assert oval.width == pytest.approx(WIDTH, abs=1e-3)
    assert oval.width_min == pytest.approx(oval.width_max, abs=2e-3)
    assert oval.start == pytest.approx((STRAIGHT / 2, 0.0, 0.0), abs=0.06)
    assert oval.turns == 2
    assert oval.difficulty == "easy"
    assert len(oval.center) == len(oval.s) == len(oval.widths)
    assert LineString(oval.inner).length == pytest.approx(oval.length - math.pi * WIDTH, rel=1e-3)
    assert LineString(oval.outer).length == pytest.approx(oval.length + math.pi * WIDTH, rel=1e-3)


def test_the_road_is_the_same_one_in_reverse(oval):
    back = oval.reverse()
    assert back.reversed
    assert back.closed
    assert not back.is_ccw
    np.testing.assert_array_equal(back.center, oval.center[::-1])
    assert back.start[:2] == oval.start[:2]
    assert abs(math.remainder(back.start[2] - oval.start[2], 2 * math.pi)) == pytest.approx(math.pi)
    np.testing.assert_array_equal(back.left, oval.right[::-1])
    np.testing.assert_array_equal(back.inner[::-1], oval.inner)
    assert back.digest != oval.digest
    assert (back.length, back.width, back.turns) == pytest.approx((oval.length, oval.width, oval.turns))
    again = back.reverse()
    assert not again.reversed
    assert again.digest == oval.digest


def test_left_is_left(oval):
    for track in (oval, oval.reverse()):
        x, y, heading = track.start
        side = np.array([x - 0.1 * math.sin(heading), y + 0.1 * math.cos(heading)])
        assert LineString(track.left).distance(Point(side)) < LineString(track.right).distance(Point(side))


def test_a_track_cannot_be_changed(oval):
    with pytest.raises(ValueError, match="read-only"):
        oval.center[0, 0] = 1.0
    with pytest.raises(AttributeError):
        oval.name = "other"
    with pytest.raises(TypeError):
        oval.metadata["title"] = "other"
    given_rows = np.array(oval.center)
    track = track_from_arrays("copy", given_rows, oval.inner, oval.outer)
    given_rows[:] = 0.0
    assert track.digest == oval.digest


def test_copies_are_equal_and_as_read_only(oval):
    for twin in (copy.deepcopy(oval), pickle.loads(pickle.dumps(oval))):
        assert twin.digest == oval.digest
        assert dict(twin.metadata) == dict(oval.metadata)
        assert not twin.center.flags.writeable


def test_the_digest_tells_roads_apart_but_not_names(oval):
    assert track_from_arrays("x", oval.center, oval.inner, oval.outer, title="y").digest == oval.digest
    moved = track_from_arrays("x", oval.center + 1e-9, oval.inner, oval.outer)
    assert moved.digest != oval.digest


def test_a_track_loads_as_itself(oval):
    assert load_track(oval) is oval


# --- CSV ---


def test_a_saved_track_comes_back_bit_by_bit(oval, tmp_path):
    save_track(oval, tmp_path / "again.csv")
    again = load_track(tmp_path / "again.csv")
    assert again.digest == oval.digest
    assert dict(again.metadata) == dict(oval.metadata)
    save_track(oval.reverse(), tmp_path / "back.csv")
    assert load_track(tmp_path / "back.csv").digest == oval.reverse().digest


def test_a_header_is_kept_and_a_column_line_is_no_header(tmp_path):
    head = "# title: Ring: the second\n#author:me\n# x_m,y_m,w_tr_right_m,w_tr_left_m\n# just words"
    track = load_track(write_csv(tmp_path / "t.csv", stadium(), head=head))
    assert dict(track.metadata) == {"title": "Ring: the second", "author": "me"}


@pytest.mark.parametrize("head", ["# x_m,y_m,w_tr_right_m,w_tr_left_m", "x_m, y_m, w_tr_right_m, w_tr_left_m", ""])
@pytest.mark.parametrize("repeat", [False, True])
def test_tum_files_give_the_same_track(oval, tmp_path, head, repeat):
    rows = stadium()
    track = load_track(write_csv(tmp_path / "tum.csv", np.vstack([rows, rows[:1]]) if repeat else rows, head=head))
    assert track.digest == oval.digest


def test_right_and_left_widths_are_not_mixed_up(tmp_path):
    track = load_track(write_csv(tmp_path / "t.csv", stadium(), right=0.3, left=0.6))
    start = Point(track.start[:2])
    assert LineString(track.right).distance(start) == pytest.approx(0.3)
    assert LineString(track.left).distance(start) == pytest.approx(0.6)
    assert LineString(track.inner).distance(start) == pytest.approx(0.6), "counter-clockwise: left is inside"
    clockwise = load_track(write_csv(tmp_path / "c.csv", stadium()[::-1], right=0.3, left=0.6))
    assert LineString(clockwise.outer).distance(Point(clockwise.start[:2])) == pytest.approx(0.6)


# --- random roads ---


@st.composite
def roads(draw):
    """A closed centre line that wobbles around a circle, and two widths; many of them cannot be raced."""
    waves = draw(st.lists(st.tuples(st.floats(-0.35, 0.35), st.floats(0, 6.3)), min_size=1, max_size=5))
    radius = draw(st.floats(1.0, 6.0))
    rows = draw(st.integers(60, 200))
    angle = np.linspace(0.0, 2 * math.pi, rows + 1)[:-1]
    reach = radius * (1.0 + sum(a * np.sin((k + 2) * angle + phase) for k, (a, phase) in enumerate(waves)))
    center = np.stack([reach * np.cos(angle), reach * np.sin(angle)], axis=1)
    return center[:: draw(st.sampled_from([1, -1]))], draw(st.floats(0.1, 1.0)), draw(st.floats(0.1, 1.0))


@given(roads())
@settings(max_examples=80, deadline=None)
def test_a_road_is_taken_only_if_shapely_finds_it_sound(tmp_path_factory, road):
    center, right, left = road
    path = write_csv(tmp_path_factory.mktemp("road") / "road.csv", center, right, left)
    ring = np.vstack([center, center[:1]])
    try:
        track = load_track(path)
    except TrackError as error:
        assert "road.csv" in str(error)
        # Refused for a road that overlaps itself, or for sizes that are not plausible.
        normals = vertex_normals(ring)
        borders = ring + left * normals, ring - right * normals
        sound = all(LineString(border).is_simple for border in (ring, *borders))
        back = [np.sum(np.diff(border, axis=0) * np.diff(ring, axis=0), axis=1).min() <= 0.0 for border in borders]
        steps = np.diff(np.vstack([ring, ring[1]]), axis=0)
        sharp = np.min(np.sum(steps[1:] * steps[:-1], axis=1)) < 0.0
        meet = borders[0].shape == borders[1].shape and LineString(borders[0]).intersects(LineString(borders[1]))
        assert not sound or any(back) or sharp or meet or "wide" in str(error)
        return
    inner, outer = Polygon(track.inner), Polygon(track.outer)
    assert inner.is_valid
    assert outer.is_valid
    assert outer.contains(inner)
    surface = outer.difference(inner)
    assert all(surface.contains(Point(point)) for point in track.center[::5])
    assert track.is_ccw == Polygon(track.center).exterior.is_ccw
    if track.notes:
        assert "the loop was cut off" in track.notes[0]
        assert LineString(track.center).buffer(max(right, left) * 1.001, quad_segs=64).contains(surface)
    else:
        assert track.width_max <= right + left + 1e-9
    assert track.reverse().reverse().digest == track.digest
    ahead = np.array([math.cos(track.start[2]), math.sin(track.start[2])])
    np.testing.assert_allclose(
        np.diff(track.center[:2], axis=0)[0] / np.hypot(*np.diff(track.center[:2], axis=0)[0]), ahead
    )


# --- storing ---


def test_importing_refuses_a_taken_name_until_told(tmp_path, oval):
    source = tmp_path / "oval.csv"
    shelf = tmp_path / "tracks"
    stored = import_track(source, shelf, name="ring")
    assert load_track(stored).digest == oval.digest
    with pytest.raises(TrackError, match="exists already"):
        import_track(source, shelf, name="ring")
    np.save(tmp_path / "ring.npy", route())
    with pytest.raises(TrackError, match="exists already"):
        import_track(tmp_path / "ring.npy", shelf)
    import_track(tmp_path / "ring.npy", shelf, overwrite=True)
    assert [path.name for path in shelf.iterdir()] == ["ring.npy"], "one name, one track"


def test_a_full_size_circuit_can_be_shrunk_as_the_message_says(tmp_path):
    path = write_csv(tmp_path / "big.csv", stadium() * 12.0, right=WIDTH * 6.0, left=WIDTH * 6.0)
    with pytest.raises(TrackError, match=r"--scale 0\.1") as refused:
        import_track(path, tmp_path / "tracks")
    scale = float(re.search(r"--scale ([\d.]+)", str(refused.value))[1])
    track = load_track(import_track(path, tmp_path / "tracks", scale=scale))
    assert track.width == pytest.approx(12.0 * WIDTH * scale, rel=1e-3)


@pytest.mark.parametrize("name", ["../up", "a b", "x" * 200, ".hidden"])
def test_names_that_are_no_file_names_are_refused(tmp_path, oval, name):
    with pytest.raises(TrackError, match="no name for a track"):
        import_track(tmp_path / "oval.csv", tmp_path / "tracks", name=name)
    assert not (tmp_path / "tracks").exists()


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan, math.inf])
def test_scales_that_are_none_are_refused(tmp_path, oval, scale):
    with pytest.raises(TrackError, match="scale"):
        import_track(tmp_path / "oval.csv", tmp_path / "tracks", scale=scale)


def test_where_nothing_can_be_written_nothing_is(tmp_path, oval):
    with pytest.raises(FileError):
        save_track(oval, tmp_path / "missing" / "t.csv")
    with pytest.raises(TrackError, match=r"\.csv or \.npy"):
        save_track(oval, tmp_path / "t.txt")
    (tmp_path / "tracks").write_text("a file")
    with pytest.raises(RacerError):
        import_track(tmp_path / "oval.csv", tmp_path / "tracks")


def test_a_summary_is_plain_json(oval):
    facts = json.loads(json.dumps(track_summary(oval)))
    assert facts["name"] == "oval"
    assert facts["title"] == "An Oval"
    assert facts["direction"] == "counter-clockwise"
    assert (facts["length_m"], facts["width_m"], facts["turns"]) == (
        pytest.approx(oval.length, abs=1e-3), pytest.approx(oval.width, abs=1e-3), 2,
    )  # fmt: skip
    assert isinstance(oval, Track)
