"""Pictures: they are drawn without a screen, show what they should, and fail with a message."""

import dataclasses
import sys

import numpy as np
import pytest
from drives import altered, drive, ring
from PIL import Image

from racer import shelf
from racer.errors import FileError, ShelfError
from racer.track import Track, load_track
from racer.viewer.plot import contact_sheet, laps
from racer.viewer.plot.canvas import ACCENT, BAD, GOOD


@pytest.fixture(scope="module")
def race():
    return drive(ring(), laps=3, leave_in_lap=2)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def count(picture, color, slack=12):
    wanted = [int(color[k : k + 2], 16) for k in (1, 3, 5)]
    return int(np.sum(np.all(np.abs(picture - wanted) <= slack, axis=-1)))


@pytest.mark.slow
def test_a_contact_sheet_shows_every_track(tmp_path):
    names = shelf.names("tracks")
    contact_sheet(names, tmp_path / "all.png")
    contact_sheet(names[:1], tmp_path / "one.png")
    whole, one = pixels(tmp_path / "all.png"), pixels(tmp_path / "one.png")
    assert whole.shape[0] > 3 * one.shape[0]
    assert 1.0 <= whole.shape[1] / whole.shape[0] <= 2.0
    assert count(one, ACCENT) > 50, "the start line"
    assert count(whole, ACCENT) > 8 * count(one, ACCENT)
    assert (tmp_path / "all.png").stat().st_size < 1_000_000


def test_tracks_are_drawn_to_scale_and_not_mirrored(tmp_path):
    """The road's surface, pixel by pixel, lies where the track's polygons are."""
    from shapely import Point, Polygon

    from racer.viewer.plot import Box, Canvas
    from racer.viewer.plot.canvas import ROAD

    track = load_track("needle")
    canvas = Canvas(4.0, 3.0)
    place = canvas.road(track, Box(0.2, 0.2, 3.6, 2.6))
    canvas.save(tmp_path / "needle.png")
    picture = pixels(tmp_path / "needle.png")
    height, width, _ = picture.shape
    surface = Polygon(place(track.outer)).difference(Polygon(place(track.inner)))
    rng = np.random.default_rng(3)
    checked = 0
    for x, y in rng.uniform((0.0, 0.0), (4.0, 3.0), size=(3000, 2)):
        if surface.boundary.distance(Point(x, y)) < 0.04:
            continue  # the border's own line
        color = picture[int((3.0 - y) * height / 3.0), int(x * width / 4.0)]
        is_road = count(color[None, None], ROAD, 2) == 1
        if surface.contains(Point(x, y)):
            checked += is_road
        else:
            assert not is_road
    assert checked > 100


def test_open_tracks_can_be_drawn(tmp_path):
    x = np.linspace(0.0, 5.0, 22)
    line = np.stack([x, 0 * x], axis=1)
    contact_sheet(
        [Track("straight", line, line + np.array([0.0, 0.3]), line - np.array([0.0, 0.3]))],
        tmp_path / "line.png",
    )
    assert count(pixels(tmp_path / "line.png"), ACCENT) > 50


def test_laps_show_speed_the_best_time_and_where_the_car_left(race, tmp_path):
    laps(race, tmp_path / "laps.png")
    picture = pixels(tmp_path / "laps.png")
    assert count(picture, GOOD) > 100, "the best lap's time"
    assert count(picture, BAD) > 20, "the cross where the car left the track"
    clean = altered(race, laps=race.laps[:1], steps=race.steps[race.steps["lap"] == 1])
    laps([clean], tmp_path / "clean.png")
    assert count(pixels(tmp_path / "clean.png"), BAD) == 0


def test_several_races_share_a_sheet(race, tmp_path):
    laps([race], tmp_path / "one.png")
    laps([race, race, race], tmp_path / "three.png")
    one, three = pixels(tmp_path / "one.png"), pixels(tmp_path / "three.png")
    assert three.shape[0] > 1.9 * one.shape[0] * 0.98
    assert three.shape[1] > 1.9 * one.shape[1] * 0.98


@pytest.mark.parametrize("steps", [0, 1, 2, 5])
def test_a_race_that_hardly_began_can_be_drawn(race, tmp_path, steps):
    none = altered(race, laps=(), steps=race.steps[:steps])
    laps(none, tmp_path / "none.png")
    lap = dataclasses.replace(race.laps[0], complete=False, off_track=True, time_s=steps / 15)
    laps(altered(none, laps=(lap,)), tmp_path / "lap.png")
    assert count(pixels(tmp_path / "lap.png"), BAD) > 20


def test_names_are_names_and_no_formulas(race, tmp_path):
    odd = altered(race, driver="$\\frac{a}$ " + "x" * 300, reward="a$b_{$")
    laps(odd, tmp_path / "odd.png")
    assert (tmp_path / "odd.png").exists()


@pytest.mark.slow
def test_many_laps_fit(race, tmp_path):
    many = altered(race, laps=race.laps * 100)
    laps(many, tmp_path / "many.png")
    assert (tmp_path / "many.png").stat().st_size < 1_000_000


@pytest.mark.parametrize("suffix", [".svg", ".pdf"])
def test_other_formats(race, tmp_path, suffix):
    laps(race, tmp_path / f"laps{suffix}")
    assert (tmp_path / f"laps{suffix}").stat().st_size > 5_000


def test_what_cannot_be_drawn_leaves_nothing_behind(race, tmp_path):
    with pytest.raises(FileError, match=r"laps\.xyz.*\.png"):
        laps(race, tmp_path / "laps.xyz")
    with pytest.raises(FileError, match="missing"):
        laps(race, tmp_path / "missing" / "laps.png")
    with pytest.raises(ValueError, match="no replays"):
        laps([], tmp_path / "laps.png")
    with pytest.raises(ValueError, match="no tracks"):
        contact_sheet([], tmp_path / "sheet.png")
    with pytest.raises(ShelfError, match="harbour"):
        contact_sheet(["harbour"], tmp_path / "sheet.png")
    assert list(tmp_path.iterdir()) == []


def test_drawing_touches_no_global_state_of_matplotlib(race, tmp_path):
    sys.modules.pop("matplotlib.pyplot", None)
    laps(race, tmp_path / "laps.png")
    assert "matplotlib.pyplot" not in sys.modules
