"""Sectors: a lap timed in equal parts of the centre line."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from racer.replay.record import STEP_S, Drive, Lap

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SECTORS", "course_of", "sector_times"]

SECTORS = 3  # a lap is timed in thirds


def course_of(drive: Drive, lap: Lap, length_m: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far a lap had come when.

    Args:
        drive: which the lap belongs to.
        lap: complete or not.
        length_m: of the centre line, m.

    Returns:
        Metres from the start line along the centre line, never less again, and seconds of the lap; (n,) each.
    """
    rows = np.flatnonzero(drive.steps["lap"] == lap.index)
    driven = drive.steps["distance"][rows].astype(np.float64)
    driven -= np.round(driven[:1] / length_m) * length_m  # `distance` goes on over flying laps
    times = rows * STEP_S - lap.start_s
    if lap.complete:
        driven, times = np.append(driven, length_m), np.append(times, lap.time_s)
    return np.maximum.accumulate(np.append(0.0, driven)), np.append(0.0, times)


def sector_times(drive: Drive, lap: Lap, length_m: float, sectors: int = SECTORS) -> tuple[float | None, ...]:
    """The time of each sector of a lap, s; None where the car did not come.

    Args:
        drive: which the lap belongs to.
        lap: complete or not.
        length_m: of the centre line, m.
        sectors: how many there are.
    """
    driven, when = course_of(drive, lap, length_m)
    ends = length_m * np.arange(sectors + 1) / sectors
    passed = np.interp(ends, driven, when).tolist()
    reached = ends <= driven[-1] + 1e-9
    return tuple(
        after - before if there else None for (before, after), there in zip(pairwise(passed), reached[1:], strict=True)
    )
