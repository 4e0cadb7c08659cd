"""Tracks on the disk: loaded by name, imported from the files of others, saved, and put on a shelf.

Invariant: what is stored can be loaded; a file that is refused leaves nothing behind.
"""

import math
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from racer import shelf
from racer.errors import TrackError
from racer.shelf import make_folder, write_atomically
from racer.track.borders import offsets_of
from racer.track.files import Rows, csv_text, npy_bytes, read_csv, read_npy
from racer.track.track import Track, track_of

__all__ = ["import_track", "load_track", "read_track", "save_track", "shelve", "suffix_of"]


def load_track(name_or_path: str | Path | Track, *, check_shape: bool = True) -> Track:
    """Load a track by its name on the shelf or by its path, and check that it can be raced.

    Args:
        name_or_path: `"harbor"`, `"my/oval.csv"`, `"reinvent_base.npy"`; a `Track` is given back as it is.
        check_shape: Whether to look for crossings and overlaps too, which takes loading Shapely. Lists do without.

    Raises:
        ShelfError: There is no such track.
        TrackError: The file is no sound track; the message names file and row.
    """
    if isinstance(name_or_path, Track):
        return name_or_path
    path = shelf.resolve("tracks", name_or_path)
    return track_of(path.stem, _read(path), check_shape=check_shape)


def save_track(track: Track, path: str | Path) -> None:
    """Write a track in the direction it is driven: `.csv` as racer's own format, `.npy` as a DeepRacer route.

    Raises:
        TrackError: The format cannot hold it: a CSV has borders on the centre line's normals, a `.npy`
            as many rows in each line.
        FileError: The file cannot be written.
    """
    target = Path(path)
    if target.suffix == ".npy":
        if not len(track.center) == len(track.inner) == len(track.outer):
            raise TrackError(
                f"{target}: a .npy needs borders of as many rows as the centre line, unlike {track.name!r}"
            )
        write_atomically(target, npy_bytes(track.center, track.inner, track.outer))
    elif target.suffix == ".csv":
        offsets = _offsets(track) if track.closed else None
        if offsets is None:
            reason = "it is open" if not track.closed else "its borders are not distances from its centre line"
            raise TrackError(f"{target}: a CSV cannot hold {track.name!r}: {reason}; save it as .npy")
        write_atomically(target, csv_text(track.center, *offsets, dict(track.metadata)))
    else:
        raise TrackError(f"{target}: a track is saved as .csv or .npy")


def read_track(file: str | Path, name: str | None = None, *, scale: float = 1.0, width: float | None = None) -> Track:
    """Read a track file, in other units or of another width if asked, and check it.

    Args:
        file: A racer or TUM CSV, or a DeepRacer route `.npy`.
        name: The track's name; the file's own by default.
        scale: Its lengths are multiplied by this (0.1 makes a full-size circuit fit the car).
        width: Width of the road, m, for files that have none, or another one.

    Raises:
        ShelfError: There is no such file.
        TrackError: It is no sound track.
    """
    for what, value in (("scale", scale), ("width", 1.0 if width is None else width)):
        if not math.isfinite(value) or value <= 0.0:
            raise TrackError(f"the {what} is {value}; it must be above 0")
    source = shelf.resolve("tracks", file)
    return track_of(name or source.stem, _read(source, scale, width))


def import_track(
    file: str | Path,
    folder: str | Path = "tracks",
    name: str | None = None,
    *,
    overwrite: bool = False,
    scale: float = 1.0,
    width: float | None = None,
) -> Path:
    """Check a track file and put it on a shelf: a CSV in racer's own form, a `.npy` exactly as it is.

    Args:
        file: A racer or TUM CSV, or a DeepRacer route `.npy`.
        folder: The shelf's folder; it is made if missing.
        name: The name there; the file's own by default.
        overwrite: Whether a track of that name may be replaced.
        scale: Its lengths are multiplied by this (0.1 makes a full-size circuit fit the car).
        width: Width of the road, m, for files that have none, or another one.

    Returns:
        The stored file.

    Raises:
        ShelfError: There is no such file.
        TrackError: It is no sound track, or the name is taken or not fit for a file.
        FileError: It cannot be written.
    """
    track = read_track(file, name, scale=scale, width=width)
    return shelve(track, folder, suffix_of(track, file), overwrite=overwrite)


def suffix_of(track: Track, file: str | Path) -> str:
    """The format to store a track in that was read from a file: a route stays one, unless it got borders of a width."""
    return ".npy" if Path(file).suffix.lower() == ".npy" and track.offsets is None else ".csv"


def shelve(track: Track, folder: str | Path = "tracks", suffix: str = ".csv", *, overwrite: bool = False) -> Path:
    """Put a track on a shelf under its own name.

    Args:
        track: The track.
        folder: The shelf's folder; it is made if missing.
        suffix: `.csv` or `.npy`, as for `save_track`.
        overwrite: Whether a track of that name may be replaced.

    Returns:
        The stored file.

    Raises:
        TrackError: The name is taken or not fit for a file, or the format cannot hold the track.
        FileError: It cannot be written.
    """
    if not re.fullmatch(r"\w[\w.-]{0,99}", track.name):
        raise TrackError(f"{track.name!r} is no name for a track file; choose one of letters, digits, - and _")
    if (problem := shelf.name_problem("tracks", track.name)) is not None:
        raise TrackError(f"{problem.removesuffix('; rename the file')}; choose another name")
    shelf_folder = make_folder(folder)
    target = shelf_folder / f"{track.name}{suffix}"
    others = [path for each in shelf.SHELVES["tracks"] if (path := shelf_folder / f"{track.name}{each}").exists()]
    if others and not overwrite:
        raise TrackError(f"{others[0]} exists already; choose another name or replace it (--force)")
    save_track(track, target)
    for path in others:
        if path != target:
            path.unlink()
    return target


def _offsets(track: Track) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    if track.offsets is not None:
        return track.offsets[:, 0], track.offsets[:, 1]
    return offsets_of(track.center, track.right, track.left)


def _read(path: Path, scale: float = 1.0, width: float | None = None) -> Rows:
    match path.suffix.lower():
        case ".csv":
            return read_csv(path, scale, width)
        case ".npy":
            return read_npy(path, scale, width)
        case suffix:
            raise TrackError(f"{path}: racer reads tracks from .csv and .npy files, not {suffix or 'without a suffix'}")
