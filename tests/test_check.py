"""`racer.reward.check`: what the drives do, what they earn, and what is said of a reward."""

import csv
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from episodes import load_track, written

from racer import shelf
from racer.errors import RewardError, TrackError
from racer.reward import Params, check, load_reward, verdict
from racer.sim import Rotation, Rules, World
from racer.track import track_from_arrays

REWARDS = Path(__file__).parent / "rewards"
FAST, SLOW = "fast lap", "slow lap"
LAPS = 9
ENDED = {
    "circling": {"off_track", "reversed"},
    "driving straight on": {"off_track"},
    "leaving the road": {"off_track"},
    "leaving the road at full speed": {"off_track"},
    "driving backwards": {"reversed"},
    "standing still": {"immobilized"},
}
STEERING, SPEED, STEPS, TIME = 8, 7, 6, 10  # columns of the table of floats


def report_of(function, track="harbor", **options):
    return check(load_reward(function), load_track(track), **options)


def reward_of(folder, body):
    return written(folder, f"def reward_function(p):\n    return {body}")


def earned(report, name):
    return next(one for one in report.drives if one.drive.name == name)


def found(report, judgement):
    return next((one for one in report.findings if one.judgement == judgement), None)


@cache
def plain(track="harbor"):
    return report_of("progress", track)


# The drives


@pytest.mark.parametrize("track", ["harbor", "needle", "thunder"])
def test_the_drives_do_what_they_are_called(track):
    drives = plain(track).drives
    assert len(drives) == 15
    assert all(one.drive.completes == one.drive.is_lap == (k < LAPS) for k, one in enumerate(drives))
    for one in drives[LAPS:]:
        assert {episode.end for episode in one.drive.episodes} <= ENDED[one.drive.name]
    steps = [sum(map(len, one.rewards)) for one in drives]
    assert steps[0] < steps[1] < steps[2] < steps[3], "four paces"
    left, right = (earned(plain(track), f"fast lap on the {side}").drive for side in ("left", "right"))
    for here, there in zip(left.episodes, right.episodes, strict=True):
        assert np.mean(here.offset) > 0.1 and np.mean(there.offset) < -0.1
    backwards = earned(plain(track), "driving backwards").drive.episodes[0]
    assert backwards.metres[-1] < backwards.metres[0]
    still = earned(plain(track), "standing still").drive.episodes[0]
    assert np.ptp(still.floats[:, :2], axis=0).max() == 0.0 and still.steps == 15


def test_each_drive_starts_on_the_line_and_further_on():
    for one in plain().drives:
        assert [episode.start for episode in one.drive.episodes] == pytest.approx([0.0, 0.37, 0.74])
        for episode in one.drive.episodes:
            assert episode.floats[:, STEPS].tolist() == list(range(2, episode.steps + 2))
            np.testing.assert_allclose(np.diff(episode.floats[:, TIME]), 1 / 15)


@pytest.mark.parametrize("name", [FAST, "zig-zag lap", "leaving the road at full speed"])
def test_a_drive_in_the_batch_is_the_same_alone(name):
    """The commands that a reward is shown, driven again by one car in a world of its own."""
    drive = earned(plain(), name).drive
    world = World(load_track("harbor"), rules=Rules(start=Rotation(0.37)))
    world.seed(0)
    for episode in drive.episodes:
        world.reset()
        for row, where in zip(episode.floats, episode.metres, strict=True):
            state = world.cars[0, 0]
            assert (state["front_x"], state["front_y"], state["distance"]) == (row[0], row[1], where)
            world.step(row[[STEERING, SPEED]].reshape(1, 1, 2), np.zeros((1, 1)))


# What they earn


def test_every_drive_has_an_instance_that_sees_its_episodes_in_order(tmp_path):
    count = written(tmp_path, "n = 0\ndef reward_function(p):\n    global n\n    n += 1\n    return n / 1e3")
    for one in report_of(count).drives:
        everything = np.concatenate(one.rewards)
        np.testing.assert_allclose(everything, np.arange(1, len(everything) + 1) / 1e3)


def test_the_clock_of_an_instance_never_goes_back(tmp_path):
    clock = written(tmp_path, "def reward_function(p):\n    return p['sim_time']")
    for one in report_of(clock).drives:
        passed = np.diff(np.concatenate(one.rewards))
        assert (passed > 0).all() and passed.max() < 4 / 15


def test_rewards_are_those_of_calls_by_hand():
    def reward(params):
        return params["steps"] + 1000.0 * params["is_offtrack"] - params["speed"] + params["closest_waypoints"][1]

    params = Params(load_track("harbor"), 1)
    for one in report_of(reward).drives:
        for episode, rewards in zip(one.drive.episodes, one.rewards, strict=True):
            by_hand = []
            for k in range(episode.steps):
                params.floats[0], params.waypoints[0] = episode.floats[k], episode.waypoints[k]
                params.flags[0] = episode.flags[k]
                by_hand.append(reward(params.of(0)))
            assert rewards.tolist() == by_hand
        total = [sum(rewards.tolist()) for rewards in one.rewards]
        assert one.per_episode == pytest.approx(np.mean(total))
        assert one.per_step == pytest.approx(sum(total) / sum(map(len, one.rewards)))


