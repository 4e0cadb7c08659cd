"""Where a log was driven: an episode of a DeepRacer log on a track, or the reason why it cannot be.

Invariant: a `Placed` episode fits its track: the length agrees, the car is on the road or beside it, and its
progress follows the line in the direction of `track`. Rows and episodes that do not fit are left out where most do,
and the notices say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from racer.deepracer.logs.reading import read_logs
from racer.deepracer.logs.simtrace import Episode, running
from racer.errors import LogError, RacerError
from racer.shelf import entries
from racer.track import Track, load_track, nearest

__all__ = ["Placed", "find_track", "place", "read_episodes"]

LENGTH_SLACK_M = 0.01  # a text log gives centimetres
BESIDE_M = 0.6  # how far beside the road a car that leaves it is seen
STRAYED, FEW = 0.05, 2  # share of the steps, or number of them, that may lie farther off: the simulator's own jumps
APART = 2.0  # percent by which half of the steps' progress may differ from where the car is


@dataclass(frozen=True, eq=False)
class Placed:
    """An episode on its track.

    Attributes:
        episode: the episode, as the log has it.
        rows: (n,) of `racer.deepracer.logs.simtrace.ROW`, n >= 1: the steps in which the car drove or paused, without
            the prepare step, and without those that lie far off the road.
        track: in the direction it was driven.
        s: (n,) m, arc length of the front point.
        offset: (n,) m, its distance from the centre line, left positive.
        start: where the episode began, as a share of the lap, 0..1.
        end: how it ended, a status; `in_progress` if that is not known.
        left_out: how many rows lie far off the road.
    """

    episode: Episode
    rows: NDArray[np.void]
    track: Track
    s: NDArray[np.float64]
    offset: NDArray[np.float64]
    start: float
    end: str
    left_out: int = 0


def read_episodes(
    path: str | Path, track: str | Path | Track | None = None, number: int | None = None
) -> tuple[list[Placed], list[str]]:
    """Read the episodes of a log, or of all logs in a folder or an archive, and lay them on their track.

    Args:
        path: a file or a folder.
        track: which one it was; by default it is found, see `find_track`.
        number: of the only episode that is wanted.

    Returns:
        The episodes, at least one, and what was left out of the files, a sentence each.

    Raises:
        LogError: a log cannot be read, there is no such episode, or it was driven on another track.
        TrackError, ShelfError: the track cannot be loaded.
    """
    logs = read_logs(path)
    found = [episode for log in logs for episode in log.episodes if len(_driven(episode))]
    if not found:
        raise LogError(f"{path} holds no step that was driven")
    if number is not None:
        found = _numbered(path, found, number)
    course = find_track(found) if track is None else load_track(track)
    placed, notices = _place_all(found, course)
    return placed, [*(log.notice for log in logs if log.notice), *notices]


def _numbered(path: str | Path, found: Sequence[Episode], number: int) -> list[Episode]:
    numbers = [episode.number for episode in found]
    chosen = [episode for episode in found if episode.number == number]
    if not chosen:
        raise LogError(f"{path} holds no episode {number}; it has {min(numbers)} to {max(numbers)}")
    files = list(dict.fromkeys(episode.where for episode in chosen))
    if len(chosen) > 1:
        how = f"name one file of {', '.join(files)}" if len(files) > 1 else "leave --episode out for the best of all"
        raise LogError(f"{path} holds {len(chosen)} episodes {number}: {how}")
    return chosen


def _place_all(found: Sequence[Episode], track: Track) -> tuple[list[Placed], list[str]]:
    """Lay episodes on a track, and say what was left out.

    Raises:
        LogError: most of what was driven does not fit the track.
    """
    placed: list[Placed] = []
    refused: list[tuple[int, str]] = []
    for episode in found:
        try:
            placed.append(place(episode, track))
        except LogError as wrong:
            refused.append((len(episode.rows), str(wrong)))
    notices = []
    if refused:
        if sum(count for count, _ in refused) > sum(len(one.rows) for one in placed):
            raise LogError(refused[0][1])
        others = f", and {len(refused) - 1:,} other episodes" if len(refused) > 1 else ""
        notices.append(f"{refused[0][1]}. It was left out{others}")
    far = [one for one in placed if one.left_out]
    if far:
        rows = sum(one.left_out for one in far)
        many = "a step lies" if rows == 1 else f"{rows:,} steps in {len(far):,} episodes lie"
        notices.append(f"{_named(far[0].episode)}: {many} far off the road, where the simulator put the car; left out")
    cut = [one for one in placed if one.rows["progress"][-1] >= 100.0 and not one.episode.whole]
    if cut:
        notices.append(
            f"{_named(cut[0].episode)} is not whole in the log, so it is no complete lap"
            + (f"; {len(cut) - 1:,} others are not, either" if len(cut) > 1 else "")
        )
    return placed, notices


def place(episode: Episode, track: Track) -> Placed:
    """Lay an episode on a track, in the direction in which it was driven.

    Args:
        episode: with at least one step after the prepare step.
        track: a closed one.

    Raises:
        LogError: it was driven on another track.
    """
    rows, named = _driven(episode), _named(episode)
    length = float(rows["track_len"][0])
    if abs(length - track.length) > LENGTH_SLACK_M:
        raise LogError(
            f"{named} was driven on a track of {length:.2f} m, but {track.name} is {track.length:.2f} m long; "
            "name the right one with --track"
        )
    front = np.stack([rows["X"], rows["Y"]], axis=1)
    foot, s = nearest(front, track.center)
    away = front - foot
    distance = np.hypot(away[:, 0], away[:, 1])
    strayed = distance > 0.5 * track.width_max + BESIDE_M
    if strayed.sum() > max(FEW, STRAYED * len(rows)) or strayed.all():
        row = int(np.argmax(strayed))
        raise LogError(
            f"{named} was not driven on {track.name}: {strayed.mean():.0%} of its steps lie off that road, "
            f"the first at ({rows['X'][row]:.2f}, {rows['Y'][row]:.2f}) m, {distance[row]:.2f} m from the "
            "centre line; name the right track with --track"
        )
    near = ~strayed
    rows, s, away, distance = rows[near], s[near], away[near], distance[near]
    along = np.interp(s, track.s, np.arange(len(track.s)))
    segment = np.minimum(along.astype(int), len(track.center) - 2)
    direction = track.center[segment + 1] - track.center[segment]
    gaps = [_gap(rows, track, s), _gap(rows, track, track.length - s)]
    if min(gaps) > APART:
        raise LogError(
            f"{named} was not driven on {track.name}: for half of its steps the progress is "
            f"{min(gaps):.1f} percent away from where the car is; name the right track with --track"
        )
    against = gaps[1] < gaps[0]
    if max(gaps) <= APART:  # too short for the progress to show it: the car faces the way it drives
        heading = np.radians(rows["yaw"])
        facing = np.cos(heading) * direction[:, 0] + np.sin(heading) * direction[:, 1]
        against = bool(np.median(np.sign(facing)) < 0.0)
    if against:
        track, s, direction = track.reverse(), track.length - s, -direction
    side = np.sign(direction[:, 0] * away[:, 1] - direction[:, 1] * away[:, 0])
    end = "lap_complete" if episode.complete else episode.status
    start = _start(rows, track, s)
    return Placed(episode, rows, track, s, distance * side, start, end, int(strayed.sum()))


def find_track(episodes: Sequence[Episode]) -> Track:
    """Find the track on the shelf on which most of some episodes were driven.

    Where a track and its reverse are both on the shelf, it is the one whose own direction was driven.

    Raises:
        LogError: none fits, or several that differ.
    """
    length = float(episodes[0].rows["track_len"][0])
    fitting: dict[str, tuple[int, Track]] = {}
    for entry in entries("tracks"):
        if entry.problem is not None or entry.shadowed:
            continue
        try:
            track = load_track(entry.path)
            if abs(track.length - length) <= LENGTH_SLACK_M:
                placed, _ = _place_all(episodes, track)
                forwards = sum(one.track is track for one in placed)
                fitting.setdefault(track.digest, (forwards, track))
        except RacerError:  # a broken file on the shelf, or another track of the same length
            continue
    most = max((forwards for forwards, _ in fitting.values()), default=0)
    best = [track for forwards, track in fitting.values() if forwards == most]
    if len(best) == 1:
        return best[0]
    many = ", ".join(track.name for track in best)
    raise LogError(
        f"{episodes[0].where} was driven on a track of {length:.2f} m; "
        + (f"{many} fit: choose with --track" if best else "none on the shelf fits: name it with --track FILE")
    )


def _named(episode: Episode) -> str:
    return f"{episode.where}: episode {episode.number}"


def _driven(episode: Episode) -> NDArray[np.void]:
    return episode.rows[~np.isin(episode.rows["episode_status"], ["prepare", "park"])]


def _gap(rows: NDArray[np.void], track: Track, s: NDArray[np.float64]) -> float:
    """Percent between the logged progress and where the car is: the median, so that wraps and jumps do not count."""
    driven = running(rows)
    if not driven.any():
        return 0.0
    there = (s / track.length - _start(rows, track, s)) * 100.0
    gap = (there - rows["progress"] + 50.0) % 100.0 - 50.0
    return float(np.median(np.abs(gap[driven])))


def _start(rows: NDArray[np.void], track: Track, s: NDArray[np.float64]) -> float:
    return float((s[0] / track.length - rows["progress"][0] / 100.0) % 1.0)
