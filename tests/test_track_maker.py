"""Tracks drawn at random: sound, varied, the same for the same seed, and good to drive."""

import json
import subprocess
import sys
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from shapely import LinearRing, LineString, Polygon, get_coordinates, points
from typer.testing import CliRunner

from racer import shelf
from racer.cli import app
from racer.env import TimeTrialVector
from racer.errors import TrackError
from racer.racing import drive, load_agent
from racer.track import DIFFICULTIES, load_track, make_track, save_track, shelve, smooth_curvature, track_from_arrays

SEEDS = range(100)
RUNNER = CliRunner()

made = cache(make_track)


def radii(track):
    """Radius, m, of the circle through each row and its two neighbours."""
    here = track.center[:-1]
    before, after = np.roll(here, 1, axis=0), np.roll(here, -1, axis=0)
    a, b, c = here - before, after - here, after - before
    area = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
    return np.hypot(*a.T) * np.hypot(*b.T) * np.hypot(*c.T) / np.maximum(2.0 * area, 1e-12)


def is_sound(track):
    """Shapely's word on a road: rings inside one another, with ground between any two stretches."""
    inner, line, outer = Polygon(track.inner), Polygon(track.center), Polygon(track.outer)
    assert inner.is_valid and line.is_valid and outer.is_valid
    assert outer.contains_properly(line) and line.contains_properly(inner)
    assert LinearRing(track.center).is_ccw == track.is_ccw
    half = track.widths.max() / 2.0
    for border in (track.inner, track.outer):
        away = LineString(track.center).distance(points(border))
        assert away.min() > 0.34 and away.max() < half + 5e-3
    # Roads that nearly touch would melt into one when swollen, and leave a hole or two more.
    swollen = LineString(track.center).buffer(half + 0.1)
    assert len(swollen.interiors) == 1
    assert np.min(radii(track) - track.widths[:-1] / 2.0) > 0.1


@given(st.integers(0, 2**70))
@settings(max_examples=40)
def test_every_seed_makes_a_sound_track(seed):
    is_sound(make_track(seed))


@pytest.mark.parametrize("seed", SEEDS[::4])
def test_a_made_track_keeps_its_promises(seed):
    track = made(seed)
    is_sound(track)
    assert track.name == f"random-{seed}"
    assert 12.0 <= track.length <= 70.0
    assert 0.7 - 5e-3 <= track.width_min <= track.width_max <= 1.2 + 1e-9
    steps = np.diff(track.s)
    assert 0.14 < steps.min() < steps.max() < 0.16
    kappa = smooth_curvature(track.center, 0.05, 0.3)
    assert kappa.max() > 0.2 and kappa.min() < -0.2, "it bends both ways"
    again = track_from_arrays("again", track.center, track.inner, track.outer)  # the checks of a .npy
    assert again.digest == track.digest


def test_what_is_made_is_varied():
    tracks = [made(seed) for seed in SEEDS]
    share = len(tracks)
    assert len({track.digest for track in tracks}) == share
    assert min(track.length for track in tracks) < 18.0
    assert max(track.length for track in tracks) > 58.0
    assert min(track.width for track in tracks) < 0.75
    assert max(track.width for track in tracks) > 1.1
    assert 0.1 * share < sum(track.width_max - track.width_min > 0.1 for track in tracks) < 0.4 * share
    assert 0.35 * share < sum(track.is_ccw for track in tracks) < 0.65 * share
    for grade in DIFFICULTIES:
        assert sum(track.difficulty == grade for track in tracks) > 0.05 * share
    assert min(track.turns for track in tracks) <= 4 and max(track.turns for track in tracks) >= 16
    kappa = [np.abs(smooth_curvature(track.center, 0.05, 0.3)) for track in tracks]
    sharpest = np.array([1.0 / each.max() for each in kappa])
    assert sharpest.min() < 0.6 and sharpest.max() > 0.9
    straight = np.array([(each < 0.1).mean() for each in kappa])
    assert straight.min() < 0.15 and straight.max() > 0.5
    hairpins = [np.abs(np.convolve(smooth_curvature(t.center, 0.05, 0.3), np.full(70, 0.05))).max() for t in tracks]
    assert sum(turned > 2.6 for turned in hairpins) > 0.2 * share, "150 degrees within 3.5 m"


def test_it_starts_where_its_line_is_straight():
    for seed in SEEDS[:40]:
        track = made(seed)
        at = np.minimum(track.s[:-1], track.length - track.s[:-1])
        assert radii(track)[at < 0.2].min() > 5.0


def test_the_same_seed_makes_the_same_track_in_any_process():
    script = "from racer.track import make_track; print(*(make_track(s).digest for s in (3, 2**64)))"
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert other.stdout.split() == [make_track(seed).digest for seed in (3, 2**64)]
    assert make_track(np.int64(3)).digest == make_track(3).digest


