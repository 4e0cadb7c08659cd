"""What a race leaves behind: for each of its cars the laps and every step.

Invariant: a record needs nothing but itself and this engine. Track and car travel inside, so that it can be
watched, and driven again, on a machine that knows neither.
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from racer.sim import Rules, Traffic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from racer.sim import Car  # brings Numba, which who only looks at a drive does not wait for
    from racer.track import Track

__all__ = ["NO_THINGS", "STEP_DTYPE", "STEP_S", "THING_DTYPE", "Crash", "Drive", "Lap", "Replay", "places_of"]

STEP_S = 1.0 / 15.0  # s, one control step

STEP_DTYPE = np.dtype(
    [
        ("x", "<f8"),  # m, model origin
        ("y", "<f8"),  # m
        ("heading", "<f8"),  # rad
        ("speed", "<f8"),  # m/s, measured
        ("steering_angle", "<f8"),  # rad, the wheels' real angle
        ("yaw_rate", "<f8"),  # rad/s
        ("steering_command_deg", "<f8"),  # degrees, as `racer.sim.World.step` was given it
        ("speed_command", "<f8"),  # m/s, the same for the speed
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

All float64: `verify` compares bits. Commands, not actions, are kept, in the very unit and precision in which the
simulation took them: they mean the same whatever the action space."""


THING_DTYPE = np.dtype([("x", "<f8"), ("y", "<f8"), ("heading", "<f8")])  # m, m, rad
"""Where a box or a bot car is: its middle, and the direction of its length."""

NO_THINGS: NDArray[np.void] = np.zeros((1, 0), THING_DTYPE)

FOR_EVER = Rules("line", 1000, 1e6)
"""Rules that end no race: of replays that were recorded without, and of imported ones."""


def places_of(things: NDArray[np.void]) -> NDArray[np.void]:
    """The places of boxes and bot cars, (k, b) of `racer.sim.THING`, as a replay keeps them."""
    places = np.zeros(things.shape, THING_DTYPE)
    for name in THING_DTYPE.names or ():
        places[name] = things[name]
    return places


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


@dataclass(frozen=True)
class Crash:
    """A car ran into something, and is to blame for it.

    Attributes:
        step: of the race, from 0, before which they met.
        car: who is to blame.
        into: the number of a box or bot car of the race; or, beyond these, their number plus that of a car.
    """

    step: int
    car: int
    into: int


@dataclass(frozen=True, eq=False, repr=False)
class Drive:
    """What one car of a race drove: who drove it, its laps, and its `steps`, (k,) of `STEP_DTYPE`.

    Where several cars race, the steps of a car end when it has finished or retired, and it is off the track from then.
    """

    driver: str
    reward: str  # name
    laps: tuple[Lap, ...]
    steps: NDArray[np.void]
    sensors: tuple[str, ...] = ()  # that the driver observed, as `racer.sensors` names them; empty if unknown
    retired: str = ""  # why it gave up before the end of the race; empty if it did not

    @property
    def best_lap(self) -> Lap | None:
        """The fastest complete lap; None if no lap was completed."""
        return min((lap for lap in self.laps if lap.complete), key=lambda lap: lap.time_s, default=None)

    def mean_speed_mps(self, lap: Lap | None = None) -> float:
        """The mean speed driven: the mean of the speeds measured in the steps of a lap, or of all laps, m/s.

        That is the way the car went by its time. A car that takes a shorter way than the centre line has a lower mean
        speed than the track's length by the lap's time.
        """
        speeds = self.steps["speed"] if lap is None else self.steps["speed"][self.steps["lap"] == lap.index]
        return float(np.mean(speeds)) if len(speeds) else float("nan")

    def __repr__(self) -> str:
        """A short description without the steps."""
        best = "" if self.best_lap is None else f", best {self.best_lap.time_s:.3f} s"
        return f"<Drive of {self.driver!r}: {len(self.laps)} laps{best}, {len(self.steps)} steps>"


