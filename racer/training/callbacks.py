"""Callbacks of a training: how it stands, reported to whoever started it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from racer.env import ConcatVectorEnv, StepCallback, TimeTrialVector
from racer.errors import RewardError
from racer.racing import EvaluationResult, Learner
from racer.replay import Replay
from racer.training.meter import MeterReading

__all__ = ["Callback", "Progress"]


@dataclass(frozen=True)
class Progress:
    """How a training stands.

    Attributes:
        steps: car steps driven in training so far, earlier parts of a resumed run included.
        seconds: of training so far, earlier parts of a resumed run included.
        used: share of the budget, 0..1.
        steps_per_s: since this part of the training began.
        metrics: the recipe's own numbers, under Stable-Baselines3's names.
        result: of the newest evaluation; None before the first.
        best: the best one so far; None before the first.
        evaluated: whether `result` is new.
        elapsed_s: since this part of the training began.
        usual_steps_per_s: what the recipe says to expect of two quiet cores; 0 if it does not say.
        meter: whether the reward agrees with what matters; None while it is too early to say.
        phase: what the recipe does before its driver learns; "" where it learns.
    """

    steps: int
    seconds: float
    used: float
    steps_per_s: float
    metrics: Mapping[str, float]
    result: EvaluationResult | None
    best: EvaluationResult | None
    evaluated: bool
    elapsed_s: float = 0.0
    usual_steps_per_s: float = 0.0
    meter: MeterReading | None = None
    phase: str = ""


class Callback(Protocol):
    """Receives reports of a training; a subclass overrides the methods that it needs, and the others do nothing.

    An error that one of them raises ends the training; what was learned is saved first.
    """

    def on_training_start(self, env: TimeTrialVector | ConcatVectorEnv, learner: Learner) -> None:
        """The training is about to begin, or to go on.

        Args:
            env: in which it trains.
            learner: who learns, with what it had learned before.
        """
        return

    def on_update(self, progress: Progress) -> None:
        """An update was made, or the first one is about to be."""
        return

    def on_evaluation(self, result: EvaluationResult) -> None:
        """The driver was evaluated, before `on_update` reports it."""
        return

    def on_race_start(self) -> StepCallback | None:
        """The best driver is about to drive its last laps; return what to call at each step of it."""
        return None

    def on_race_end(self, replay: Replay, failure: RewardError | None = None) -> None:
        """The best driver has driven its last laps.

        Args:
            replay: the laps.
            failure: how the reward function failed in them, so that they were driven again, without it.
        """
        return

    def on_training_end(self) -> None:
        """The training has ended, whatever ended it; called before the last laps."""
        return


def usual_pace(learner: Any) -> float:
    """Steps a second that a recipe says to expect of two quiet cores, on the CPU; 0 if it does not say."""
    pace = getattr(learner, "pace", 0)
    fits = isinstance(pace, int | float) and getattr(learner, "device", "cpu") == "cpu"
    return float(pace) if fits else 0.0
