"""Searching for the constants of a reward, or the hyperparameters of a recipe, that drive best.

A candidate is a file with other values. It is trained with several seeds, one after the other, and given up as soon as
it is probably worse than the best one so far. Candidates are tried side by side.

Invariant: what Optuna knows lies in its journal, and outcomes lie in the folder, so a search that was stopped goes
on: candidates that were in progress begin anew, with the trainings that they had.
"""

from __future__ import annotations

import hashlib
import logging
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from racer.errors import RunError
from racer.lab.compare import Experiment
from racer.lab.folder import LabFolder
from racer.lab.ranges import Range, changed
from racer.lab.task import Outcome, Source, Task
from racer.lab.workers import Event, Workers
from racer.replay import mark_of
from racer.sim import CARS

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

__all__ = ["Candidate", "Search", "score"]

JOURNAL = "journal.log"
VALUES, FAILED = "values", "failed"  # what Optuna keeps of each candidate for us
STATES = {"COMPLETE": "complete", "PRUNED": "given up"}
P_WORSE = 0.15  # of the same or a clearer difference by chance, below which a candidate is given up ...
LEAST_SEEDS = 3  # ... after as many trainings at least; by Wilcoxon's test that is the first time that p is so small
USUAL_MPS = 3.0  # mean speed that stands for the mark where none is known


@dataclass(frozen=True)
class Candidate:
    """Values that were tried.

    Attributes:
        number: from 0; the file's own values.
        values: of the constants, by name.
        scores: of its trainings so far, see `score`.
        state: `complete`, `given up`, `failed` or `in progress`.
    """

    number: int
    values: dict[str, Any]
    scores: tuple[float, ...]
    state: str

    @property
    def mean(self) -> float:
        """Mean of the scores; nan if there are none."""
        return float(np.mean(self.scores)) if self.scores else math.nan


def score(task: Task, outcome: Outcome) -> float:
    """How good a training is, percent: of the mark; from -100 to 0 without complete laps, the more of them the better.

    Where no mark is known, it is a lap at 3 m/s.
    """
    if outcome.lap_time_s is None:
        return 100.0 * (outcome.completed - 1.0)
    mark = mark_of(task.track, CARS[task.car])
    best = mark.best_lap_s if mark is not None and mark.best_lap_s is not None else task.track.length / USUAL_MPS
    return 100.0 * best / outcome.lap_time_s


@dataclass
class _InProgress:
    """A candidate in progress."""

    trial: Trial
    number: int
    values: dict[str, Any]
    tasks: list[Task]
    scores: list[float] = field(default_factory=list)
    state: str = "in progress"

    @property
    def now(self) -> Candidate:
        return Candidate(self.number, self.values, tuple(self.scores), self.state)


