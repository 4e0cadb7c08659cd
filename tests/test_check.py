"""`racer.reward.check`: what six drives earn, against rewards added up by hand, and the warnings."""

import sys
from pathlib import Path

import numpy as np
import pytest
from episodes import load_track, written

from racer import shelf
from racer.errors import RewardError, TrackError
from racer.reward import check, load_reward, verdict
from racer.reward.check import GOOD, SLOW_MPS
from racer.track import track_from_arrays

REWARDS = Path(__file__).parent / "rewards"
NAMES = [GOOD, "slow", "zig-zag", "stopped", "off-track", "backwards"]
ENDS = ["lap_complete", "lap_complete", "lap_complete", "immobilized", "off_track", "reversed"]


def report_of(function, track="harbor"):
    return check(load_reward(function), load_track(track))


@pytest.fixture(scope="module")
def drives():
    """The params of every step of the drives on a track, by drive."""
    seen = []

    def witness(params):
        seen.append(params)
        return 1.0

    report = report_of(witness)
    drives, at = {}, 0
    for drive in report.drives:
        drives[drive.name] = seen[at : at + len(drive.rewards)]
        at += len(drive.rewards)
    assert at == len(seen)
    return drives


@pytest.mark.parametrize("track", ["harbor", "needle", "monsoon"])
def test_the_drives_do_what_they_are_called(track):
    report = report_of(lambda params: params["progress"], track)
    assert [drive.name for drive in report.drives] == NAMES
    assert [drive.end for drive in report.drives] == ENDS
    assert [drive.bad for drive in report.drives] == [False] + [True] * 5
    good, slow, zigzag, stopped, _, backwards = report.drives
    assert len(good.rewards) < 0.6 * len(slow.rewards), "the good lap is the fast one"
    assert len(good.rewards) < len(zigzag.rewards)
    assert len(stopped.rewards) == 15
    assert good.rewards[-1] == slow.rewards[-1] == 100.0
    assert backwards.rewards[-1] < backwards.rewards[0]


def test_what_the_reward_is_shown(drives):
    speeds = {name: np.array([params["speed"] for params in drive]) for name, drive in drives.items()}
    offsets = {name: [params["distance_from_center"] for params in drive] for name, drive in drives.items()}
    assert speeds[GOOD].max() > 3.0 and np.allclose(speeds["slow"], SLOW_MPS) and not speeds["stopped"].any()
    assert np.mean(offsets["zig-zag"]) > 3 * np.mean(offsets["slow"])
    assert max(offsets[GOOD]) < 0.35
    for name, drive in drives.items():
        assert [params["steps"] for params in drive] == list(range(2, len(drive) + 2))
        assert [params["is_offtrack"] for params in drive].count(True) == (name == "off-track")
        passed = np.diff([params["sim_time"] for params in drive])
        np.testing.assert_allclose(passed, 1 / 15)
    assert len({(params["x"], params["y"]) for params in drives["stopped"]}) == 1


def test_sums_and_means_are_those_of_a_calculation_by_hand(drives):
    def reward(params):
        return params["steps"] + 1000.0 * params["is_offtrack"] - params["speed"]

    for drive in report_of(reward).drives:
        n = len(drive.rewards)
        speeds = sum(params["speed"] for params in drives[drive.name])
        total = n * (n + 3) / 2 + 1000.0 * (drive.name == "off-track") - speeds
        assert drive.per_episode == pytest.approx(total)
        assert drive.per_step == pytest.approx(total / n)
        assert list(drive.rewards) == [reward(params) for params in drives[drive.name]]


def test_progress_pays_the_metres_driven():
    good, slow, zigzag, stopped, off_track, backwards = report_of("progress").drives
    length = load_track("harbor").length
    for lap in (good, slow, zigzag):
        assert lap.per_episode == pytest.approx(length - 0.14, abs=0.01), "from the front point's start, 0.14 m in"
    assert stopped.per_episode == 0.0
    assert 0.0 < off_track.per_episode < 2.0
    assert -2.0 < backwards.per_episode < -0.3


# Warnings


def test_rewards_that_people_use_get_no_warning():
    """Paying a slow lap as well as a fast one is not wrong, and standing still for a second is worth little."""
    for name in sorted(set(shelf.names("reward_functions")) - {"race_line"}):
        assert report_of(name).warnings == (), name
    for name in ("crlf", "get_with_defaults", "sub_rewards", "shapely_corridor", "race_line_table", "returns_int"):
        assert report_of(REWARDS / f"{name}.py").warnings == (), name


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("stopped", "return 20.0 if p['speed'] == 0 else 1.0"),
        ("slow", "return 1.0 if p['speed'] < 1 else 0.1"),
        ("backwards", "return 20.0 if p['distance_from_center'] < 0.1 and abs(p['heading']) > 178 else 1.0"),
        ("off-track", "return 500.0 if p['is_offtrack'] else 1.0"),
        ("zig-zag", "return abs(p['steering_angle'])"),
    ],
)
def test_a_reward_that_pays_a_bad_drive_is_warned_of(tmp_path, name, source):
    report = report_of(written(tmp_path, f"def reward_function(p):\n    {source}"))
    warned = [warning for warning in report.warnings if f"the {name} drive is worth more than the good lap" in warning]
    assert len(warned) == 1, report.warnings
    drive = next(drive for drive in report.drives if drive.name == name)
    good = report.drives[0]
    assert f", {worth(drive):.3g} a step against {worth(good):.3g} (" in warned[0]


