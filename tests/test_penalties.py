"""Races with penalties: where a car is put back, how long it is held, and what is told of it."""

import dataclasses
import json
import math

import numpy as np
import pytest
from drives import altered, ring
from shapely import LineString, Point
from typer.testing import CliRunner

from racer.cli import app
from racer.deepracer.logs import StepRecorder, episodes_of, write_evaluation
from racer.deepracer.logs.reading import read_log
from racer.env import TimeTrialVector
from racer.errors import LeaderboardError
from racer.leaderboard import add
from racer.racing import RaceConditions, drive, load_agent
from racer.replay import load_replay, save_replay, verify
from racer.sim import IMMOBILIZED, IN_PROGRESS, PAUSE, STATUS, STEP_S, TIME_UP, Rules, World
from racer.sim.rules import OFF_TRACK, REVERSED
from racer.track import load_track
from racer.viewer.playback import Timeline


class Careless:
    """Follows the line like another driver, but turns off it now and then, for so many steps."""

    def __init__(self, driver, at, steps=12, steering=1.0):
        self.driver, self.at, self.steps, self.steering, self.step = driver, at, steps, steering, 0

    def act(self, observation):
        actions = np.array(self.driver.act(observation))
        self.step += 1
        if any(at <= self.step < at + self.steps for at in self.at):
            actions[:] = (self.steering, 1.0)
        return actions


@pytest.fixture(scope="module")
def harbor():
    return load_track("harbor")


@pytest.fixture(scope="module")
def pursuer(harbor):
    return load_agent("pure_pursuit").make(TimeTrialVector(1, harbor))


@pytest.fixture(scope="module")
def raced(harbor, pursuer):
    """Three laps with 2 s for each of the off-tracks, of which there is one in the first and one in the second."""
    recorder = StepRecorder(1, endless=True)
    driver = Careless(pursuer, (60, 300))
    race = drive(
        driver,
        harbor,
        3,
        name="careless",
        reward_function=lambda params: 1.0,
        conditions=RaceConditions(penalty_s=2.0),
        step_callback=recorder,
    )
    return race, recorder.laps(harbor)


def stepped(world, command, count):
    """Statuses of the first car."""
    told = []
    for _ in range(count):
        world.step(np.full((*world.cars.shape, 2), command, dtype=float), np.zeros(world.cars.shape))
        told.append(int(world.cars["status"][0, 0]))
    return told


def standing(track, penalty_s, **rules):
    world = World(track, rules=Rules(start="line", laps=5, penalty_s=penalty_s, **rules))
    world.seed(0)
    world.reset()
    return world


@pytest.mark.parametrize(("penalty_s", "rows"), [(0.0, 1), (0.01, 1), (1 / 15, 1), (1.0, 15), (2.0, 30), (5.0, 75)])
def test_it_is_held_for_the_penalty(penalty_s, rows):
    world = standing(ring(), penalty_s)
    told = stepped(world, (0.0, 4.0), 150)
    off = told.index(OFF_TRACK)
    assert set(told[:off]) == {IN_PROGRESS}
    assert told[off + 1 : off + 1 + rows] == [PAUSE] * rows
    assert told[off + 1 + rows] == IN_PROGRESS


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("steering", [-8.0, 30.0])
def test_it_is_put_on_the_nearer_lane_where_it_was_a_step_earlier(route, reverse, steering):
    track = route("reinvent_base").reverse() if reverse else route("reinvent_base")
    world = standing(track, 2.0)
    car, poses = world.cars[0, 0], []
    while car["status"] != OFF_TRACK:
        poses.append(car.copy())
        stepped(world, (steering, 2.0), 1)
    last = poses[-2]  # the newest pose is the one that is off
    back = LineString(track.center).interpolate(last["distance"] % track.length)
    lanes = [LineString((track.center + border) / 2.0) for border in (track.inner, track.outer)]
    spots = [lane.interpolate(lane.project(back)) for lane in lanes]
    near = min(spots, key=Point(last["x"], last["y"]).distance)
    assert math.dist((car["x"], car["y"]), (near.x, near.y)) < 0.02
    assert Point(car["x"], car["y"]).distance(LineString(track.center)) > 0.15, "not on the centre line"
    at = LineString(track.center).project(back)
    ahead = LineString(track.center).interpolate(at + 1e-3)
    assert math.cos(car["heading"] - math.atan2(ahead.y - back.y, ahead.x - back.x)) > 0.999
    assert car["speed"] == car["yaw_rate"] == car["steering_angle"] == 0.0
    assert car["wheels_on_track"] == 4
    assert 0.0 < car["distance"] - last["distance"] < 0.3, "its origin is where its front point was"
    before = car[["x", "y", "heading", "distance"]].copy()
    stepped(world, (30.0, 4.0), 30)
    assert car[["x", "y", "heading", "distance"]] == before, "held"
    stepped(world, (0.0, 1.0), 2)
    assert car["speed"] > 0.0


