"""The viewer: replays as a race to watch, in a window or in a file.

Owns everything that needs pygame, which is loaded when something is drawn. The one invariant: a recording
shows what the window would.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from racer.errors import FileError, RacerError, ReplayError
from racer.shelf import refuse_existing
from racer.viewer.looks import USUAL, Looks

if TYPE_CHECKING:
    from racer.replay import Replay

__all__ = ["watch"]

SUFFIXES = (".png", ".gif", ".mp4")
SIZE, GIF_SIZE = (1280, 800), (800, 500)  # px
SMALLEST, LARGEST = (480, 320), (7680, 4320)  # px
LIMIT = 1e6  # no column of a drive comes near it


def watch(
    replays: Sequence[Replay],
    record: str | Path | None = None,
    size: tuple[int, int] | None = None,
    *,
    speed: float = 1.0,
    looks: Looks = USUAL,
    overwrite: bool = False,
    quiet: bool = False,
    mark: Replay | None = None,
) -> None:
    """Show replays of one track: the first in focus, the others as ghosts beside it; or a race of several cars.

    Args:
        replays: What is shown; all on the same track, driven the same way round.
        record: A file to draw instead of opening a window; needs no screen. `.png` is one picture at the end
            of the first replay's best lap, `.gif` and `.mp4` are the whole race.
        size: Width and height, px: by default what suits the screen, for a file 1280 x 800, for a `.gif`
            800 x 500. Those of an `.mp4` are rounded down to even numbers.
        speed: Pace at the start, and that of a film: 2 is twice as fast.
        looks: What is shown at first: camera, params, heat map.
        overwrite: Whether `record` may replace a file.
        quiet: Whether to show no progress bar.
        mark: The best race known there: a ghost that all the others are compared with; by default the first replay is.

    Raises:
        ReplayError: There is no replay, one has no step or no finite place, or they are of different tracks.
        FileError: `record` has another suffix, exists, or cannot be written.
        RacerError: There is no screen, or the size or the speed makes no sense.
    """
    target = None if record is None else _checked_target(Path(record), overwrite)
    if target is not None:
        size = size or (GIF_SIZE if target.suffix.lower() == ".gif" else SIZE)
    _check([*replays, *([mark] if mark else [])], size or SIZE, speed)
    from racer.viewer.stage import Stage

    if target is None:
        from racer.viewer.window import show

        show(Stage(replays, looks, mark), size, speed)
    else:
        from racer.viewer.film import record_film

        record_film(Stage(replays, looks, mark), target, size or SIZE, speed, quiet)


def _check(replays: Sequence[Replay], size: tuple[int, int], speed: float) -> None:
    if not replays:
        raise ReplayError("there is no replay to watch; name at least one file that `racer evaluate --replay` wrote")
    first = replays[0].track
    numbered = [(number, one) for number, replay in enumerate(replays, start=1) for one in replay.alone]
    for number, replay in numbered:
        label = f"replay {number} ({replay.driver})"
        if len(replay.steps) == 0 or not replay.laps:
            raise ReplayError(f"{label} is empty: it has no step to show; record the drive again")
        for column in replay.steps.dtype.names or ():
            wrong = np.flatnonzero(~(np.abs(replay.steps[column]) <= LIMIT))  # true for nan too
            if len(wrong):
                value = f"{replay.steps[column][wrong[0]]:g}"
                raise ReplayError(f"{label}, step {wrong[0]}: {column} is {value}, which no drive can be")
        track = replay.track
        if track.digest != first.digest:
            ways = [f"{one.name!r}{' reversed' if one.reversed else ''}" for one in (first, track)]
            other = "another version of it" if ways[0] == ways[1] else ways[1]
            raise ReplayError(
                f"replay 1 was driven on {ways[0]}, but {label} on {other}; only replays of one track, "
                "driven the same way round, can be watched together"
            )
    if not all(low <= side <= high for low, side, high in zip(SMALLEST, size, LARGEST, strict=True)):
        raise RacerError(
            f"a picture of {size[0]} x {size[1]} px cannot be drawn; choose a size from "
            f"{SMALLEST[0]} x {SMALLEST[1]} to {LARGEST[0]} x {LARGEST[1]}"
        )
    if not 0.05 <= speed <= 64.0:
        raise RacerError(f"a speed of {speed:g} cannot be shown; choose one from 0.05 to 64 (1 is real time)")


def _checked_target(path: Path, overwrite: bool) -> Path:
    if path.suffix.lower() not in SUFFIXES:
        ending = f"{path.suffix!r}" if path.suffix else "nothing"
        raise FileError(
            f"cannot record to {path}: its name ends in {ending}; end it in .png for a picture, .gif or .mp4 for a film"
        )
    refuse_existing(path, overwrite)
    return path
