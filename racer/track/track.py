"""The track: a closed (or open) centre line with the two borders of its road, in the direction it is driven.

Invariant: a `Track` that came out of `load_track` or `track_from_arrays` passed every check of
`racer.track.checks`, its arrays are read-only, and its centre line holds exactly the rows of its file.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from racer.errors import TrackError
from racer.track.checks import checked
from racer.track.difficulty import DIFFICULTIES, count_turns, difficulty_of
from racer.track.files import Rows
from racer.track.geometry import Points, arc_length, headings, is_closed, nearest, point_at, signed_area
from racer.track.picture import svg_of_track

__all__ = ["Track", "track_from_arrays", "track_of", "track_summary"]

WIDTH_SPACING_M = 0.1  # of the places whose median is the width of a track


@dataclass(frozen=True, eq=False, repr=False)
class Track:
    """A road to race on.

    Attributes:
        name: What is typed to mean it: its file's name without the suffix.
        center: Centre line in driving direction, `(n, 2)` m; a closed one repeats its first row as its last.
        inner: Geometric inner border, `(k, 2)` m: left if the track runs counter-clockwise, else right.
        outer: Geometric outer border, `(l, 2)` m.
        reversed: Whether it is driven against its file's direction.
        metadata: The header of its file: `title`, `author`, `licence`, `difficulty`, `about`, …
        notes: What was mended when its file was read, a sentence each.
        offsets: Distances of the right and the left border from each row, `(n, 2)` m, as a CSV states them; None
            if the borders are lines of their own.
    """

    name: str
    center: Points
    inner: Points
    outer: Points
    reversed: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    offsets: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        """Keep private read-only copies of what was given."""
        for key in ("center", "inner", "outer", "offsets"):
            if getattr(self, key) is None:
                continue
            line = np.array(getattr(self, key), dtype=np.float64, order="C")
            line.setflags(write=False)
            object.__setattr__(self, key, line)
        object.__setattr__(self, "metadata", MappingProxyType(dict(self.metadata)))

    def __reduce__(self) -> tuple[type["Track"], tuple[Any, ...]]:
        """Pickle as the constructor's arguments: a copy in another process is as read-only as this one."""
        lines = self.center, self.inner, self.outer
        return Track, (self.name, *lines, self.reversed, dict(self.metadata), self.notes, self.offsets)

    def __repr__(self) -> str:
        """Name, size and direction instead of the arrays."""
        facts = track_summary(self)
        sizes = f"{facts['length_m']:.2f} m long, {facts['width_m']:.2f} m wide, {facts['direction']}"
        return f"<Track {self.name!r}: {sizes}, {len(self.center)} rows>"

    def _repr_html_(self) -> str:
        """A picture with its facts, for notebooks."""
        size = f"{self.length:.1f} m, {self.width:.2f} m wide, {self.turns} turns, {self.difficulty}"
        return f"<div><b>{escape(self.name)}</b> {escape(size)}<br/>{svg_of_track(self)}</div>"

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
        """One of `DIFFICULTIES`: what its header says, or else derived from bends, width and length."""
        stated = self.metadata.get("difficulty", "").lower()
        return stated if stated in DIFFICULTIES else difficulty_of(self.center, self.length, self.width)

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
            metadata=self.metadata,
            notes=self.notes,
            offsets=None if self.offsets is None else self.offsets[::-1, ::-1],
        )


def track_from_arrays(
    name: str, center: ArrayLike, inner: ArrayLike, outer: ArrayLike, *, reversed: bool = False, **metadata: str
) -> Track:
    """Make a track from its lines, `(n, 2)` m each, with the checks that a `.npy` file gets.

    Args:
        name: Its name.
        center: Centre line in driving direction; closed if its last row repeats its first.
        inner: Geometric inner border.
        outer: Geometric outer border.
        reversed: Whether that is against the direction of the track's file.
        metadata: Header entries such as `title`.

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
    rows = Rows(f"track {name!r}", lines["center"], lines["inner"], lines["outer"], metadata, trusted=True)
    return track_of(name, rows, reversed=reversed)


def track_of(name: str, rows: Rows, *, reversed: bool = False, check_shape: bool = True) -> Track:
    """A track of the rows of a file, once they are checked.

    Raises:
        TrackError: They make no sound track.
    """
    rows = checked(rows, check_shape)
    return Track(name, rows.center, rows.inner, rows.outer, reversed, rows.metadata, rows.notes, rows.offsets)


def track_summary(track: Track) -> dict[str, Any]:
    """What a list of tracks shows, ready for JSON: names, sizes in metres, turns, difficulty, direction."""
    return {
        "name": track.name,
        "title": track.metadata.get("title", track.name),
        "length_m": round(track.length, 3),
        "width_m": round(track.width, 3),
        "width_min_m": round(track.width_min, 3),
        "width_max_m": round(track.width_max, 3),
        "turns": track.turns,
        "difficulty": track.difficulty,
        "direction": "open" if not track.closed else "counter-clockwise" if track.is_ccw else "clockwise",
        "about": track.metadata.get("about", ""),
    }


def _frozen(values: NDArray[np.float64]) -> NDArray[np.float64]:
    values.setflags(write=False)
    return values
