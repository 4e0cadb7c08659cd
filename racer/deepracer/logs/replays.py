"""DeepRacer's logs as replays, and replays as the rows of such a log.

Invariant: a replay made of a log says so (`Replay.imported`): it can be watched and compared, but it was not
driven here, and no leaderboard takes it. Time is the log's own: a replay's steps, 1/15 s apart, are interpolated
between the log's rows where those are not. Speed and yaw rate, which a log does not hold, are computed from
the poses; the wheels' angle is the commanded one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from racer import __version__
from racer.deepracer.logs.placing import Placed
from racer.deepracer.logs.simtrace import ROW, Episode
from racer.errors import LogError
from racer.replay import STEP_DTYPE, STEP_S, Drive, Lap, Replay
from racer.sim import CARS, Car

__all__ = ["best", "episodes_of", "to_replay"]

FASTEST = 9.0  # m/s; nothing drives faster: the car was put somewhere else
LONGEST_S = 0.5  # of a step; what lasts longer or goes back is no clock of the simulation
UNIFORM = 0.03  # of a step: rounding of a clock with steps of 1/15 s
LATE_STEPS = 2.0  # after the line that the first row of a flying lap may be


def best(placed: Sequence[Placed]) -> Placed:
    """The fastest complete lap, or the episode that came farthest if there is none."""
    times = [to_replay([one], "", "").laps[0].time_s if one.episode.complete else np.inf for one in placed]
    return min(zip(placed, times, strict=True), key=lambda pair: (pair[1], -_covered(pair[0].rows)))[0]


def _covered(rows: NDArray[np.void]) -> float:
    """Percent of a lap that a log holds."""
    return float(rows["progress"].max() - rows["progress"][0])


def to_replay(placed: Sequence[Placed], driver: str, source: str, car: Car = CARS["deepracer"]) -> Replay:
    """Make a replay of episodes of a log, one lap each, in the order given.

    A lap's time goes from the first step driven, or from the line, to the line, interpolated, as everywhere
    in racer, by the log's clock; DeepRacer's own counts whole steps, and the prepare step too.

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
        drives=(Drive(driver, "DeepRacer log", tuple(laps), np.concatenate(parts)),),
        seed=0,
        created=datetime.now(UTC).isoformat(timespec="microseconds"),
        engine=__version__,
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
    clock, end = _clock(stint[0].episode.rows, rows)
    lengths = [len(one.rows) for one in stint]
    lap = np.repeat(np.arange(len(stint)), lengths)
    done = (np.cumsum(lengths) - 1)[[one.episode.complete for one in stint]]
    distance = (lap + rows["progress"] / 100.0) * length
    last = done[done > 0]
    distance[last] = distance[last - 1] + np.mod(s[last] - s[last - 1] + 0.5 * length, length) - 0.5 * length
    crossed = [float(clock[k]) for k in done]
    for i, k in enumerate(done):
        if k > 0 and distance[k] > distance[k - 1]:
            crossed[i] = float(np.interp((i + 1) * length, distance[k - 1 : k + 1], clock[k - 1 : k + 1]))
    complete = stint[-1].episode.complete
    count = crossed[-1] / STEP_S if complete else end / STEP_S - UNIFORM
    now = np.arange(max(1, int(np.ceil(count))), dtype=np.float64) * STEP_S
    steps = _poses(rows, clock, now, car, {"s": np.unwrap(s, period=length), "offset": offset, "distance": distance})
    steps["s"] = np.mod(steps["s"], length)
    taken = max(1, len(rows) - complete)
    _commands(steps, rows[:taken], clock[:taken], now, car)
    steps["lap"] = 1 + np.searchsorted(crossed, now, side="right")
    early = _since_the_line(distance, clock) if stint[0].episode.flying else 0.0
    marks = [-early, *crossed] if stint[-1].episode.complete else [-early, *crossed, end]
    return steps, [float(t) for t in np.diff(marks)]


def _clock(first: NDArray[np.void], rows: NDArray[np.void]) -> tuple[NDArray[np.float64], float]:
    """When the car was at each row, and when the last step ended, s since the first row.

    A row has the time at the end of its step, but where the car was at the step's beginning.

    Args:
        first: rows of the first episode, its prepare step among them.
        rows: (n,) that follow each other.
    """
    stamps, held = rows["tstamp"], first[first["episode_status"] == "prepare"]
    before = held["tstamp"][-1] if len(held) else stamps[0] - STEP_S
    begin = np.append(before, stamps[:-1])
    alone = np.append(False, np.diff(rows["steps"]) != 1.0)  # a row is missing before it
    begin[alone] = stamps[alone] - STEP_S
    lasting = np.diff(np.append(begin, stamps[-1]))
    lasting[~((lasting > 0.0) & (lasting <= LONGEST_S * (1 + np.append(alone[1:], False))))] = STEP_S
    edges = np.append(0.0, np.cumsum(lasting))
    even = np.arange(len(edges)) * STEP_S
    if np.abs(edges - even).max() <= UNIFORM * STEP_S:
        edges = even
    return edges[:-1], float(edges[-1])


