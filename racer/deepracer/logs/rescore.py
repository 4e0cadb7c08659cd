"""A reward function over logged laps: its reward for every step of a log or a replay.

Invariant: the function sees what it would have seen then. Pose, command, progress and wheels are those of the
log, and so is whether the car was off the track, where the log says it; all other `params` follow from them by
`racer.reward.params_at`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import radians

import numpy as np
from numpy.typing import NDArray

from racer.deepracer.logs.placing import Placed
from racer.deepracer.logs.simtrace import running
from racer.reward import FLOATS, Params, RewardFunction, TextStream, VectorReward, params_at

__all__ = ["Rescored", "rescore"]

LOGGED = {
    "heading": "yaw",
    "steering_angle": "steer",
    "speed": "throttle",
    "progress": "progress",
    "steps": "steps",
    "sim_time": "tstamp",
}
"""What is taken from the log as it is, without any conversion of units."""


@dataclass(frozen=True, eq=False)
class Rescored:
    """One episode with its new rewards.

    Attributes:
        placed: the episode.
        rows: (n,) of `racer.deepracer.logs.simtrace.ROW`, the steps with a reward; `reward` is the old one.
        new: (n,) the new rewards.
    """

    placed: Placed
    rows: NDArray[np.void]
    new: NDArray[np.float64]


def rescore(placed: Sequence[Placed], reward: RewardFunction, stdout: TextStream | None = None) -> list[Rescored]:
    """Run a reward function over episodes, in their order, as one worker of DeepRacer would.

    Steps in which the car was held (prepare, pause) get no reward, as in DeepRacer.

    Args:
        placed: the episodes.
        reward: the new function.
        stdout: where its prints go; None for the usual place.

    Raises:
        RewardError: the function fails.
    """
    pay = VectorReward(reward, 1, stdout)
    tables: dict[bool, Params] = {}
    found = []
    for one in placed:
        table = tables.setdefault(one.track.reversed, Params(one.track, 1))
        rows = one.rows[running(one.rows)]
        new = np.zeros(len(rows))
        for i, row in enumerate(rows):
            _describe(table, one, row)
            pay(table, new[i : i + 1])
        found.append(Rescored(one, rows, new))
    return found


def _describe(table: Params, placed: Placed, row: np.void) -> None:
    """Fill the table with what a reward function was given in a step of a log."""
    seen = params_at(placed.track, float(row["X"]), float(row["Y"]), radians(row["yaw"]), start=placed.start)
    logged = {key: row[column] for key, column in LOGGED.items()}
    table.floats[0] = [logged.get(key, seen[key]) for key in FLOATS]
    table.waypoints[0] = seen["closest_waypoints"]
    off_track, status = seen["is_offtrack"], row["episode_status"]
    if placed.episode.statuses and status in ("in_progress", "off_track"):
        off_track = status == "off_track"
    table.flags[0] = row["all_wheels_on_track"], seen["is_left_of_center"], off_track