@dataclass
class Search:
    """A search for better values.

    Attributes:
        experiment: recipe, tracks, seeds and budget; its one reward is searched over unless `recipe` is true.
        ranges: of the constants.
        candidates: how many to try in all.
        folder: where it is kept.
        seed: random seed of what is tried.
        recipe: whether the recipe is searched over.
        problems: why candidates failed.
    """

    experiment: Experiment
    ranges: list[Range]
    candidates: int
    folder: LabFolder
    seed: int = 0
    recipe: bool = False
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Open the journal, and begin with the file's own values.

        Raises:
            RunError: Optuna is not installed, or the journal is another search's.
        """
        try:
            import optuna
        except ImportError as missing:
            raise RunError("a search needs a library more: run pip install 'racer[tune]'") from missing
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(logging.ERROR)
        path = self.folder.path / JOURNAL
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that parts of Optuna are new
            storage = optuna.storages.JournalStorage(JournalFileBackend(str(path)))
            names = [study.study_name for study in optuna.get_all_study_summaries(storage)]
            description = self._description()
            if names and names != [description]:
                raise RunError(
                    f"{path} holds the search {names[0]!r:.300}, which is not {description!r:.300}; "
                    "choose another --name"
                )
            known = len(optuna.load_study(study_name=description, storage=storage).trials) if names else 0
            self.study: Study = optuna.create_study(
                study_name=description,
                storage=storage,
                direction="maximize",
                load_if_exists=True,
                sampler=optuna.samplers.TPESampler(seed=self.seed + known, constant_liar=True),
                pruner=optuna.pruners.WilcoxonPruner(p_threshold=P_WORSE, n_startup_steps=LEAST_SEEDS),
            )
        for trial in self.study.trials:
            if trial.state == optuna.trial.TrialState.RUNNING:
                self.study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
                self.study.enqueue_trial(trial.params)
        if not known:
            self.study.enqueue_trial({one.name: one.value for one in self.ranges})

    def _description(self) -> str:
        """What is searched over and how: only what agrees in all of this may be compared."""
        experiment = self.experiment
        ranges = "; ".join(f"{one.name} {one}" for one in self.ranges)
        tracks = ", ".join(track.name for track in experiment.tracks)
        digest = hashlib.sha256(" ".join(task.name for task in experiment.tasks).encode()).hexdigest()[:8]
        trainings = f"{experiment.budget} on {tracks} with {experiment.seeds} seeds"
        return f"{self.source.name}: {ranges}; {trainings}; files {digest}"

    @property
    def source(self) -> Source:
        """The file that is searched over."""
        return self.experiment.recipe if self.recipe else self.experiment.rewards[0]

    @property
    def seeds(self) -> int:
        """How many trainings a candidate has that is not given up."""
        return self.experiment.seeds * len(self.experiment.tracks)

    @property
    def left(self) -> int:
        """How many candidates are to be tried yet."""
        return max(0, self.candidates - len(self.tried))

    @property
    def tried(self) -> list[Candidate]:
        """What was tried, in order; what was stopped is left out, as it is tried again."""
        trials = [trial for trial in self.study.trials if trial.state.name in STATES or FAILED in trial.user_attrs]
        return [_candidate(number, trial) for number, trial in enumerate(trials)]

    @property
    def best(self) -> Candidate:
        """The best of those that had all their trainings.

        Raises:
            RunError: there is none.
        """
        complete = [one for one in self.tried if one.state == "complete"]
        if not complete:
            why = f": {self.problems[0]}" if self.problems else "; go on with --resume"
            raise RunError(f"no candidate came to its end{why}")
        return max(complete, key=lambda one: one.mean)

    def text(self, values: dict[str, Any]) -> str:
        """The file with other values."""
        return changed(self.source, values)

    def run(self, workers: Workers) -> Iterator[tuple[Candidate, Event | None]]:
        """Try candidates; gives each event with the candidate that it is about, and without one what was known.

        Raises:
            RunError: the file's own values fail.
        """
        trying: dict[str, _InProgress] = {}
        number, last = len(self.tried), len(self.tried) + self.left
        while number < last or trying:
            if number < last and len(trying) < workers.size:
                current = self._next(number)
                number += 1
                yield from self._go_on(current, trying, workers)
                continue
            for event in workers.wait():
                current = trying[event.task.name]
                if not event.ended:
                    yield current.now, event
                    continue
                del trying[event.task.name]
                event = self.folder.kept(event)
                if event.outcome is None:
                    self._fail(current, event.problem)
                    yield current.now, event
                else:
                    self._report(current, event.outcome)
                    yield current.now, event
                    yield from self._go_on(current, trying, workers)

    def _next(self, number: int) -> _InProgress:
        """Another candidate."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trial = self.study.ask()
        values = {one.name: one.rounded(_suggested(trial, one)) for one in self.ranges}
        trial.set_user_attr(VALUES, values)
        own = replace(self.source, text=self.text(values))
        experiment = replace(self.experiment, recipe=own) if self.recipe else replace(self.experiment, rewards=(own,))
        return _InProgress(trial, number, values, experiment.tasks)

    def _go_on(
        self, current: _InProgress, trying: dict[str, _InProgress], workers: Workers
    ) -> Iterator[tuple[Candidate, Event | None]]:
        """Hand over the next training of a candidate, unless it is decided; outcomes that are known are taken."""
        from optuna.trial import TrialState

        while len(current.scores) < len(current.tasks):
            task = current.tasks[len(current.scores)]
            if self._is_worse(current) or task.name in trying:  # the other one with these values is enough
                current.state = STATES["PRUNED"]
                self.study.tell(current.trial, state=TrialState.PRUNED)
                yield current.now, None
                return
            outcome = self.folder.outcome(task)
            if outcome is None:
                trying[task.name] = current
                workers.submit(task)
                return
            self._report(current, outcome)
        current.state = STATES["COMPLETE"]
        self.study.tell(current.trial, float(np.mean(current.scores)))
        yield current.now, None

    def _report(self, current: _InProgress, outcome: Outcome) -> None:
        step = len(current.scores)
        current.scores.append(score(current.tasks[step], outcome))
        current.trial.report(current.scores[-1], step)

    def _fail(self, current: _InProgress, problem: str) -> None:
        from optuna.trial import TrialState

        current.state = FAILED
        current.trial.set_user_attr(FAILED, problem)
        self.study.tell(current.trial, state=TrialState.FAIL)
        self.problems.append(problem)
        if current.number == 0:
            raise RunError(f"{self.source.path} fails with its own values: {problem}")

    def _is_worse(self, current: _InProgress) -> bool:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return len(current.scores) >= LEAST_SEEDS and current.trial.should_prune()


def _suggested(trial: Trial, one: Range) -> Any:
    if one.choices:
        return trial.suggest_categorical(one.name, one.choices)
    if one.whole:
        return trial.suggest_int(one.name, int(one.low), int(one.high), log=one.log)
    return trial.suggest_float(one.name, one.low, one.high, log=one.log)


def _candidate(number: int, trial: FrozenTrial) -> Candidate:
    scores = tuple(value for _, value in sorted(trial.intermediate_values.items()))
    return Candidate(number, trial.user_attrs.get(VALUES, {}), scores, STATES.get(trial.state.name, FAILED))
