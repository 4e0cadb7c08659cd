"""The official time of a race: what a rulebook makes of the laps that were driven.

Invariant: nothing but the rulebook and the laps decides it. A replay's laps and a model's are scored alike.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from racer.errors import RulesError
from racer.racing.rulebook import Rulebook
from racer.replay import Lap, Replay

__all__ = ["Score", "TimedLap", "check_replay", "score", "trials_of"]

SLACK_S = 1e-9  # of a time limit, for sums of floats


class TimedLap(Protocol):
    """What counts of a lap: `racer.replay.Lap` has it."""

    @property
    def start_s(self) -> float:
        """When it began, s of its race."""
        ...

    @property
    def time_s(self) -> float:
        """How long it took, penalties included, s."""
        ...

    @property
    def complete(self) -> bool:
        """Whether it was completed."""
        ...


@dataclass(frozen=True)
class Score:
    """The official time, and the laps that gave it.

    Attributes:
        time_s: the official time, s; None if the drive is not classified, because too few laps were completed.
        trial: which trial gave it, from 1; 0 if none.
        first_lap, laps: the first of the laps that gave it, from 1 among those that count, and how many these are.
        completed_laps: of all trials, of the laps that count.
    """

    time_s: float | None
    trial: int = 0
    first_lap: int = 0
    laps: int = 0
    completed_laps: int = 0


def score(rulebook: Rulebook, trials: Sequence[Sequence[TimedLap]]) -> Score:
    """The official time of a driver on one track.

    `best-lap` is the fastest complete lap of all trials; `average-laps` the best mean of so many complete laps in a row
    of one trial; `total-time` the sum of all laps of a trial, the best trial of those that completed all. The earlier
    one counts if two are equal. A lap that ends after the trial's time limit is not complete, and a lap before a flying
    start does not count.

    Args:
        rulebook: the rules.
        trials: of each trial the laps in the order driven, from its start on.

    Raises:
        RulesError: there are more trials than the rules allow.
    """
    if len(trials) > rulebook.race.trials:
        raise RulesError(
            f"{len(trials)} trials were driven, but the rules allow {rulebook.race.trials} (trials in [race])",
            "race.trials",
        )
    counted = [_counted(rulebook, laps) for laps in trials]
    method = rulebook.timing.method
    window = {"best-lap": 1, "average-laps": rulebook.timing.laps, "total-time": rulebook.race.laps}[method]
    share = 1 if method == "total-time" else window
    completed = sum(time is not None for times in counted for time in times)
    best = Score(None, completed_laps=completed)
    for trial, times in enumerate(counted, 1):
        for first, total in _windows(times, window):
            if best.time_s is None or total / share < best.time_s:
                best = Score(total / share, trial, first, window, completed)
    return best


def trials_of(replay: Replay, laps: Sequence[Lap] | None = None) -> list[list[Lap]]:
    """A replay's laps trial by trial: a trial begins wherever the car is put on the start, standing.

    Args:
        replay: of a time trial.
        laps: those that count instead of the recorded ones, such as `racer.replay.Verdict.laps`.
    """
    steps = replay.steps
    restarted = set(steps["lap"][steps["restart"]].tolist())
    trials: list[list[Lap]] = []
    for lap in replay.laps if laps is None else laps:
        if lap.index in restarted or not trials:
            trials.append([])
        trials[-1].append(lap)
    return trials


def check_replay(rulebook: Rulebook, replay: Replay) -> None:
    """Refuse a replay that was driven by other rules; how many laps it has, and in what time, is for `score` to judge.

    Raises:
        RulesError: one of the rules that decide the motion is another.
    """
    for field in dataclasses.fields(rulebook.rules):
        ours, theirs = getattr(rulebook.rules, field.name), getattr(replay.rules, field.name)
        if ours != theirs and field.name not in ("laps", "time_limit_s"):
            raise RulesError(
                f"it was driven by other rules: its {field.name} is {theirs}, but here it is {ours}; evaluate again "
                "by these, with --rules",
            )


def _counted(rulebook: Rulebook, laps: Sequence[TimedLap]) -> list[float | None]:
    """Times of the laps that count, None for those that are not complete."""
    end_s = rulebook.race.time_limit_s + SLACK_S + (laps[0].start_s if laps else 0.0)
    first = rulebook.warm_up_laps
    return [
        lap.time_s if lap.complete and lap.start_s + lap.time_s <= end_s else None
        for lap in laps[first : first + rulebook.race.laps]
    ]


def _windows(times: Sequence[float | None], size: int) -> Iterator[tuple[int, float]]:
    """Every row of complete laps of a size: the number of its first lap, and its time in all, s."""
    for first in range(len(times) - size + 1):
        some = [time for time in times[first : first + size] if time is not None]
        if len(some) == size:
            yield first + 1, sum(some)
