"""The meter: what laps earned against how far and how fast they were, and what is said of it."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from racer.racing import Attempt, EvaluationResult
from racer.replay import STEP_S, Lap
from racer.reward import check, fast_lap_s, load_reward
from racer.track import load_track
from racer.training import meter_reading, rank_correlation
from racer.training.meter import Meter, slow_lap_s

REWARDS = Path(__file__).parent / "rewards"
SLOW_S, STEPS = 10.0, 50_000


def ranks_by_counting(values):
    return [sum(b < a for b in values) + (sum(b == a for b in values) - 1) / 2 for a in values]


@given(st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=12, max_size=40))
def test_rank_correlation_is_pearsons_of_the_ranks(pairs):
    one, other = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
    found = rank_correlation(one, other)
    if len(set(one)) == 1 or len(set(other)) == 1:
        assert found is None
        return
    a, b = (np.array(ranks_by_counting(column.tolist())) for column in (one, other))
    a, b = a - a.mean(), b - b.mean()
    assert found == pytest.approx((a @ b) / math.sqrt((a @ a) * (b @ b)))
    assert rank_correlation(np.exp(one), other) == pytest.approx(found), "only the order counts"


def test_few_laps_say_nothing():
    assert rank_correlation(np.arange(11.0), np.arange(11.0)) is None
    assert rank_correlation(np.arange(12.0), np.arange(12.0)) == pytest.approx(1.0)


def evaluation(times, pay, failed=()):
    """An evaluation whose laps take `times` and earn what `pay` says of a time, and others that end at a progress."""
    laps = [Attempt(pay(time), 100.0, time) for time in times]
    laps += [Attempt(earned, progress, None) for progress, earned in failed]
    best = min(times, default=None)
    shown = () if best is None else (Lap(1, 0.0, best, True, False),)
    return EvaluationResult(len(times) / max(len(laps), 1), math.inf, shown, (), tuple(laps))


def judged(*evaluations):
    meter = Meter(SLOW_S)
    for number, one in enumerate(evaluations, start=1):
        numbers = meter.add(one, number * STEPS)
    return numbers, meter.reading


def test_faster_laps_that_earn_more_agree():
    rounds = [evaluation(np.linspace(9.0, 8.0, 8) - k / 2, lambda time: 100.0 / time) for k in range(4)]
    numbers, said = judged(*rounds)
    assert numbers["meter/reward_pace"] == pytest.approx(1.0) and numbers["eval/percent_of_mark"] is None
    assert numbers["eval/ep_progress_mean"] == 100.0 and numbers["eval/best_lap_s"] == pytest.approx(6.5)
    assert not said.warns and "faster laps earn more (+1.00)" in said.text


def test_slow_laps_that_earn_more_are_called_out():
    rounds = [evaluation(np.linspace(20.0, 30.0, 8) + 2 * k, lambda time: time) for k in range(6)]
    numbers, said = judged(*rounds)
    assert numbers["meter/reward_pace"] == pytest.approx(-1.0)
    assert said.warns and "other than fast laps" in said.text and "(-1.00)" in said.text
    assert "the return rose 31 % while the best lap got 8.0 s slower" in said.text


def test_fast_laps_are_not_called_out_even_if_slow_ones_earned_more():
    rounds = [evaluation(np.linspace(8.0, 9.0, 8) - k / 4, lambda time: time) for k in range(6)]
    assert not judged(*rounds)[1].warns


def test_a_reward_that_no_lap_comes_of_is_called_out_where_getting_farther_earns_nothing():
    def rounds(earned):
        return [evaluation([], None, [(10.0 + 3 * j + k, earned(j, k)) for j in range(8)]) for k in range(5)]

    numbers, said = judged(*rounds(lambda j, k: k - j))
    assert numbers["meter/reward_pace"] is None and numbers["eval/best_lap_s"] is None
    assert said.warns and "other than getting around" in said.text and "return rose" in said.text
    assert not judged(*rounds(lambda j, k: j + k))[1].warns


def test_it_is_silent_at_first_and_of_old_metrics():
    rounds = [evaluation(np.linspace(20.0, 30.0, 8), lambda time: time) for _ in range(4)]
    assert judged(*rounds[:2])[1] is None and judged(*rounds)[1].warns
    assert meter_reading({"steps": np.arange(3.0), "eval/success_rate": np.ones(3)}) is None


@pytest.mark.parametrize(
    ("name", "agrees"),
    [
        ("bad/always_one", False),
        ("bad/walking_pace", False),
        ("bad/clock", False),
        ("good/speed_squared", True),
        ("good/gain_squared", True),
        ("good/pay_and_rent", True),
    ],
)
def test_labelled_rewards_on_the_laps_of_the_check(name, agrees):
    """The scripted laps of `racer check` as one evaluation after the other: sums and times alone tell them apart."""
    report = check(load_reward(REWARDS / f"{name}.py"), load_track("harbor"))
    laps = [
        Attempt(float(rewards.sum()), 100.0, episode.steps * STEP_S)
        for one in report.drives
        if one.drive.is_lap
        for episode, rewards in zip(one.drive.episodes, one.rewards, strict=True)
    ]
    assert len(laps) == 27
    best = Lap(1, 0.0, min(lap.time_s for lap in laps) if agrees else 30.0, True, False)
    numbers, said = judged(*[EvaluationResult(1.0, math.inf, (best,), (), tuple(laps))] * 4)
    assert (numbers["meter/reward_pace"] > 0.2) == agrees
    assert said.warns != agrees


def test_what_is_slow_depends_on_the_track_and_on_the_top_speed():
    harbor = load_track("harbor")
    fast = fast_lap_s(harbor)
    assert 8.0 < fast < 12.0
    assert slow_lap_s(fast, harbor.length, 4.0) == fast
    assert slow_lap_s(fast, harbor.length, 1.0) == pytest.approx(harbor.length / 0.62)