@dataclass(frozen=True, eq=False, repr=False)
class Replay:
    """A race as it was driven: on and with what, and the drive of each of its m cars.

    `driver`, `reward`, `laps` and `steps` are those of the first car, the only one of a time trial.

    A race that was `imported` was not driven with racer: its laps may each begin anew, and cannot be verified.
    """

    track: Track
    car: Car
    drives: tuple[Drive, ...]
    seed: int
    created: str  # ISO 8601, UTC
    engine: str  # version of racer
    physics: str = ""  # `racer.sim.physics_version().motion` where it was driven
    arithmetic: str = ""  # `racer.sim.physics_version().bits` where it was driven
    imported: str = ""  # what it was imported from; empty if racer drove it
    rules: Rules = FOR_EVER  # by which it was driven
    traffic: Traffic | None = None  # what there was beside the cars, and their grid; None in a time trial
    # Boxes or bot cars, (k, b) of `THING_DTYPE`; one row if none of them moves:
    things: NDArray[np.void] = field(default_factory=lambda: NO_THINGS)
    crashes: tuple[Crash, ...] = ()  # in the order of time

    def crashes_of(self, car: int) -> tuple[Crash, ...]:
        """The crashes that a car is to blame for."""
        return tuple(crash for crash in self.crashes if crash.car == car)

    def table(self) -> NDArray[np.void]:
        """The steps of all cars, (k, m) of `STEP_DTYPE`; the rows after a car's last step are zero."""
        steps = np.zeros((max(len(drive.steps) for drive in self.drives), len(self.drives)), STEP_DTYPE)
        for car, drive in enumerate(self.drives):
            steps[: len(drive.steps), car] = drive.steps
        return steps

    def crash_text(self, crash: Crash) -> str:
        """Who ran into what, in words."""
        count = 0 if self.traffic is None else self.traffic.count
        if crash.into >= count:
            into = self.drives[crash.into - count].driver
        else:
            into = f"{'bot car' if self.traffic and self.traffic.bots else 'box'} {crash.into + 1}"
        return f"{self.drives[crash.car].driver} ran into {into}"

    @property
    def alone(self) -> tuple[Replay, ...]:
        """A replay of each car alone, for what looks at one car at a time; such a part of a race does not verify."""
        return tuple(
            dataclasses.replace(self, drives=(drive,), crashes=self.crashes_of(car))
            for car, drive in enumerate(self.drives)
        )

    @property
    def driver(self) -> str:
        """Who drove the first car."""
        return self.drives[0].driver

    @property
    def reward(self) -> str:
        """Name of the first car's reward function."""
        return self.drives[0].reward

    @property
    def laps(self) -> tuple[Lap, ...]:
        """The first car's laps."""
        return self.drives[0].laps

    @property
    def steps(self) -> NDArray[np.void]:
        """The first car's steps, (k,) of `STEP_DTYPE`."""
        return self.drives[0].steps

    @property
    def best_lap_s(self) -> float | None:
        """Time of the first car's fastest complete lap, s; None if no lap was completed."""
        return None if (best := self.drives[0].best_lap) is None else best.time_s

    @property
    def completed_laps(self) -> int:
        """Number of the first car's complete laps."""
        return sum(lap.complete for lap in self.laps)

    @property
    def digest(self) -> str:
        """SHA-256 of what was driven: track, car, penalty, commands and restarts.

        Who drove, when, for which reward and with which seed makes no difference, nor does what the car's actuators
        cut off a command: the same motion has the same digest.
        """
        return self._digest([drive.steps for drive in self.drives])

    def lap_digest(self, lap: Lap) -> str:
        """SHA-256 of one of the first car's laps: like `digest`, from the lap's standing start on, to its end."""
        end = int(np.flatnonzero(self.steps["lap"] == lap.index)[-1]) + 1
        begin = int(np.flatnonzero(self.steps["restart"][:end])[-1])
        return self._digest([self.steps[begin:end]])

    @property
    def _rules_text(self) -> str:
        """What of the rules and the traffic decides the motion; format 3 says as much with its penalty alone."""
        text, given, usual = (
            f"penalty {self.rules.penalty_s!r}",
            dataclasses.asdict(self.rules),
            dataclasses.asdict(FOR_EVER),
        )
        others = [name for name in given if name not in ("laps", "time_limit_s", "penalty_s")]
        text += "".join(f" {name} {given[name]!r}" for name in others if given[name] != usual[name])
        return text if self.traffic is None else f"{text} {self.traffic!r} {self.seed}"

    def _digest(self, drives: list[NDArray[np.void]]) -> str:
        car = dataclasses.asdict(self.car)
        parts = [self.track.digest, *map(repr, car.values()), self._rules_text]
        digest = hashlib.sha256("\n".join(parts).encode(errors="surrogatepass"))
        stop = float(np.degrees(self.car.max_steering))
        for steps in drives:
            steering = np.clip(steps["steering_command_deg"], -stop, stop) + 0.0  # -0.0 steers as 0.0 does
            speed = np.clip(steps["speed_command"], self.car.min_speed, self.car.max_speed)
            for column in (steering, speed, steps["restart"]):
                digest.update(np.ascontiguousarray(column).tobytes())
        return digest.hexdigest()

    def _repr_html_(self) -> str:
        """The laps to play, for notebooks."""
        from racer.replay.player import notebook_page

        return notebook_page(self)

    def __repr__(self) -> str:
        """A short description without the steps."""
        way = " (reverse)" if self.track.reversed else ""
        drives = ", ".join(map(repr, self.drives))
        return f"<Replay on {self.track.name!r}{way} with car {self.car.name!r}: {drives}>"