def test_standing_still_costs_one_step_and_driving_backwards_the_penalty():
    world = standing(ring(), 2.0, still_m=0.012)  # the slowest command, 0.1 m/s, is less than that in a step
    told = stepped(world, (0.0, 0.0), 40)
    still = [k for k, status in enumerate(told) if status == IMMOBILIZED]
    assert told[still[0] + 1 : still[0] + 3] == [PAUSE, IN_PROGRESS]
    assert still == [14, 30], "and again, after as many steps"
    world = standing(ring(4.0, 120), 2.0)
    world.cars["heading"] += math.pi
    told = stepped(world, (0.0, 1.0), 60)
    back = told.index(REVERSED)
    assert told[back + 1 : back + 32] == [PAUSE] * 30 + [IN_PROGRESS]
    assert math.cos(world.cars["heading"][0, 0] - 0.5 * math.pi) > 0.9, "turned round"


def test_the_clock_and_the_steps_go_on(harbor):
    world = standing(harbor, 5.0, time_limit_s=6.0)
    told = stepped(world, (10.0, 4.0), 100)
    assert told.index(TIME_UP) == 90 and told[89] == PAUSE
    assert world.cars["steps"][0, 0] == 101


def test_in_a_batch_every_car_gets_the_same_bits(harbor):
    random = np.random.default_rng(3)
    commands = np.stack([random.uniform(-30.0, 30.0, (400, 24, 1)), random.uniform(0.0, 4.0, (400, 24, 1))], axis=-1)
    rules = Rules(start="random", laps=2, penalty_s=0.5)
    many = World(harbor, 24, rules=rules, threads=2)
    lone = [World(harbor, 1, rules=rules) for _ in range(24)]
    for i, world in enumerate([many, *lone]):
        world.seed(max(0, i - 1))
        world.reset()
    seen = set()
    for step in commands:
        many.step(step, np.zeros((24, 1)))
        seen |= set(many.cars["status"][:, 0].tolist())
        for i, world in enumerate(lone):
            world.step(step[i : i + 1], np.zeros((1, 1)))
    many.close()
    for i, world in enumerate(lone):
        assert world.cars.tobytes() == many.cars[i : i + 1].tobytes()
    assert {OFF_TRACK, PAUSE, IN_PROGRESS} <= seen


def test_without_a_penalty_everything_is_as_ever(harbor):
    free, race = (World(harbor, rules=Rules(start="line", penalty_s=penalty)) for penalty in (None, 1.0))
    for world in (free, race):
        world.seed(0)
        world.reset()
        told = stepped(world, (10.0, 2.0), 60)
        off = told.index(OFF_TRACK)
        assert [bool(world.rules.ends[status]) for status in told[: off + 1]] == [False] * off + [world is free]
    assert set(told[off + 1 : off + 16]) == {PAUSE}


