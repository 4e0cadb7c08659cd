"""How a driver does among boxes and bot cars: races under many seeds, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from racer.env import TimeTrialVector
from racer.errors import RulesError
from racer.racing.agents import Driver
from racer.racing.race import LAP_LIMIT_S, RaceConditions
from racer.racing.results import LapResult, TrialResult, mean_speed_mps, rounded
from racer.racing.ruled import drive_trials
from racer.sim import Rules, Traffic, traffic_as_json
from racer.track import Track

__all__ = ["CrowdedResult", "evaluate_crowded"]

FORMAT, VERSION = "racer race evaluation", 1


@dataclass(frozen=True)
class CrowdedResult:
    """What a driver did in races with traffic.

    Attributes:
        driver: whose.
        track: where.
        traffic: what was on it.
        laps: of each race.
        penalty_s: for a crash or leaving the track, s; None: these ended a race.
        races: one for each seed.
    """

    driver: str
    track: Track
    traffic: Traffic
    laps: int
    penalty_s: float | None
    races: tuple[TrialResult, ...]

    @property
    def completion(self) -> float:
        """Share of the laps to be driven that were completed, 0..1."""
        return sum(lap.complete for lap in self.tried) / (self.laps * len(self.races))

    @property
    def clean(self) -> int:
        """How many races were completed without a crash, and without leaving the track."""
        return sum(
            race.end == "lap_complete" and not any(lap.crashes or lap.off_tracks for lap in race.laps)
            for race in self.races
        )

    @property
    def crashes_per_lap(self) -> float:
        """Crashes for each lap that was tried."""
        return sum(lap.crashes for lap in self.tried) / max(1, len(self.tried))

    @property
    def lap_times_s(self) -> list[float]:
        """Times of all complete laps, s."""
        return [lap.time_s for lap in self.tried if lap.complete]

    @property
    def mean_speed_mps(self) -> float | None:
        """Mean speed of the way driven in all complete laps, m/s; None without one."""
        return mean_speed_mps([lap for lap in self.tried if lap.complete])

    @property
    def tried(self) -> list[LapResult]:
        """All laps that were tried."""
        return [lap for race in self.races for lap in race.laps]

    def as_json(self) -> dict[str, Any]:
        """As `racer evaluate --race RACE --json` prints it: times in s, speeds in m/s."""
        times = self.lap_times_s
        return {
            "format": FORMAT,
            "version": VERSION,
            "driver": self.driver,
            "track": self.track.name,
            "direction": "reverse" if self.track.reversed else "forward",
            "race": self.traffic.name,
            "traffic": traffic_as_json(self.traffic),
            "penalty_s": self.penalty_s,
            "laps": self.laps,
            "seeds": len(self.races),
            "completion": round(self.completion, 4),
            "clean_races": self.clean,
            "crashes_per_lap": round(self.crashes_per_lap, 4),
            "mean_lap_s": rounded(float(np.mean(times)) if times else None),
            "spread_s": rounded(float(np.std(times)) if times else None),
            "best_lap_s": rounded(min(times, default=None)),
            "mean_speed_mps": rounded(self.mean_speed_mps),
            "races": [
                {
                    "seed": race.seed,
                    "end": race.end,
                    "laps": [
                        {
                            "time_s": rounded(lap.time_s),
                            "complete": lap.complete,
                            "crashes": lap.crashes,
                            "off_tracks": lap.off_tracks,
                        }
                        for lap in race.laps
                    ],
                }
                for race in self.races
            ],
        }


def evaluate_crowded(
    driver: Driver,
    track: Track,
    traffic: Traffic,
    seeds: Sequence[int],
    laps: int = 3,
    conditions: RaceConditions = RaceConditions(),  # noqa: B008 (it is frozen)
    *,
    name: str = "",
) -> CrowdedResult:
    """Let a driver race among boxes or bot cars, alone against the clock, once under each seed.

    Args:
        driver: who drives.
        track: where.
        traffic: what is on it.
        seeds: of the races: they decide about what of the traffic is drawn.
        laps: of each race, from the start line.
        conditions: what it races with. Without a penalty a crash ends a race, and so does leaving the track.
        name: the driver's, for the result.

    Raises:
        AgentError: as for `racer.racing.drive`.
        RulesError: the traffic does not fit on the track.
    """
    rules = Rules("line", laps, LAP_LIMIT_S * laps, penalty_s=conditions.penalty_s)
    how: Any = {"actions": conditions.actions, "sensors": conditions.sensors, "rules": rules, "traffic": traffic}
    env = TimeTrialVector(len(seeds), track, None, conditions.car, **how)
    try:
        traffic.check_room(track.length, track.name)
    except ValueError as wrong:
        raise RulesError(f"this race cannot start: {wrong}") from wrong
    races = drive_trials(driver, env, seeds)
    return CrowdedResult(name, track, traffic, laps, conditions.penalty_s, tuple(races))