def _since_the_line(distance: NDArray[np.float64], clock: NDArray[np.float64]) -> float:
    """Seconds between the line and the first row of a flying lap."""
    if len(distance) < 2 or distance[1] <= distance[0]:
        return 0.0
    steps = np.clip(distance[0] / (distance[1] - distance[0]), 0.0, LATE_STEPS)
    return float(steps * (clock[1] - clock[0]))


def _poses(
    rows: NDArray[np.void],
    clock: NDArray[np.float64],
    now: NDArray[np.float64],
    car: Car,
    line: Mapping[str, NDArray[np.float64]],
) -> NDArray[np.void]:
    """The steps of a replay at some times, with where the car is and how it moves, interpolated between rows.

    Args:
        rows: (n,) that follow each other.
        clock: (n,) s, when the car was there.
        now: (m,) s, 1/15 s apart.
        car: whose front point is logged.
        line: (n,) m each, what else of the steps is to be interpolated.
    """
    heading = np.unwrap(np.radians(rows["yaw"]))
    x, y = rows["X"] - car.front_point * np.cos(heading), rows["Y"] - car.front_point * np.sin(heading)
    jumps = np.append(np.hypot(np.diff(x), np.diff(y)) > FASTEST * np.diff(clock), False)
    row = _row_at(clock, now)
    steps = np.zeros(len(now), STEP_DTYPE)
    for name, values in {"x": x, "y": y, "heading": heading, **line}.items():
        steps[name] = np.where(jumps[row], values[row], np.interp(now, clock, values))
    turn = np.diff(steps["heading"])
    steps["heading"] = np.arctan2(np.sin(steps["heading"]), np.cos(steps["heading"]))
    way = np.hypot(np.diff(steps["x"]), np.diff(steps["y"]))
    driven = way <= FASTEST * STEP_S
    steps["speed"] = _at_rows(way / STEP_S, driven)
    steps["yaw_rate"] = _at_rows(turn / STEP_S, driven)
    steps["restart"][0] = True
    return steps


def _commands(
    steps: NDArray[np.void], rows: NDArray[np.void], clock: NDArray[np.float64], now: NDArray[np.float64], car: Car
) -> None:
    """Fill in what holds from one row to the next, and each row's reward once."""
    held = rows[_row_at(clock, now)]
    steps["steering_command_deg"], steps["speed_command"] = held["steer"], held["throttle"]
    steps["steering_angle"] = np.clip(np.radians(held["steer"]), -car.max_steering, car.max_steering)
    steps["off_track"] = held["episode_status"] == "off_track"
    steps["wheels_on_track"] = held["all_wheels_on_track"]
    np.add.at(steps["reward"], _row_at(now, clock), rows["reward"])


def _row_at(clock: NDArray[np.float64], now: NDArray[np.float64]) -> NDArray[np.int64]:
    """Indices (m,) of the newest of some times (n,) at each of others (m,)."""
    found = np.searchsorted(clock, now + UNIFORM * STEP_S, side="right") - 1
    return np.clip(found, 0, len(clock) - 1)


def _at_rows(between: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Values at n rows from those of the n - 1 steps between them: the mean of the valid neighbours, or 0."""
    values, counts = np.where(valid, between, 0.0), valid.astype(float)
    total = np.append(values, 0.0) + np.append(0.0, values)
    return np.asarray(total / np.maximum(1.0, np.append(counts, 0.0) + np.append(0.0, counts)))


def episodes_of(replay: Replay) -> list[Placed]:
    """A replay as DeepRacer would log it, one episode for each lap, without prepare steps and the steps' clock.

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
    rows["steer"] = steps["steering_command_deg"]
    rows["throttle"], rows["reward"] = steps["speed_command"], steps["reward"]
    rows["all_wheels_on_track"], rows["track_len"] = steps["wheels_on_track"], track.length
    along = steps["distance"] / track.length - (steps["lap"] - first_lap)
    rows["progress"] = np.where(behind, 100.0, np.minimum(100.0, along * 100.0))
    clock = np.arange(len(steps)) + np.cumsum(steps["restart"]) + 1.0  # every restart costs a prepare step
    rows["tstamp"], rows["wall_clock"] = clock * STEP_S, np.nan
    rows["episode_status"] = np.where(steps["off_track"], "off_track", "in_progress")
    rows["episode_status"][steps["held"]] = "pause"
    found = []
    for driven in replay.laps:
        own = np.flatnonzero(lap == driven.index)
        if len(own):
            start = float((steps["s"][own[0]] - steps["distance"][own[0]]) / track.length % 1.0)
            episode = Episode(replay.driver, rows[own], not steps["restart"][own[0]])
            end = "lap_complete" if driven.complete else episode.status
            found.append(Placed(episode, rows[own], track, steps["s"][own], steps["offset"][own], start, end))
    return found