@pytest.mark.parametrize("missing", [0.6, 0.3, 0.1, 0.05])
def test_close_to_the_line_it_is_put_back_before_it_and_drives_across(missing):
    track = ring()
    world = standing(track, 0.2)
    car = world.cars[0, 0]
    while car["distance"] < track.length - missing:
        stepped(world, (14.0 if car["offset"] > 0.0 else 20.0, 0.4), 1)
    car["wheels_on_track"] = 0  # as if it had left the track here
    stepped(world, (0.0, 1.0), 1)
    assert car["held"] == 3 and 0.25 < track.length - car["distance"] < 0.7
    while car["laps"] == 0:
        stepped(world, (14.0 if car["offset"] > 0.0 else 20.0, 1.0), 1)
    assert 0.0 <= car["distance"] - track.length < 0.15, "the lap is complete where it crossed the line, and not later"


def test_who_leaves_the_track_across_the_line_has_done_the_lap():
    track = ring()
    world = standing(track, 0.2)
    car = world.cars[0, 0]
    while car["laps"] == 0:
        stepped(world, (14.0 if car["offset"] > 0.0 else 20.0, 2.0), 1)
    assert car["last_distance"] < track.length
    car["wheels_on_track"] = 0
    stepped(world, (0.0, 1.0), 1)
    assert car["held"] == 3 and car["laps"] == 1
    assert 0.0 < car["distance"] - track.length < 0.3, "on the line, where its new lap began"


def test_laps_go_on_and_tell_how_often_they_were_put_back(raced, harbor, pursuer):
    race, _ = raced
    assert [(lap.complete, lap.off_track, lap.resets) for lap in race.laps] == [
        (True, False, 1),
        (True, False, 1),
        (True, False, 0),
    ]
    clean = drive(pursuer, harbor, 3)
    assert race.steps["restart"].sum() == 1 and race.steps["off_track"].sum() == 2
    for lap, without in zip(race.laps[:2], clean.laps, strict=False):
        assert lap.time_s > without.time_s + 1.0  # it was held for 2 s, but had driven faster for a moment
    assert race.laps[2].time_s == pytest.approx(clean.laps[2].time_s, abs=0.1)
    assert race.steps["held"].sum() == 60
    assert set(race.steps["reward"][race.steps["held"]]) == {0.0}
    assert set(race.steps["reward"][~race.steps["held"]]) == {1.0}


def test_what_is_recorded_verifies(raced, tmp_path):
    race, _ = raced
    save_replay(race, tmp_path / "r.replay")
    again = load_replay(tmp_path / "r.replay")
    assert again.steps.tobytes() == race.steps.tobytes()
    assert (again.rules.penalty_s, again.laps, again.digest) == (2.0, race.laps, race.digest)
    verdict = verify(again)
    assert verdict.ok, verdict.reason
    assert [lap.resets for lap in verdict.laps] == [1, 1, 0]


def doctored(race, **columns):
    steps = race.steps.copy()
    for name, (row, value) in columns.items():
        steps[name][row] = value
    return altered(race, steps=steps)


def with_penalty(race, penalty_s):
    return dataclasses.replace(race, rules=dataclasses.replace(race.rules, penalty_s=penalty_s))


def test_a_cheated_penalty_does_not_hold(raced):
    race, _ = raced
    first = int(np.flatnonzero(race.steps["held"])[0])
    shorter = with_penalty(race, 1.0)
    cheats = [shorter, with_penalty(race, None), doctored(race, held=(first, False))]
    cheats.append(altered(race, laps=(dataclasses.replace(race.laps[0], resets=0), *race.laps[1:])))
    reasons = [verify(cheat).reason for cheat in cheats]
    assert all(reasons), reasons
    assert "held is False" in reasons[2] and "records 0 resets" in reasons[3]
    assert len({race.digest, shorter.digest, cheats[1].digest}) == 3


def test_a_leaderboard_takes_laps_without_a_penalty_alone(raced, harbor, pursuer, tmp_path):
    race, _ = raced
    entry = add(race, "careless", tmp_path / "board.sqlite")
    assert (entry.laps, entry.best_lap_ms) == (1, round(race.laps[2].time_s * 1000))
    never = drive(Careless(pursuer, (60,)), harbor, 1, RaceConditions(penalty_s=0.0))
    assert never.laps[0].complete
    with pytest.raises(LeaderboardError, match="no complete lap without a penalty"):
        add(never, "careless", tmp_path / "board.sqlite")


