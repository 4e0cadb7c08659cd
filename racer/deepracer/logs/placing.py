"""Where a log was driven: an episode of a DeepRacer log laid on a track, or the reason why it cannot be.

Invariant: a `Placed` episode fits its track: the length agrees, the car is on the road or beside it, and its
progress follows the line in the direction of `track`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from racer.deepracer.logs.reading import read_logs
from racer.deepracer.logs.simtrace import Episode, running
from racer.errors import LogError, RacerError
from racer.shelf import entries
from racer.track import Track, load_track, nearest
from racer.training import open_run

__all__ = ["Placed", "find_track", "place", "read_episodes"]

LENGTH_SLACK_M = 0.01  # a text log gives centimetres
BESIDE_M = 0.6  # how far beside the road a car that leaves it is seen
STRAYED = 0.05  # share of the steps that may lie farther off
APART = 2.0  # percent by which half of the steps' progress may differ from where the car is
RUN_DEPTH = 4  # folders above a log in which its run is sought


@dataclass(frozen=True, eq=False)
class Placed:
    """An episode on its track.

    Attributes:
        episode: the episode; `rows` are those of the steps in which the car drove or paused.
        rows: (n,) of `racer.deepracer.logs.simtrace.ROW`, n >= 1, without the prepare step.
        track: in the direction it was driven.
        s: (n,) m, arc length of the front point.
        offset: (n,) m, its distance from the centre line, left positive.
        start: where the episode began, as a share of the lap, 0..1.
        end: how it ended, a status; `in_progress` if that is not known.
    """

    episode: Episode
    rows: NDArray[np.void]
    track: Track
    s: NDArray[np.float64]
    offset: NDArray[np.float64]
    start: float
    end: str


def read_episodes(
    path: str | Path, track: str | Path | Track | None = None, number: int | None = None
) -> tuple[list[Placed], list[str]]:
    """Read the episodes of a log, or of all logs in a folder, and lay them on their track.

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
        numbers = [episode.number for episode in found]
        found = [episode for episode in found if episode.number == number]
        if not found:
            raise LogError(f"{path} holds no episode {number}; it has {min(numbers)} to {max(numbers)}")
        if len(found) > 1:
            files = ", ".join(dict.fromkeys(episode.where for episode in found))
            raise LogError(f"{path} holds {len(found)} episodes {number}: name one file of {files}")
    course = find_track(found[0]) if track is None else load_track(track)
    return [place(episode, course) for episode in found], [log.notice for log in logs if log.notice]


def place(episode: Episode, track: Track) -> Placed:
    """Lay an episode on a track, in the direction in which it was driven.

    Args:
        episode: with at least one step after the prepare step.
        track: a closed one.

    Raises:
        LogError: it was driven on another track.
    """
    rows = _driven(episode)
    named = f"{episode.where}: episode {episode.number}"
    told = float(rows["track_len"][0])
    if abs(told - track.length) > LENGTH_SLACK_M:
        raise LogError(
            f"{named} was driven on a track of {told:.2f} m, but {track.name} is {track.length:.2f} m long; "
            "name the right one with --track"
        )
    front = np.stack([rows["X"], rows["Y"]], axis=1)
    foot, s = nearest(front, track.center)
    away = front - foot
    distance = np.hypot(away[:, 0], away[:, 1])
    strayed = distance > 0.5 * track.width_max + BESIDE_M
    if strayed.mean() > STRAYED:
        row = int(np.argmax(strayed))
        raise LogError(
            f"{named} was not driven on {track.name}: {strayed.mean():.0%} of its steps lie off that road, "
            f"the first at ({rows['X'][row]:.2f}, {rows['Y'][row]:.2f}) m, {distance[row]:.2f} m from the "
            "centre line; name the right track with --track"
        )
    gaps = [_gap(rows, track, s), _gap(rows, track, track.length - s)]
    if min(gaps) > APART:
        raise LogError(
            f"{named} was not driven on {track.name}: for half of its steps the progress is "
            f"{min(gaps):.1f} percent away from where the car is; name the right track with --track"
        )
    if gaps[1] < gaps[0]:
        track, s = track.reverse(), track.length - s
    along = np.interp(s, track.s, np.arange(len(track.s)))
    segment = np.minimum(along.astype(int), len(track.center) - 2)
    direction = track.center[segment + 1] - track.center[segment]
    side = np.sign(direction[:, 0] * away[:, 1] - direction[:, 1] * away[:, 0])
    end = "lap_complete" if episode.complete else episode.status
    return Placed(episode, rows, track, s, distance * side, _start(rows, track, s), end)


def find_track(episode: Episode) -> Track:
    """Find the track of a log: that of the run whose folder it lies in, or the one on the shelf that fits.

    Raises:
        LogError: none fits, or several that differ.
    """
    for folder in Path(episode.where).absolute().parents[:RUN_DEPTH]:
        if (folder / "run.json").exists():
            return open_run(folder).track()
    told = float(episode.rows["track_len"][0])
    fitting: dict[str, Track] = {}
    for entry in entries("tracks"):
        if entry.problem is not None or entry.shadowed:
            continue
        try:
            track = load_track(entry.path)
            if abs(track.length - told) <= LENGTH_SLACK_M:
                fitting.setdefault(place(episode, track).track.digest, track)
        except RacerError:  # a broken file on the shelf, or another track of the same length
            continue
    if len(fitting) == 1:
        return next(iter(fitting.values()))
    many = ", ".join(track.name for track in fitting.values())
    raise LogError(
        f"{episode.where} was driven on a track of {told:.2f} m; "
        + (f"{many} fit: choose with --track" if fitting else "none on the shelf fits: name it with --track FILE")
    )


def _driven(episode: Episode) -> NDArray[np.void]:
    return episode.rows[~np.isin(episode.rows["episode_status"], ["prepare", "park"])]


def _gap(rows: NDArray[np.void], track: Track, s: NDArray[np.float64]) -> float:
    """Percent between the progress that is told and where the car is: the median, free of wraps and jumps."""
    driven = running(rows)
    if not driven.any():
        return 0.0
    there = (s / track.length - _start(rows, track, s)) * 100.0
    gap = (there - rows["progress"] + 50.0) % 100.0 - 50.0
    return float(np.median(np.abs(gap[driven])))


def _start(rows: NDArray[np.void], track: Track, s: NDArray[np.float64]) -> float:
    return float((s[0] / track.length - rows["progress"][0] / 100.0) % 1.0)
