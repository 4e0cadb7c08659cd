"""What every track on the shelf promises; a new file is tested by being there."""

import re
from functools import cache

import numpy as np
import pytest
from shapely import LineString, Point, Polygon

from racer import shelf
from racer.track import DIFFICULTIES, Track, load_track, save_track, smooth_curvature
from racer.track.difficulty import difficulty_of

FOLDER = shelf.shipped_folder("tracks")
NAMES = sorted(path.stem for path in FOLDER.iterdir() if path.is_file())
DRAWN = 1e-3  # m, what a polyline lies off the curve it stands for

load = cache(lambda name: load_track(FOLDER / f"{name}.csv"))


def radii(track: Track) -> np.ndarray:
    """Radius of the circle through each row and its two neighbours."""
    here = track.center[:-1]
    before, after = np.roll(here, 1, axis=0), np.roll(here, -1, axis=0)
    a, b, c = here - before, after - here, after - before
    area = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
    sides = np.hypot(*a.T) * np.hypot(*b.T) * np.hypot(*c.T)
    return sides / np.maximum(2.0 * area, 1e-12)


@pytest.mark.parametrize("name", NAMES)
class TestEveryTrack:
    def test_its_header_says_what_it_is_and_whose(self, name):
        about = load(name).metadata
        assert set(about) == {"title", "about", "author", "licence", "difficulty"}
        assert about["author"] == "the racer authors"
        assert about["licence"] == "CC0-1.0"
        assert 20 <= len(about["about"]) <= 100
        assert re.fullmatch("[a-z][a-z_]*", name), "names are typed"
        assert about["title"].lower().replace(" ", "_") == name

    def test_its_grade_is_the_one_its_shape_has(self, name):
        track = load(name)
        assert track.metadata["difficulty"] == difficulty_of(track.center, track.length, track.width)

    def test_its_road_has_a_plausible_size(self, name):
        track = load(name)
        assert 15.0 <= track.length <= 65.0
        assert 0.6 - 5e-3 <= track.width_min <= track.width_max <= 1.4 + DRAWN
        steps = np.diff(track.s)
        assert 0.08 <= steps.min() <= steps.max() <= 0.2
        assert steps.max() < 1.1 * steps.min(), "rows are equally spaced"

    def test_its_bends_leave_the_inner_border_unfolded(self, name):
        track = load(name)
        assert np.min(radii(track) - track.widths[:-1] / 2.0) >= 0.15

    def test_it_bends_smoothly(self, name):
        track = load(name)
        psi = np.unwrap(np.arctan2(*np.diff(track.center, axis=0).T[::-1]))
        turn = np.append(np.diff(psi), np.remainder(psi[0] - psi[-1] + np.pi, 2 * np.pi) - np.pi)
        kappa = turn / np.mean(np.diff(track.s))
        limit = 0.7 / (track.width / 2.0)  # a kink would jump by all of a bend's curvature
        assert np.max(np.abs(np.diff(kappa, append=kappa[0]))) < limit

    def test_its_borders_are_simple_rings_around_one_another(self, name):
        track = load(name)
        inner, outer = Polygon(track.inner), Polygon(track.outer)
        assert inner.is_valid
        assert outer.is_valid
        assert outer.contains(Polygon(track.center))
        assert Polygon(track.center).contains(inner)

    def test_no_two_stretches_come_near_each_other(self, name):
        """Beyond a border, the next road is a clear gap away, or the same bend's other side."""
        track = load(name)
        road = Polygon(track.outer).difference(Polygon(track.inner))
        for border, outwards in ((track.left, 1.0), (track.right, -1.0)):
            step = np.roll(border[:-1], -1, axis=0) - np.roll(border[:-1], 1, axis=0)
            normal = np.stack([-step[:, 1], step[:, 0]], axis=1) / np.hypot(*step.T)[:, None]
            for reach in (0.02, 0.1, 0.14):
                beyond = border[:-1] + outwards * reach * normal
                assert not any(road.contains(Point(point)) for point in beyond[::2])
        rows = track.center[::3]
        gaps = np.hypot(*(rows[:, None] - rows[None]).transpose(2, 0, 1))
        apart = np.abs(track.s[::3, None] - track.s[None, ::3])
        apart = np.minimum(apart, track.length - apart)
        far = apart > np.pi / 2.0 * (track.width_max + 0.5)
        assert np.min(gaps[far]) >= track.width_max + 0.28

    def test_it_starts_on_a_straight(self, name):
        track = load(name)
        near = (track.s[:-1] < 0.6) | (track.s[:-1] > track.length - 0.6)
        assert np.min(radii(track)[near]) > 12.0

    def test_it_can_be_driven_both_ways(self, name):
        track = load(name)
        back = track.reverse()
        assert back.is_ccw != track.is_ccw
        assert back.start[:2] == track.start[:2]
        assert (back.length, back.turns) == (pytest.approx(track.length), track.turns)
        assert back.width == pytest.approx(track.width, abs=5e-3)
        for way in (track, back):
            x, y, heading = way.start
            left = Point(x - 0.2 * np.sin(heading), y + 0.2 * np.cos(heading))
            assert LineString(way.left).distance(left) < LineString(way.right).distance(left)

    def test_it_is_stored_as_racer_stores_tracks(self, name, tmp_path):
        save_track(load(name), tmp_path / f"{name}.csv")
        assert load_track(tmp_path / f"{name}.csv").digest == load(name).digest


def test_there_is_something_for_everyone():
    tracks = [load(name) for name in NAMES]
    assert len(tracks) >= 12
    assert {track.difficulty for track in tracks} == set(DIFFICULTIES)
    assert min(track.length for track in tracks) < 18.0
    assert max(track.length for track in tracks) > 59.0
    assert min(track.width for track in tracks) == pytest.approx(0.6, abs=0.01)
    assert max(track.width for track in tracks) == pytest.approx(1.4, abs=0.01)
    assert any(track.width_max - track.width_min > 0.3 for track in tracks)
    assert {track.is_ccw for track in tracks} == {True, False}
    assert len({track.digest for track in tracks}) == len(tracks)
    assert len({name[0] for name in NAMES}) == len(NAMES), "one letter and the tab key are enough"


def test_the_default_track_is_friendly_but_not_trivial():
    track = load(shelf.DEFAULTS["tracks"])
    assert 18.0 <= track.length <= 22.0
    assert 0.8 <= track.width <= 1.0
    assert track.difficulty == "easy"
    kappa = smooth_curvature(track.center, 0.05, 0.6)
    assert np.max(kappa) > 0.8
    assert np.min(kappa) < -0.8, "it bends to both sides"


def test_only_tracks_lie_on_the_shelf():
    assert {path.suffix for path in FOLDER.iterdir() if path.is_file()} == {".csv"}
    assert [path.name for path in FOLDER.iterdir() if path.is_dir()] == ["marks"]