def test_its_log_is_as_deepracer_writes_it(raced, harbor, tmp_path):
    race, rows = raced
    made = write_evaluation(tmp_path, race.laps, rows)
    log = read_log(made / "evaluation-simtrace/0-iteration.csv").rows
    assert (log["steps"] == np.arange(1.0, len(log) + 1)).all()
    assert np.allclose(np.diff(log["tstamp"]), STEP_S)
    off = np.flatnonzero(log["episode_status"] == "off_track")
    assert len(off) == 2 and not log["done"][off].any()
    for k in off:
        assert set(log["episode_status"][k + 1 : k + 31]) == {"pause"}
        assert log["episode_status"][k + 31] == "in_progress"
        np.testing.assert_allclose(log["pause_duration"][k : k + 32], [*np.arange(30, -1, -1) * STEP_S, 0.0], atol=1e-9)
        assert (log["reward"][k], *log["reward"][k + 1 : k + 31]) == (1.0, *[0.0] * 30)
    assert log["done"].sum() == 1 and log["episode_status"][-1] == "lap_complete"
    items = json.loads((tmp_path / f"metrics/evaluation/{made.name}.json").read_text())["metrics"]
    assert [(item["off_track_count"], item["reset_count"]) for item in items] == [(1, 1), (1, 1), (0, 0)]
    assert [item["episode_status"] for item in items] == ["In progress", "In progress", "Lap complete"]
    for item, lap in zip(items, race.laps, strict=True):
        assert item["elapsed_time_in_milliseconds"] == pytest.approx(lap.time_s * 1000.0, abs=3000 * STEP_S)


def test_the_viewer_jumps_back_and_says_why(raced):
    race, _ = raced
    timeline = Timeline(race)
    first = int(np.flatnonzero(race.steps["held"])[0])
    before, after = timeline.moment((first - 0.01) * STEP_S), timeline.moment((first + 0.01) * STEP_S)
    row = race.steps[first]
    assert math.dist((after.x, after.y), (row["x"], row["y"])) < 1e-6
    assert math.dist((before.x, before.y), (row["x"], row["y"])) > 0.2
    assert (before.held, after.held) == (False, True)


def test_held_steps_are_not_paid_anew(raced):
    race, _ = raced
    statuses = np.concatenate([one.rows["episode_status"] for one in episodes_of(race)])
    assert (statuses == "pause").sum() == 60


def test_evaluate_takes_a_penalty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wild.py").write_text(
        "import numpy as np\n\n\nclass Agent:\n    def __init__(self, env, seed=0):\n        self.step = 0\n\n"
        "    def act(self, observation):\n        self.step += 1\n"
        "        return np.float32([[1.0 if self.step < 30 else observation[0, 15] * 3.0, -0.6]])\n"
    )
    words = ["evaluate", "./wild.py", "--track", "pebble", "--laps", "1", "--json", "--replay", "wild.replay"]
    race, free = (
        json.loads(CliRunner().invoke(app, [*words, *more]).stdout) for more in (["--penalty", "3"], ["--force"])
    )
    assert (race["resets"], race["off_tracks"], race["laps"][0]["off_track"]) == (1, 1, False)
    assert race["laps"][0]["time_s"] > free["laps"][0]["time_s"] + 3.0
    assert (free["resets"], free["off_tracks"], free["laps"][0]["off_track"]) == (0, 1, True)
    refused = CliRunner().invoke(app, ["evaluate", "./wild.py", "--penalty", "61"])
    assert refused.exit_code == 2 and "--penalty" in refused.output


@pytest.mark.parametrize("penalty_s", [-1.0, 61.0, math.nan, True, "5"])
def test_penalties_that_make_no_sense_are_refused(penalty_s):
    with pytest.raises(ValueError, match=r"penalty_s is .*; it must be None, or from 0 to 60 s"):
        Rules(penalty_s=penalty_s)


def test_pause_is_a_status():
    assert STATUS[PAUSE] == "pause"
