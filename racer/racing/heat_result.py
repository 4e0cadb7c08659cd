"""The result of a heat: who came in when, read off its replay.

Invariant: it depends on the replay alone, so that whoever has the file has the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from racer.racing.results import rounded
from racer.replay import Crash, Drive, Replay
from racer.sim import STEP_S, traffic_as_json

__all__ = ["HeatResult", "Placing", "heat_result"]

FORMAT, VERSION = "racer heat result", 1
End = Literal["finished", "running", "retired"]


@dataclass(frozen=True)
class Placing:
    """How a driver came off.

    Attributes:
        position: from 1.
        driver: whose.
        car: number of its car in the replay and on the grid, from 0.
        end: `"finished"`; `"running"`: it was still driving when the race was over; `"retired"`: see `reason`.
        laps: completed.
        raced: laps driven, with the part of the last one.
        time_s: from the start to the end of the last lap, s; None if it did not finish.
        gap_s: behind the winner, s; None if one of the two did not finish.
        ended_s: when it finished, retired, or the race was over for it, s.
        best_lap_s: its fastest lap, s; None without a complete one.
        crashes: how often it ran into something, and is to blame for it.
        off_tracks: how often it was put back after leaving the track, driving backwards or standing still.
        penalty_s: simulated time for which it was held, s.
        reason: why it retired; empty if it did not.
    """

    position: int
    driver: str
    car: int
    end: End
    laps: int
    raced: float
    time_s: float | None
    gap_s: float | None
    ended_s: float
    best_lap_s: float | None
    crashes: int
    off_tracks: int
    penalty_s: float
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        """As `racer race --json` prints it."""
        return {
            "position": self.position,
            "driver": self.driver,
            "grid": self.car + 1,
            "end": self.end,
            "laps": self.laps,
            "raced_laps": round(self.raced, 3),
            "time_s": rounded(self.time_s),
            "gap_s": rounded(self.gap_s),
            "ended_s": round(self.ended_s, 3),
            "best_lap_s": rounded(self.best_lap_s),
            "crashes": self.crashes,
            "off_tracks": self.off_tracks,
            "penalty_s": round(self.penalty_s, 3),
            "reason": self.reason or None,
        }


@dataclass(frozen=True)
class HeatResult:
    """A heat that was raced.

    Attributes:
        replay: of all cars.
        placings: one for each driver, the winner first.
    """

    replay: Replay
    placings: tuple[Placing, ...]

    @property
    def winner(self) -> str:
        """Who won."""
        return self.placings[0].driver

    def as_json(self) -> dict[str, Any]:
        """As `racer race --json` prints it: times in s."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "track": self.replay.track.name,
            "direction": "reverse" if self.replay.track.reversed else "forward",
            "laps": self.replay.rules.laps,
            "car": self.replay.car.name,
            "seed": self.replay.seed,
            "penalty_s": self.replay.rules.penalty_s,
            "crash_penalty_s": self.replay.rules.crash_penalty_s,
            "traffic": traffic_as_json(self.replay.traffic),
            "result": [placing.as_json() for placing in self.placings],
            "crashes": [_crash(self.replay, crash) for crash in self.replay.crashes],
        }


def heat_result(replay: Replay) -> HeatResult:
    """What the race of a replay came to.

    Those who finished come first, by their time; then those who were still driving, and last those who retired, both by
    how far they came. Whoever started further in front comes first where two are equal.
    """
    order = sorted(range(len(replay.drives)), key=lambda car: _rank(replay, replay.drives[car]))
    placings: list[Placing] = []
    best_s = _time_s(replay, replay.drives[order[0]])
    for position, car in enumerate(order, start=1):
        drive = replay.drives[car]
        time_s, best, crashes = _time_s(replay, drive), drive.best_lap, replay.crashes_of(car)
        placings.append(
            Placing(
                position=position,
                driver=drive.driver,
                car=car,
                end=_end(replay, drive),
                laps=_laps(drive),
                raced=_raced(replay, drive),
                time_s=time_s,
                gap_s=None if time_s is None or best_s is None else time_s - best_s,
                ended_s=time_s or len(drive.steps) * STEP_S,
                best_lap_s=None if best is None else best.time_s,
                crashes=len(crashes),
                off_tracks=sum(lap.resets for lap in drive.laps) - len(crashes),
                penalty_s=float(drive.steps["held"].sum()) * STEP_S,
                reason=drive.retired,
            )
        )
    return HeatResult(replay, tuple(placings))


def _rank(replay: Replay, drive: Drive) -> tuple[float, float, float]:
    """What drivers are sorted by, the smaller the better."""
    end = _end(replay, drive)
    time_s = _time_s(replay, drive)
    return ("finished", "running", "retired").index(end), 0.0 if time_s is None else time_s, -_raced(replay, drive)


def _end(replay: Replay, drive: Drive) -> End:
    if drive.retired:
        return "retired"
    return "finished" if _laps(drive) >= replay.rules.laps else "running"


def _time_s(replay: Replay, drive: Drive) -> float | None:
    last = drive.laps[-1]
    return last.start_s + last.time_s if _end(replay, drive) == "finished" else None


def _laps(drive: Drive) -> int:
    return sum(lap.complete for lap in drive.laps)


def _raced(replay: Replay, drive: Drive) -> float:
    laps = _laps(drive)
    if _end(replay, drive) == "finished":
        return float(laps)
    part = float(drive.steps["distance"][-1]) / replay.track.length - laps
    return laps + min(max(part, 0.0), 0.999)


def _crash(replay: Replay, crash: Crash) -> dict[str, Any]:
    blamed = replay.drives[crash.car].driver
    return {"time_s": round(crash.step * STEP_S, 3), "to_blame": blamed, "text": replay.crash_text(crash)}
