"""Recording the steps of an environment's cars for logs in DeepRacer's format.

Invariant: a recorder keeps the tables that the reward function was given; a row of a log is made of these alone, and
only when it is asked for, so that a step costs no more than a few copies.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from racer.deepracer.logs.simtrace import ROW
from racer.replay import STEP_S
from racer.reward import FLOATS, Params
from racer.sim import IN_PROGRESS, PAUSE, STATUS
from racer.track import Track

__all__ = ["StepRecorder"]

STEPS, FIRST = FLOATS.index("steps"), 2.0  # what `steps` is when a reward function is called first
COLUMNS = {
    "steps": "steps",
    "X": "x",
    "Y": "y",
    "yaw": "heading",
    "steer": "steering_angle",
    "throttle": "speed",
    "progress": "progress",
    "tstamp": "sim_time",
}
"""Columns of a log that are columns of the table of floats."""


class StepRecorder:
    """Records what the first cars of an environment do: `env.step_callback = StepRecorder(20)`.

    Attributes:
        cars: how many.
        endless: whether it goes on when it is `done`.
        done: whether every car has driven a whole episode since `begin`.
    """

    def __init__(self, cars: int, *, endless: bool = False) -> None:
        """Be ready for the next step."""
        self.cars, self.endless = cars, endless
        self.begin()

    def begin(self) -> None:
        """Forget everything, and record what follows."""
        self._steps: list[tuple[Any, ...]] = []
        self._begun = np.zeros(self.cars, dtype=np.bool_)
        self._ended = np.zeros(self.cars, dtype=np.bool_)
        self.done = False

    def __call__(
        self,
        params: Params,
        actions: NDArray[Any],
        rewards: NDArray[np.float64],
        status: NDArray[np.int64],
    ) -> None:
        """Record a step of every car; nothing more once they are done, unless `endless`."""
        if self.done and not self.endless:
            return
        n = self.cars
        floats, ends = params.floats[:n].copy(), status[:n].copy()
        tables = (floats, params.waypoints[:n].copy(), params.flags[:n].copy(), actions[:n].copy())
        self._steps.append((*tables, rewards[:n].copy(), ends, time.time()))
        self._begun |= floats[:, STEPS] == FIRST
        self._ended |= self._begun & (ends != IN_PROGRESS)
        self.done = bool(self._ended.all())

    def episode(self, car: int, track: Track) -> NDArray[np.void] | None:
        """The first whole episode of a car, (n,) of `racer.deepracer.logs.simtrace.ROW`; None if it has driven none."""
        if not self._ended[car]:
            return None
        begin = next(k for k, step in enumerate(self._steps) if step[0][car, STEPS] == FIRST)
        end = next(k for k in range(begin, len(self._steps)) if self._steps[k][5][car] != IN_PROGRESS)
        return self._rows(self._steps[begin : end + 1], car, track)

    def laps(self, track: Track) -> list[NDArray[np.void]]:
        """Everything that the first car did, cut into laps; the last one may be incomplete.

        A lap ends with the row that finds it complete, or with the episode. Only a lap that begins an episode
        begins with a prepare step.
        """
        if not self._steps:
            return []
        rows = self._rows(self._steps, 0, track)
        ends = np.flatnonzero(rows["done"] | (rows["progress"] >= 100.0)) + 1
        return [lap for lap in np.split(rows, ends) if len(lap)]

    def _rows(self, steps: list[tuple[Any, ...]], car: int, track: Track) -> NDArray[np.void]:
        floats = np.array([step[0][car] for step in steps])
        waypoints = np.array([step[1][car] for step in steps])
        rows = np.zeros(len(steps), ROW)
        for column, key in COLUMNS.items():
            rows[column] = floats[:, FLOATS.index(key)]
        front = floats[:, [FLOATS.index("x"), FLOATS.index("y")]]
        away = np.linalg.norm(track.center[waypoints] - front[:, None], axis=2)
        rows["closest_waypoint"] = np.where(away[:, 0] <= away[:, 1], waypoints[:, 0], waypoints[:, 1])
        rows["track_len"] = track.length
        rows["all_wheels_on_track"] = [step[2][car][0] for step in steps]
        rows["action"] = [_action(step[3][car]) for step in steps]
        rows["reward"] = [step[4][car] for step in steps]
        ends = np.array([step[5][car] for step in steps])
        rows["episode_status"] = np.array(STATUS)[ends]
        held = np.append(ends == PAUSE, False)
        rows["done"] = (ends != IN_PROGRESS) & ~held[:-1] & ~held[1:]  # what is followed by a penalty ends nothing
        rows["pause_duration"] = _countdown(held) * STEP_S
        rows["wall_clock"] = [step[6] for step in steps]
        return _with_prepare_steps(rows)


def _countdown(held: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many of the rows (n + 1,) that follow each of the first n are held, up to the first that is not."""
    left = np.zeros(len(held), dtype=np.int64)
    for k in range(len(held) - 2, -1, -1):
        left[k] = left[k + 1] + 1 if held[k + 1] else 0
    return left[:-1]


def _with_prepare_steps(rows: NDArray[np.void]) -> NDArray[np.void]:
    """Put before each episode the step in which the car was held; environments count it, but drive none."""
    first = np.flatnonzero(rows["steps"] == FIRST)
    held = rows[first]
    held["steps"], held["episode_status"], held["reward"], held["done"] = 1.0, "prepare", 0.0, False
    held["tstamp"] -= STEP_S
    return np.insert(rows, first, held)


def _action(action: Any) -> str:
    """An action as DeepRacer prints it: a position, or two numbers in brackets."""
    return f"[{' '.join(map(str, action))}]" if np.ndim(action) else str(int(action))
