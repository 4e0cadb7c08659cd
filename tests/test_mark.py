"""The mark: what is found is a lap like any other, only a faster one replaces it, and the rest is measured by it."""

import csv
import dataclasses
import io
import json

import numpy as np
import pytest
from drives import altered, drive, ring
from shapely import Point, Polygon
from typer.testing import CliRunner

from racer import shelf
from racer.cli import app
from racer.env import TimeTrial
from racer.errors import TrackError
from racer.racing import drive as race, find_lap, load_agent
from racer.replay import (
    LINE_COLUMNS,
    best_clean_lap,
    keep_mark,
    line_of,
    load_replay,
    mark_of,
    percent_of_mark,
    save_replay,
    verify,
)
from racer.sim import CARS, PlanSettings, Traffic, physics_version
from racer.track import load_track, nearest, save_track

CAR = CARS["deepracer"]
QUICK = (PlanSettings(horizon=24),)
RUNNER = CliRunner()


@pytest.fixture(scope="module")
def small():
    return ring(radius=1.2)


@pytest.fixture(scope="module")
def found(small):
    return find_lap(small, CAR, QUICK)


@pytest.fixture(autouse=True)
def marks(tmp_path, monkeypatch):
    """A folder for marks of its own for every test."""
    monkeypatch.setenv("RACER_MARKS", str(tmp_path / "marks"))
    return tmp_path / "marks"


def run(*words):
    done = RUNNER.invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


# --- What is found ------------------------------------------------------------------------------------------


def test_it_is_a_race_like_any_other(found):
    assert verify(found).ok
    assert [lap.complete for lap in found.laps] == [True, True]
    assert found.best_lap_s == found.laps[-1].time_s


def test_it_is_faster_than_the_centre_line_can_be_driven(small, found):
    agent = load_agent("pure_pursuit").load()(None)
    classic = race(agent, small, 3)
    assert found.best_lap_s < 0.9 * classic.best_lap_s


def test_a_wheel_is_always_on_the_road(small, found):
    """By another library's geometry: the centres of the wheels, of which one must be on the road."""
    road = Polygon(small.outer, [small.inner])
    for step in found.steps:
        c, s = np.cos(step["heading"]), np.sin(step["heading"])
        wheels = [
            (step["x"] + ahead * c - left * s, step["y"] + ahead * s + left * c)
            for ahead, half in ((CAR.front_axle, CAR.wheel_offset_front), (CAR.rear_axle, CAR.wheel_offset_rear))
            for left in (half, -half)
        ]
        assert any(road.contains(Point(wheel)) for wheel in wheels)


def test_a_road_that_no_car_can_follow_has_none():
    narrow = ring(radius=0.5)
    slow = dataclasses.replace(CAR, max_steering=0.05)
    with pytest.raises(TrackError, match="no lap was found"):
        find_lap(narrow, slow, QUICK)


# --- Marks are kept, and only improve -----------------------------------------------------------------------


def test_only_a_faster_lap_that_verifies_becomes_the_mark(small, found):
    slow, middle = drive(small, speed=1.0), drive(small, speed=1.5)
    assert mark_of(small, CAR) is None
    assert not keep_mark(middle), "where none is known, somebody has to ask for one"
    assert not keep_mark(dataclasses.replace(middle, traffic=Traffic()), first=True), "a race is no time trial"
    assert keep_mark(middle, first=True) and mark_of(small, CAR).digest == middle.digest
    assert not keep_mark(slow) and not keep_mark(slow, first=True)
    assert not keep_mark(middle), "the same again is no faster"
    assert not keep_mark(dataclasses.replace(found, imported="a log"))
    steps = found.steps.copy()
    steps["x"] += 1e-3
    forged = altered(found, steps=steps)
    assert not verify(forged).ok and not keep_mark(forged)
    assert mark_of(small, CAR).digest == middle.digest
    assert keep_mark(found) and mark_of(small, CAR).digest == found.digest


def test_marks_belong_to_road_direction_car_and_physics(small, found, marks):
    assert keep_mark(found, first=True)
    other = dataclasses.replace(CAR, speed_gain=1.0)
    assert mark_of(small.reverse(), CAR) is None
    assert mark_of(small, other) is None and mark_of(small, dataclasses.replace(CAR, name="mine")) is not None
    assert mark_of(ring(radius=1.3), CAR) is None
    (path,) = marks.iterdir()
    of_old = dataclasses.replace(found, physics="0" * 16)
    save_replay(of_old, path, overwrite=True)
    assert mark_of(small, CAR) is None, "a mark of another physics is no mark"
    assert not keep_mark(of_old, first=True)
    path.write_bytes(b"damaged")
    assert mark_of(small, CAR) is None and keep_mark(found, first=True)


def test_percent_of_mark(found):
    assert percent_of_mark(found.best_lap_s, found) == pytest.approx(100.0)
    assert percent_of_mark(2.0 * found.best_lap_s, found) == pytest.approx(50.0)
    assert percent_of_mark(None, found) is None and percent_of_mark(5.0, None) is None


# --- Its line -----------------------------------------------------------------------------------------------


def test_the_line_lies_where_it_says(small, found):
    at = np.arange(0.0, small.length, 0.05)
    line = dict(zip(LINE_COLUMNS, line_of(found, best_clean_lap(found), at).T, strict=True))
    _, along = nearest(np.stack([line["x_m"], line["y_m"]], axis=1), small.center)
    apart = (along - at + 0.5 * small.length) % small.length - 0.5 * small.length
    assert np.abs(apart).max() < 0.06, "between two steps, a third of a metre apart"
    gone = np.hypot(np.diff(line["x_m"]), np.diff(line["y_m"])) / np.diff(line["time_s"])
    assert np.abs(gone - 0.5 * (line["speed_mps"][1:] + line["speed_mps"][:-1])).max() < 0.8, (
        "its front point also turns about the car"
    )
    assert (np.diff(line["time_s"]) > 0.0).all()
    assert line["time_s"][-1] < found.best_lap_s < line["time_s"][-1] + 0.1


