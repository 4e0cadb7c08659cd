"""Races: laps driven, what a record holds of them, evaluations, and drivers that fail."""

import math
import sys

import numpy as np
import pytest
from drives import ring

from racer.env import TimeTrialVector
from racer.errors import AgentError, RewardError
from racer.racing import EvaluationResult, RaceConditions, drive, evaluate, load_agent
from racer.replay import Lap, load_replay, save_replay, verify
from racer.reward import params_at
from racer.sim import STEP_S, DiscreteActions, Rules, World
from racer.track import Track, load_track


class Constant:
    """Always the same action; records what it was asked."""

    def __init__(self, steering=0.0, speed=0.0):
        self.action, self.asked = (steering, speed), []

    def act(self, observation):
        self.asked.append(observation.shape)
        return np.tile(np.float32(self.action), (len(observation), 1))


class LeavesOnce:
    """Follows the line like another driver, but drives straight on from a step on until it is put back."""

    def __init__(self, driver, at):
        self.driver, self.at, self.step, self.left = driver, at, 0, False

    def act(self, observation):
        actions = self.driver.act(observation)
        standing = bool(observation[0, 0] == 0.0)
        self.left = self.left and not standing
        self.left |= self.step == self.at
        self.step += 1
        return np.float32([[1.0, 1.0]]) if self.left else actions


@pytest.fixture(scope="module")
def harbor():
    return load_track("harbor")


@pytest.fixture(scope="module")
def pursuer(harbor):
    return load_agent("pure_pursuit").make(TimeTrialVector(1, harbor))


@pytest.fixture(scope="module")
def raced(harbor, pursuer):
    """Three clean laps."""
    return drive(pursuer, harbor, 3, conditions=RaceConditions(seed=5), name="pursuer")


def test_three_clean_laps(raced, harbor):
    assert [(lap.index, lap.complete, lap.off_track) for lap in raced.laps] == [(k, True, False) for k in (1, 2, 3)]
    for lap in raced.laps:
        assert 0.8 < harbor.length / lap.time_s < 4.0  # m/s
    first, second, third = raced.laps
    assert first.start_s == 0.0
    assert second.start_s == pytest.approx(first.time_s) and third.start_s == pytest.approx(
        second.start_s + second.time_s
    )
    assert second.time_s < first.time_s
    assert raced.completed_laps == 3 and raced.best_lap_s == min(lap.time_s for lap in raced.laps)
    assert (raced.driver, raced.reward, raced.seed) == ("pursuer", "progress", 5)


def test_what_was_raced_can_be_saved_and_driven_again(raced, tmp_path):
    save_replay(raced, tmp_path / "r.replay")
    again = load_replay(tmp_path / "r.replay")
    assert again.steps.tobytes() == raced.steps.tobytes()
    assert again.drives[0].sensors == ("state",)
    verdict = verify(again)
    assert verdict.ok, verdict.reason
    assert [lap.time_s for lap in verdict.laps] == pytest.approx([lap.time_s for lap in raced.laps], abs=1e-6)


def test_rows_are_the_poses_before_the_actions(raced, harbor):
    """Row k is the car at k/15 s, driven here from the recorded commands alone."""
    world = World(harbor, rules=Rules(start="line", laps=3))
    world.seed(0)
    world.reset()
    car = world.cars[0, 0]
    for row in raced.steps:
        for name in ("x", "y", "heading", "speed", "steering_angle", "yaw_rate", "s", "distance", "offset"):
            assert row[name] == pytest.approx(car[name], abs=1e-9), name
        world.step(np.array([[[row["steering_command_deg"], row["speed_command"]]]]), np.zeros((1, 1)))


