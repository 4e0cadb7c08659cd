"""Separating the steps of several workers that printed into one file.

Workers mix their lines and use the same episode numbers. The next step of an episode is found by its number, its time,
a fifteenth of a second later, and its position, a little further along.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from racer.deepracer.logs.simtrace import MISSING
from racer.replay import STEP_S

__all__ = ["in_order"]


def in_order(rows: NDArray[np.void]) -> NDArray[np.void]:
    """Put rows, (n,) of `racer.deepracer.logs.simtrace.ROW`, in an order in which each episode is in one piece.

    Rows that are in such an order already, which are those of one worker, stay as they are.
    """
    steps, episode = rows["steps"], rows["episode"]
    goes_on = (np.diff(steps) == 1.0) & (np.diff(episode) <= 1) & (np.diff(episode) >= 0)
    if (goes_on | (steps[1:] <= 2.0)).all():
        return rows
    threads, mixed = _threads(rows)
    return rows[np.argsort(threads, kind="stable")] if mixed else rows


def _threads(rows: NDArray[np.void]) -> tuple[NDArray[np.int64], bool]:
    """Number of the thread, an episode of a worker, that each row belongs to; whether one was taken up again."""
    columns = ("episode", "steps", "X", "Y", "tstamp", "progress", "done")
    steps = list(zip(*(rows[name].tolist() for name in columns), strict=True))
    waiting: dict[tuple[int, float], list[int]] = {}  # rows by the episode and step with which they would go on
    threads, count, mixed = np.zeros(len(rows), np.int64), 0, False

    def apart(i: int, k: int) -> float:
        (_, _, x, y, clock, *_), (_, _, x0, y0, clock0, *_) = steps[i], steps[k]
        return float(abs(x - x0) + abs(y - y0) + abs(clock - clock0 - STEP_S))

    for i, (episode, step, *_, progress, done) in enumerate(steps):
        keys = ((episode, step - gap) for gap in range(MISSING + 1))
        if candidates := next(filter(None, map(waiting.get, keys)), None):
            last = min(candidates, key=partial(apart, i))
            candidates.remove(last)
            threads[i] = threads[last]
            mixed |= last != i - 1
        else:
            threads[i], count = count, count + 1
        if not done:
            number = episode + 1 if progress >= 100.0 else episode  # the next lap of a race follows flying
            waiting.setdefault((number, step + 1.0), []).append(i)
    return threads, mixed
