"""Replays: one self-contained file for a race that was driven, and the proof that it can be driven.

Owns what a replay holds (`Replay`, `Lap`, `STEP_DTYPE`), how it is stored, and `verify`. The one invariant: a replay
needs nothing but itself and this engine. Track and car travel inside, so re-simulating the recorded actions must give
the recorded states and lap times on any machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from racer.car import Car
    from racer.track import Track

STEP_S = 1.0 / 15.0  # s, one control step

STEP_DTYPE = np.dtype(
    [
        ("x", "<f8"),  # m, model origin
        ("y", "<f8"),  # m
        ("heading", "<f8"),  # rad
        ("speed", "<f8"),  # m/s, measured
        ("steering_angle", "<f8"),  # rad, the wheels' real angle
        ("yaw_rate", "<f8"),  # rad/s
        ("action_steering", "<f4"),  # the raw action, -1..1
        ("action_speed", "<f4"),
        ("steering_command", "<f8"),  # rad
        ("speed_command", "<f8"),  # m/s
        ("s", "<f8"),  # m, arc length of the front point on the ring
        ("distance", "<f8"),  # m along the line since this start, unwrapped, front point
        ("offset", "<f8"),  # m, left of the line positive
        ("reward", "<f8"),
        ("lap", "<i2"),  # from 1
        ("restart", "?"),  # the car was put on the start line, standing, right before this step
        ("off_track", "?"),
        ("wheels_on_track", "?"),
    ]
)
"""One row per control step k, at t = k/15 s: the pose *before* the action acts, as DeepRacer logs it."""


@dataclass(frozen=True)
class Lap:
    """One lap tried. `start_s` counts from the race's start; an incomplete lap's `time_s` is the time until it ended."""

    index: int  # from 1
    start_s: float
    time_s: float
    complete: bool
    off_track: bool


@dataclass(frozen=True, eq=False)
class Replay:
    """A race as it was driven: what it was driven on and with, its laps and its `steps` (n,) of `STEP_DTYPE`."""

    track: Track
    car: Car
    driver: str
    reward: str  # name
    seed: int
    created: str  # ISO 8601, UTC
    engine: str  # version of racer
    laps: tuple[Lap, ...]
    steps: NDArray[np.void]

    @property
    def best_lap_s(self) -> float | None:
        """Time of the fastest complete lap, s; None if no lap was completed."""
        return min((lap.time_s for lap in self.laps if lap.complete), default=None)

    @property
    def completed_laps(self) -> int:
        """Number of complete laps."""
        return sum(lap.complete for lap in self.laps)
