"""What a road must be before a car is put on it: finite, of a plausible size, uncrossed, borders beside it.

Invariant: whatever the input, the answer comes in seconds: sizes are checked before anything grows with them.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from racer.errors import TrackError
from racer.track.borders import first_fold, without_folds
from racer.track.files import Rows
from racer.track.geometry import Points, arc_length, headings, is_closed, nearest

__all__ = ["LENGTH_M", "ROWS", "WIDTH_M", "checked"]

ROWS = (8, 5_000)  # rows of a closed track, least and most
FARTHEST_M = 100_000.0  # from the origin: nearer than that, float64 resolves a hundredth of a nanometre
LENGTH_M = (2.0, 720.0)  # what a car can drive in a race's 180 s at its 4 m/s
WIDTH_M = (0.3, 3.0)  # the car is 0.2 m wide, the widest DeepRacer track 1.5 m
WIDEST_BEND_M = 5.0  # of polygons: where a loop was cut off, the bend is up to 1.6 times as wide as its road
SHARPEST = math.radians(100.0)  # the line's turn at one row
BACK_STEP_M = 0.01  # a step so short may lead back in another simulator's route, as one of 2 mm does in a real one
TANGLED = 4_000  # crossings are enough to say that a line is tangled
AT_ONCE = 64  # segments whose crossings are sought together; all of a tangled line's would not fit into memory
FOLD_M = 1.0  # a border that crosses itself within this length is folded at a corner, else it is tangled

_WIDEN = "widen the bend, narrow the road (`racer import-track FILE --width METRES`), or move two stretches apart"


def checked(rows: Rows, shape: bool = True) -> Rows:
    """The rows of a track that a car can be raced on, the loops of its borders cut off.

    Args:
        rows: What was read.
        shape: Whether to look for crossings, overlaps and swapped borders too, which takes loading Shapely.

    Raises:
        TrackError: What is wrong, with file, row, value and the next step.
    """
    _check_size(rows)
    closed = is_closed(rows.center)
    for name, line in (("inner", rows.inner), ("outer", rows.outer)):
        if is_closed(line) != closed:
            raise TrackError(
                f"{rows.where}: the centre line is {_loop(closed)}, but the {name} border is {_loop(not closed)}; "
                "repeat the first row as the last"
            )
    _check_borders(rows)
    _check_steps(rows)
    if rows.offsets is not None:  # a wrong width that a file states spoils what is measured at other rows too
        _check_width(rows, rows.offsets.sum(axis=1), WIDTH_M[1])
    if not rows.trusted:
        rows = _unfolded(rows)
    to_inner, _ = nearest(rows.center, rows.inner)
    to_outer, _ = nearest(rows.center, rows.outer)
    _check_width(rows, np.hypot(*(to_inner - to_outer).T), WIDEST_BEND_M if rows.trusted else WIDTH_M[1])
    if shape:
        _check_crossings(rows)
        if closed:
            _check_nesting(rows)
        else:
            _check_sides(rows)
    return rows


def _loop(closed: bool) -> str:
    return "a closed loop" if closed else "an open line (its last row is not its first)"


def _check_size(rows: Rows) -> None:
    for name, line in (
        ("centre line", rows.center),
        ("inner border", rows.inner),
        ("outer border", rows.outer),
    ):
        least = ROWS[0] if is_closed(line) else 2
        if not least <= len(line) <= ROWS[1]:
            raise TrackError(f"{rows.where}: the {name} has {len(line)} rows; a track has {least} to {ROWS[1]} of them")
        if len(bad := np.flatnonzero(~np.all(np.isfinite(line), axis=1))):
            raise TrackError(
                f"{rows.place(bad[0])}: the {name} is at {_point(line[bad[0]])}; every value must be finite"
            )
        if len(far := np.flatnonzero(np.any(np.abs(line) > FARTHEST_M, axis=1))):
            raise TrackError(
                f"{rows.place(far[0])}: the {name} is at {_point(line[far[0]])} m, more than "
                f"{FARTHEST_M / 1000:.0f} km away; move the track to the origin"
            )
    length = float(arc_length(rows.center)[-1])
    if not LENGTH_M[0] <= length <= LENGTH_M[1]:
        raise TrackError(
            f"{rows.where}: the track is {length:.4g} m long; "
            f"{_span(LENGTH_M)} can be lapped in time{_advice(length, LENGTH_M[1])}"
        )


def _check_borders(rows: Rows) -> None:
    for name, line in (("inner", rows.inner), ("outer", rows.outer)):
        if is_closed(line) and len(np.unique(line, axis=0)) < 3:
            raise TrackError(f"{rows.place(0)}: the {name} border is no line: all of it lies at {_point(line[0])}")


def _check_steps(rows: Rows) -> None:
    line = rows.center
    steps = np.hypot(*np.diff(line, axis=0).T)
    same = np.flatnonzero(steps == 0.0)
    if len(same) and not rows.trusted:
        raise TrackError(f"{rows.place(same[0] + 1)}: the point {_point(line[same[0] + 1])} repeats the one before it")
    psi = headings(line)
    turn = np.diff(psi, append=psi[:1] if is_closed(line) else psi[-1:])
    turns = np.abs(np.mod(turn + math.pi, 2.0 * math.pi) - math.pi) > SHARPEST
    if rows.trusted:
        turns &= np.minimum(steps, np.roll(steps, -1)) > BACK_STEP_M
    if len(sharp := np.flatnonzero(turns)):
        row = (sharp[0] + 1) % len(steps)
        angle = math.degrees(abs(math.remainder(turn[sharp[0]], 2.0 * math.pi)))
        raise TrackError(
            f"{rows.place(row)}: the centre line turns by {angle:.0f}° at one point; round the corner with more rows"
        )


def _check_width(rows: Rows, widths: NDArray[np.float64], most: float) -> None:
    if len(bad := np.flatnonzero((widths < WIDTH_M[0]) | (widths > most))):
        value = float(widths[bad[0]])
        raise TrackError(
            f"{rows.place(int(bad[0]))}: the road is {value:.3g} m wide; "
            f"{_span(WIDTH_M)} can be raced{_advice(value, WIDTH_M[1])}"
        )


def _check_crossings(rows: Rows) -> None:
    lines = {"centre line": rows.center, "inner border": rows.inner, "outer border": rows.outer}
    kept = {name: _distinct(line) for name, line in lines.items()}
    for name, (line, index) in kept.items():
        _check_itself(rows, name, line, index)
    for first, second in (
        ("inner border", "outer border"),
        ("centre line", "inner border"),
        ("centre line", "outer border"),
    ):
        pairs = _crossings(kept[first][0], kept[second][0])
        if len(pairs):
            row = int(kept[first][1][pairs[0, 0]])
            raise TrackError(
                f"{rows.place(row)}: the {first} meets the {second} at {_point(lines[first][row])}; "
                "two stretches of road must not overlap"
            )


def _unfolded(rows: Rows) -> Rows:
    """A border made by offsetting must run forward beside every step of the centre line, or its loops are cut off."""
    for name, border in (("inner", rows.inner), ("outer", rows.outer)):
        if (row := first_fold(rows.center, border)) is not None:
            fold = f"{rows.place(row)}: the {name} border folds: the bend is tighter than the road is wide"
            cut = without_folds(rows.center, rows.inner, rows.outer)
            if cut is None:
                raise TrackError(f"{fold}; {_WIDEN}")
            return replace(
                rows, inner=cut[0], outer=cut[1], notes=(*rows.notes, f"{fold}; the loop was cut off"), trusted=True
            )
    return rows


def _check_itself(rows: Rows, name: str, line: Points, index: NDArray[np.intp]) -> None:
    """A line must not cross itself; a border may be folded at a corner where another simulator took it so."""
    pairs = _crossings(line)
    if len(pairs) == 0:
        return
    row = int(index[pairs[0, 0]])
    along = arc_length(line)
    loops = along[pairs[:, 1]] - along[pairs[:, 0] + 1]
    if is_closed(line):
        loops = np.minimum(loops, along[-1] - along[pairs[:, 1] + 1] + along[pairs[:, 0]])
    allowed = BACK_STEP_M if name == "centre line" else FOLD_M
    if rows.trusted and float(loops.max()) <= allowed:
        return
    if name == "centre line":
        raise TrackError(
            f"{rows.place(row)}: the centre line crosses itself at {_point(rows.center[row])}; a track must not"
        )
    what = "folds" if float(loops.max()) <= FOLD_M else "crosses itself"
    raise TrackError(f"{rows.place(row)}: the {name} {what} at {_point(line[pairs[0, 0]])}; {_WIDEN}")


def _check_nesting(rows: Rows) -> None:
    """Nothing crosses by now, so one point of each line stands for all of it."""
    if not _encloses(rows.outer, rows.center[0]):
        raise TrackError(
            f"{rows.place(0)}: the outer border does not enclose the centre line; are inner and outer swapped?"
        )
    if _encloses(rows.inner, rows.center[0]) or not _encloses(rows.center, rows.inner[0]):
        raise TrackError(
            f"{rows.place(0)}: the centre line does not run around the inner border; are inner and outer swapped?"
        )


def _check_sides(rows: Rows) -> None:
    """On an open line the borders must lie on opposite sides."""
    line, index = _distinct(rows.center)
    ahead = np.stack([np.cos(headings(line)), np.sin(headings(line))], axis=1)
    sides = []
    for border in (rows.inner, rows.outer):
        across = nearest(line[:-1], border)[0] - line[:-1]
        sides.append(ahead[:, 0] * across[:, 1] - ahead[:, 1] * across[:, 0])
    if len(bad := np.flatnonzero(sides[0] * sides[1] >= 0.0)):
        raise TrackError(f"{rows.place(index[bad[0]])}: both borders lie on the same side of the centre line")


def _crossings(a: Points, b: Points | None = None) -> NDArray[np.intp]:
    """The pairs of segments that touch or cross: of two polylines, or of one with itself (neighbours aside).

    Args:
        a: `(n, 2)` m.
        b: `(m, 2)` m, or None to look for crossings of `a` with itself.

    Returns:
        `(k, 2)` indices of a segment of `a` and one of `b`, in order; of `a` alone, the first is the lesser.
        The search ends early once some thousands are found.
    """
    import shapely  # lists of tracks do without

    segments = shapely.linestrings(np.stack([a[:-1], a[1:]], axis=1))
    tree = shapely.STRtree(segments if b is None else shapely.linestrings(np.stack([b[:-1], b[1:]], axis=1)))
    found: list[NDArray[np.intp]] = [np.empty((0, 2), dtype=np.intp)]
    for start in range(0, len(segments), AT_ONCE):
        i, j = tree.query(segments[start : start + AT_ONCE], predicate="intersects")
        i = i + start
        if b is None:
            apart = j > i + 1
            if is_closed(a):
                apart &= (i > 0) | (j < len(segments) - 1)
            i, j = i[apart], j[apart]
        found.append(np.stack([i, j], axis=1))
        if sum(map(len, found)) > TANGLED:
            break
    pairs = np.concatenate(found)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def _encloses(ring: Points, point: Points) -> bool:
    import shapely

    return bool(shapely.contains_xy(shapely.Polygon(ring), *point))


def _distinct(line: Points) -> tuple[Points, NDArray[np.intp]]:
    """The line without repeated rows, and the index of each kept row."""
    keep = np.flatnonzero(np.append(True, np.any(np.diff(line, axis=0) != 0.0, axis=1)))
    return line[keep], keep


def _point(point: Points) -> str:
    return f"({point[0]:.5g}, {point[1]:.5g})"


def _span(limits: tuple[float, float]) -> str:
    return f"{limits[0]:g} to {limits[1]:g} m"


def _advice(value: float, most: float) -> str:
    if value < 1.0:
        return " (a circuit in other units? `racer import-track FILE --scale 10` enlarges it, --width 1.0 widens it)"
    if value <= most:
        return ""
    return f" (a full-size circuit? `racer import-track FILE --scale {0.35 * most / value:.1g}` shrinks it)"
