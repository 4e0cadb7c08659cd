"""Watching a training: a callback that keeps clips of the cars as they learn, for `racer watch --live`.

Invariant: it records a few cars for some steps now and then, and writes a file of some 50 kB every few seconds; the
training waits for nothing else. A window that follows it is a process of its own.
"""

from __future__ import annotations

import dataclasses
import math
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from racer.env import ConcatVectorEnv, StepCallback, TimeTrialVector
from racer.racing import Learner
from racer.sim import IN_PROGRESS
from racer.training.callbacks import Callback, Progress
from racer.training.run import Run
from racer.viewer import Clip, ClipFacts, save_clip

__all__ = ["ClipWriter"]

CARS = 24  # that are shown, of the first track's
STEPS = 75  # of a clip: 5 s
EVERY_S = 2.0  # wall clock between two clips
COLUMNS = ("x", "y", "heading", "steering_angle", "speed")


class ClipWriter(Callback):
    """Keeps clips of a training in its run folder."""

    def __init__(self, run: Run) -> None:
        """Write into the folder of `run`; nothing yet."""
        self._run, self._facts = run, ClipFacts()
        self._poses: list[NDArray[np.float32]] = []
        self._ends: list[NDArray[np.bool_]] = []
        self._recording, self._wrote_at = True, 0.0
        self._next: StepCallback | None = None
        self._written: Clip | None = None

    def on_training_start(self, env: TimeTrialVector | ConcatVectorEnv, learner: Learner) -> None:
        """Record from the first step on, beside whoever records already."""
        first = env.parts[0] if isinstance(env, ConcatVectorEnv) else env
        self._state, self._next = first.state, env.step_callback
        env.step_callback = self._step

    def on_update(self, progress: Progress) -> None:
        """Write a clip where one is full, and begin the next one when it is due.

        Raises:
            FileError: it cannot be written.
        """
        result, best, said = progress.result, progress.best, progress.meter
        reward = float(progress.metrics.get("rollout/ep_rew_mean", math.nan))
        self._facts = dataclasses.replace(
            self._facts,
            steps=progress.steps,
            used=progress.used,
            completed=None if result is None else result.completed,
            best_lap_s=None if best is None else best.best_lap_s,
            reward=reward if math.isfinite(reward) else None,
            says="" if said is None else said.text,
            warns=said is not None and said.warns,
        )
        if len(self._poses) >= STEPS:
            self._write()
        elif not self._recording and time.monotonic() - self._wrote_at > EVERY_S:
            self._recording = True

    def on_training_end(self) -> None:
        """Say that it is over.

        Raises:
            FileError: it cannot be written.
        """
        self._facts = dataclasses.replace(self._facts, over=True)
        if self._poses or self._written is not None:
            self._write()

    def _step(self, *step: Any) -> None:
        if self._next is not None:
            self._next(*step)
        if not self._recording:
            return
        state = self._state[:CARS]
        self._poses.append(np.stack([state[name] for name in COLUMNS], axis=1).astype(np.float32))
        self._ends.append(step[3][:CARS] != IN_PROGRESS)
        self._recording = len(self._poses) < STEPS

    def _write(self) -> None:
        self._facts = dataclasses.replace(self._facts, number=self._facts.number + 1)
        if self._poses and not (self._facts.over and self._written is not None):  # the last ones may be very few
            self._written = Clip(np.stack(self._poses), np.stack(self._ends), self._facts)
            self._poses, self._ends = [], []
        if self._written is not None:
            save_clip(dataclasses.replace(self._written, facts=self._facts), self._run.folder)
        self._recording, self._wrote_at = False, time.monotonic()