def test_each_row_agrees_with_params_of_its_pose(raced, harbor):
    x, y, heading = harbor.start
    first = raced.steps[0]
    assert (first["x"], first["y"], first["heading"]) == pytest.approx((x, y, heading), abs=1e-9)
    assert first["speed"] == 0.0
    for row in raced.steps[::7]:
        at = [float(row[k]) for k in ("x", "y", "heading")]
        given = params_at(harbor, at[0] + 0.14 * math.cos(at[2]), at[1] + 0.14 * math.sin(at[2]), at[2], start=0.0)
        assert given["projection_distance"] == pytest.approx(row["s"], abs=0.05)
        assert given["distance_from_center"] == pytest.approx(abs(row["offset"]), abs=1e-6)
        assert row["offset"] == 0.0 or given["is_left_of_center"] == (row["offset"] > 0)
        assert given["all_wheels_on_track"] == row["wheels_on_track"]
        assert given["is_offtrack"] == row["off_track"]


def test_rows_belong_to_their_laps(raced):
    steps = raced.steps
    assert steps["restart"].tolist() == [True] + [False] * (len(steps) - 1)
    assert set(steps["lap"].tolist()) == {1, 2, 3}
    for lap in raced.laps:
        rows = np.flatnonzero(steps["lap"] == lap.index)
        assert rows[0] * STEP_S == pytest.approx(lap.start_s, abs=STEP_S)
        assert (rows[-1] + 1) * STEP_S == pytest.approx(lap.start_s + lap.time_s, abs=STEP_S)
    assert (np.diff(steps["distance"]) > 0).all()


def test_a_reward_is_that_of_its_row(harbor, pursuer):
    raced = drive(pursuer, harbor, 1, reward_function=lambda params: params["steps"] + params["speed"] / 10)
    steps = np.arange(len(raced.steps)) + 2.0
    np.testing.assert_allclose(raced.steps["reward"], steps + raced.steps["speed_command"] / 10, rtol=1e-12)
    assert raced.reward == "<lambda>"


@pytest.mark.parametrize("reward", ["centerline", None])
def test_a_reward_has_no_influence_on_the_drive(harbor, pursuer, raced, reward):
    other = drive(pursuer, harbor, 3, reward_function=reward)
    assert [lap.time_s for lap in other.laps] == [lap.time_s for lap in raced.laps]
    assert other.reward == (reward or "progress")
    gained = np.diff(other.steps["distance"], prepend=other.steps["distance"][0])
    if reward is None:
        np.testing.assert_allclose(other.steps["reward"], gained, atol=1e-12)


def test_driving_off_ends_the_lap_and_the_next_one_starts_standing():
    driver = Constant(0.0, 1.0)
    raced = drive(driver, ring(), 4)
    assert [(lap.complete, lap.off_track) for lap in raced.laps] == [(False, True)] * 4
    assert raced.best_lap_s is None and raced.completed_laps == 0
    restarts = np.flatnonzero(raced.steps["restart"])
    assert len(restarts) == 4
    np.testing.assert_array_equal(raced.steps["lap"], np.cumsum(raced.steps["restart"]))
    ends = np.append(restarts[1:], len(raced.steps))
    for lap, begin, end in zip(raced.laps, restarts, ends, strict=True):
        assert lap.start_s == pytest.approx(begin * STEP_S)
        assert lap.time_s == pytest.approx((end - begin) * STEP_S)
        assert raced.steps["speed"][begin] == 0.0
        assert raced.steps["off_track"][end - 1] and not raced.steps["off_track"][begin : end - 1].any()
    assert verify(raced).ok


def test_a_lap_after_an_off_track_is_timed_from_its_own_start(harbor, pursuer, raced):
    rows = np.flatnonzero(raced.steps["lap"] == 2)
    driver = LeavesOnce(pursuer, int(rows[0]) + 20)
    mixed = drive(driver, harbor, 4)
    assert [(lap.complete, lap.off_track) for lap in mixed.laps] == [
        (True, False),
        (False, True),
        (True, False),
        (True, False),
    ]
    first, left, standing, flying = mixed.laps
    assert first.time_s == raced.laps[0].time_s
    assert left.start_s == pytest.approx(first.time_s)
    restart = int(np.flatnonzero(mixed.steps["restart"])[1])
    assert standing.start_s == pytest.approx(restart * STEP_S)
    assert left.start_s + left.time_s == pytest.approx(standing.start_s)
    assert standing.time_s == pytest.approx(first.time_s, abs=1e-9)
    assert flying.time_s == pytest.approx(raced.laps[1].time_s, abs=1e-9)
    verdict = verify(mixed)
    assert verdict.ok, verdict.reason