def worth(drive):
    """The discounted rewards, added up step by step, of a lap ten times over or of an episode that ended early."""
    total, discount = 0.0, 1.0
    for reward in drive.rewards:
        total += discount * reward
        discount *= 0.99
    if drive.end == "lap_complete":
        for _ in range(3000):
            total += discount * sum(drive.rewards) / len(drive.rewards)
            discount *= 0.99
    return total / 100.0


def test_standing_still_is_worth_what_it_pays_until_the_episode_ends():
    """Fifteen steps of 1 each, and nothing after that; a lap of the same pay goes on."""
    drives = {drive.name: drive for drive in report_of("stay_on_track").drives}
    assert drives["stopped"].worth == pytest.approx(1.0 - 0.99**15)
    assert drives[GOOD].worth == pytest.approx(drives["slow"].worth) == pytest.approx(1.0)


def test_a_reward_that_never_changes_is_warned_of():
    assert report_of(lambda params: 3).warnings == (
        "every step of every drive earns 3: there is nothing to learn from",
    )


def test_equal_pay_is_not_more():
    """Stopping earns what the good lap earns, step for step: no warning of the stopped drive."""
    report = report_of("stay_on_track")
    assert not any("stopped" in warning for warning in report.warnings)


def test_negative_rewards_are_compared_too():
    """Pay by the second: who ends the episode soonest earns the most."""
    report = report_of(lambda params: -1.0 - params["progress"] / 1000)
    assert any("off-track" in warning for warning in report.warnings)
    assert any("stopped" in warning for warning in report.warnings)


def test_a_good_lap_that_fails_is_told(monkeypatch):
    checking = sys.modules["racer.reward.check"]  # the door shows the function of that name
    monkeypatch.setattr(checking, "LATERAL", 99.0)
    monkeypatch.setattr(checking, "BRAKING", 99.0)
    report = report_of("progress", "needle")
    assert report.drives[0].end == "off_track"
    assert report.warnings[0].startswith("the good lap could not be driven here (off track)")


# Hints


@pytest.mark.parametrize(
    ("test", "hinted"),
    [
        ("p['steps'] == 1", True),
        ("p.get('steps', 0) == 0", True),
        ("steps <= 1", True),
        ("steps < 2", True),
        ("1 == int(steps)", True),
        ("2 > steps", True),
        ("steps <= 2", False),
        ("steps == 2", False),
        ("steps < 3", False),
        ("steps > 1", False),
        ("steps % 10 == 1", False),
        ("p['speed'] == 1", False),
        ("steps == 'one'", False),
    ],
)
def test_a_test_of_steps_that_is_never_true(tmp_path, test, hinted):
    path = written(
        tmp_path, f"def reward_function(p):\n    steps = p['steps']\n    return 0.5 if {test} else p['speed']"
    )
    hints = report_of(path).hints
    assert len(hints) == hinted
    if hinted:
        assert hints[0].startswith("line 3: '") and "the first call in an episode gets steps = 2" in hints[0]


def test_the_verdict_is_one_sentence(tmp_path):
    track = load_track("harbor")
    assert verdict(load_reward("speed"), track) == "good driving pays best"
    assert verdict(load_reward(lambda p: abs(p["steering_angle"])), track).startswith("the zig-zag drive is worth more")
    hint = written(tmp_path, "def reward_function(p):\n    return p['speed'] + (p['steps'] == 1)")
    assert verdict(load_reward(hint), track).startswith("line 2: ")
    wrong = written(tmp_path, "def reward_function(p):\n    return 1 / 0", "wrong")
    assert verdict(load_reward(wrong), track) == f"{wrong}, line 2: ZeroDivisionError: division by zero"


def test_a_flood_of_prints_is_cut_off(tmp_path):
    path = written(tmp_path, "def reward_function(p):\n    print('x' * 10_000)\n    return p['speed']")
    report = report_of(path)
    assert report.printed_lines == sum(len(drive.rewards) for drive in report.drives)
    assert report.printed.startswith("x" * 10_000 + "\nx") and len(report.printed) == 100_000


# Around it


def test_prints_are_kept():
    report = report_of(REWARDS / "printing.py")
    assert report.printed.startswith("steps: 2.0") and report.call_us > 0


def test_a_reward_keeps_its_globals_over_the_drives(tmp_path):
    path = written(tmp_path, "n = 0\ndef reward_function(p):\n    global n\n    n += 1\n    return n / 1e3")
    report = report_of(path)
    rewards = [reward for drive in report.drives for reward in drive.rewards]
    np.testing.assert_allclose(rewards, np.arange(1, len(rewards) + 1) / 1e3)


def test_a_reward_that_fails_on_one_drive_only(tmp_path):
    path = written(tmp_path, "def reward_function(p):\n    return 1 / (not p['is_offtrack'])")
    with pytest.raises(RewardError, match=r"line 2: ZeroDivisionError(?s:.*)p\['is_offtrack'\] = True"):
        report_of(path)


def test_an_open_track_is_refused():
    x = np.linspace(0.0, 10.0, 50)
    line, side = np.stack([x, np.zeros(50)], axis=1), np.array([0.0, 0.4])
    with pytest.raises(TrackError, match="open"):
        check(load_reward("speed"), track_from_arrays("straight", line, line + side, line - side))
