"""A task: one training of a comparison or of a search, small enough to be sent to another process or machine.

Invariant: a task carries all that decides its outcome: the texts of the reward and of the recipe, the road, the seed
and the budget. Its digest names it, so an outcome that is kept under that name never belongs to another task.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from racer import __version__
from racer.errors import RacerError, RunError

if TYPE_CHECKING:
    from racer.track import Track

__all__ = ["Budget", "Outcome", "Source", "Task", "carry_out", "outcome_from_json", "use_one_thread"]

Report = Callable[[float], None]
"""Called now and then with the share of the budget that is used, 0..1."""

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Environment variables of libraries that would start a thread for each core."""


@dataclass(frozen=True)
class Source:
    """A reward's or a recipe's file, as it was read.

    Attributes:
        name: of the file without its suffix.
        path: where it lies; modules beside it are imported from there.
        text: the source.
    """

    name: str
    path: str
    text: str


@dataclass(frozen=True)
class Budget:
    """How long each training takes: car steps, or seconds if those are None."""

    steps: int | None = None
    seconds: float | None = None

    def __str__(self) -> str:
        """The budget in words."""
        return f"{self.seconds:g} s" if self.steps is None else f"{self.steps:,} steps"


@dataclass(frozen=True, eq=False)
class Task:
    """One training.

    Attributes:
        reward, recipe: the files.
        track: where.
        seed: random seed of everything.
        budget: how long.
        car: name of the car.
    """

    reward: Source
    recipe: Source
    track: Track
    seed: int
    budget: Budget
    car: str = "deepracer"

    @property
    def name(self) -> str:
        """Names of what it is about, and a digest of all that decides its outcome; fit for a file."""
        budget = dataclasses.asdict(self.budget)
        decides = [self.reward.text, self.recipe.text, self.track.digest, self.seed, budget, self.car]
        digest = hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]
        words = [re.sub(r"[^\w-]+", "_", word)[:30] for word in (self.reward.name, self.recipe.name, self.track_name)]
        return "-".join([*words, str(self.seed), digest])

    @property
    def track_name(self) -> str:
        """Name of the track, and whether it is driven in the opposite direction."""
        return f"{self.track.name} (reverse)" if self.track.reversed else self.track.name


@dataclass(frozen=True)
class Outcome:
    """What became of a training.

    Attributes:
        task: its name.
        completed: share of all the laps of the best driver's evaluation, noise included, that were completed, 0..1.
        lap_time_s: mean time of its three undisturbed laps, s; None if it did not complete all of them.
        steps: car steps driven in training.
        seconds: wall clock of the training itself, s.
        total_s: wall clock of all that the task took, from its arrival to its end, s.
        processor_s: processor time of the same, s.
        engine: racer's version.
        replay: the best driver's last laps, as a file's content; empty where it is kept elsewhere.
    """

    task: str
    completed: float
    lap_time_s: float | None
    steps: int
    seconds: float
    total_s: float
    processor_s: float
    engine: str = __version__
    replay: bytes = dataclasses.field(default=b"", repr=False)

    def as_json(self) -> dict[str, Any]:
        """All of it but the replay."""
        return {name: value for name, value in vars(self).items() if name != "replay"}


def outcome_from_json(data: Any, where: Path) -> Outcome:
    """Read what `Outcome.as_json` gave, trusting nothing in it.

    Raises:
        RunError: it is damaged.
    """
    match data:
        case {"task": str(task), "engine": str(engine), "steps": int(steps), "lap_time_s": lap_time, **rest}:
            numbers: list[Any] = [rest.get(key) for key in ("completed", "seconds", "total_s", "processor_s")]
            lap_times = [] if lap_time is None else [lap_time]
            if steps >= 0 and all(_fits(number) for number in (*numbers, *lap_times)):
                share, seconds, total_s, processor_s = map(float, numbers)
                time_s = None if lap_time is None else float(lap_time)
                return Outcome(task, min(share, 1.0), time_s, steps, seconds, total_s, processor_s, engine)
    raise RunError(f"{where} is damaged; remove it, and its training is done again")


def _fits(number: Any) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and 0.0 <= number < math.inf


def use_one_thread() -> None:
    """Keep libraries that are not loaded yet to one thread: there is a process for each core."""
    import os

    for variable in THREADS:
        os.environ[variable] = "1"


def carry_out(task: Task, report: Report = lambda used: None) -> Outcome | str:
    """The outcome of a task, or what went wrong: the reward or the recipe fails, or the disk is full."""
    try:
        return _trained(task, report)
    except (RacerError, OSError) as wrong:
        return str(wrong) or type(wrong).__name__


def _trained(task: Task, report: Report) -> Outcome:
    """Train in a temporary folder, of which the best driver's laps and the figures are kept."""
    from racer.racing import AgentFile, EvaluationResult
    from racer.reward import reward_from_text
    from racer.training import Callback, Progress, RunConfig, start, train

    class Watched(Callback):
        best: EvaluationResult | None = None
        steps, seconds = 0, 0.0

        def on_update(self, progress: Progress) -> None:
            self.best, self.steps, self.seconds = progress.best, progress.steps, progress.seconds
            report(progress.used)

    began, processor = time.monotonic(), time.process_time()
    watched = Watched()
    config = RunConfig(
        (task.track,),
        task.reward.path,
        task.recipe.path,
        steps=task.budget.steps,
        seconds=task.budget.seconds,
        seed=task.seed,
        car=task.car,
        logs=False,
    )
    reward = reward_from_text(task.reward.text, Path(task.reward.path))
    recipe = AgentFile(task.recipe.name, Path(task.recipe.path), task.recipe.text)
    with tempfile.TemporaryDirectory(prefix="racer-lab-") as folder:
        run = start(config, f"{folder}/{task.reward.name}", recipe=recipe, reward=reward)
        train(run, [watched])
        replay = run.replay.read_bytes()
    best = watched.best
    return Outcome(
        task.name,
        best.completed if best else 0.0,
        best.lap_time_s if best and best.clean else None,
        watched.steps,
        watched.seconds,
        time.monotonic() - began,
        time.process_time() - processor,
        replay=replay,
    )