def test_yesterdays_seeds_make_yesterdays_tracks():
    """What changes these must be meant to: notes, pictures and trained agents name tracks by their seeds."""
    for seed, length, width, turns, start in (
        (7, 22.0587, 0.779, 5, (2.4914, 3.7550, 0.8391)),
        (1234, 38.8578, 1.1798, 7, (8.6938, 1.4213, 3.1056)),
    ):
        track = made(seed)
        assert (track.length, track.width) == pytest.approx((length, width), abs=2e-3)
        assert track.turns == turns
        assert track.start == pytest.approx(start, abs=2e-3)


def test_a_seed_is_a_whole_number_from_0():
    with pytest.raises(TrackError, match="from 0, not -1"):
        make_track(-1)


@pytest.mark.parametrize("seed", SEEDS[:12])
def test_a_saved_track_is_the_same_road(tmp_path, seed):
    track = made(seed)
    save_track(track, tmp_path / "t.csv")
    loaded = load_track(tmp_path / "t.csv")
    for line in ("center", "inner", "outer"):
        np.testing.assert_allclose(getattr(loaded, line), getattr(track, line), rtol=0.0, atol=1e-9)
    np.testing.assert_array_equal(loaded.center, track.center)
    assert dict(loaded.metadata) == dict(track.metadata)
    assert (loaded.turns, loaded.difficulty, loaded.is_ccw) == (track.turns, track.difficulty, track.is_ccw)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS[:6])
def test_pure_pursuit_drives_three_clean_laps(seed):
    for track in (made(seed), made(seed).reverse()):
        driver = load_agent("pure_pursuit").make(TimeTrialVector(1, track))
        laps = drive(driver, track, 3).laps
        assert len(laps) == 3 and all(lap.complete for lap in laps), track.name


# --- racer new-track ---


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words):
    return RUNNER.invoke(app, list(words))


def test_a_new_track_lies_on_the_shelf_here(folder):
    done = run("new-track", "--seed", "7", "--plot", "seven.png")
    assert done.exit_code == 0, done.output
    assert "racer train --track random-7" in done.stderr
    track = load_track("random-7")
    np.testing.assert_array_equal(track.center, make_track(7).center)
    told = f"{track.length:.2f} m long, {track.width:.2f} m wide, {track.turns} turns, {track.difficulty}"
    assert told in done.stdout
    assert (folder / "seven.png").read_bytes().startswith(b"\x89PNG")
    listed = json.loads(run("list", "tracks", "--json").stdout)
    (entry,) = (each for each in listed if each["name"] == "random-7")
    assert entry["origin"] == "folder" and "--seed 7" in entry["about"]


def test_a_new_track_replaces_none_unasked(folder):
    assert run("new-track", "mine", "--seed", "1").exit_code == 0
    before = (folder / "tracks" / "mine.csv").read_bytes()
    again = run("new-track", "mine", "--seed", "2")
    assert again.exit_code == 1 and "mine.csv exists already" in again.stderr
    assert (folder / "tracks" / "mine.csv").read_bytes() == before
    assert run("new-track", "mine", "--seed", "2", "--force").exit_code == 0
    np.testing.assert_array_equal(load_track("mine").center, make_track(2).center)


def test_a_seed_drawn_by_chance_is_told(folder):
    done = run("new-track")
    assert done.exit_code == 0, done.output
    (name,) = (each for each in shelf.names("tracks") if each.startswith("random-"))
    seed = name.removeprefix("random-")
    assert f"racer new-track --seed {seed}" in done.stderr
    np.testing.assert_array_equal(load_track(name).center, make_track(int(seed)).center)


@pytest.mark.parametrize("words", [["--seed", "-1"], ["--seed", "x"], ["--seed", "1.5"], ["one", "two"]])
def test_what_is_no_seed_is_wrong_usage(folder, words):
    done = run("new-track", *words)
    assert done.exit_code == 2
    assert not (folder / "tracks").exists()


@pytest.mark.parametrize("name", ["a b", "../up", ".hidden"])
def test_a_name_that_is_none(folder, name):
    done = run("new-track", name, "--seed", "1")
    assert done.exit_code == 1 and "is no name for a track file" in done.stderr
    assert not list(folder.rglob("*.csv"))


def test_an_open_track_goes_on_a_shelf_as_npy_alone(folder):
    line = np.stack([np.linspace(0.0, 3.0, 20), np.zeros(20)], axis=1)
    track = track_from_arrays("sprint", line, line + np.array([0.0, 0.4]), line - np.array([0.0, 0.4]))
    with pytest.raises(TrackError, match="it is open"):
        shelve(track)
    assert shelve(track, suffix=".npy").name == "sprint.npy"
    assert get_coordinates(LineString(load_track("sprint").center)).tolist() == line.tolist()