def test_progress_pays_the_metres_driven():
    length = load_track("harbor").length
    for one in plain().drives[:LAPS]:
        for rewards in one.rewards:
            assert rewards.sum() == pytest.approx(length - 0.14, abs=0.06), "from the front point's start"
    assert earned(plain(), "standing still").per_episode == 0.0


# The judgements


@pytest.mark.parametrize(
    ("judgement", "level", "body"),
    [
        ("Laps", "wrong", "2 - p['speed'] / 4"),
        ("Laps", "wrong", "1.0 if p['speed'] < 1.1 and p['is_left_of_center'] else 0.1"),
        ("Start", "wrong", "3.0"),
        ("Start", "doubtful", "float(p['all_wheels_on_track'])"),
        ("Start", "wrong", "1 / (1 + p['speed'])"),
        ("Start", "wrong", "100 - p['progress']"),
        ("Ends", "doubtful", "p['speed'] ** 4"),
        ("Ends", "wrong", "-1.0 - p['progress'] / 1000"),
        ("Ends", "wrong", "500.0 if p['is_offtrack'] else p['speed']"),
        ("Ends", "wrong", "40.0 if p['speed'] == 0 else p['speed']"),
        ("Ends", "wrong", "900.0 * (abs(p['steering_angle']) == 30) * (p['speed'] < 0.6) + p['speed']"),
        ("Finish", "wrong", "float(p['progress'] == 100)"),
        ("Finish", "wrong", "500 / p['steps'] if p['progress'] == 100 else 0.1"),
    ],
)
def test_a_reward_that_pays_for_something_else_is_told(tmp_path, judgement, level, body):
    report = report_of(reward_of(tmp_path, body))
    finding = found(report, judgement)
    assert finding is not None and finding.level == level and finding.hint
    assert report.verdict == report.findings[0] and report.verdict.level in (level, "wrong")
    levels = [one.level for one in report.findings]
    assert levels == sorted(levels, reverse=True), "what is wrong comes first"


@pytest.mark.parametrize(
    ("judgement", "level", "state", "line"),
    [
        ("Again", "doubtful", "best = 0.0", "gained = max(0.0, p['progress'] - best); best = max(best, p['progress'])"),
        ("Again", "doubtful", "best = 1.0", "gained = p['speed'] * best; best *= 0.99"),
        ("Again", "wrong", "best = 1.0", "gained = (4 - p['speed']) * best; best *= 0.99"),
        ("Again", "wrong", "best = {0}", "i = p['closest_waypoints'][1]; gained = float(i not in best); best.add(i)"),
        ("History", "wrong", "best = 0.0", "best += p['speed'] < 0.6; gained = p['speed'] * (1 + best / 10)"),
        ("History", "wrong", "import random; best = 0", "gained = random.random() * p['speed']"),
    ],
)
def test_what_a_reward_remembers_is_told(tmp_path, judgement, level, state, line):
    source = f"{state}\ndef reward_function(p):\n    global best\n    {line}\n    return gained"
    finding = found(report_of(written(tmp_path, source)), judgement)
    assert finding is not None and finding.level == level and "steps'] <= 2" in finding.hint


def test_the_best_paid_lap_is_the_best_of_all_mixes():
    """Against bisection for the pay q at which no section earns more than q a step, with the same sections."""

    track = load_track("harbor")
    middle = np.median(track.center[:, 0])

    def reward(params):
        return 3.0 - params["speed"] / 2 if params["x"] > middle else params["speed"]

    report = report_of(reward)
    count = round(track.length / 1.5)
    pay, steps = np.zeros((2, LAPS, count))
    for k, one in enumerate(report.drives[:LAPS]):
        for episode, rewards in zip(one.drive.episodes, one.rewards, strict=True):
            for place, amount in zip(episode.place, rewards, strict=True):
                section = min(int(place / track.length * count), count - 1)
                pay[k, section] += amount
                steps[k, section] += 1
    low, high = 0.0, 10.0
    for _ in range(60):
        pace = (low + high) / 2
        low, high = (pace, high) if (pay - pace * steps).max(axis=0).sum() > 0 else (low, pace)
    finding = found(report, "Laps")
    assert finding is not None and finding.level == "wrong"
    said = float(finding.sentence.split(" pays ")[1].split(" a step")[0])
    assert said == pytest.approx(low, rel=0.03)
    assert "slow on " in finding.sentence and "fast" in finding.sentence


