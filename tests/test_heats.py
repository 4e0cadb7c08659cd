"""Races of several drivers: who comes in when, who retires, and what is recorded of it."""

import dataclasses
import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
from drives import CAR, ring
from typer.testing import CliRunner, Result

from racer.cli import app
from racer.errors import AgentError, RulesError
from racer.racing import Contestant, Heat, HeatResult, RaceConditions, heat_result, run_heat
from racer.replay import STEP_S, drive_again, load_replay, save_replay, verify
from racer.sim import CARS, Bots, Boxes, DiscreteActions, Traffic

RUNNER = CliRunner()
TRACK = ring(1.5)
CIRCLE_DEG = 8.5  # steers along the ring, about


class Circler:
    """Drives round a ring at one speed; `fails`, if given, is called in step `at`."""

    def __init__(self, speed, fails=None, at=0):
        self.speed, self.fails, self.at, self.calls = speed, fails, at, 0

    def act(self, observation):
        self.calls += 1
        if self.fails is not None and self.calls > self.at:
            return self.fails()
        seen = np.asarray(observation, dtype=np.float64)
        turn = np.arctan2(seen[:, 8], seen[:, 9])
        steering = CIRCLE_DEG / 30.0 - 1.0 * turn - 0.6 * seen[:, 6]
        return np.stack([steering, np.full(len(seen), (self.speed - 0.5) / 1.75 - 1.0)], axis=1).astype(np.float32)


def heat(*drivers, names=None, laps=2, **options) -> HeatResult:
    names = names or [f"car {k}" for k in range(len(drivers))]
    field = [Contestant(name, driver) for name, driver in zip(names, drivers, strict=True)]
    return run_heat(Heat(TRACK, laps, **options), field)


@pytest.fixture(scope="module")
def result() -> HeatResult:
    """A fast, a middling and a slow driver, on the grid in that order."""
    return heat(Circler(2.0), Circler(1.7), Circler(1.4), names=["fast", "middling", "slow"])


def test_who_is_faster_comes_in_earlier(result):
    assert [placing.driver for placing in result.placings] == ["fast", "middling", "slow"]
    assert [placing.position for placing in result.placings] == [1, 2, 3]
    assert [placing.car for placing in result.placings] == [0, 1, 2]
    assert {placing.end for placing in result.placings} == {"finished"}
    times = [placing.time_s for placing in result.placings]
    way = 2 * TRACK.length
    for time_s, speed in zip(times, (2.0, 1.7, 1.4), strict=True):
        assert 0.85 * way / speed < time_s < 1.25 * way / speed + 1.0
    assert [placing.gap_s for placing in result.placings] == pytest.approx([time_s - times[0] for time_s in times])


def test_a_car_is_off_the_track_when_it_has_finished(result):
    for drive in result.replay.drives:
        last = drive.laps[-1]
        assert [lap.complete for lap in drive.laps] == [True, True]
        assert len(drive.steps) == np.ceil((last.start_s + last.time_s) / STEP_S - 1e-9)


def test_a_heat_is_read_and_driven_again_to_the_bit(result, tmp_path):
    save_replay(result.replay, tmp_path / "heat.replay")
    again = load_replay(tmp_path / "heat.replay")
    assert heat_result(again).placings == result.placings
    verdict = verify(again)
    assert (verdict.ok, verdict.reason) == (True, "")
    assert verdict.drives == tuple(drive.laps for drive in result.replay.drives)
    for car in range(3):
        odd = again.drives[car].steps.copy()
        odd["y"][50] += 1e-9
        drives = [*again.drives]
        drives[car] = dataclasses.replace(drives[car], steps=odd)
        told = verify(dataclasses.replace(again, drives=tuple(drives))).reason
        assert f"in step 50 (at 3.33 s) {again.drives[car].driver}'s y is" in told
    minutes = sum(len(drive.steps) for drive in again.drives) * STEP_S / 60.0
    assert (tmp_path / "heat.replay").stat().st_size < 300_000 * minutes


