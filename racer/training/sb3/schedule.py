"""How far a training has come, which is what learning rates, exploration and the discount follow.

A driver first has to complete laps, however long that takes; only then is there something to refine. So nothing falls
with the budget alone: what falls does so from the first laps on, over the rest of the budget. Short budgets then do not
freeze a policy before it drives, and long ones end as finely as ever.

Invariant: the schedule follows from the episodes driven and from how many steps were driven at which share of the
budget. What it has seen of the episodes is saved with the driver.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LapSchedule"]

LAPPING = 0.5  # share of the newest episodes that must be complete laps before the refinement begins
GAIN = 0.02  # of a lap: what counts as getting farther
PATIENCE = 50_000  # steps without getting farther before a driver counts as stuck


@dataclass
class LapSchedule:
    """How far a training has come.

    Attributes:
        progress: the greatest mean progress of the newest episodes so far, 0..1 of a lap, in strides of `GAIN`.
        gained_at: steps at which it was reached.
        stuck: whether it stood still for `PATIENCE` steps, before there were laps.
        lapping_since: steps at which `LAPPING` of the newest episodes were complete laps; None before.
        total: steps that the whole training is expected to have.
        refined: how far what falls has fallen, 0..1: the share of the steps from the first laps to the end that has
            been driven.
    """

    progress: float = 0.0
    gained_at: int = 0
    stuck: bool = False
    lapping_since: int | None = None
    total: float = 0.0
    refined: float = 0.0

    def update(self, steps: int, used: float, progress: Sequence[float]) -> None:
        """Take in how far the training and its newest episodes have come.

        Args:
            steps: driven so far.
            used: share of the budget that is used, 0..1.
            progress: of each of the newest episodes, percent of a lap.
        """
        if progress:
            mean = float(np.mean(progress)) / 100.0
            if mean >= self.progress + GAIN:
                self.progress, self.gained_at = mean, steps
            if self.lapping_since is None and np.mean(np.asarray(progress) >= 100.0) >= LAPPING:
                self.lapping_since = steps
        self.stuck |= self.lapping_since is None and steps - self.gained_at >= PATIENCE
        if used > 0.0:
            self.total = steps / used
        since = steps if self.lapping_since is None else self.lapping_since
        self.refined = float(np.clip((steps - since) / max(1.0, self.total - since), 0.0, 1.0))

    def state(self) -> NDArray[np.float64]:
        """What it has seen of the episodes, for `load`; the rest follows from the budget."""
        since = -1 if self.lapping_since is None else self.lapping_since
        return np.array([self.progress, self.gained_at, self.stuck, since], dtype=np.float64)

    def load(self, state: NDArray[np.float64]) -> None:
        """Go on from `state()`.

        Raises:
            ValueError: the array is none of a schedule.
        """
        progress, gained_at, stuck, since = state.tolist()
        self.progress, self.gained_at, self.stuck = float(progress), int(gained_at), bool(stuck)
        self.lapping_since = None if since < 0 else int(since)
