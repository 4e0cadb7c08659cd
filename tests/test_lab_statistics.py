"""The statistics of comparisons against SciPy, rliable's published example, and simulated trainings."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from racer.lab import (
    bootstrap_interval,
    corrected,
    improvement,
    improvement_interval,
    iqm,
    p_value,
    seeds_needed,
    wilson_interval,
)

X = np.array([[1.0, 2.0], [2.0, 2.0], [1.0, 1.0], [2.0, 1.0]])
Y = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40)


def test_the_published_example_of_rliable() -> None:
    assert iqm(X.ravel()) == 1.5
    assert iqm(Y.ravel()) == 2.0
    assert improvement(list(X.T), list(Y.T)) == pytest.approx(1 / 3)


@given(NUMBERS)
def test_the_interquartile_mean_is_scipys_trimmed_mean(values: list[float]) -> None:
    assert iqm(np.array(values)) == pytest.approx(stats.trim_mean(values, 0.25), rel=1e-9, abs=1e-6)


def test_an_infinite_lap_time_counts_as_the_slowest() -> None:
    assert iqm(np.array([5.0, math.inf, 6.0, 7.0, 8.0])) == 7.0
    assert iqm(np.array([5.0, math.inf, 6.0, math.inf, 8.0])) == math.inf
    assert math.isnan(iqm(np.array([])))


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_scipys(counts: tuple[int, int]) -> None:
    done, tried = counts
    ends = stats.binomtest(done, tried).proportion_ci(method="wilson")
    assert wilson_interval(done, tried) == pytest.approx((ends.low, ends.high), abs=1e-9)


@given(NUMBERS, NUMBERS)
def test_improvement_is_mann_and_whitneys_statistic(x: list[float], y: list[float]) -> None:
    expected = stats.mannwhitneyu(x, y).statistic / (len(x) * len(y))
    assert improvement([np.array(x)], [np.array(y)]) == pytest.approx(expected)
    both = improvement([np.array(x)] * 2, [np.array(y), np.array(x)])
    assert both == pytest.approx(0.5 * expected + 0.25)


def test_bootstrap_intervals_are_scipys() -> None:
    random = np.random.default_rng(1)
    values = random.lognormal(0.0, 0.5, 30)
    scipys = stats.bootstrap((values,), lambda v, axis: stats.trim_mean(v, 0.25, axis=axis), method="percentile")
    low, high = bootstrap_interval([values])
    assert low == pytest.approx(scipys.confidence_interval.low, abs=0.03)
    assert high == pytest.approx(scipys.confidence_interval.high, abs=0.03)


def test_a_stratified_interval_does_not_see_how_tracks_differ() -> None:
    random = np.random.default_rng(2)
    tracks = [level + random.normal(0.0, 0.1, 10) for level in (10.0, 50.0)]
    low, high = bootstrap_interval(tracks, lambda values: values.mean(axis=-1))
    assert 29.8 < low < 30.0 < high < 30.2
    mixed = bootstrap_interval([np.concatenate(tracks)], lambda values: values.mean(axis=-1))
    assert mixed[1] - mixed[0] > 100 * (high - low)


def test_the_interval_of_an_improvement_covers_the_truth_as_often_as_it_says() -> None:
    """Two normals 1 apart: P = Phi(1 / sqrt 2) = 0.760, known exactly."""
    random, truth = np.random.default_rng(3), stats.norm.cdf(1.0 / math.sqrt(2.0))
    covered = 0
    for _ in range(100):
        ours = [random.normal(1.0, 1.0, 8) for _ in range(2)]
        theirs = [random.normal(0.0, 1.0, 8) for _ in range(2)]
        low, high = improvement_interval(ours, theirs)
        covered += low <= truth <= high
    assert covered >= 84


def test_the_permutation_test_is_scipys_exact_one() -> None:
    random = np.random.default_rng(4)
    for shift in (0.0, 1.0, 2.0):
        x, y = random.normal(shift, 1.0, 6), random.normal(0.0, 1.0, 5)
        exact = stats.mannwhitneyu(x, y, method="exact").pvalue
        assert p_value([x], [y]) == pytest.approx(exact, abs=0.015)
    clear = np.arange(4.0)
    assert p_value([clear + 9.0], [clear]) == pytest.approx(2 / 70, abs=0.005)
    assert p_value([clear[:3] + 9.0], [clear[:3]]) > 0.05  # three seeds never suffice ...
    assert p_value([clear[:3] + 9.0] * 2, [clear[:3], clear[:3] - 5.0]) < 0.05  # ... on one track
    assert p_value([np.full(5, -math.inf)], [np.full(5, -math.inf)]) == 1.0


def test_corrections_are_holms() -> None:
    assert corrected([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert corrected([0.5, 0.6]) == [1.0, 1.0]
    assert corrected([]) == []


@pytest.mark.parametrize(("tracks", "distance"), [(1, 1.0), (1, 1.6), (2, 1.0)])
def test_as_many_seeds_as_advised_tell_apart_four_times_of_five(tracks: int, distance: float) -> None:
    truth = float(stats.norm.cdf(distance / math.sqrt(2.0)))
    count = seeds_needed(truth, tracks)
    random, told = np.random.default_rng(5), 0
    for _ in range(60):
        ours = [random.normal(distance, 1.0, count) for _ in range(tracks)]
        theirs = [random.normal(0.0, 1.0, count) for _ in range(tracks)]
        told += p_value(ours, theirs) < 0.05
    assert 0.65 <= told / 60 <= 0.95


def test_how_many_seeds_has_limits() -> None:
    assert seeds_needed(0.5) is None
    assert seeds_needed(0.51) is None
    assert seeds_needed(1.0) >= 4  # fewer cannot be significant
    assert seeds_needed(0.7, comparisons=10) > seeds_needed(0.7)