def test_progress_is_called_whenever_a_lap_was_tried(harbor, pursuer):
    tried = []
    drive(pursuer, harbor, 2, on_lap=tried.append)
    assert tried == [1, 2]
    tried.clear()
    drive(Constant(0.0, 1.0), ring(), 3, on_lap=tried.append)
    assert tried == [1, 2, 3]


def test_a_driver_that_never_arrives_comes_to_an_end():
    """Around and around on a road as wide as a square, never over the line: 180 s a lap, and no more."""
    unit = ring(1.0).center
    raced = drive(Constant(0.5, -1.0), Track("square", unit * 8.0, unit * 5.0, unit * 11.0), 1)
    assert len(raced.laps) == 1 and not raced.laps[0].complete
    assert raced.laps[0].time_s <= 180.1
    assert raced.laps[0].off_track == bool(raced.steps["off_track"][-1])


# --- Drivers that fail --------------------------------------------------------------------------------------


def fails(problem, start=lambda observation: np.zeros((len(observation), 2), np.float32)):
    class Failing:
        def __init__(self):
            self.calls = 0

        def act(self, observation):
            self.calls += 1
            return problem(observation) if self.calls > 3 or not start else start(observation)

    return Failing()


def divide(_):
    return 1 / 0


BAD = {
    "raises": (divide, "ZeroDivisionError"),
    "nan": (lambda o: np.full((len(o), 2), np.nan), "not finite"),
    "inf": (lambda o: np.full((len(o), 2), -np.inf), "not finite"),
    "one action for all": (lambda o: np.zeros(2), r"shape \(2,\)"),
    "three columns": (lambda o: np.zeros((len(o), 3)), r"\(1, 3\)"),
    "too many": (lambda o: np.zeros((len(o) + 1, 2)), r"\(2, 2\)"),
    "nothing": (lambda o: None, "act"),
    "words": (lambda o: [["left", "fast"]], "act.*left"),
    "objects": (lambda o: [[None, {}]], "act.*None"),
    "a number too large": (lambda o: np.full((len(o), 2), 1e300), "not finite: 1e"),
    "leaves": (lambda o: sys.exit(0), "SystemExit"),
    "ragged": (lambda o: [[0.0], [0.0, 1.0]], "ValueError"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_driver_that_fails_is_told_so(kind):
    problem, message = BAD[kind]
    with pytest.raises(AgentError, match=message) as caught:
        drive(fails(problem), ring(), 1)
    assert "Traceback" not in str(caught.value)


def test_the_line_where_a_driver_failed_is_told():
    with pytest.raises(AgentError, match=r"test_race\.py, line \d+: ZeroDivisionError"):
        drive(fails(divide), ring(), 1)


def test_where_a_choice_is_due_nothing_else_is_taken():
    choices = DiscreteActions(((-30.0, 1.0), (30.0, 1.0)))
    env = TimeTrialVector(1, ring(), None, start="line", actions=choices, time_limit_s=2.0)
    assert not evaluate(env, fails(lambda o: np.ones(1, np.int64), None), 1, seed=0).clean
    for wrong in ([0.5], [math.nan], [2], [-1], [[0]]):
        with pytest.raises(AgentError):
            evaluate(env, fails(lambda o, wrong=wrong: wrong, None), 1, seed=0)


def test_a_driver_interrupted_is_interrupted():
    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drive(fails(interrupt), ring(), 1)


def test_a_driver_may_spoil_what_it_is_shown_and_keep_what_it_gave(harbor):
    class Reusing:
        """Gives the same array again and again, and writes into its observations."""

        given = np.zeros((1, 2), np.float32)

        def act(self, observation):
            self.given[0, 0] = np.clip(observation[0, -1], -1, 1)
            observation[:] = np.nan
            return self.given

    raced = drive(Reusing(), harbor, 1)
    assert len(raced.steps) > 10
    assert np.isfinite(raced.steps["reward"]).all()
    assert verify(raced).ok


def test_a_reward_that_fails_in_a_race_is_told_so():
    with pytest.raises(RewardError, match="KeyError: 'no_such_key'"):
        drive(Constant(), ring(), 1, reward_function=lambda params: params["no_such_key"])


# --- Evaluations---------------------------------------------------------------------------------------------


def lap(time_s, complete=True):
    return Lap(1, 0.0, time_s, complete, not complete)


def test_complete_laps_come_first_then_lap_time():
    slow, quick = EvaluationResult(1.0, 12.0, (lap(12.0),) * 3), EvaluationResult(1.0, 9.0, (lap(9.0),) * 3)
    shaky = EvaluationResult(0.8, 8.0, (lap(8.0),) * 3)
    lost = EvaluationResult(0.9, math.inf, (lap(7.0), lap(3.0, False), lap(7.0)))
    none = EvaluationResult(0.0, math.inf, (lap(1.0, False),) * 3)
    ranked = sorted([slow, none, quick, lost, shaky], key=lambda each: each.rank)
    assert ranked == [none, lost, shaky, slow, quick]
    assert lost.best_lap_s == 7.0 and none.best_lap_s is None
    assert quick.clean and not lost.clean


def test_an_evaluation_is_that_of_the_undisturbed_car_and_of_the_noise_around_it(harbor, pursuer, raced):
    env = TimeTrialVector(8, harbor, None, start="line", laps=3, time_limit_s=200.0)
    found = evaluate(env, pursuer, 3, seed=0)
    assert [x.time_s for x in found.laps] == [x.time_s for x in raced.laps]
    assert found.lap_time_s == pytest.approx(np.mean([x.time_s for x in raced.laps]))
    assert found.clean and found.completed > 0.6
    assert evaluate(env, pursuer, 3, seed=0) == found
    off = evaluate(env, Constant(0.0, 1.0), 3, seed=0)
    assert (off.completed, off.clean, off.lap_time_s) == (0.0, False, math.inf)
    assert found.rank > off.rank


def test_an_evaluation_tells_what_each_lap_earned(harbor, pursuer):
    env = TimeTrialVector(3, harbor, "progress", start="line", laps=2, time_limit_s=200.0)
    attempts = evaluate(env, pursuer, 2, seed=0).attempts
    assert len(attempts) == 6
    alone = drive(pursuer, harbor, 2)
    for attempt, lap in zip(attempts[:2], alone.laps, strict=True):
        assert (attempt.time_s, attempt.progress) == (lap.time_s, 100.0)
        earned = alone.steps["reward"][alone.steps["lap"] == lap.index].sum()
        assert attempt.reward == pytest.approx(earned, abs=0.2), "the step that finds a lap complete may be one more"
    off = evaluate(env, Constant(0.0, 1.0), 2, seed=0).attempts
    assert all(attempt.time_s is None and 0.0 < attempt.progress < 60.0 for attempt in off)
    for attempt in off:
        assert attempt.reward == pytest.approx(attempt.progress / 100.0 * harbor.length, abs=0.6)


def test_an_evaluation_tells_of_a_driver_that_fails():
    env = TimeTrialVector(2, ring(), None, start="line")
    with pytest.raises(AgentError, match="not finite"):
        evaluate(env, fails(BAD["nan"][0]), 1, seed=0)


def test_every_driver_is_asked_for_the_whole_batch_at_once():
    env = TimeTrialVector(5, ring(), None, start="line", time_limit_s=2.0)
    driver = Constant(0.2, -0.5)
    evaluate(env, driver, 1, seed=0)
    assert set(driver.asked) == {(5, *env.single_observation_space.shape)}