def test_who_looks_farther_ahead_prefers_laps(tmp_path):
    """Leaving the road pays as much as some seconds of driving: enough for a learner with a short view alone."""
    reward = reward_of(tmp_path, "130.0 if p['is_offtrack'] else 1.0 + p['speed'] / 4")
    assert found(report_of(reward, gamma=0.9), "Ends").level == "wrong"
    assert found(report_of(reward, gamma=0.98), "Ends").level == "doubtful"
    assert found(report_of(reward, gamma=0.995), "Ends") is None


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0, float("nan")])
def test_a_discount_that_is_none_is_refused(gamma):
    with pytest.raises(ValueError, match="gamma"):
        report_of("progress", gamma=gamma)


@pytest.mark.slow
def test_rewards_of_the_shelf_are_not_called_wrong():
    """Those that leave speed out are called doubtful, and those that pay for it fine."""
    slow = {"centerline", "heading", "look_ahead", "smooth_steering", "stay_on_track"}
    for name in shelf.names("reward_functions"):
        found = report_of(name).verdict
        assert found.level == ("doubtful" if name in slow else "fine"), (name, found)


# Rewards with a label: what a training did with them, see `benchmarks/label_rewards.py`

LABELLED = sorted(path for kind in ("bad", "good") for path in (REWARDS / kind).glob("*.py"))
PARTS = {"harbor": LABELLED[::2], "needle": LABELLED[1::4], "thunder": LABELLED[3::4]}


@cache
def labels():
    with (REWARDS / "labels.csv").open(encoding="utf-8") as file:
        return {row["reward"]: row["label"] for row in csv.DictReader(file)}


def test_every_reward_has_a_label():
    assert set(labels()) == {f"{path.parent.name}/{path.stem}" for path in LABELLED}
    count = list(labels().values()).count
    assert count("bad") >= 28 and count("good") >= 28 and set(labels().values()) <= {"bad", "good", "between"}


@pytest.mark.parametrize(
    "track", ["harbor", *(pytest.param(name, marks=pytest.mark.slow) for name in ("needle", "thunder"))]
)
def test_verdicts_agree_with_what_trainings_did(track):
    """Every reward on one of three tracks: bad ones are called wrong, good ones are not, with few exceptions."""
    levels = {f"{path.parent.name}/{path.stem}": report_of(path, track).verdict.level for path in PARTS[track]}
    of = {label: [level for name, level in levels.items() if labels()[name] == label] for label in ("bad", "good")}
    assert len([level for level in of["bad"] if level != "wrong"]) <= 2, levels
    assert of["bad"].count("fine") <= 1, levels
    assert of["good"].count("wrong") == 0, levels
    assert of["good"].count("fine") >= 0.7 * len(of["good"]), levels


# The words


def test_the_verdict_is_one_sentence(tmp_path):
    track = load_track("harbor")
    fast, slow = earned(plain(), FAST).per_step, earned(plain(), SLOW).per_step
    assert verdict(load_reward("progress"), track) == (
        f"good driving pays best ({fast:.3g} a step for the fast lap, {slow:.3g} for the slow one)"
    )
    zigzag = verdict(load_reward(lambda p: abs(p["steering_angle"])), track)
    assert zigzag.startswith("a lap driven ") and "zig-zag on " in zigzag
    hint = written(tmp_path, "def reward_function(p):\n    return p['speed'] + (p['steps'] == 1)")
    assert verdict(load_reward(hint), track).startswith("line 2: ")
    wrong = written(tmp_path, "def reward_function(p):\n    return 1 / 0", "wrong")
    assert verdict(load_reward(wrong), track) == f"{wrong}, line 2: ZeroDivisionError: division by zero"


# Around it


def test_a_flood_of_prints_is_cut_off(tmp_path):
    path = written(tmp_path, "def reward_function(p):\n    print('x' * 10_000)\n    return p['speed']")
    report = report_of(path, "pebble")
    again = len(earned(report, FAST).rewards[-1])  # which the instance of the slow laps is shown, too
    assert report.printed_lines == again + sum(len(part) for one in report.drives for part in one.rewards)
    assert report.printed.startswith("x" * 10_000 + "\nx") and len(report.printed) == 100_000


def test_prints_are_kept():
    report = report_of(REWARDS / "printing.py", "pebble")
    assert report.printed.startswith("steps: 2.0") and report.call_us > 0


def test_a_reward_that_fails_on_one_drive_only(tmp_path):
    path = written(tmp_path, "def reward_function(p):\n    return 1 / (not p['is_offtrack'])")
    with pytest.raises(RewardError, match=r"line 2: ZeroDivisionError(?s:.*)p\['is_offtrack'\] = True"):
        report_of(path)


def test_an_open_track_is_refused():
    x = np.linspace(0.0, 10.0, 50)
    line, side = np.stack([x, np.zeros(50)], axis=1), np.array([0.0, 0.4])
    with pytest.raises(TrackError, match="open"):
        check(load_reward("speed"), track_from_arrays("straight", line, line + side, line - side))
