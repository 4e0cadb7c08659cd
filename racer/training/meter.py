"""The meter: does what the reward pays agree with what matters, progress and lap time?

Invariant: it goes by the laps of evaluations, by their whole sums; nobody learns from it. It warns only where the
laps themselves are bad, too: many a sound reward pays a slow lap more in sum, and still teaches fast ones.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from racer.racing import Attempt, EvaluationResult
from racer.replay import Replay, percent_of_mark

__all__ = ["COLUMNS", "Meter", "MeterReading", "meter_reading", "rank_correlation", "slow_lap_s"]

WINDOW = 8  # evaluations whose laps are compared
LEAST_EVALUATIONS, LEAST_STEPS = 3, 100_000  # before it says anything: at first nothing is learned
LEAST_LAPS = 12  # for a correlation to mean something
NEAR_NOTHING = 0.2  # a correlation below this is no agreement
MOSTLY = 0.5  # share of the laps that have to be complete for lap times to be what matters
LATELY = 3  # evaluations that show what the driver does now
LEAST_SHARE = 0.62  # of the top speed, as the mean of a lap, below which a lap is slow whatever the track is like


COLUMNS = (
    "eval/success_rate",
    "eval/best_lap_s",
    "eval/percent_of_mark",
    "eval/ep_rew_mean",
    "eval/ep_progress_mean",
    "eval/crashes_per_lap",
    "meter/reward_progress",
    "meter/reward_pace",
    "meter/slow_lap_s",
)
"""What an evaluation adds to `metrics.csv`."""


class MeterReading(NamedTuple):
    """What the meter says: a sentence or two, and whether it is a warning."""

    text: str
    warns: bool


class Meter:
    """Compares what laps earned with how far and how fast they were, evaluation after evaluation.

    Attributes:
        reading: what it says by now; None while it is too early.
    """

    def __init__(self, slow_s: float, mark: Replay | None = None) -> None:
        """Begin without an evaluation.

        Args:
            slow_s: a lap time, s, that a sound reward beats; see `slow_lap_s`.
            mark: the best race known of the track.
        """
        self._slow_s, self._mark = slow_s, mark
        self._attempts: deque[tuple[Attempt, ...]] = deque(maxlen=WINDOW)
        self._rows: list[dict[str, float]] = []
        self.reading: MeterReading | None = None

    def add(self, result: EvaluationResult, steps: int) -> dict[str, float | None]:
        """Take an evaluation after so many steps; gives its numbers for `metrics.csv`, which docs/lab.md documents."""
        self._attempts.append(result.attempts)
        best_s, tried = result.best_lap_s, result.attempts
        progress, pace = agreement([attempt for attempts in self._attempts for attempt in attempts])
        columns = ([one.reward for one in tried], [one.progress for one in tried])
        means = [float(np.mean(column)) if tried else None for column in columns]
        percent = percent_of_mark(best_s, self._mark)
        values = (result.completed, best_s, percent, *means, result.crashed, progress, pace, self._slow_s)
        row = dict(zip(COLUMNS, values, strict=True))
        self._rows.append({key: math.nan if value is None else value for key, value in row.items()} | {"steps": steps})
        self.reading = meter_reading({key: np.array([one[key] for one in self._rows]) for key in ("steps", *COLUMNS)})
        return row


def agreement(attempts: Sequence[Attempt]) -> tuple[float | None, float | None]:
    """Rank correlation of what laps earned with how far they came, and of complete ones with how fast they were.

    None where too few laps, or laps that are all alike, say nothing.
    """
    earned = np.array([one.reward for one in attempts])
    progress = rank_correlation(earned, np.array([one.progress for one in attempts]))
    whole = np.array([one.time_s is not None for one in attempts], dtype=np.bool_)
    times = np.array([one.time_s for one in attempts if one.time_s is not None])
    return progress, rank_correlation(earned[whole], -times)


def rank_correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float | None:
    """Rank correlation (Spearman, 1904), -1 to 1; None for fewer than `LEAST_LAPS` pairs, or if all are alike."""
    if len(one) < LEAST_LAPS or np.ptp(one) == 0.0 or np.ptp(other) == 0.0:
        return None
    return float(np.corrcoef(_ranks(one), _ranks(other))[0, 1])


def meter_reading(metrics: Mapping[str, NDArray[np.float64]]) -> MeterReading | None:
    """What the meter says of a training by its metrics, as `racer.training.read_metrics` gives them.

    None: it is too early to say anything, or the metrics are of an earlier racer.
    """
    if "meter/slow_lap_s" not in metrics:
        return None
    evaluated = np.isfinite(metrics["meter/slow_lap_s"])
    values = {key: column[evaluated] for key, column in metrics.items()}
    if evaluated.sum() < LEAST_EVALUATIONS or values["steps"][-1] < LEAST_STEPS:
        return None
    completed = float(np.mean(values["eval/success_rate"][-LATELY:]))
    progress, pace = (float(values[f"meter/reward_{what}"][-1]) for what in ("progress", "pace"))
    if completed < MOSTLY:
        if math.isnan(progress):
            return None
        if progress < NEAR_NOTHING:
            return MeterReading(
                f"The reward pays for something other than getting around: {_in_words(progress)} between what laps "
                f"earn and how far they come, and {completed:.0%} of them are completed{_drift(values)}.",
                warns=True,
            )
        return MeterReading(f"No safe laps yet, but who gets farther earns more ({progress:+.2f}).", warns=False)
    if math.isnan(pace):
        return None
    best_s = float(np.nanmin(values["eval/best_lap_s"][-LATELY:], initial=math.inf))
    slow_s = values["meter/slow_lap_s"][-1]
    if best_s > slow_s and pace < NEAR_NOTHING:
        return MeterReading(
            f"The reward pays for something other than fast laps: {_in_words(pace)} between what laps earn and how "
            f"fast they are, and the best takes {best_s:.1f} s, a simple driver's {slow_s:.1f} s{_drift(values)}.",
            warns=True,
        )
    if pace < NEAR_NOTHING:
        return MeterReading(
            f"The laps are fast, though what a lap earns in all does not rank them ({pace:+.2f}).", warns=False
        )
    return MeterReading(f"The reward agrees with what matters: faster laps earn more ({pace:+.2f}).", warns=False)


def slow_lap_s(fast_lap_s: float, length_m: float, top_mps: float) -> float:
    """A lap time that the driver of a sound reward beats, s.

    Args:
        fast_lap_s: of the scripted fast lap that `racer check` drives.
        length_m: of the track.
        top_mps: the greatest speed that the driver may command, m/s.
    """
    return max(fast_lap_s, length_m / (LEAST_SHARE * top_mps))


def _in_words(value: float) -> str:
    kind = "almost no agreement" if value > -NEAR_NOTHING else "disagreement"
    return f"there is {kind} ({value:+.2f})"


def _drift(values: Mapping[str, NDArray[np.float64]]) -> str:
    """How return and best lap changed from the first evaluations to the last, where the return rose."""
    earned, laps = values["eval/ep_rew_mean"], values["eval/best_lap_s"]
    part = max(len(earned) // 3, 1)
    before, after = float(np.mean(earned[:part])), float(np.mean(earned[-part:]))
    rose = 100.0 * (after - before) / max(abs(before), 1e-9)
    if not (5.0 < rose < 1000.0):
        return ""
    first, last = laps[:part], laps[-part:]
    if np.isfinite(first).any() and np.isfinite(last).any():
        slower = float(np.nanmin(last) - np.nanmin(first))
        if slower > 0.05:
            return f": the return rose {rose:.0f} % while the best lap got {slower:.1f} s slower"
    return f"; the return rose {rose:.0f} % all the same"


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 0; those that are equal share the mean of theirs."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(count)
    return np.asarray((ends - (count + 1) / 2.0)[place], dtype=np.float64)
