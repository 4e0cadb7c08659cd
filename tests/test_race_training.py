"""Trainings among boxes and bot cars: what is asked for is kept, driven, evaluated, resumed and told."""

import csv
import json
from pathlib import Path

import pytest
from test_train import CLIMBER
from typer.testing import CliRunner

from racer.cli import app
from racer.replay import load_replay, verify
from racer.sim import Bots, Boxes, Traffic
from racer.training import find_run, open_run


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("climber.py").write_text(CLIMBER)
    return tmp_path


def call(*words, code=0):
    done = CliRunner().invoke(app, ["train", *words])
    assert done.exit_code == code, done.output
    return done.output


def evaluated(*words):
    done = CliRunner().invoke(app, ["evaluate", *words, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def rows(name):
    with Path(f"runs/{name}/metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


SHORT = ("--agent", "climber.py", "--steps", "600", "--no-logs")


@pytest.mark.slow
def test_a_training_among_boxes(home):
    call("--race", "object-avoidance", "--objects", "5", "--random-objects", *SHORT, "--name", "one")
    run = open_run(Path("runs/one"))
    assert run.config.traffic == Traffic(Boxes(5, drawn=True))
    assert run.config.sensors == ("state:objects=3",)
    replay = load_replay(run.replay)
    assert replay.traffic == run.config.traffic
    assert verify(replay).ok
    crashed = [float(row["eval/crashes_per_lap"]) for row in rows("one") if row["eval/crashes_per_lap"]]
    assert crashed and max(crashed) > 0.0
    told = evaluated("one", "--agent", "climber.py", "--seeds", "3", "--laps", "1", "--replay", "own.replay")
    assert (told["race"], told["seeds"], told["traffic"]["boxes"]["count"]) == ("object-avoidance", 3, 5)
    assert load_replay("own.replay").traffic == run.config.traffic
    alone = evaluated("one", "--agent", "climber.py", "--race", "time-trial", "--laps", "1", "--no-logs")
    assert len(alone["laps"]) == 1
    call("--name", "one", "--resume", "--more-steps", "300", "--agent", "climber.py")
    assert open_run(Path("runs/one")).config.traffic == run.config.traffic
    assert int(rows("one")[-1]["steps"]) >= 900


@pytest.mark.slow
def test_a_driver_goes_on_in_another_race(home):
    call("--race", "object-avoidance", *SHORT, "--name", "one")
    call("--from", "one", "--race", "head-to-bot", "--bots", "2", *SHORT, "--name", "two")
    assert find_run("two").config.traffic == Traffic(bots=Bots(2, 0.5))
    call("--from", "one", "--race", "time-trial", *SHORT, "--name", "three")
    assert find_run("three").config.traffic is None


def test_a_training_among_bot_cars_with_logs(home):
    words = ("--bots", "2", "--bot-speed", "0.7", "--lane-changes", "--agent", "climber.py", "--steps", "600")
    call(*words, "--name", "bots")
    assert open_run(Path("runs/bots")).config.traffic == Traffic(bots=Bots(2, 0.7, lane_changes=True))
    assert verify(load_replay("runs/bots/best.replay")).ok


@pytest.mark.slow
def test_a_training_against_others(home):
    call("--opponent", "pure_pursuit", "--opponent", "follow_the_gap", "--name", "duel", *SHORT)
    run = open_run(Path("runs/duel"))
    assert (run.config.opponents, run.config.race) == (("pure_pursuit", "follow_the_gap"), "head-to-head")
    replay = load_replay(run.replay)
    assert [drive.driver for drive in replay.drives] == ["duel", "pure_pursuit", "follow_the_gap"]
    assert verify(replay).ok
    call("--name", "duel", "--resume", "--more-steps", "300", "--agent", "climber.py")
    alone = CliRunner().invoke(app, ["evaluate", "duel", "--agent", "climber.py", "--json"])
    assert alone.exit_code == 0 and "racer race duel OTHER" in alone.stderr
    assert len(json.loads(alone.stdout)["laps"]) == 3


@pytest.mark.slow
def test_the_same_seed_trains_the_same(home):
    for name in ("a", "b"):
        call("--random-objects", *SHORT, "--name", name)
    kept = [open_run(Path("runs") / name) for name in ("a", "b")]
    one, other = (run.load(run.checkpoint)[0] for run in kept)
    assert all((one[key] == other[key]).all() for key in one)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--race", "drag"),
            "--race is 'drag'; it must be one of time-trial, object-avoidance",
        ),
        (("--race", "head-to-bot", "--objects", "3"), "these belong to --race object-avoidance"),
        (("--race", "time-trial", "--bots", "3"), "these belong to --race head-to-bot"),
        (("--race", "head-to-head"), "needs somebody to race against"),
        (("--race", "head-to-bot", "--opponent", "pure_pursuit"), "belong to --race head-to-head"),
        (("--opponent", "ppo"), "has learned nothing yet"),
        (("--opponent", "nobody_at_all"), "nobody_at_all"),
        (("--objects", "10000"), "there are 10000 boxes; it must be a whole number from 0 to 200"),
        (("--objects", "50"), "At most 9 fit"),
        (("--bot-speed", "11"), "the speed of bot cars is 11.0"),
    ],
)
def test_what_makes_no_sense_is_refused(home, words, message):
    assert message in " ".join(call(*words, *SHORT, code=1).split())
    assert not Path("runs").exists()


def test_a_driver_that_sees_no_boxes_does_not_begin_among_them(home):
    call(*SHORT, "--name", "alone")
    said = call("--from", "alone", "--objects", "3", *SHORT, code=1)
    assert "tells of no boxes" in " ".join(said.split())
