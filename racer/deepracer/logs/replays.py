"""DeepRacer's logs as replays, and replays as the rows of such a log.

Invariant: a replay made of a log says so (`Replay.imported`): it can be watched and compared, but it was not
driven here, and no leaderboard takes it. What a log does not hold is worked out from what it does: speed and
yaw rate from the poses, which are 1/15 s apart; the wheels' angle is the commanded one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from racer import __version__
from racer.deepracer.logs.placing import Placed
from racer.deepracer.logs.simtrace import ROW, Episode
from racer.errors import LogError
from racer.replay import STEP_DTYPE, STEP_S, Lap, Replay
from racer.sim import CARS, Car

__all__ = ["best", "episodes_of", "to_replay"]

JUMP_M = 0.6  # nothing drives so far in a step: the car was put somewhere else
LATE_STEPS = 2.0  # after the line that the first row of a flying lap may be


def best(placed: Sequence[Placed]) -> Placed:
    """The fastest complete lap, or the episode that came farthest if there is none."""
    times = [to_replay([one], "", "").laps[0].time_s if one.episode.complete else np.inf for one in placed]
    return min(zip(placed, times, strict=True), key=lambda pair: (pair[1], -pair[0].episode.progress))[0]


def to_replay(placed: Sequence[Placed], driver: str, source: str, car: Car = CARS["deepracer"]) -> Replay:
    """Make a replay of episodes of a log, one lap each, in the order given.

    A lap's time goes from the first step driven, or from the line, to the line, interpolated, as everywhere
    in racer; DeepRacer's own counts whole steps, and the prepare step too.

    Args:
        placed: one or more, all on the same track.
        driver: a name for who drove.
        source: which log it was.
        car: what is drawn, and how far the logged point lies ahead of the origin.

    Raises:
        LogError: they were driven in both directions, which a replay cannot hold.
    """
    other = next((one for one in placed if one.track.reversed != placed[0].track.reversed), None)
    if other is not None:
        raise LogError(
            f"{other.episode.where}: episode {other.episode.number} was driven against the direction of "
            f"episode {placed[0].episode.number}; import them one at a time, with --episode"
        )
    laps: list[Lap] = []
    parts: list[NDArray[np.void]] = []
    now = 0.0
    for stint in _stints(placed):
        steps, times = _drive(stint, car)
        start_s = now
        for one, time_s in zip(stint, times, strict=True):
            off_track = not one.episode.complete and one.episode.status == "off_track"
            laps.append(Lap(len(laps) + 1, start_s, time_s, one.episode.complete, off_track))
            start_s += time_s
        steps["lap"] += len(laps) - len(stint)
        parts.append(steps)
        now += len(steps) * STEP_S
    return Replay(
        track=placed[0].track,
        car=car,
        driver=driver,
        reward="DeepRacer log",
        seed=0,
        created=datetime.now(UTC).isoformat(timespec="microseconds"),
        engine=__version__,
        laps=tuple(laps),
        steps=np.concatenate(parts),
        imported=source,
    )


def _stints(placed: Sequence[Placed]) -> Iterator[list[Placed]]:
    """Put together the laps that follow each other flying."""
    stint: list[Placed] = []
    for one in placed:
        if stint:
            before, after = stint[-1].episode, one.episode
            same = before.where == after.where and before.number + 1 == after.number
            if not (same and after.flying and before.complete):
                yield stint
                stint = []
        stint.append(one)
    yield stint


def _drive(stint: Sequence[Placed], car: Car) -> tuple[NDArray[np.void], list[float]]:
    """The steps of a stint, laps counted from 1, and the time of each lap, s.

    The last row of a complete lap stands behind the line: it is the first step of the next lap, and after the
    last lap of the stint no step at all.
    """
    length = stint[0].track.length
    rows = np.concatenate([one.rows for one in stint])
    s, offset = np.concatenate([one.s for one in stint]), np.concatenate([one.offset for one in stint])
    lengths = [len(one.rows) for one in stint]
    lap = np.repeat(np.arange(len(stint)), lengths)
    done = (np.cumsum(lengths) - 1)[[one.episode.complete for one in stint]]
    distance = (lap + rows["progress"] / 100.0) * length
    last = done[done > 0]
    distance[last] = distance[last - 1] + np.mod(s[last] - s[last - 1] + 0.5 * length, length) - 0.5 * length
    lap[done] += 1
    crossed = [float(k) for k in done]
    for i, k in enumerate(done):
        if k > 0 and distance[k] > distance[k - 1]:
            left = np.clip((i + 1) * length - distance[k - 1], 0.0, distance[k] - distance[k - 1])
            crossed[i] = k - 1 + float(left / (distance[k] - distance[k - 1]))
    steps = np.zeros(len(rows), STEP_DTYPE)
    steps["s"], steps["offset"], steps["distance"], steps["lap"] = (
        np.mod(s, length),
        offset,
        distance,
        lap + 1,
    )
    _fill(steps, rows, car)
    count = len(rows) - bool(stint[-1].episode.complete)
    early = _since_the_line(distance) if stint[0].episode.flying else 0.0
    marks = [-early, *crossed] if stint[-1].episode.complete else [-early, *crossed, float(count)]
    return steps[: max(1, count)], [float(t) for t in np.diff(marks) * STEP_S]


def _since_the_line(distance: NDArray[np.float64]) -> float:
    """Steps between the line and the first row of a flying lap."""
    if len(distance) < 2 or distance[1] <= distance[0]:
        return 0.0
    return float(np.clip(distance[0] / (distance[1] - distance[0]), 0.0, LATE_STEPS))


def _fill(steps: NDArray[np.void], rows: NDArray[np.void], car: Car) -> None:
    """Work out the motion of the origin, and take over what the log holds."""
    heading = np.radians(rows["yaw"])
    steps["x"] = rows["X"] - car.front_point * np.cos(heading)
    steps["y"] = rows["Y"] - car.front_point * np.sin(heading)
    steps["heading"] = np.arctan2(np.sin(heading), np.cos(heading))
    way = np.hypot(np.diff(steps["x"]), np.diff(steps["y"]))
    turn = np.mod(np.diff(heading) + np.pi, 2.0 * np.pi) - np.pi
    driven = way <= JUMP_M
    steps["restart"][0] = True
    steps["speed"] = _at_rows(way / STEP_S, driven)
    steps["yaw_rate"] = _at_rows(turn / STEP_S, driven)
    steps["steering_command"], steps["speed_command"] = np.radians(rows["steer"]), rows["throttle"]
    steps["steering_angle"] = np.clip(steps["steering_command"], -car.max_steering, car.max_steering)
    steps["reward"] = rows["reward"]
    steps["off_track"] = rows["episode_status"] == "off_track"
    steps["wheels_on_track"] = rows["all_wheels_on_track"]


def _at_rows(between: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Values at n rows from those of the n - 1 steps between them: the mean of the valid neighbours, or 0."""
    values, counts = np.where(valid, between, 0.0), valid.astype(float)
    total = np.append(values, 0.0) + np.append(0.0, values)
    return np.asarray(total / np.maximum(1.0, np.append(counts, 0.0) + np.append(0.0, counts)))


