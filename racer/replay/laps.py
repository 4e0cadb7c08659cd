"""Laps: where one ends and the next one begins, for races, replays, their verification and logs alike.

Invariant: nobody else counts laps. A lap begins at the line or at a restart; it is complete where its car crosses
the line and nothing has ended its episode in that step. Otherwise it ends with the episode.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from racer.replay.record import STEP_DTYPE, STEP_S, Lap

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LapBook", "Recorder", "whole_steps"]

COPIED = ("x", "y", "heading", "speed", "steering_angle", "yaw_rate", "s", "distance", "offset")


class LapBook:
    """Counts the laps of n races of m cars, step by step: `before` a step, then `after` it.

    Attributes:
        laps: those of car j in race i are `laps[i][j]`.
    """

    def __init__(self, races: int = 1, cars: int = 1) -> None:
        """Begin with races that start with the next step."""
        self._shape = (races, cars)
        self.laps: list[list[list[Lap]]] = [[[] for _ in range(cars)] for _ in range(races)]
        self.numbers: NDArray[np.int64] = np.ones(self._shape, dtype=np.int64)
        """Number of the lap that each car is in, (n, m)."""
        self._steps = 0
        self._episode_s, self._resets = np.zeros(self._shape), np.zeros(self._shape, dtype=np.int64)
        self._over: NDArray[np.bool_] = np.ones(self._shape, dtype=np.bool_)

    def before(self, cars: NDArray[np.void]) -> None:
        """Look at the cars' states, (n, m) of `racer.sim.CAR_STATE`, before a step."""
        self._began_s, self._done, self._held = (cars[name].copy() for name in ("lap_start_s", "laps", "held"))

    def after(self, cars: NDArray[np.void], status: NDArray[np.int64], ended: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Look at them after it, and tell whose lap is over, (n, m).

        Args:
            cars: (n, m), as for `before`; those whose episode has ended may stand at their next start already.
            status: (n, m), how the step found each car: an index into `racer.sim.STATUS`.
            ended: (n, m), whether that ends its episode.
        """
        from racer.sim import LAP_COMPLETE, OFF_TRACK

        self._steps += 1
        crossed = (cars["laps"] > self._done) & ~ended
        self._resets += ~ended & (self._held == 0) & (cars["held"] > 0)
        self._over = crossed | ended
        if not self._over.any():  # as in nearly every step
            return self._over
        for i, j in np.argwhere(self._over).tolist():
            start_s = float(self._episode_s[i, j] + self._began_s[i, j])
            if crossed[i, j]:
                self._add(i, j, start_s, float(cars["lap_time"][i, j]), complete=True)
                continue
            now_s = self._steps * STEP_S
            if status[i, j] != LAP_COMPLETE:
                self._add(i, j, start_s, now_s - start_s, off_track=bool(status[i, j] == OFF_TRACK))
            self._episode_s[i, j] = now_s
            self._resets[i, j] = 0
        return self._over

    def run(self, states: NDArray[np.void], status: NDArray[np.int64], ended: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Look at k steps in a row, of which only the last one may end episodes.

        Args:
            states: (k + 1, n, m), as `racer.sim.World.run` gives them.
            status, ended: (n, m), how the last step found the cars, as for `after`.

        Returns:
            (k, n, m), the number of the lap that each car was in before each step.
        """
        numbers = np.empty((len(states) - 1, *self._shape), np.int64)
        crossed = states["laps"][1:] > states["laps"][:-1]
        caught = (states["held"][:-1] == 0) & (states["held"][1:] > 0)
        going_on, began, noted = np.zeros(self._shape, dtype=np.bool_), self._steps, 0
        for k in sorted({*np.flatnonzero((crossed | caught).any(axis=(1, 2))).tolist(), len(numbers) - 1}):
            numbers[noted : k + 1], noted = self.numbers, k + 1
            self._steps = began + k
            LapBook.before(self, states[k])
            LapBook.after(self, states[k + 1], status, ended if noted == len(numbers) else going_on)
        return numbers

    def close(self) -> None:
        """End the laps that are under way, because the record does."""
        for i, j in np.argwhere(~self._over).tolist():
            start_s = float(self._episode_s[i, j] + self._began_s[i, j])
            self._add(i, j, start_s, self._steps * STEP_S - start_s)

    def _add(
        self, i: int, j: int, start_s: float, time_s: float, *, complete: bool = False, off_track: bool = False
    ) -> None:
        index = int(self.numbers[i, j])
        self.laps[i][j].append(Lap(index, start_s, time_s, complete, off_track, int(self._resets[i, j])))
        self.numbers[i, j] += 1
        self._resets[i, j] = 0


class Recorder(LapBook):
    """A lap book that also writes down every step of n races of m cars."""

    def __init__(self, races: int = 1, cars: int = 1) -> None:
        """Begin with races that start with the next step."""
        super().__init__(races, cars)
        self._rows: list[NDArray[np.void]] = []
        self._restart: NDArray[np.bool_] = np.ones(self._shape, dtype=np.bool_)

    def before(self, cars: NDArray[np.void]) -> None:
        """Write down how the cars stand before a step."""
        super().before(cars)
        row = np.zeros(self._shape, STEP_DTYPE)
        self._describe(row, cars)
        row["lap"], row["restart"] = self.numbers, self._restart
        self._rows.append(row[None])

    def act(self, commands: NDArray[np.float64], rewards: NDArray[np.float64]) -> None:
        """Write down what the step commands, (n, m, 2) in degrees and m/s, and what it is rewarded with, (n, m)."""
        row = self._rows[-1][0]
        row["steering_command_deg"], row["speed_command"] = commands[..., 0], commands[..., 1]
        row["reward"] = rewards

    def after(self, cars: NDArray[np.void], status: NDArray[np.int64], ended: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """As for `LapBook.after`."""
        self._restart = ended
        return super().after(cars, status, ended)

    def record(
        self,
        states: NDArray[np.void],
        commands: NDArray[np.float64],
        status: NDArray[np.int64],
        ended: NDArray[np.bool_],
    ) -> None:
        """Write down k steps in a row, as for `run`, and their commands, (k, n, m, 2) in degrees and m/s."""
        rows = np.zeros((len(commands), *self._shape), STEP_DTYPE)
        rows["lap"] = self.run(states, status, ended)
        rows["restart"][0], self._restart = self._restart, ended
        self._describe(rows, states[:-1])
        rows["steering_command_deg"], rows["speed_command"] = commands[..., 0], commands[..., 1]
        self._rows.append(rows)

    def take(self) -> NDArray[np.void]:
        """Give the steps written down since the last call, (k, n, m) of `STEP_DTYPE`."""
        steps = np.concatenate([np.zeros((0, *self._shape), STEP_DTYPE), *self._rows])
        self._rows.clear()
        return steps

    @staticmethod
    def _describe(rows: NDArray[np.void], cars: NDArray[np.void]) -> None:
        for name in COPIED:
            rows[name] = cars[name]
        wheels = cars["wheels_on_track"]
        rows["off_track"], rows["wheels_on_track"], rows["held"] = wheels == 0, wheels == 4, cars["held"] > 0


def whole_steps(laps: Sequence[Lap]) -> list[int]:
    """How many steps DeepRacer would log for each lap of a race, the prepare step of a standing start included.

    A lap is found complete in the step after the one that crosses the line, and that step is its own.
    """
    counts, before = [], -1  # row of the race in which the lap before ended
    for lap in laps:
        begins, ends = lap.start_s / STEP_S, (lap.start_s + lap.time_s) / STEP_S
        standing = abs(begins - (before + 1)) < 1e-6
        last = math.ceil(ends - 1e-6) if lap.complete else round(ends) - 1
        counts.append(last - before + standing)
        before = last
    return counts
