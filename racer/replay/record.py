"""What a race leaves behind: its laps and every step of it.

Invariant: a record needs nothing but itself and this engine. Track and car travel inside, so that it can be
watched, and driven again, on a machine that knows neither.
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from racer.sim import Car  # brings Numba, which who only looks at a drive does not wait for
    from racer.track import Track

__all__ = ["STEP_DTYPE", "STEP_S", "Lap", "Replay"]

STEP_S = 1.0 / 15.0  # s, one control step

STEP_DTYPE = np.dtype(
    [
        ("x", "<f8"),  # m, model origin
        ("y", "<f8"),  # m
        ("heading", "<f8"),  # rad
        ("speed", "<f8"),  # m/s, measured
        ("steering_angle", "<f8"),  # rad, the wheels' real angle
        ("yaw_rate", "<f8"),  # rad/s
        ("steering_command", "<f8"),  # rad, what the action commands
        ("speed_command", "<f8"),  # m/s
        ("s", "<f8"),  # m, arc length of the front point on the ring
        ("distance", "<f8"),  # m along the line since this start, unwrapped, front point
        ("offset", "<f8"),  # m, left of the line positive
        ("reward", "<f8"),
        ("lap", "<i2"),  # from 1
        ("restart", "?"),  # the car was put on the start line, standing, right before this step
        ("off_track", "?"),
        ("wheels_on_track", "?"),
        ("held", "?"),  # for a penalty, where it was put back
    ]
)
"""One row per control step k, at t = k/15 s: the pose *before* the action acts, as DeepRacer logs it.

All float64: as float32 a distance of 200 m would be off by more than `verify` tolerates. Commands, not actions, are
kept: they mean the same whatever the action space."""


@dataclass(frozen=True)
class Lap:
    """One lap tried; an incomplete lap's `time_s` is the time until it ended.

    In a race with penalties `resets` counts how often it was put back on the track, and `off_track` is never true.
    """

    index: int  # from 1
    start_s: float  # since the race's start
    time_s: float
    complete: bool
    off_track: bool
    resets: int = 0


@dataclass(frozen=True, eq=False)
class Replay:
    """A race as it was driven: on and with what, its laps and its `steps`, (n,) of `STEP_DTYPE`.

    One that was `imported` was not driven with racer: its laps may each begin anew, and cannot be verified.
    """

    track: Track
    car: Car
    driver: str
    reward: str  # name
    seed: int
    created: str  # ISO 8601, UTC
    engine: str  # version of racer
    laps: tuple[Lap, ...]
    steps: NDArray[np.void]
    imported: str = ""  # what it was imported from; empty if racer drove it
    penalty_s: float | None = None  # of the race's rules, see `racer.sim.Rules`

    @property
    def best_lap_s(self) -> float | None:
        """Time of the fastest complete lap, s; None if no lap was completed."""
        return min((lap.time_s for lap in self.laps if lap.complete), default=None)

    @property
    def completed_laps(self) -> int:
        """Number of complete laps."""
        return sum(lap.complete for lap in self.laps)

    @property
    def digest(self) -> str:
        """SHA-256 of what was driven and when: track, car, seed, time of making, commands and restarts."""
        parts = [
            self.track.digest,
            self.created,
            str(self.seed),
            *map(repr, dataclasses.asdict(self.car).values()),
            *([] if self.penalty_s is None else [f"penalty {self.penalty_s!r}"]),
        ]
        digest = hashlib.sha256("\n".join(parts).encode(errors="surrogatepass"))
        for name in ("steering_command", "speed_command", "restart"):
            digest.update(np.ascontiguousarray(self.steps[name]).tobytes())
        return digest.hexdigest()
