"""The landscape of a reward: what it pays at most and at least for every place on the road.

A place is looked at with several headings and speeds. Each time the function is shown two steps, as if an episode began
a step before the place, for many rewards pay what has changed since the last step.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, cos, pi, sin
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from racer.reward.function import RewardFunction, VectorReward
from racer.reward.params import FLOATS, Params, fill_pose
from racer.reward.sandbox import OutputBuffer
from racer.sim import CARS, STEP_S, road_of
from racer.track import Track

__all__ = ["Landscape", "landscape"]

FloatArray = NDArray[np.float64]

SPACING_M, MOST_ALONG = 0.35, 120  # of the places along the road
ACROSS = np.linspace(-0.95, 0.95, 9)  # of the half width, left positive
HEADINGS = np.radians([-30.0, -15.0, 0.0, 15.0, 30.0])  # off the road's
SPEEDS = (1.0, 2.0, 4.0)  # m/s
PERCENT = 2.0  # progress at every place, so that the start line makes no step

PROGRESS, STEPS, SPEED, TIME = (FLOATS.index(name) for name in ("progress", "steps", "speed", "sim_time"))


@dataclass(frozen=True, eq=False)
class Landscape:
    """What a reward pays on the road.

    Attributes:
        points: (k, m, 2) places, k along the road and m across it from right to left, m.
        best, worst: (k, m) the most and the least that it pays there, over headings and speeds.
    """

    points: FloatArray
    best: FloatArray
    worst: FloatArray


def landscape(reward: RewardFunction, track: Track) -> Landscape:
    """Find what a reward pays on the road.

    Args:
        reward: the function.
        track: a closed one. Its places are kept as long as it is.

    Raises:
        RewardError: the function fails.
        TrackError: the track is open.
    """
    tables = _tables.get(track)
    if tables is None:
        tables = _tables[track] = _poses(track)
    points, floats, waypoints, flags = tables
    count = floats.shape[1]
    rewards, params, out = VectorReward(reward, count, OutputBuffer()), Params(track, count), np.zeros(count)
    paid = np.empty((len(floats) // 2, count))
    for step in range(len(floats)):
        params.floats[:], params.waypoints[:], params.flags[:] = floats[step], waypoints[step], flags[step]
        rewards(params, out)
        paid[step // 2] = out  # of two steps the second
    shape = points.shape[:2]
    return Landscape(points, paid.max(axis=1).reshape(shape), paid.min(axis=1).reshape(shape))


_tables: WeakKeyDictionary[Track, tuple[Any, ...]] = WeakKeyDictionary()


def _poses(track: Track) -> tuple[Any, ...]:
    """The places, and the tables of `Params` for two steps at each of them, of all headings and speeds."""
    road, car = road_of(track), CARS["deepracer"]
    along = np.linspace(0.0, road.s[-1], min(MOST_ALONG, round(road.s[-1] / SPACING_M)), endpoint=False)
    looks = [(turn, speed) for turn in HEADINGS.tolist() for speed in SPEEDS]
    params = Params(track, len(looks))
    points, tables = np.empty((len(along), len(ACROSS), 2)), []
    for k, s in enumerate(along.tolist()):
        i = min(int(np.searchsorted(road.s, s, side="right")) - 1, len(road.s) - 2)
        step = road.center[i + 1] - road.center[i]
        middle = road.center[i] + step * ((s - road.s[i]) / (road.s[i + 1] - road.s[i]))
        psi, half = atan2(step[1], step[0]), float(np.interp(s, road.s, road.half_width))
        for j, share in enumerate(ACROSS.tolist()):
            x, y = middle[0] - share * half * sin(psi), middle[1] + share * half * cos(psi)
            points[k, j] = x, y
            for before in (1.0, 0.0):
                for n, (turn, speed) in enumerate(looks):
                    heading = pi - (pi - psi - turn) % (2.0 * pi)
                    back = before * speed * STEP_S
                    fill_pose(params, n, (x - back * cos(heading), y - back * sin(heading), heading), road, car)
                    params.floats[n, SPEED] = speed
                gone = (params.floats[:, FLOATS.index("projection_distance")] - s) / road.s[-1]
                params.floats[:, PROGRESS] = PERCENT + 100.0 * (gone - np.rint(gone))
                params.floats[:, STEPS] = 3.0 - before
                params.floats[:, TIME] = (3.0 - before) * STEP_S
                tables.append((params.floats.copy(), params.waypoints.copy(), params.flags.copy()))
    return (points, *(np.stack(column) for column in zip(*tables, strict=True)))