def test_a_car_that_is_cut_short_does_not_verify(result):
    """A record that lets the slow car stop before it has finished claims another race."""
    slow = result.replay.drives[2]
    short = dataclasses.replace(slow, steps=slow.steps[:-20])
    forged = dataclasses.replace(result.replay, drives=(*result.replay.drives[:2], short))
    assert "lap 2" in verify(forged).reason


def test_the_same_heat_is_the_same_race(result):
    again = heat(Circler(2.0), Circler(1.7), Circler(1.4), names=["fast", "middling", "slow"])
    assert again.replay.digest == result.replay.digest and again.placings == result.placings


# Crashes


@pytest.fixture(scope="module")
def crashed() -> HeatResult:
    """A fast car starts behind a slow one."""
    return heat(Circler(0.8), Circler(2.2), names=["slow", "fast"], laps=1)


def test_who_is_behind_is_to_blame(crashed):
    crash, *_ = crashed.replay.crashes
    assert (crash.car, crash.into) == (1, 0)
    assert crashed.replay.crash_text(crash) == "fast ran into slow"
    fast, slow = (crashed.replay.drives[car].steps for car in (1, 0))
    both = slice(min(len(fast), len(slow)))
    gap = np.hypot(fast["x"][both] - slow["x"][both], fast["y"][both] - slow["y"][both])
    assert gap[crash.step] < CAR.length + 0.02 and (gap[: crash.step] > gap[crash.step]).all()
    held = np.flatnonzero(fast["held"])
    assert held[0] == crash.step + 1 and not slow["held"].any()
    row = next(placing for placing in crashed.placings if placing.driver == "fast")
    assert row.crashes == len(crashed.replay.crashes_of(1)) >= 1 and row.off_tracks == 0
    assert row.penalty_s == pytest.approx(5.0 * row.crashes)
    assert crashed.as_json()["crashes"][0]["text"] == "fast ran into slow"


def test_crashes_are_driven_again_and_verified(crashed, tmp_path):
    save_replay(crashed.replay, tmp_path / "heat.replay")
    again = load_replay(tmp_path / "heat.replay")
    assert again.crashes == crashed.replay.crashes and again.traffic == crashed.replay.traffic
    assert verify(again).ok and drive_again(again).crashes == again.crashes
    blamed = dataclasses.replace(again.crashes[0], car=0, into=1)
    for forged, told in (
        (dataclasses.replace(again, crashes=()), "records not that fast ran into slow, but driven again it does"),
        (dataclasses.replace(again, crashes=(blamed,)), "ran into"),
        (dataclasses.replace(again, traffic=Traffic(grid="pairs")), "in step 0"),
        (dataclasses.replace(again, traffic=None), "in step 0"),
    ):
        assert told in verify(forged).reason
    assert dataclasses.replace(again, traffic=Traffic(grid="pairs")).digest != again.digest


