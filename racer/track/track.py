"""The track: a closed (or open) centre line with the two borders of its road, in the direction it is driven.

Invariant: a `Track` that came out of `load_track` or `track_from_arrays` passed every check of
`racer.track.checks`, its arrays are read-only, and its centre line holds exactly the rows of its file.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from racer import shelf
from racer.errors import TrackError
from racer.shelf import make_folder, write_atomically
from racer.track.checks import check
from racer.track.difficulty import DIFFICULTIES, count_turns, judge
from racer.track.files import Rows, csv_text, npy_bytes, offsets_of, read_csv, read_npy
from racer.track.geometry import Points, arc_length, headings, is_closed, nearest, point_at, signed_area

__all__ = ["Track", "import_track", "load_track", "save_track", "shelve", "track_from_arrays", "track_summary"]

WIDTH_SPACING_M = 0.1  # of the places whose median is the width of a track


@dataclass(frozen=True, eq=False)
class Track:
    """A road to race on.

    Attributes:
        name: What is typed to mean it: its file's name without the suffix.
        center: Centre line in driving direction, `(n, 2)` m; a closed one repeats its first row as its last.
        inner: Geometric inner border, `(k, 2)` m: left if the track runs counter-clockwise, else right.
        outer: Geometric outer border, `(l, 2)` m.
        reversed: Whether it is driven against its file's direction.
        about: The header of its file: `title`, `author`, `licence`, `difficulty`, `about`, …
    """

    name: str
    center: Points
    inner: Points
    outer: Points
    reversed: bool = False
    about: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Keep private read-only copies of what was given."""
        for key in ("center", "inner", "outer"):
            line = np.array(getattr(self, key), dtype=np.float64, order="C")
            line.setflags(write=False)
            object.__setattr__(self, key, line)
        object.__setattr__(self, "about", MappingProxyType(dict(self.about)))

    def __reduce__(self) -> tuple[type["Track"], tuple[Any, ...]]:
        """Pickle as the constructor's arguments: a copy in another process is as read-only as this one."""
        return Track, (self.name, self.center, self.inner, self.outer, self.reversed, dict(self.about))

    @cached_property
    def closed(self) -> bool:
        """Whether the centre line is a ring."""
        return is_closed(self.center)

    @cached_property
    def s(self) -> NDArray[np.float64]:
        """Arc length at each row of the centre line, `(n,)` m."""
        return _frozen(arc_length(self.center))

    @property
    def length(self) -> float:
        """Length of the centre line, m."""
        return float(self.s[-1])

    @cached_property
    def widths(self) -> NDArray[np.float64]:
        """Width at each row, `(n,)` m: between the two border points nearest to the row, as in DeepRacer."""
        return _frozen(self._widths_at(self.center))

    @cached_property
    def width(self) -> float:
        """Median width along the lap, m; taken at equal distances, as rows may lie denser in bends."""
        places = np.arange(0.0, self.length, WIDTH_SPACING_M)
        return float(np.median(self._widths_at(point_at(self.center, places))))

    @property
    def width_min(self) -> float:
        """Width at the narrowest row, m."""
        return float(np.min(self.widths))

    @property
    def width_max(self) -> float:
        """Width at the widest row, m."""
        return float(np.max(self.widths))

    @cached_property
    def is_ccw(self) -> bool:
        """Whether it is driven counter-clockwise, the inner border on the left; open ones are, as filed."""
        return signed_area(self.center) > 0.0 if self.closed else not self.reversed

    @property
    def left(self) -> Points:
        """The border on the left of a driver, `(k, 2)` m."""
        return self.inner if self.is_ccw else self.outer

    @property
    def right(self) -> Points:
        """The border on the right of a driver, `(k, 2)` m."""
        return self.outer if self.is_ccw else self.inner

    @cached_property
    def start(self) -> tuple[float, float, float]:
        """The start line: `(x, y, heading)` of row 0, m and rad; the heading is that of the first segment."""
        return float(self.center[0, 0]), float(self.center[0, 1]), float(headings(self.center)[0])

    @cached_property
    def turns(self) -> int:
        """How many corners it has: stretches that bend one way by 25° or more at a radius under 5 m."""
        return count_turns(self.center)

    @cached_property
    def difficulty(self) -> str:
        """One of `DIFFICULTIES`: what its header says, or else judged by bends, width and length."""
        stated = self.about.get("difficulty", "").lower()
        return stated if stated in DIFFICULTIES else judge(self.center, self.length, self.width)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the geometry in driving direction: equal for the same road, whatever its name."""
        content = hashlib.sha256(b"closed" if self.closed else b"open")
        for line in (self.center, self.inner, self.outer):
            content.update(len(line).to_bytes(8, "little"))
            content.update(line.astype("<f8").tobytes())
        return content.hexdigest()

    def _widths_at(self, points: Points) -> NDArray[np.float64]:
        to_inner, _ = nearest(points, self.inner)
        to_outer, _ = nearest(points, self.outer)
        across = to_inner - to_outer
        widths: NDArray[np.float64] = np.hypot(across[:, 0], across[:, 1])
        return widths

    def reverse(self) -> "Track":
        """The same road driven the other way; a closed track starts at the same line."""
        return Track(
            self.name,
            self.center[::-1],
            self.inner[::-1],
            self.outer[::-1],
            reversed=not self.reversed,
            about=self.about,
        )


def load_track(name_or_path: str | Path | Track) -> Track:
    """Load a track by its name on the shelf or by its path, and check that it can be raced.

    Args:
        name_or_path: `"harbor"`, `"my/oval.csv"`, `"reinvent_base.npy"`; a `Track` is given back as it is.

    Raises:
        ShelfError: There is no such track.
        TrackError: The file is no sound track; the message names file and row.
    """
    if isinstance(name_or_path, Track):
        return name_or_path
    path = shelf.resolve("tracks", name_or_path)
    return _track(path.stem, _read(path))


def track_from_arrays(
    name: str, center: ArrayLike, inner: ArrayLike, outer: ArrayLike, *, reversed: bool = False, **about: str
) -> Track:
    """Make a track from its lines, `(n, 2)` m each, with the checks that a `.npy` file gets.

    Args:
        name: Its name.
        center: Centre line in driving direction; closed if its last row repeats its first.
        inner: Geometric inner border.
        outer: Geometric outer border.
        reversed: Whether that is against the direction of the track's file.
        about: Header entries such as `title`.

    Raises:
        TrackError: The lines make no sound track.
    """
    lines = {}
    for key, given in (("center", center), ("inner", inner), ("outer", outer)):
        try:
            lines[key] = np.asarray(given).astype(np.float64, casting="same_kind")
        except (TypeError, ValueError) as error:
            raise TrackError(f"track {name!r}: {key} is no array of numbers: {error}") from error
        if lines[key].ndim != 2 or lines[key].shape[1] != 2:
            raise TrackError(f"track {name!r}: {key} has the shape {lines[key].shape}, not (rows, 2)")
    rows = Rows(f"track {name!r}", lines["center"], lines["inner"], lines["outer"], about, trusted=True)
    return _track(name, rows, reversed=reversed)


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
        offsets = offsets_of(track.center, track.right, track.left) if track.closed else None
        if offsets is None:
            reason = "it is open" if not track.closed else "its borders are not distances from its centre line"
            raise TrackError(f"{target}: a CSV cannot hold {track.name!r}: {reason}; save it as .npy")
        write_atomically(target, csv_text(track.center, *offsets, dict(track.about)))
    else:
        raise TrackError(f"{target}: a track is saved as .csv or .npy")


def import_track(
    file: str | Path,
    folder: str | Path = "tracks",
    name: str | None = None,
    *,
    overwrite: bool = False,
    scale: float = 1.0,
) -> Path:
    """Check a track file and put it on a shelf: a CSV in racer's own form, a `.npy` exactly as it is.

    Args:
        file: A racer or TUM CSV, or a DeepRacer route `.npy`.
        folder: The shelf's folder; it is made if missing.
        name: The name there; the file's own by default.
        overwrite: Whether a track of that name may be replaced.
        scale: Its lengths are multiplied by this (0.1 makes a full-size circuit fit the car).

    Returns:
        The stored file.

    Raises:
        ShelfError: There is no such file.
        TrackError: It is no sound track, or the name is taken or not fit for a file.
        FileError: It cannot be written.
    """
    if not np.isfinite(scale) or scale <= 0.0:
        raise TrackError(f"the scale is {scale}; it must be above 0")
    source = shelf.resolve("tracks", file)
    track = _track(name or source.stem, _read(source, scale))
    return shelve(track, folder, source.suffix.lower(), overwrite=overwrite)


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


def track_summary(track: Track) -> dict[str, Any]:
    """What a list of tracks shows, ready for JSON: names, sizes in metres, turns, difficulty, direction."""
    return {
        "name": track.name,
        "title": track.about.get("title", track.name),
        "length_m": round(track.length, 3),
        "width_m": round(track.width, 3),
        "width_min_m": round(track.width_min, 3),
        "width_max_m": round(track.width_max, 3),
        "turns": track.turns,
        "difficulty": track.difficulty,
        "direction": "open" if not track.closed else "counter-clockwise" if track.is_ccw else "clockwise",
        "about": track.about.get("about", ""),
    }


def _read(path: Path, scale: float = 1.0) -> Rows:
    match path.suffix.lower():
        case ".csv":
            return read_csv(path, scale)
        case ".npy":
            return read_npy(path, scale)
        case suffix:
            raise TrackError(f"{path}: racer reads tracks from .csv and .npy files, not {suffix or 'without a suffix'}")


def _track(name: str, rows: Rows, *, reversed: bool = False) -> Track:
    check(rows)
    return Track(name, rows.center, rows.inner, rows.outer, reversed=reversed, about=rows.about)


def _frozen(values: NDArray[np.float64]) -> NDArray[np.float64]:
    values.setflags(write=False)
    return values
