"""Track files as people have them: folded borders, rings left open, no widths, names that mean something else."""

import copy
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from roads import RADIUS, route, stadium, write_csv
from shapely import LineString, Polygon
from typer.testing import CliRunner, Result

from racer import shelf
from racer.cli import app
from racer.errors import TrackError
from racer.reward import params_at
from racer.track import (
    Track,
    import_track,
    load_track,
    make_track,
    read_track,
    save_track,
    shelve,
    suffix_of,
    track_from_arrays,
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def said(result: Result) -> str:
    return " ".join(result.stderr.split())


def rounded_square(side=8.0, radius=0.2, spacing=0.1):
    """A square ring with corners of one radius, counter-clockwise, from the middle of its lower side."""
    angle = np.linspace(0.0, math.pi / 2.0, 5)
    straight = np.arange(spacing / 2.0, side - 2.0 * radius, spacing) - side / 2.0 + radius
    edge = np.vstack(
        [
            np.column_stack([straight, np.full(len(straight), -side / 2.0)]),
            np.array([side / 2.0 - radius, radius - side / 2.0])
            + radius * np.column_stack([np.sin(angle), -np.cos(angle)]),
        ]
    )
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
    ring = np.vstack([edge, edge @ turn, edge @ turn @ turn, edge @ turn @ turn @ turn])
    return np.roll(ring, -len(straight) // 2, axis=0)


# --- borders that fold ---


@pytest.mark.parametrize("clockwise", [False, True])
def test_the_loop_inside_a_tight_bend_is_cut_off_as_an_offset_would_be(tmp_path, clockwise):
    rows = rounded_square()[::-1] if clockwise else rounded_square()
    track = load_track(write_csv(tmp_path / "square.csv", rows, 0.6, 0.6))
    assert "border folds: the bend is tighter than the road is wide; the loop was cut off" in track.notes[0]
    assert "square.csv, line " in track.notes[0]
    center = Polygon(track.center)
    inner, outer = Polygon(track.inner), Polygon(track.outer)
    assert inner.symmetric_difference(center.buffer(-0.6, join_style="mitre")).area < 1e-6
    assert outer.symmetric_difference(center.buffer(0.6, join_style="mitre")).area < 0.1
    assert LineString(track.inner).is_simple and LineString(track.outer).is_simple
    assert track.is_ccw is not clockwise
    assert Polygon(track.inner).exterior.is_ccw is not clockwise, "borders run as the centre line does"
    np.testing.assert_array_equal(track.center[:-1], rows)


def test_a_chicane_folds_both_borders(tmp_path):
    x = np.arange(-4.0, 4.01, 0.1)
    kink = np.column_stack([x, 0.4 * np.tanh(x / 0.05)])
    y = np.arange(0.0, math.pi, 0.05)[1:]
    back = np.column_stack([4.0 + 3.0 * np.sin(y), 3.4 - 3.0 * np.cos(y)])
    top = np.column_stack([-x, np.full(len(x), 6.4)])
    front = np.column_stack([-4.0 - 3.4 * np.sin(y), 3.0 + 3.4 * np.cos(y)])
    track = load_track(write_csv(tmp_path / "chicane.csv", np.vstack([kink, back, top, front]), 0.5, 0.5))
    assert track.notes
    for border in (track.inner, track.outer):
        assert LineString(border).is_simple
    assert Polygon(track.outer).contains(LineString(track.center))
    assert not Polygon(track.inner).intersects(LineString(track.center))


def test_a_mended_track_is_stored_as_its_file_has_it(tmp_path):
    source = write_csv(tmp_path / "square.csv", rounded_square(), 0.6, 0.55)
    track = load_track(source)
    for path in (import_track(source, tmp_path / "tracks"), tmp_path / "again.csv"):
        if not path.exists():
            save_track(track, path)
        assert load_track(path).digest == track.digest
    for copied in (copy.deepcopy(track), pickle.loads(pickle.dumps(track)), track.reverse().reverse()):
        assert (copied.digest, copied.notes) == (track.digest, track.notes)
        np.testing.assert_array_equal(copied.offsets, track.offsets)
    save_track(track.reverse(), tmp_path / "back.csv")
    back = load_track(tmp_path / "back.csv")
    np.testing.assert_array_equal(back.center, track.reverse().center)
    assert Polygon(back.inner).symmetric_difference(Polygon(track.inner)).area < 1e-9
    assert Polygon(back.outer).symmetric_difference(Polygon(track.outer)).area < 1e-9


def test_a_mended_track_lives_on_in_replays_and_runs(tmp_path):
    """They keep its lines alone: at a corner, the road of 2.9 m is 3.5 m wide."""
    track = load_track(write_csv(tmp_path / "square.csv", rounded_square(side=12.0), 1.45, 1.45))
    assert track.notes and track.width_max > 3.2
    assert track_from_arrays("square", track.center, track.inner, track.outer).digest == track.digest


def test_even_a_small_dense_ring_is_answered_soon(tmp_path):
    """Each of the 4,900 pieces of road overlaps all others."""
    angle = np.linspace(0.0, 2.0 * math.pi, 4901)[:-1]
    rows = 0.34 * np.column_stack([np.cos(angle), np.sin(angle)])
    with pytest.raises(TrackError, match="folds"):
        load_track(write_csv(tmp_path / "dense.csv", rows, 0.6, 0.6))


def test_a_car_is_on_a_mended_road_where_the_road_is(tmp_path):
    track = load_track(write_csv(tmp_path / "square.csv", rounded_square(), 0.6, 0.6))
    corner = np.array([4.0, -4.0])  # the lower right one; its inner border's corner is 0.6 m from both sides
    for inwards, on_road in ((0.45, True), (0.75, False)):
        x, y = corner + inwards * np.array([-1.0, 1.0])
        assert params_at(track, x, y, math.pi / 4.0)["all_wheels_on_track"] is on_road


@pytest.mark.parametrize("neck", [0.5, 0.7])
def test_two_stretches_that_overlap_are_no_bend(tmp_path, neck):
    angle = np.linspace(-np.pi / 2, np.pi / 2, 20)[:-1]
    bend = neck / 2.0 * np.column_stack([np.cos(angle), np.sin(angle)])
    x = np.linspace(0.0, 4.0, 40)[:-1]
    rows = np.vstack(
        [
            np.column_stack([x, 0 * x]),
            bend + np.array([4.0, neck / 2.0]),
            np.column_stack([4.0 - x, 0 * x + neck]),
            -bend + np.array([0.0, neck / 2.0]),
        ]
    )
    with pytest.raises(TrackError, match=r"border folds: .* narrow the road \(`racer import-track FILE --width"):
        load_track(write_csv(tmp_path / "pin.csv", rows, 0.4, 0.4))
    assert read_track(write_csv(tmp_path / "pin.csv", rows), width=0.8 * neck).width == pytest.approx(
        0.8 * neck, rel=1e-3
    )


def test_import_says_what_it_cut_off(folder):
    write_csv(folder / "square.csv", rounded_square(), 0.6, 0.6)
    done = run("import-track", "square.csv")
    assert done.exit_code == 0
    assert "Mended: square.csv, line " in said(done) and "the loop was cut off" in said(done)
    assert "Mended" not in run("import-track", write_csv(folder / "fine.csv", stadium())).stderr


# --- rings that are not closed ---


def test_a_route_without_its_repeated_row_is_closed_and_that_is_said(folder):
    whole = route()
    np.save("ring.npy", whole[:-1])
    done = run("import-track", "ring.npy")
    assert "ring.npy: the last row was not the first, 0.05 m apart; the ring was closed" in said(done)
    assert "racer train --track ring" in said(done)
    np.testing.assert_array_equal(np.load("tracks/ring.npy"), whole)
    assert load_track("ring").closed


def test_borders_that_end_early_are_closed_and_that_is_said(folder):
    whole = route()
    broken = whole.copy()
    broken[-1, 2:] = broken[-2, 2:]
    np.save("early.npy", broken)
    assert "the inner and outer border ended 0.0" in said(run("import-track", "early.npy"))
    np.testing.assert_array_equal(np.load("tracks/early.npy"), whole)
    broken[-1, 4] = whole[-1, 4] + 0.5
    np.save("early.npy", broken)
    with pytest.raises(TrackError, match=r"the inner border is an open line .* repeat the first row as the last"):
        load_track("early.npy")


def test_an_open_track_is_not_offered_for_training(folder):
    x = np.linspace(0.0, 5.0, 22)
    np.save("line.npy", np.stack([x, 0 * x, x, 0 * x + 0.3, x, 0 * x - 0.3], axis=1))
    done = run("import-track", "line.npy")
    assert done.exit_code == 0
    assert "Train on it" not in done.stderr
    assert "It is open: its last row is 5.00 m from its first." in said(done)
    assert "repeat that as the last" in said(done)


# --- other units, no widths ---


def test_a_width_for_rows_that_have_none(folder):
    ring = stadium()
    Path("line.csv").write_text("\n".join(f"{x}, {y}" for x, y in (100.0 * ring).tolist()))
    assert "--width 1.0" in said(run("import-track", "line.csv"))
    done = run("import-track", "line.csv", "--width", "0.7", "--scale", "0.01")
    assert done.exit_code == 0
    track = load_track("line")
    assert track.width == pytest.approx(0.7, rel=1e-3)
    np.testing.assert_allclose(track.center[:-1], ring, atol=1e-12)


@pytest.mark.parametrize("columns", [2, 6])
def test_a_width_for_routes(folder, columns):
    table = np.insert(route(), 7, route()[7], axis=0)  # with a repeated row, as real ones have
    np.save("wide.npy", table[:, :columns])
    track = read_track("wide.npy", width=0.5)
    assert (track.width, suffix_of(track, "wide.npy")) == (pytest.approx(0.5, rel=1e-3), ".csv")
    assert run("import-track", "wide.npy", "--width", "0.5").exit_code == 0
    assert load_track("wide").digest == track.digest
    assert list(Path("tracks").iterdir()) == [Path("tracks/wide.csv")]


def test_a_width_goes_before_the_files_own(tmp_path):
    path = write_csv(tmp_path / "narrow.csv", stadium(), 0.05, 0.05)
    with pytest.raises(TrackError, match=r"--width 1\.0 widens it"):
        load_track(path)
    assert read_track(path, width=0.9).width == pytest.approx(0.9, rel=1e-3)


@pytest.mark.parametrize("width", [0.0, -1.0, math.nan, math.inf])
def test_widths_that_are_none(tmp_path, width):
    with pytest.raises(TrackError, match="the width is"):
        read_track(write_csv(tmp_path / "a.csv", stadium()), width=width)


def test_no_track_is_longer_than_a_race_can_last(tmp_path):
    straight = 350.0 - math.pi * RADIUS
    for stretch, fits in ((0.99, True), (1.04, False)):
        x = np.linspace(0.0, stretch * straight, 1000)[:-1]
        angle = np.linspace(-math.pi / 2, math.pi / 2, 90)[:-1]
        bend = RADIUS * np.column_stack([np.cos(angle), np.sin(angle)])
        lower = np.vstack([np.column_stack([x, 0 * x]), bend + np.array([stretch * straight, RADIUS])])
        rows = np.vstack([lower, [stretch * straight, 2.0 * RADIUS] - lower])
        path = write_csv(tmp_path / "long.csv", rows)
        if fits:
            load_track(path)
        else:
            with pytest.raises(TrackError, match=r"2 to 720 m can be lapped in time .* --scale"):
                load_track(path)


# --- steps back ---


@pytest.mark.parametrize(("back", "fits"), [(0.002, True), (0.03, False)])
def test_a_route_may_step_back_by_a_hair(tmp_path, back, fits):
    table = np.insert(route(), 31, route()[30], axis=0)
    table[31, :2] += back * (table[29, :2] - table[30, :2]) / math.dist(table[29, :2], table[30, :2])
    np.save(tmp_path / "kink.npy", table)
    if fits:
        np.testing.assert_array_equal(load_track(tmp_path / "kink.npy").center, table[:, :2])
        return
    with pytest.raises(TrackError, match="turns by 180° at one point"):
        load_track(tmp_path / "kink.npy")


# --- crossings ---


def exactly_crosses(ring: list[tuple[int, int]]) -> bool:
    """Whether a ring of whole numbers touches itself, in exact arithmetic."""
    edges = list(zip(ring, [*ring[1:], ring[0]], strict=True))

    def side(a, b, c):
        value = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        return (value > 0) - (value < 0)

    def between(a, b, c):
        return min(a[0], b[0]) <= c[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= c[1] <= max(a[1], b[1])

    for i, (p, q) in enumerate(edges):
        for j in range(i + 2, len(edges) - (i == 0)):
            u, v = edges[j]
            if side(p, q, u) != side(p, q, v) and side(u, v, p) != side(u, v, q):
                return True
            if any(side(a, b, c) == 0 and between(a, b, c) for a, b, c in ((p, q, u), (p, q, v), (u, v, p), (u, v, q))):
                return True
    return False


@given(st.lists(st.integers(-400, 400), min_size=24, max_size=24))
@settings(max_examples=60, deadline=None)
def test_a_line_that_crosses_itself_is_found_exactly(wobble):
    """A ring of 24 rows whose radii wobble; its borders are scaled copies, so that only it may cross."""
    angle = np.linspace(0.0, 2.0 * math.pi, 25)[:-1]
    radius = 1500.0 + np.array(wobble)
    ring = np.round(np.column_stack([radius * np.cos(2.0 * angle), radius * np.sin(angle + 0.3)])).astype(int)
    crosses = exactly_crosses([tuple(row) for row in ring.tolist()])
    line = np.vstack([ring, ring[:1]]) / 1024.0  # exact in binary
    try:
        track_from_arrays("ring", line, line * 0.8, line * 1.2)
    except TrackError as error:
        assert not ("centre line crosses itself" in str(error) and not crosses), str(error)
    else:
        assert not crosses


def test_a_tangle_is_refused_soon(tmp_path):
    rng = np.random.default_rng(0)
    rows = np.cumsum(rng.normal(0.0, 0.06, (4900, 2)), axis=0)
    with pytest.raises(TrackError):
        load_track(write_csv(tmp_path / "tangle.csv", np.clip(rows, -1.0, 1.0) + rng.normal(0.0, 0.01, rows.shape)))


# --- names ---


@pytest.mark.parametrize("name", ["random", "shelf"])
def test_words_that_mean_other_tracks_are_no_names(folder, name):
    write_csv(folder / f"{name}.csv", stadium())
    refused = run("import-track", f"{name}.csv")
    assert refused.exit_code == 1
    assert f"the word '{name}' means" in said(refused) and "choose another name" in said(refused)
    assert run("new-track", name).exit_code == 1
    assert not Path("tracks").exists()
    Path("tracks").mkdir()
    write_csv(folder / "tracks" / f"{name}.csv", stadium())
    (entry,) = (entry for entry in shelf.entries("tracks") if entry.name == name)
    assert entry.problem is not None and "rename the file" in entry.problem
    listed = next(line for line in run("list", "tracks").stdout.splitlines() if line.startswith(name))
    assert "broken" in listed
    assert run("import-track", f"{name}.csv", "--name", "mine").exit_code == 0


@pytest.mark.parametrize("name", ["\u3164", "a\u2800b", "\u202eevil", "a\tb", "one,two", "random:3"])
def test_names_that_cannot_be_seen_or_typed(folder, name):
    with pytest.raises(TrackError):
        shelve(Track(name, *(getattr(make_track(1), line) for line in ("center", "inner", "outer"))))
    Path("tracks").mkdir()
    write_csv(folder / "tracks" / f"{name}.csv", stadium())
    (entry,) = (entry for entry in shelf.entries("tracks") if entry.name == name)
    assert entry.problem is not None and "rename the file" in entry.problem


def test_a_track_that_crosses_itself_is_marked_in_the_list(folder):
    Path("tracks").mkdir()
    angle = np.linspace(0.0, 2.0 * np.pi, 201)[:-1]
    write_csv(folder / "tracks" / "eight.csv", np.column_stack([5.0 * np.sin(angle), 2.5 * np.sin(2.0 * angle)]))
    listed = next(line for line in run("list", "tracks").stdout.splitlines() if line.startswith("eight"))
    assert "broken" in listed and "crosses itself" in listed


def test_a_track_is_shown_in_one_short_line(tmp_path):
    track = load_track(write_csv(tmp_path / "oval.csv", stadium()))
    assert repr(track) == "<Track 'oval': 17.42 m long, 0.80 m wide, counter-clockwise, 349 rows>"