@pytest.mark.parametrize("traffic", [Traffic(Boxes(4)), Traffic(bots=Bots(2, 0.5, lane_changes=True))])
def test_boxes_and_bot_cars_are_recorded(traffic, tmp_path):
    result = heat(Circler(2.0), Circler(1.0), laps=1, traffic=traffic)
    save_replay(result.replay, tmp_path / "heat.replay")
    again = load_replay(tmp_path / "heat.replay")
    assert again.traffic == traffic and again.things.tobytes() == result.replay.things.tobytes()
    rows = 1 if traffic.boxes else max(len(drive.steps) for drive in again.drives)
    assert again.things.shape == (rows, traffic.count) and verify(again).ok
    moved = again.things.copy()
    moved["x"][rows // 2, 1] += 1e-6
    assert "box or a bot car is not where" in verify(dataclasses.replace(again, things=moved)).reason
    seconds = sum(len(drive.steps) for drive in again.drives) * STEP_S
    assert (tmp_path / "heat.replay").stat().st_size < 300_000 * seconds / 60.0 + 10_000


# Drivers that fail


def lazy():
    while True:
        pass


FAILURES = {
    "raises": (lambda: 1 / 0, r"test_heats\.py, line \d+: ZeroDivisionError"),
    "exits": (lambda: exit(1), "SystemExit"),
    "sleeps": (lambda: time.sleep(30), r"gave no answer for 0\.2 s"),
    "loops": (lazy, r"gave no answer for 0\.2 s \(.*test_heats\.py, line \d+\)"),
    "commands nothing": (lambda: None, "act"),
    "commands nonsense": (lambda: np.full((1, 2), np.nan, np.float32), "not finite"),
    "commands for two": (lambda: np.zeros((2, 2), np.float32), "the shape"),
}


@pytest.mark.parametrize("at", [1, 20])
@pytest.mark.parametrize("kind", FAILURES)
def test_a_driver_that_fails_retires_and_the_others_go_on(kind, at, monkeypatch, tmp_path):
    monkeypatch.setenv("RACER_REWARD_TIMEOUT", "0.2")
    fails, reason = FAILURES[kind]
    result = heat(Circler(1.5, fails, at), Circler(2.0), names=["bad", "good"], laps=1)
    first, last = result.placings
    assert (first.driver, first.end, last.driver, last.end) == ("good", "finished", "bad", "retired")
    assert last.time_s is None and last.gap_s is None and last.raced < 0.2
    assert last.ended_s == pytest.approx((at + 1) * STEP_S)
    assert re.search(reason, last.reason), last.reason
    assert len(result.replay.drives[0].steps) == at + 1
    save_replay(result.replay, tmp_path / "heat.replay")
    again = load_replay(tmp_path / "heat.replay")
    assert verify(again).ok and heat_result(again).placings[1].end == "retired"


def test_the_race_is_over_some_time_after_the_winner():
    result = heat(Circler(2.0), Circler(0.6), laps=1, grace_s=3.0)
    assert [placing.end for placing in result.placings] == ["finished", "running"]
    winner, other = result.placings
    assert winner.time_s + 3.0 <= other.ended_s < winner.time_s + 3.0 + 2 * STEP_S
    assert 0.1 < other.raced < 0.9 and verify(result.replay).ok


def test_everybody_may_retire():
    result = heat(Circler(1.0, lambda: 1 / 0, 10), Circler(1.0, lambda: 1 / 0, 5))
    assert [placing.end for placing in result.placings] == ["retired", "retired"]
    assert [placing.car for placing in result.placings] == [0, 1], "who came further is in front"
    assert verify(result.replay).ok


def test_each_has_its_own_sensors_and_actions():
    seen = {}

    class Looker(Circler):
        def __init__(self, name, answer):
            super().__init__(1.0)
            self.name, self.answer = name, answer

        def act(self, observation):
            seen[self.name] = {key: value.shape for key, value in observation.items()}
            return self.answer

    choices = DiscreteActions(((0.0, 1.0), (12.0, 2.0)))
    field = [
        Contestant("state", Circler(1.5)),
        Contestant("lidar", Looker("lidar", np.zeros((1, 2), np.float32)), RaceConditions(sensors=("LIDAR",))),
        Contestant("both", Looker("both", [1]), RaceConditions(actions=choices, sensors=("state", "LIDAR:stack=2"))),
    ]
    result = run_heat(Heat(TRACK, 1, grace_s=1.0), field)
    assert seen == {"lidar": {"LIDAR": (1, 64)}, "both": {"state": (1, 30), "LIDAR": (1, 128)}}
    assert [drive.sensors for drive in result.replay.drives] == [("state",), ("LIDAR",), ("state", "LIDAR:stack=2")]
    assert result.replay.drives[2].steps["steering_command_deg"][0] == 12.0


def test_who_is_out_is_seen_no_more():
    seen = []

    class Looker(Circler):
        def act(self, observation):
            state = observation["state"] if isinstance(observation, dict) else observation
            seen.append(state[0, 30:].tolist())
            if isinstance(observation, dict):
                seen[-1] += observation["LIDAR"][0].tolist()
            return super().act(state)

    quitter = Contestant("quitter", Circler(0.5, lambda: 1 / 0, 10))
    sensors = ("state:objects=1", "LIDAR:walls=no:blind=rear:clip_m=4")
    looker = Contestant("looker", Looker(0.5), RaceConditions(sensors=sensors))
    run_heat(Heat(TRACK, 1, grace_s=0.1), [quitter, looker])
    ahead, beams = np.array([row[:4] for row in seen]), np.array([row[4:] for row in seen])
    assert (ahead[:11, 0] < 0.3).all() and (ahead[12:] == [1.0, 0.0, 0.0, 0.0]).all()
    assert (beams[:11] < beams.max()).any(axis=1).all() and (beams[12:] == beams.max()).all()


def test_who_shares_a_name_is_numbered():
    result = heat(*[Circler(1.0)] * 4, names=["a", "b", "a", "a 1"], laps=1, grace_s=0.1)
    assert [drive.driver for drive in result.replay.drives] == ["a 2", "b", "a 3", "a 1"]


def test_one_kind_of_car_in_a_race():
    field = [Contestant("a", Circler(1.0)), Contestant("b", Circler(1.0), RaceConditions(CARS["deepracer-v4"]))]
    with pytest.raises(AgentError, match=f"a drives the car {CAR.name}, but b the car deepracer-v4"):
        run_heat(Heat(TRACK), field)
    with pytest.raises(RulesError, match="cannot start: 6 boxes"):
        heat(Circler(1.0), traffic=Traffic(Boxes(6)))
    with pytest.raises(AgentError, match="9 drivers"):
        heat(*[Circler(1.0)] * 9)


# The command line


def run(*arguments: str | Path) -> Result:
    done = RUNNER.invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "80"})
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