def episodes_of(replay: Replay) -> list[Placed]:
    """Give a replay as DeepRacer would log it, one episode a lap, without prepare steps and the steps' clock.

    The row that finds a lap complete belongs to it, as in the original; a replay lacks that of its last lap.
    """
    steps, track = replay.steps, replay.track
    restart = np.flatnonzero(steps["restart"])
    since = np.arange(len(steps)) - np.repeat(restart, np.diff(np.append(restart, len(steps))))
    first_lap = np.repeat(steps["lap"][restart], np.diff(np.append(restart, len(steps))))
    behind = np.append(False, np.diff(steps["lap"]) > 0) & ~steps["restart"]
    lap = steps["lap"] - behind
    rows = np.zeros(len(steps), ROW)
    rows["episode"], rows["steps"] = lap - 1, since + 2.0
    rows["X"] = steps["x"] + replay.car.front_point * np.cos(steps["heading"])
    rows["Y"] = steps["y"] + replay.car.front_point * np.sin(steps["heading"])
    rows["yaw"] = np.degrees(steps["heading"])
    rows["steer"] = np.round(np.degrees(steps["steering_command"]), 9)  # 30 was commanded, not 29.999999999999996
    rows["throttle"], rows["reward"] = steps["speed_command"], steps["reward"]
    rows["all_wheels_on_track"], rows["track_len"] = steps["wheels_on_track"], track.length
    along = steps["distance"] / track.length - (steps["lap"] - first_lap)
    rows["progress"] = np.where(behind, 100.0, np.minimum(100.0, along * 100.0))
    clock = np.arange(len(steps)) + np.cumsum(steps["restart"]) + 1.0  # every restart costs a prepare step
    rows["tstamp"], rows["wall_clock"] = clock * STEP_S, np.nan
    rows["episode_status"] = np.where(steps["off_track"], "off_track", "in_progress")
    rows["episode_status"][steps["held"]] = "pause"
    found = []
    for told in replay.laps:
        own = np.flatnonzero(lap == told.index)
        if len(own):
            start = float((steps["s"][own[0]] - steps["distance"][own[0]]) / track.length % 1.0)
            episode = Episode(replay.driver, rows[own], not steps["restart"][own[0]])
            end = "lap_complete" if told.complete else episode.status
            found.append(Placed(episode, rows[own], track, steps["s"][own], steps["offset"][own], start, end))
    return found
