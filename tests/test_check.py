"""`racer.reward.check`: what six drives earn, against rewards added up by hand, and the warnings."""

import sys
from pathlib import Path

import numpy as np
import pytest
from episodes import load_track, written

from racer import shelf
from racer.errors import RewardError, TrackError
from racer.reward import check, load_reward
from racer.reward.check import GOOD, SLOW_MPS
from racer.track import track_from_arrays

REWARDS = Path(__file__).parent / "rewards"
NAMES = [GOOD, "slow", "zig-zag", "stopped", "off-track", "backwards"]
ENDS = ["lap_complete", "lap_complete", "lap_complete", "immobilized", "off_track", "reversed"]
GOOD_REWARDS = {
    "all_together",
    "lap_bonus",
    "progress",
    "progress_per_step",
    "slow_in_fast_out",
    "speed",
    "steady_hands",
}


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


def test_good_rewards_get_none():
    for name in sorted(GOOD_REWARDS):
        assert report_of(name).warnings == (), name


def test_every_warning_on_the_shelf_is_meant():
    """The others on the shelf teach one thing only, so that dawdling earns the most: the check says so."""
    others = set(shelf.names("reward_functions")) - GOOD_REWARDS
    for name in sorted(others - {"race_line"}):
        assert any("slow" in warning for warning in report_of(name).warnings), name


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("stopped", "return 2.0 if p['speed'] == 0 else 1.0"),
        ("slow", "return 1.0 if p['speed'] < 1 else 0.1"),
        ("backwards", "return 1.0 + abs(p['heading']) / 180 * (abs(p['heading']) > 90)"),
        ("off-track", "return 500.0 if p['is_offtrack'] else 1.0"),
        ("zig-zag", "return abs(p['steering_angle'])"),
    ],
)
def test_a_reward_that_pays_a_bad_drive_is_warned_of(tmp_path, name, source):
    report = report_of(written(tmp_path, f"def reward_function(p):\n    {source}"))
    warned = [warning for warning in report.warnings if f"the {name} drive earns more than the good lap" in warning]
    assert len(warned) == 1, report.warnings
    drive = next(drive for drive in report.drives if drive.name == name)
    good = report.drives[0]
    if drive.per_episode > good.per_episode:
        assert f"{drive.per_episode:.4g} an episode against {good.per_episode:.4g}" in warned[0]
    else:
        assert warned[0].startswith("while it lasts") and f"{drive.per_step:.4g} a step against" in warned[0]


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
