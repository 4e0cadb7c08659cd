"""Comparing rewards: every reward on every track with every seed, and what can be said of it.

Invariant: a training counts once, and its outcome is one number, the mean time of its best driver's undisturbed laps;
a driver that does not complete them is slower than all that do. So no number here gets better by failing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from racer.lab.statistics import (
    ALPHA,
    Interval,
    bootstrap_interval,
    corrected,
    improvement,
    improvement_interval,
    iqm,
    p_value,
    seeds_needed,
    wilson_interval,
)
from racer.lab.task import Budget, Outcome, Source, Task
from racer.replay import mark_of, percent_of_mark
from racer.sim import CARS
from racer.track import Track

__all__ = ["Cell", "Comparison", "Experiment", "Pair"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Experiment:
    """The trainings of a comparison, or of one candidate of a search.

    Attributes:
        rewards: the rewards' files.
        recipe: whose trainings they are.
        tracks: where.
        seeds: how many of each combination, from 0.
        budget: of each training.
        car: which is driven.
    """

    rewards: tuple[Source, ...]
    recipe: Source
    tracks: tuple[Track, ...]
    seeds: int
    budget: Budget
    car: str = "deepracer"

    def task(self, reward: Source, track: Track, seed: int) -> Task:
        """One of the trainings."""
        return Task(reward, self.recipe, track, seed, self.budget, self.car)

    @property
    def tasks(self) -> list[Task]:
        """All trainings, seed by seed, so that those of a comparison that was stopped are balanced."""
        combinations = itertools.product(range(self.seeds), self.tracks, self.rewards)
        return [self.task(reward, track, seed) for seed, track, reward in combinations]

    def as_json(self) -> dict[str, Any]:
        """In words."""
        return {
            "rewards": [{"name": source.name, "path": source.path} for source in self.rewards],
            "agent": self.recipe.path,
            "tracks": [self.task(self.rewards[0], track, 0).track_name for track in self.tracks],
            "seeds": self.seeds,
            "steps": self.budget.steps,
            "seconds": self.budget.seconds,
            "car": self.car,
        }


@dataclass(frozen=True)
class Cell:
    """What one reward did on one track, or on all of them.

    Attributes:
        reward, track: names; the track's is empty where it is all of them.
        runs: how many trainings there are.
        completed: how many drivers completed their three laps.
        completed_interval: of the share of such trainings, 0..1.
        laps: share of laps completed with noise on the actions, 0..1; nan if there are no trainings.
        lap_time_s, lap_time_interval: interquartile mean, s; infinite where too many trainings complete no laps, nan on
            all tracks together, whose lengths differ.
        percent, percent_interval: the same of the mark, percent, 0 without complete laps; nan where no mark is known.
    """

    reward: str
    track: str
    runs: int
    completed: int
    completed_interval: Interval
    laps: float
    lap_time_s: float
    lap_time_interval: Interval
    percent: float
    percent_interval: Interval


@dataclass(frozen=True)
class Pair:
    """Two rewards against each other.

    Attributes:
        better, worse: names, in the order that the data suggests.
        probability, interval: that a training with the better one drives faster laps on the same track, 0..1.
        p: probability of such a difference, or a greater one, by chance; corrected for the number of pairs.
        seeds: how many for each reward and track would tell them apart if `probability` is true; None: more than 1,000.
    """

    better: str
    worse: str
    probability: float
    interval: Interval
    p: float
    seeds: int | None

    @property
    def told_apart(self) -> bool:
        """Whether the data says which one is better."""
        return self.p < ALPHA

    def __str__(self) -> str:
        """What is to be said of them, without a full stop."""
        low, high = (f"{100.0 * end:.0f}" for end in self.interval)
        likely = f"{100.0 * self.probability:.0f} % ({low} to {high} %), p = {self.p:.2g}"
        chance = f"P({self.better} beats {self.worse}) = {likely}"
        if self.told_apart:
            return f"{chance}: {self.better} is better"
        needed = "more than 1,000 seeds" if self.seeds is None else f"{self.seeds} seeds"
        return f"the data does not tell {self.better} and {self.worse} apart: {chance}; if that holds, {needed} would"


class Comparison:
    """What is known of a comparison so far.

    Attributes:
        experiment: what is compared.
        outcomes: by the names of tasks.
    """

    def __init__(self, experiment: Experiment, outcomes: Mapping[str, Outcome]) -> None:
        """Take outcomes; those of other tasks do not matter."""
        self.experiment, self.outcomes = experiment, outcomes

    @cached_property
    def cells(self) -> list[Cell]:
        """Each reward on each track, and on all of them if there are several."""
        found = []
        for reward in self.experiment.rewards:
            found += [self._cell(reward, [track]) for track in self.experiment.tracks]
            if len(self.experiment.tracks) > 1:
                found.append(self._cell(reward, self.experiment.tracks))
        return found

    @cached_property
    def pairs(self) -> list[Pair]:
        """Every two rewards that have a training on every track, the clearest differences first."""
        experiment, known = self.experiment, {}
        for reward in experiment.rewards:
            groups = [-self._times(reward, track) for track in experiment.tracks]
            if all(len(group) for group in groups):
                known[reward.name] = groups
        names = [
            (a, b) if improvement(known[a], known[b]) >= 0.5 else (b, a) for a, b in itertools.combinations(known, 2)
        ]
        p_values = corrected([p_value(known[a], known[b]) for a, b in names])
        found = []
        for (a, b), p in zip(names, p_values, strict=True):
            probability = improvement(known[a], known[b])
            needed = seeds_needed(probability, len(experiment.tracks), len(names))
            found.append(Pair(a, b, probability, improvement_interval(known[a], known[b]), p, needed))
        return sorted(found, key=lambda pair: (pair.p, -pair.probability))

    def percents(self, reward: Source, track: Track) -> FloatArray:
        """Percent of the mark of each training, 0 without complete laps; empty where no mark is known."""
        mark = mark_of(track, CARS[self.experiment.car])
        if mark is None:
            return np.empty(0)
        shares = [percent_of_mark(float(time), mark) for time in self._times(reward, track)]
        return np.array([share or 0.0 for share in shares])

    def as_json(self) -> dict[str, Any]:
        """Everything, for scripts."""
        return {
            "format": "racer comparison",
            "version": 1,
            "asked": self.experiment.as_json(),
            "rewards": [vars(cell) for cell in self.cells],
            "pairs": [{**vars(pair), "told_apart": pair.told_apart, "sentence": str(pair)} for pair in self.pairs],
            "trainings": [
                {
                    "reward": task.reward.name,
                    "track": task.track_name,
                    "seed": task.seed,
                    **outcome.as_json(),
                }
                for task in self.experiment.tasks
                if (outcome := self.outcomes.get(task.name)) is not None
            ],
        }

    def _known(self, reward: Source, track: Track) -> list[Outcome]:
        experiment = self.experiment
        found = (self.outcomes.get(experiment.task(reward, track, seed).name) for seed in range(experiment.seeds))
        return [outcome for outcome in found if outcome is not None]

    def _times(self, reward: Source, track: Track) -> FloatArray:
        """Lap times of each training, s; infinite without complete laps."""
        times = [outcome.lap_time_s for outcome in self._known(reward, track)]
        return np.array([math.inf if time is None else time for time in times])

    def _cell(self, reward: Source, tracks: Sequence[Track]) -> Cell:
        outcomes = [outcome for track in tracks for outcome in self._known(reward, track)]
        done = sum(outcome.lap_time_s is not None for outcome in outcomes)
        times = [self._times(reward, track) for track in tracks] if len(tracks) == 1 else []
        percents = [self.percents(reward, track) for track in tracks]
        if not all(len(group) for group in percents):
            percents = []
        return Cell(
            reward.name,
            self.experiment.task(reward, tracks[0], 0).track_name if len(tracks) == 1 else "",
            len(outcomes),
            done,
            wilson_interval(done, len(outcomes)),
            float(np.mean([outcome.completed for outcome in outcomes])) if outcomes else math.nan,
            *_mean(times),
            *_mean(percents),
        )


def _mean(groups: list[FloatArray]) -> tuple[float, Interval]:
    """Interquartile mean of all groups, and its interval; nan if there is nothing."""
    if not groups:
        return math.nan, (math.nan, math.nan)
    return float(iqm(np.concatenate(groups))), bootstrap_interval(groups)
