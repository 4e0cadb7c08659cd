"""What a reward pays for the scripted drives: each step of them, judged once by an instance for each drive."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from racer.reward.drives import FAST, SLOW, Drive, Episode, drives_on
from racer.reward.function import RewardFunction, VectorReward
from racer.reward.params import FLOATS, Params
from racer.reward.sandbox import TextStream
from racer.track import Track

__all__ = ["Earned", "Earnings", "earnings"]

FloatArray = NDArray[np.float64]

TIME = FLOATS.index("sim_time")


@dataclass(frozen=True, eq=False)
class Earned:
    """What one drive earned.

    Attributes:
        drive: the drive.
        rewards: of each episode, (n,) of its steps.
    """

    drive: Drive
    rewards: tuple[FloatArray, ...]

    @property
    def per_step(self) -> float:
        """Mean reward of a step."""
        return float(np.mean(np.concatenate(self.rewards)))

    @property
    def per_episode(self) -> float:
        """Mean sum of the rewards of an episode."""
        return float(np.mean([rewards.sum() for rewards in self.rewards]))


@dataclass(frozen=True, eq=False)
class Earnings:
    """What all drives earned.

    Attributes:
        drives: the fast lap first.
        after_slow: rewards of the last fast lap by the instance that has judged the slow laps before.
        call_us: mean time of a call, microseconds, `params` included.
    """

    drives: tuple[Earned, ...]
    after_slow: FloatArray
    call_us: float

    def of(self, name: str) -> Earned:
        """What the drive of that name earned."""
        return next(earned for earned in self.drives if earned.drive.name == name)


def earnings(reward: RewardFunction, track: Track, stdout: TextStream | None = None) -> Earnings:
    """Let a reward judge every step of the drives.

    Each drive has an instance of its own, as each car of a training has. The one of the slow laps is shown the last
    fast lap, too.

    Raises:
        RewardError: the function fails.
        TrackError: the track is open.
    """
    schedule = _schedule(track)
    count, steps = len(schedule.order), len(schedule.held)
    rewards = VectorReward(reward, count, stdout)
    params = Params(track, count)
    out = np.zeros((steps, count))
    began = time.perf_counter()
    for step in range(steps):
        params.floats[:], params.waypoints[:], params.flags[:] = (table[step] for table in schedule.tables)
        rewards(params, out[step], schedule.held[step])
    seconds = time.perf_counter() - began
    drives, paid = drives_on(track), {}
    after_slow = np.zeros(0)
    for column, number in enumerate(schedule.order):
        drive, at = drives[number], 0
        parts = []
        for episode in drive.episodes:
            parts.append(out[at : at + episode.steps, column])
            at += episode.steps
        if drive.name == SLOW:
            after_slow = out[at : int(np.sum(~schedule.held[:, column])), column]
        paid[number] = Earned(drive, tuple(parts))
    calls = int(np.sum(~schedule.held))
    return Earnings(tuple(paid[k] for k in range(count)), after_slow, seconds / calls * 1e6)


@dataclass(frozen=True, eq=False)
class _Schedule:
    """The steps of all drives side by side, the longest drive first.

    Attributes:
        order: numbers of the drives.
        tables: (steps, drives, ...) each, those of `Params`.
        held: (steps, drives), where a drive is over.
    """

    order: list[int]
    tables: tuple[NDArray[np.generic], ...]
    held: NDArray[np.bool_]


_schedules: WeakKeyDictionary[Track, _Schedule] = WeakKeyDictionary()


def _schedule(track: Track) -> _Schedule:
    schedule = _schedules.get(track)
    if schedule is None:
        schedule = _schedules[track] = _laid_out(drives_on(track))
    return schedule


def _laid_out(drives: tuple[Drive, ...]) -> _Schedule:
    last_fast = next(drive for drive in drives if drive.name == FAST).episodes[-1]
    lists = [[*drive.episodes, *([last_fast] if drive.name == SLOW else [])] for drive in drives]
    lengths = np.array([sum(episode.steps for episode in episodes) for episodes in lists])
    order = np.argsort(-lengths, kind="stable").tolist()
    steps = int(lengths.max())
    held = np.arange(steps)[:, None] >= lengths[order]
    tables = []
    for name in ("floats", "waypoints", "flags"):
        first = getattr(last_fast, name)
        table = np.zeros((steps, len(order), first.shape[1]), first.dtype)
        for column, number in enumerate(order):
            rows = np.concatenate([_rows(episode, name, lists[number][:k]) for k, episode in enumerate(lists[number])])
            table[: len(rows), column] = rows
        tables.append(table)
    return _Schedule(order, tuple(tables), held)


def _rows(episode: Episode, name: str, before: list[Episode]) -> NDArray[Any]:
    """Rows of a table; the clock goes on from the episodes before."""
    rows: NDArray[Any] = getattr(episode, name)
    if name == "floats" and before:
        rows = rows.copy()
        rows[:, TIME] += sum(float(one.floats[-1, TIME]) for one in before)
    return rows