# --- The shelf ----------------------------------------------------------------------------------------------

WAYS = [(name, reverse) for name in shelf.names("tracks") for reverse in (False, True)]


@pytest.mark.parametrize(("name", "reverse"), WAYS)
def test_every_track_of_the_shelf_has_a_mark(name, reverse):
    track = load_track(shelf.shipped_folder("tracks") / f"{name}.csv")
    track = track.reverse() if reverse else track
    mark = mark_of(track, CAR)
    assert mark is not None, "the car moves otherwise than before: run `python benchmarks/marks.py`"
    assert verify(mark).ok and len(mark.laps) == mark.completed_laps >= 2
    assert mark.track.reversed == reverse


def test_the_folder_of_marks_holds_no_others():
    folder = shelf.shipped_folder("tracks") / "marks"
    held = [load_replay(path) for path in folder.iterdir()]
    assert len(held) == len(WAYS)
    assert {mark.physics for mark in held} == {physics_version().motion}
    assert max(path.stat().st_size for path in folder.iterdir()) < 250_000


@pytest.mark.parametrize("name", ["harbor", "thunder", "clover"])
def test_a_driver_that_follows_it_is_clean_and_quicker_than_the_centre_line(name):
    track = load_track(name)
    races = [race(load_agent(agent).load()(TimeTrial(track)), track, 2) for agent in ("mark_line", "pure_pursuit")]
    assert [lap.complete and not lap.resets for drive in races for lap in drive.laps] == [True] * 4
    assert races[0].best_lap_s < races[1].best_lap_s


# --- On the command line ------------------------------------------------------------------------------------


def test_the_mark_of_a_track_of_the_shelf_is_known(tmp_path):
    shown = run("mark", "--track", "harbor")
    assert shown.exit_code == 0 and "The mark of harbor" in shown.stdout and "Searching" not in shown.stderr
    record = json.loads(run("mark", "--track", "harbor", "--reverse", "--json").stdout)
    assert record["direction"] == "reverse" and 3.0 < record["mark_s"] < 8.0
    lines = list(csv.DictReader(io.StringIO(run("mark", "--csv").stdout)))
    assert tuple(lines[0]) == LINE_COLUMNS and len(lines) == len(load_track("harbor").center) - 1
    numbers = np.array([[float(value) for value in line.values()] for line in lines])
    assert numbers[:, LINE_COLUMNS.index("steering_deg")].min() < -1.0, "it steers to the right, too"
    fine = run("mark", "--csv", "--every", "0.01").stdout.splitlines()
    assert len(fine) - 1 == int(np.ceil(load_track("harbor").length / 0.01))
    picture, copy = tmp_path / "mark.png", tmp_path / "mark.replay"
    assert run("mark", "--out", picture, "--replay", copy).exit_code == 0
    assert picture.stat().st_size > 30_000 and verify(load_replay(copy)).ok
    kept = run("mark", "--out", picture)
    assert kept.exit_code == 1 and "--force" in kept.stderr


def test_a_track_of_ones_own_gets_its_mark_when_it_is_asked_for(tmp_path, small, marks):
    path = tmp_path / "own.csv"
    save_track(small, path)
    first = run("mark", "--track", path, "--quick", "--json")
    assert "No mark" in first.stderr and len(list(marks.iterdir())) == 1
    again = run("mark", "--track", path, "--json")
    assert again.stderr.count("No mark") == 0 and again.stdout == first.stdout


def test_an_evaluation_says_its_percentage(tmp_path):
    record = json.loads(run("evaluate", "pure_pursuit", "--json").stdout)
    mark = mark_of(load_track("harbor"), CAR)
    assert record["mark_s"] == round(mark.best_lap_s, 3)
    assert record["percent_of_mark"] == pytest.approx(100.0 * mark.best_lap_s / record["best_lap_s"], abs=0.02)
    table = run("evaluate", "pure_pursuit", "--replay", tmp_path / "classic.replay").stdout
    assert "of the mark" in table and f"{record['percent_of_mark']:.1f} %" in table
    db = tmp_path / "board.sqlite"
    assert run("leaderboard", "add", tmp_path / "classic.replay", "--db", db).exit_code == 0
    (row,) = json.loads(run("leaderboard", "--db", db, "--json").stdout)
    assert row["percent_of_mark"] == pytest.approx(record["percent_of_mark"], abs=0.02)
    trials = json.loads(run("evaluate", "pure_pursuit", "--tracks", "harbor", "--json").stdout)
    assert trials["races"][0]["percent_of_mark"] == pytest.approx(record["percent_of_mark"], abs=0.02)


def test_an_unknown_track_says_how_to_find_its_mark(tmp_path, small):
    path = tmp_path / "own.csv"
    save_track(small, path)
    done = run("evaluate", "pure_pursuit", "--track", path, "--json")
    assert json.loads(done.stdout)["percent_of_mark"] is None and "racer mark --track" in done.stderr


def test_a_faster_lap_becomes_the_mark(tmp_path, small, found):
    keep_mark(drive(small, speed=1.0), first=True)
    save_replay(found, tmp_path / "found.replay")
    added = run("leaderboard", "add", tmp_path / "found.replay", "--driver", "Ada", "--db", tmp_path / "b.sqlite")
    assert "A new mark" in added.stderr and mark_of(small, CAR).digest == found.digest
