"""DeepRacer's step log ("simtrace"): its rows, one for each step of a car, whatever file holds them.

Invariant: rows mean what DeepRacer means by them. `X`, `Y` are the point 0.14 m ahead of the model's origin,
before the action of the row acts; `yaw` and `steer` are degrees; `tstamp` is the simulated time after the
step. The first row of an episode is its `prepare` step (held, reward 0), the last one says how it ended.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["COLUMNS", "HELD", "LABELS", "MISSING", "ROW", "Episode", "csv_text", "episodes", "running"]

ROW = np.dtype(
    [
        ("episode", "<i8"),  # from 0, over the whole job
        ("steps", "<f8"),  # 1 is the prepare step
        ("X", "<f8"),  # m, front point
        ("Y", "<f8"),
        ("yaw", "<f8"),  # degrees
        ("steer", "<f8"),  # degrees, commanded
        ("throttle", "<f8"),  # m/s, commanded
        ("action", "<U64"),  # position in the list, or `[steering speed]`
        ("reward", "<f8"),
        ("done", "?"),
        ("all_wheels_on_track", "?"),
        ("progress", "<f8"),  # percent since the episode's start
        ("closest_waypoint", "<i8"),
        ("track_len", "<f8"),  # m
        ("tstamp", "<f8"),  # s of simulated time; Unix time in 2019
        ("episode_status", "<U16"),
        ("pause_duration", "<f8"),  # s that are left of a penalty
        ("obstacle_crash_counter", "<i8"),
        ("wall_clock", "<f8"),  # Unix time, s; nan where a log has none
    ]
)
"""One row of a log. The names are the header of a CSV file, in its order."""

COLUMNS: tuple[str, ...] = ROW.names or ()

LABELS = {
    "in_progress": "In progress",
    "lap_complete": "Lap complete",
    "crashed": "Crashed",
    "off_track": "Off track",
    "immobilized": "Immobilized",
    "reversed": "Reversed",
    "time_up": "Time Up",
    "pause": "Pause",
    "park": "Park",
    "prepare": "Prepare",
}
"""Every status of a row, and what the metrics files call it."""

HELD = ("prepare", "pause", "park")
"""Statuses of the steps in which the car is held; no reward function is called for them."""


MISSING = 2
"""Steps in a row that a log may lack, where lines were damaged, without the lap being lost."""


@dataclass(frozen=True, eq=False)
class Episode:
    """The rows of one episode, or of one lap of a race with flying laps.

    Attributes:
        where: the file, for messages.
        rows: (n,) of `ROW`, n >= 1.
        flying: whether it goes on where the episode before it ended, instead of from a standing start.
        statuses: whether the log says how each step ended; those of 2019 do not.
    """

    where: str
    rows: NDArray[np.void]
    flying: bool
    statuses: bool = True

    @property
    def number(self) -> int:
        """As the log counts, from 0."""
        return int(self.rows["episode"][0])

    @property
    def status(self) -> str:
        """How it ended; `in_progress` where the log was cut, or where the next lap follows flying."""
        return str(self.rows["episode_status"][-1])

    @property
    def whole(self) -> bool:
        """Whether the log holds it from its first step on, without holes."""
        steps = self.rows["steps"]
        begins = self.flying or steps[0] <= 2.0
        return bool(begins and (np.diff(steps) <= MISSING + 1).all())

    @property
    def complete(self) -> bool:
        """Whether it is a complete lap, and the log holds all of it."""
        return bool(self.rows["progress"][-1] >= 100.0) and self.whole

    @property
    def progress(self) -> float:
        """How far it came, percent."""
        return float(self.rows["progress"].max())


def episodes(rows: NDArray[np.void], where: str = "", statuses: bool = True) -> list[Episode]:
    """Cut a log, (n,) of `ROW`, n >= 1, into episodes: where the number changes or the steps start again."""
    more = np.diff(rows["steps"])
    begins = np.flatnonzero(np.append(True, (more <= 0.0) | (np.diff(rows["episode"]) != 0))).tolist()
    return [
        Episode(where, rows[begin:end], bool(begin > 0 and more[begin - 1] == 1.0), statuses)
        for begin, end in zip(begins, [*begins[1:], len(rows)], strict=True)
    ]


def running(rows: NDArray[np.void]) -> NDArray[np.bool_]:
    """Which rows are steps that the car was free to drive."""
    return ~np.isin(rows["episode_status"], HELD)


def csv_text(rows: NDArray[np.void]) -> str:
    """Give the content of an iteration file: values as Python writes them, which is what DeepRacer does."""
    lines = [",".join(COLUMNS)]
    progress = COLUMNS.index("progress")
    for row in rows.tolist():
        values = list(map(str, row))
        if row[progress] == 100.0:
            values[progress] = "100"  # the original caps it with a whole number
        lines.append(",".join(values))
    return "\n".join([*lines, ""])