BAD = """
class Agent:
    def __init__(self, env, seed=0):
        self.calls = 0

    def act(self, observation):
        self.calls += 1
        print("step", self.calls)
        return [[0.0, 0.0 if self.calls < 9 else 1 / 0]]
"""


def test_the_command_races_and_records(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("bad.py").write_text(BAD)
    done = run("race", "pure_pursuit", "bad.py", "pure_pursuit", "--laps", "1", "--replay", "heat.replay", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["format"], found["track"], found["laps"]) == ("racer heat result", "harbor", 1)
    assert [row["position"] for row in found["result"]] == [1, 2, 3]
    assert {row["driver"] for row in found["result"][:2]} == {"pure_pursuit 1", "pure_pursuit 2"}
    last = found["result"][2]
    assert (last["driver"], last["end"], last["grid"], last["time_s"]) == ("bad", "retired", 2, None)
    assert "bad.py, line 9: ZeroDivisionError" in last["reason"]
    assert "racer watch heat.replay" in done.stderr
    replay = load_replay("heat.replay")
    assert len(replay.drives) == 3 and verify(replay).ok
    assert run("race", "pure_pursuit", "bad.py", "--replay", "heat.replay").exit_code == 1


def test_the_table_says_who_retired_and_why(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("bad.py").write_text(BAD)
    done = run("race", "pure_pursuit", "bad.py", "--laps", "1", "--track", "harbor")
    assert done.exit_code == 0 and "1 lap of harbor" in done.stdout
    assert "bad retired after 0.6 s: " in done.stderr and "ZeroDivisionError" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["pure_pursuit"], 2, "two drivers or more"),
        (["pure_pursuit"] * 9, 1, "there are 9 drivers; a race has from 2 to 8"),
        (["pure_pursuit", "pure_pursit"], 1, "Did you mean"),
        (["pure_pursuit", "pure_pursuit", "--grid", "heap"], 2, "staggered, pairs"),
    ],
)
def test_what_cannot_be_raced_is_told(arguments, code, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("race", *arguments)
    assert done.exit_code == code and message in " ".join(done.stderr.replace("│", " ").split())
