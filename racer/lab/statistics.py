"""What a handful of trainings says: means that outliers do not move, intervals, and whether one reward beats another.

The three ideas of Agarwal et al. (2021), "Deep Reinforcement Learning at the Edge of the Statistical Precipice", as
their library rliable has them: the interquartile mean, bootstrap intervals stratified by task, which is here a track,
and the probability of improvement. Whether two rewards differ at all is a permutation test's to say, because bootstrap
intervals are too narrow where there are few seeds.

Invariant: groups are one array for each track, (n,), of which an interval or a test draws within a track alone. Random
numbers come from a generator with a fixed seed, so the same data says the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ALPHA",
    "Interval",
    "bootstrap_interval",
    "corrected",
    "improvement",
    "improvement_interval",
    "iqm",
    "p_value",
    "seeds_needed",
    "wilson_interval",
]

FloatArray = NDArray[np.float64]
Groups = Sequence[FloatArray]
Interval = tuple[float, float]

ALPHA = 0.05  # probability of telling apart what does not differ
POWER = 0.8  # probability with which the seeds that are advised tell apart what differs as much as it seems to
CUT = 0.25  # share of the values that the interquartile mean leaves out at each end
RESAMPLES = 5_000
PERMUTATIONS = 20_000
MOST_SEEDS = 1_000  # beyond, no number is advised
SEED = 20210829


def iqm(values: FloatArray) -> FloatArray:
    """Interquartile mean along the last axis: the mean without the lowest and the highest quarter.

    Args:
        values: (..., n); infinities are values like others: the largest.

    Returns:
        (...); nan where there are no values.
    """
    count = values.shape[-1]
    cut = int(CUT * count)
    if count == 0:
        return np.full(values.shape[:-1], np.nan)
    return np.asarray(np.sort(values, axis=-1)[..., cut : count - cut].mean(axis=-1))


def bootstrap_interval(groups: Groups, statistic: Callable[[FloatArray], FloatArray] = iqm) -> Interval:
    """Percentile interval of a statistic of all values together, resampled within each group.

    Args:
        groups: values of each track.
        statistic: of the last axis.

    Returns:
        Ends of the 95 % interval; nan if a group is empty.
    """
    if not groups or any(len(values) == 0 for values in groups):
        return math.nan, math.nan
    random = np.random.default_rng(SEED)
    drawn = statistic(np.concatenate([_resampled(values, random) for values in groups], axis=1))
    return _ends(drawn)


def wilson_interval(done: int, tried: int) -> Interval:
    """Interval of a share of which `done` of `tried` are known (Wilson 1927), 95 %; nan if nothing was tried."""
    if tried == 0:
        return math.nan, math.nan
    z = NormalDist().inv_cdf(1.0 - ALPHA / 2.0)
    share = done / tried
    middle = share + z * z / (2.0 * tried)
    half = z * math.sqrt(share * (1.0 - share) / tried + (z / (2.0 * tried)) ** 2)
    low, high = ((middle + sign * half) / (1.0 + z * z / tried) for sign in (-1.0, 1.0))
    return (0.0 if done == 0 else low), (1.0 if done == tried else high)


def improvement(ours: Groups, theirs: Groups) -> float:
    """Probability that one of ours is larger than one of theirs, ties counted half; the mean over the groups."""
    return float(np.mean([_wins(x[None], y[None])[0] for x, y in zip(ours, theirs, strict=True)]))


def improvement_interval(ours: Groups, theirs: Groups) -> Interval:
    """Percentile interval, 95 %, of `improvement`, resampled within each group."""
    random = np.random.default_rng(SEED)
    drawn = [_wins(_resampled(x, random), _resampled(y, random)) for x, y in zip(ours, theirs, strict=True)]
    return _ends(np.mean(drawn, axis=0))


def p_value(ours: Groups, theirs: Groups) -> float:
    """Probability of an `improvement` as far from a half, or farther, if nothing differed.

    It is the permutation test of Mann and Whitney's statistic, with labels exchanged within each group.
    """
    random = np.random.default_rng(SEED)
    drawn = []
    for x, y in zip(ours, theirs, strict=True):
        both = np.sort(np.concatenate([x, y]))
        ranks = 0.5 * (np.searchsorted(both, both, "left") + np.searchsorted(both, both, "right") + 1)
        shuffled = random.permuted(np.tile(ranks, (PERMUTATIONS, 1)), axis=1)
        count = len(x)
        drawn.append((shuffled[:, :count].sum(axis=1) - 0.5 * count * (count + 1)) / (count * len(y)))
    found = abs(improvement(ours, theirs) - 0.5)
    extreme = np.abs(np.mean(drawn, axis=0) - 0.5) >= found - 1e-9
    return float((1 + extreme.sum()) / (1 + PERMUTATIONS))


def corrected(p_values: Sequence[float]) -> list[float]:
    """The same for several comparisons at once (Holm 1979): the more of them, the larger chance looks."""
    order = np.argsort(p_values)
    scaled = np.asarray(p_values)[order] * np.arange(len(p_values), 0, -1)
    found = np.empty(len(p_values))
    found[order] = np.minimum(1.0, np.maximum.accumulate(scaled))
    return found.tolist()


def seeds_needed(probability: float, tracks: int = 1, comparisons: int = 1) -> int | None:
    """Seeds of each reward on each track that would tell apart a probability of improvement from a half.

    Noether (1987), "Sample size determination for some common nonparametric tests": with as many of each kind
    N = (z_(1-alpha/2) + z_power)^2 / (3 (P - 1/2)^2) in all; at least as many as make a permutation test significant.

    Args:
        probability: of improvement, as far as it is known.
        tracks: on how many they are compared.
        comparisons: how many rewards are compared with each other, in pairs.

    Returns:
        The number; None if even `MOST_SEEDS` would not.
    """
    alpha = ALPHA / comparisons
    least = next(n for n in range(2, MOST_SEEDS) if 2.0 / math.comb(2 * n, n) ** tracks < alpha)
    away = abs(probability - 0.5)
    normal = NormalDist()
    z = normal.inv_cdf(1.0 - alpha / 2.0) + normal.inv_cdf(POWER)
    if away * away * 6.0 * tracks * MOST_SEEDS <= z * z:
        return None
    return max(least, math.ceil(z * z / (3.0 * away * away) / (2.0 * tracks)))


def _resampled(values: FloatArray, random: np.random.Generator) -> FloatArray:
    """As many of the values, drawn with replacement, in each of `RESAMPLES` rows."""
    return values[random.integers(len(values), size=(RESAMPLES, len(values)))]


def _wins(ours: FloatArray, theirs: FloatArray) -> FloatArray:
    """Share of the pairs that ours win, for each row: (k, n) and (k, m) to (k,)."""
    x, y = ours[:, :, None], theirs[:, None, :]
    return np.asarray(((x > y) + 0.5 * (x == y)).mean(axis=(1, 2)))


def _ends(drawn: FloatArray) -> Interval:
    """The middle 95 % of what was drawn; by order statistics, since infinities cannot be interpolated."""
    low, high = np.quantile(drawn, [ALPHA / 2.0, 1.0 - ALPHA / 2.0], method="inverted_cdf")
    return float(low), float(high)
