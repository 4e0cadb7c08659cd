"""Results of races by a rulebook, lap by lap, and as JSON; docs/rules.md documents the keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from racer.racing.rulebook import Rulebook, rulebook_as_json
from racer.racing.scoring import Score
from racer.replay import Replay, mark_of, percent_of_mark
from racer.sim import CARS
from racer.track import Track

__all__ = ["CourseResult", "LapResult", "RaceResult", "TrialResult", "middle_time_s"]

FORMAT, VERSION = "racer race result", 1


@dataclass(frozen=True)
class LapResult:
    """One lap that was tried.

    Attributes:
        number: from 1, of the laps that count; 0 is the lap before a flying start.
        start_s: when it began, s of its trial.
        time_s: how long it took, penalties included, s; of an incomplete lap until it ended.
        complete: whether it was completed.
        penalty_s: simulated time for which the car was held in it, s.
        off_tracks, crashes: how often the car left the track, and ran into something.
        resets: how often it was put back.
        mean_speed_mps: of the way driven, the time for which it was held included, m/s.
    """

    number: int
    start_s: float
    time_s: float
    complete: bool
    penalty_s: float
    off_tracks: int
    crashes: int
    resets: int
    mean_speed_mps: float


@dataclass(frozen=True)
class TrialResult:
    """One trial.

    Attributes:
        number: from 1.
        seed: of its start and its noise.
        laps: in the order driven.
        end: what ended it, a name of `racer.sim.STATUS`.
        progress: of the lap that it ended in, percent.
    """

    number: int
    seed: int
    laps: tuple[LapResult, ...]
    end: str
    progress: float


@dataclass(frozen=True)
class CourseResult:
    """All trials on one track in one direction, and what they are worth."""

    track: Track
    trials: tuple[TrialResult, ...]
    score: Score

    @property
    def best_lap_s(self) -> float | None:
        """The shortest complete lap that counts, penalties included, s."""
        laps = (lap for trial in self.trials for lap in trial.laps)
        return min((lap.time_s for lap in laps if lap.complete and lap.number > 0), default=None)


@dataclass(frozen=True)
class RaceResult:
    """A driver's race.

    Attributes:
        driver: whose.
        rulebook: the rules.
        seed: of its first trial.
        courses: the results on each track in each direction.
    """

    driver: str
    rulebook: Rulebook
    seed: int
    courses: tuple[CourseResult, ...]

    @property
    def time_s(self) -> float | None:
        """The official time: the sum over all courses, s; None if the driver is not classified on one of them."""
        times = [course.score.time_s for course in self.courses]
        return None if None in times else sum(time for time in times if time is not None)

    @property
    def lap_times_s(self) -> list[float]:
        """Times of all complete laps that count, s."""
        return [lap.time_s for lap in self._counted if lap.complete]

    @property
    def completion_rate(self) -> float:
        """Share of the laps to be driven that were completed, 0..1."""
        race = self.rulebook.race
        return len(self.lap_times_s) / (race.trials * race.laps * len(self.courses))

    @property
    def _counted(self) -> list[LapResult]:
        return [lap for course in self.courses for trial in course.trials for lap in trial.laps if lap.number > 0]

    def as_json(self) -> dict[str, Any]:
        """As `racer evaluate --rules F --json` prints it: times in s, speeds in m/s."""
        times, laps = self.lap_times_s, self._counted
        return {
            "format": FORMAT,
            "version": VERSION,
            "driver": self.driver,
            "seed": self.seed,
            "time_s": rounded(self.time_s),
            "laps": {
                "completed": len(times),
                "completion_rate": round(self.completion_rate, 4),
                "mean_s": rounded(float(np.mean(times)) if times else None),
                "spread_s": rounded(float(np.std(times)) if times else None),
                "best_s": rounded(min(times, default=None)),
                "mean_speed_mps": rounded(mean_speed_mps(laps)),
                **{name: sum(getattr(lap, name) for lap in laps) for name in ("off_tracks", "crashes", "resets")},
                "penalty_s": rounded(sum(lap.penalty_s for lap in laps)),
            },
            "courses": [_course(course, mark_of(course.track, CARS[self.rulebook.car])) for course in self.courses],
            "rules": rulebook_as_json(self.rulebook),
        }


def middle_time_s(races: Sequence[RaceResult]) -> float | None:
    """The median of the official times of an odd number of races, s; an unclassified race is the slowest."""
    times = sorted(float("inf") if race.time_s is None else race.time_s for race in races)
    middle = times[len(times) // 2]
    return None if np.isinf(middle) else middle


def _course(course: CourseResult, mark: Replay | None) -> dict[str, Any]:
    best_s = course.best_lap_s
    return {
        "track": course.track.name,
        "direction": "reverse" if course.track.reversed else "forward",
        "length_m": round(course.track.length, 3),
        "track_digest": course.track.digest,
        "time_s": rounded(course.score.time_s),
        "best_lap_s": rounded(best_s),
        "mark_s": rounded(mark.best_lap_s if mark else None),
        "percent_of_mark": rounded(percent_of_mark(best_s, mark)),
        "timed_trial": course.score.trial or None,
        "timed_from_lap": course.score.first_lap or None,
        "timed_laps": course.score.laps,
        "trials": [
            {
                "trial": trial.number,
                "seed": trial.seed,
                "end": trial.end,
                "progress": round(trial.progress, 2),
                "laps": [_lap(lap) for lap in trial.laps],
            }
            for trial in course.trials
        ],
    }


def _lap(lap: LapResult) -> dict[str, Any]:
    return {
        "lap": lap.number,
        "start_s": rounded(lap.start_s),
        "time_s": rounded(lap.time_s),
        "complete": lap.complete,
        "penalty_s": rounded(lap.penalty_s),
        "off_tracks": lap.off_tracks,
        "crashes": lap.crashes,
        "resets": lap.resets,
        "mean_speed_mps": rounded(lap.mean_speed_mps),
    }


def mean_speed_mps(laps: Sequence[LapResult]) -> float | None:
    """Mean speed over all laps, each by its time, m/s; None without any."""
    seconds = sum(lap.time_s for lap in laps)
    return sum(lap.mean_speed_mps * lap.time_s for lap in laps) / seconds if seconds else None


def rounded(value: float | None) -> float | None:
    """To three digits after the point, as results are printed; None stays None."""
    return None if value is None else round(value, 3)
