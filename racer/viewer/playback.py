"""Playback: what a replay shows at any instant, and the instant that is shown.

Owns the time axis of `racer watch` (`Timeline`, `Playback`); draws nothing. The one invariant: poses between
two rows are interpolated, but never from a car before a restart to the car that was put on the start line, or back
on the track for a penalty.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from racer.replay import SECTORS, STEP_S, Lap, course_of, sector_times

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from racer.replay import Replay

__all__ = ["SPEEDS", "Moment", "Playback", "Sector", "Timeline"]

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
ZOOM_STEP, MOST_ZOOM = 1.15, 8.0
TICK_S = 1e-6  # lap times are sums of floats: an end and the next start this close are one instant


@dataclass(frozen=True)
class Sector:
    """One third of a lap as it stands: time so far, whether it is driven, delta to the replay compared with."""

    time_s: float | None = None
    done: bool = False
    delta_s: float | None = None


@dataclass(frozen=True)
class Moment:
    """Everything one car shows at one instant. Metres, seconds, radians."""

    time_s: float
    x: float
    y: float
    heading: float
    steering: float  # of the wheels
    speed: float
    steering_command: float
    speed_command: float
    reward: float  # of the step that is under way
    lap_reward: float  # sum over the lap, that step included
    recent_rewards: NDArray[np.float64]  # (m,) of the last steps, oldest first
    held: bool  # for a penalty
    lap: Lap
    lap_time_s: float
    lap_ended: bool
    last: Lap | None  # the lap that ended last
    best_s: float | None
    sectors: tuple[Sector, ...]
    gap_s: float | None  # behind the replay compared with at this place of the lap; None without such a lap
    percent_of_mark: float | None  # how much of the mark the best lap is; None without one

    @property
    def crashed(self) -> bool:
        """Whether the lap in view has just ended off the track or otherwise too early."""
        return self.lap_ended and not self.lap.complete


class Timeline:
    """A replay as a function of time, from 0 to `end_s`.

    Args:
        replay: What is shown; has at least one step.
        reference: What it is compared with, sector by sector; by default nothing.
        mark_s: The best lap time known of the track, s, if it is to be shown.
    """

    RECENT_STEPS = 150  # of the reward's sparkline

    def __init__(self, replay: Replay, reference: Timeline | None = None, mark_s: float | None = None) -> None:
        """Lay out the rows: a step k goes from `_begin[k]` to `_end[k]`."""
        self.replay = replay
        self.reference, self.mark_s = reference, mark_s
        steps = replay.steps
        self.laps = replay.laps
        self.end_s = len(steps) * STEP_S
        self.speed = np.asarray(steps["speed"], dtype=np.float64)
        heading = np.asarray(steps["heading"], dtype=np.float64)
        place = np.stack([steps["x"], steps["y"]], axis=1).astype(np.float64)
        ahead = np.stack([np.cos(heading), np.sin(heading)], axis=1) * self.speed[:, None] * STEP_S
        # The row after the last of a run is a restart, a penalty's first, or missing: the car goes on as it was.
        put_back = steps["held"][1:] & ~steps["held"][:-1]
        breaks = np.append(np.asarray(steps["restart"][1:] | put_back, dtype=bool), True)
        self._begin = place
        self._end = np.where(breaks[:, None], place + ahead, np.roll(place, -1, axis=0))
        change = self._end - self._begin
        before = np.where(np.roll(breaks, 1)[:, None], change, np.roll(change, 1, axis=0))
        after = np.where(breaks[:, None], change, np.roll(change, -1, axis=0))
        self._leave = (before + change) / 2.0  # Catmull-Rom tangents, one-sided where a run begins or ends
        self._arrive = (change + after) / 2.0
        turn = np.roll(heading, -1) - heading
        turn = (turn + np.pi) % (2.0 * np.pi) - np.pi
        self._heading = heading
        self._turn = np.where(breaks, np.asarray(steps["yaw_rate"]) * STEP_S, turn)
        self._next = np.where(breaks, np.arange(len(steps)), np.arange(len(steps)) + 1)
        self._rewards = np.asarray(steps["reward"], dtype=np.float64)
        self._reward_sum = np.concatenate([[0.0], np.cumsum(self._rewards)])
        self._starts = np.array([lap.start_s for lap in self.laps])
        self._paths: dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}

    def moment(self, time_s: float) -> Moment:
        """What the car does at an instant; before the start and after the end it stands still."""
        steps = self.replay.steps
        time_s = min(max(time_s, 0.0), self.end_s)
        row = self._row(time_s, TICK_S)
        part = min(max(time_s / STEP_S - row, 0.0), 1.0)
        following = self._next[row]
        x, y = self._places(np.array([row]), np.array([part]))[0]
        steering, later = float(steps["steering_angle"][row]), float(steps["steering_angle"][following])
        lap = self.lap_at(time_s)
        lap_time_s = min(max(time_s - lap.start_s, 0.0), lap.time_s)
        ended = [one for one in self.laps if one.start_s + one.time_s <= time_s + TICK_S]
        best_s = min((one.time_s for one in ended if one.complete), default=None)
        return Moment(
            time_s=time_s,
            x=float(x),
            y=float(y),
            heading=float(self._heading[row] + part * self._turn[row]),
            steering=steering + part * (later - steering),
            speed=float(self.speed[row] + part * (self.speed[following] - self.speed[row])),
            steering_command=math.radians(steps["steering_command_deg"][row]),
            speed_command=float(steps["speed_command"][row]),
            reward=float(self._rewards[row]),
            lap_reward=float(self._reward_sum[row + 1] - self._reward_sum[min(self._first_row(lap), row)]),
            recent_rewards=self._rewards[max(0, row + 1 - self.RECENT_STEPS) : row + 1],
            held=bool(steps["held"][row]),
            lap=lap,
            lap_time_s=lap_time_s,
            lap_ended=lap in ended,
            last=ended[-1] if ended else None,
            best_s=best_s,
            sectors=self._sectors_at(lap, lap_time_s),
            gap_s=self._gap(lap, lap_time_s),
            percent_of_mark=None if best_s is None or self.mark_s is None else 100.0 * self.mark_s / best_s,
        )

    def raced(self, time_s: float) -> float:
        """Laps completed at an instant, with the part of the one under way: what the running order goes by."""
        time_s = min(max(time_s, 0.0), self.end_s)
        lap = self.lap_at(time_s)
        complete = sum(one.complete and one.start_s + one.time_s <= time_s + TICK_S for one in self.laps)
        if lap.complete and lap.start_s + lap.time_s <= time_s + TICK_S:
            return float(complete)
        driven, when = self._courses[lap.index]
        return complete + float(np.interp(time_s - lap.start_s, when, driven)) / self.replay.track.length

    def reached(self, laps: float) -> float:
        """When so many laps were raced, part laps counted; the end if never, s."""
        when, raced = self._way
        row = int(np.searchsorted(raced, laps - 1e-9))
        if row == 0:
            return 0.0
        if row == len(raced):
            return self.end_s
        share = (laps - raced[row - 1]) / (raced[row] - raced[row - 1])
        return float(when[row - 1] + min(max(share, 0.0), 1.0) * (when[row] - when[row - 1]))

    @cached_property
    def finish_s(self) -> float | None:
        """When all the laps of the race were driven, s; None if they were not."""
        done = [lap for lap in self.laps if lap.complete]
        return done[-1].start_s + done[-1].time_s if len(done) >= self.replay.rules.laps else None

    @cached_property
    def penalties(self) -> list[tuple[float, float]]:
        """When the car was held for a penalty: from, to, s."""
        edges = np.flatnonzero(np.diff(self.replay.steps["held"].astype(np.int8), prepend=0, append=0)) * STEP_S
        return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))

    @cached_property
    def crashes(self) -> list[float]:
        """When the car ran into something, s."""
        return [crash.step * STEP_S for crash in self.replay.crashes]

    @cached_property
    def _way(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """How far it had come when: seconds, and laps raced (never less again)."""
        times, raced, complete = [np.zeros(1)], [np.zeros(1)], 0
        for lap in self.laps:
            driven, when = self._courses[lap.index]
            times.append(lap.start_s + when)
            raced.append(complete + driven / self.replay.track.length)
            complete += lap.complete
        return np.concatenate(times), np.maximum.accumulate(np.concatenate(raced))

    def lap_at(self, time_s: float) -> Lap:
        """The lap under way; at the very instant of a finish it is still the lap that is finished."""
        return self.laps[max(int(np.searchsorted(self._starts, time_s - TICK_S)) - 1, 0)]

    def path(self, parts: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The line that was driven, in `parts` pieces a step.

        Returns:
            `(n * parts, 2, 2)` m, both ends of each piece in the order driven; `(n * parts,)` m/s, its speed.
        """
        if parts not in self._paths:
            rows = np.repeat(np.arange(len(self._begin)), parts)
            share = np.tile(np.arange(parts) / parts, len(self._begin))
            ends = [self._places(rows, share), self._places(rows, share + 1.0 / parts)]
            speed = self.speed[rows] + (share + 0.5 / parts) * (self.speed[self._next[rows]] - self.speed[rows])
            self._paths[parts] = np.stack(ends, axis=1), speed
        return self._paths[parts]

    def _places(self, rows: NDArray[np.int_], share: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cubic Hermite interpolation inside the steps `rows` at `share` of them, `(m, 2)` m."""
        u = share[:, None]
        begin, end = self._begin[rows], self._end[rows]
        bend = (u - 1.0) * self._leave[rows] + u * self._arrive[rows] + (1.0 - 2.0 * u) * (end - begin)
        return begin + u * (end - begin) + u * (u - 1.0) * bend

    @cached_property
    def _courses(self) -> dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """For each lap's index how far it had come when: metres from the line (never less again), seconds."""
        drive, length = self.replay.drives[0], self.replay.track.length
        return {lap.index: course_of(drive, lap, length) for lap in self.laps}

    @cached_property
    def _sector_times(self) -> dict[int, tuple[float | None, ...]]:
        """For each lap's index the time of each sector, s; None where the car did not come."""
        drive, length = self.replay.drives[0], self.replay.track.length
        return {lap.index: sector_times(drive, lap, length) for lap in self.laps}

    def _sectors_at(self, lap: Lap, lap_time_s: float) -> tuple[Sector, ...]:
        rivals: tuple[float | None, ...] = (None,) * SECTORS
        if self.reference is not None and (rival := self.reference._rival(lap)) is not None:
            rivals = self.reference._sector_times[rival.index]
        left, sectors = lap_time_s, []
        for passed, theirs in zip(self._sector_times[lap.index], rivals, strict=True):
            if passed is not None and left >= passed - TICK_S:
                sectors.append(Sector(passed, True, None if theirs is None else passed - theirs))
                left -= passed
            else:
                sectors.append(Sector(left) if left > TICK_S else Sector())
                left = 0.0
        return tuple(sectors)

    def _gap(self, lap: Lap, lap_time_s: float) -> float | None:
        if self.reference is None or (rival := self.reference._rival(lap)) is None:
            return None
        driven, when = self._courses[lap.index]
        here = np.interp(lap_time_s, when, driven)
        return lap_time_s - float(np.interp(here, *self.reference._courses[rival.index]))

    def _rival(self, lap: Lap) -> Lap | None:
        """What another replay's lap is compared with: the lap of the same number, or else the best one."""
        complete = [one for one in self.laps if one.complete]
        best = min(complete, key=lambda one: one.time_s, default=None)
        return next((one for one in complete if one.index == lap.index), best)

    def _row(self, time_s: float, slack_s: float) -> int:
        """The step under way at an instant, or `slack_s` after it."""
        return min(max(int((time_s + slack_s) / STEP_S), 0), len(self._begin) - 1)

    def _first_row(self, lap: Lap) -> int:
        return min(max(int(np.ceil(lap.start_s / STEP_S - TICK_S)), 0), len(self._begin) - 1)


@dataclass
class Playback:
    """What the watcher has chosen: the instant, the pace, the car in focus, the view."""

    duration_s: float
    cars: int = 1
    race: bool = False  # whether all cars drive one race
    time_s: float = 0.0
    speed: float = 1.0
    paused: bool = False
    focus: int = 0
    follow: bool = False
    zoom: float = 1.0  # beyond what the view shows by itself
    sensors: bool = False  # whether to show what the car in focus observes
    heat: str = ""  # the map on the road: one of `racer.replay.HEAT_MAPS`, or none
    params: bool = False  # whether to show what the reward function is given
    loop: bool = False
    fullscreen: bool = False
    help: bool = False
    dragging: bool = False  # the mouse holds the time bar
    hover_s: float | None = None  # the instant on the time bar beneath the mouse

    def advance(self, seconds: float) -> None:
        """Let real time pass; stops at the end, or begins anew."""
        if not self.paused:
            self.seek(self.time_s + seconds * self.speed)
            if self.time_s >= self.duration_s:
                self.time_s, self.paused = (0.0, False) if self.loop else (self.duration_s, True)

    def toggle_pause(self) -> None:
        """Stop, or go on; at the end, begin anew."""
        if self.paused and self.time_s >= self.duration_s:
            self.time_s = 0.0
        self.paused = not self.paused

    def seek(self, time_s: float) -> None:
        """Go to an instant, s."""
        self.time_s = min(max(time_s, 0.0), self.duration_s)

    def step(self, count: int) -> None:
        """Go to the control step `count` steps away, and stop there."""
        self.paused = True
        self.seek((round(self.time_s / STEP_S) + count) * STEP_S)

    def pace(self, change: int) -> None:
        """Go `change` places up or down the list of `SPEEDS`."""
        nearest = min(range(len(SPEEDS)), key=lambda place: abs(SPEEDS[place] - self.speed))
        self.speed = SPEEDS[min(max(nearest + change, 0), len(SPEEDS) - 1)]

    def zoom_by(self, notches: float) -> None:
        """See more closely, or less, `notches` of a mouse wheel."""
        self.zoom = min(max(self.zoom * ZOOM_STEP**notches, 1.0), MOST_ZOOM)

    def restart(self) -> None:
        """Begin anew, running."""
        self.time_s, self.paused = 0.0, False

    def next_car(self, change: int = 1) -> None:
        """Move the focus on to another car."""
        self.focus = (self.focus + change) % self.cars
