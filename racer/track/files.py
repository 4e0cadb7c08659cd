"""Track files on the disk: racer's own CSV, TUM's CSV (the same columns), and DeepRacer's route `.npy`.

Invariant: a reader gives the rows of the file as they are, or a `TrackError` with the file and the line;
whether a car could drive there is what `racer.track.checks` says.
"""

import io
import math
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from racer.errors import TrackError
from racer.shelf import LIMITS, read_bytes
from racer.track.borders import with_offset_borders
from racer.track.geometry import Points, is_closed

__all__ = [
    "COLUMNS",
    "Rows",
    "csv_text",
    "npy_bytes",
    "read_csv",
    "read_npy",
]

COLUMNS = ("x_m", "y_m", "w_tr_right_m", "w_tr_left_m")
SPACING_JUMP = 8.0  # times the median step is what the step that closes the ring may be at most
TEXT_LIMIT = 200  # characters of a header's value

CLOSING_STEPS = 2.0  # rows' distances between the ends of a route that is a ring all the same

_NO_WIDTH = "; if it has no width, `racer import-track FILE --width 1.0` gives it one, in metres"
_KEY = re.compile(r"#\s*([A-Za-z][\w -]{0,30}?)\s*:\s*(.*\S)\s*")  # a header's line "# key: value"


@dataclass(frozen=True, eq=False)
class Rows:
    """What a file holds, before it is checked.

    Attributes:
        where: The file, for messages.
        center: `(n, 2)` m; a ring repeats its first row.
        inner: Inner border `(n, 2)` m.
        outer: Outer border `(n, 2)` m.
        metadata: The header's `key: value` lines.
        lines: Line number in the file of each row; empty if its rows are counted instead, from 0.
        offsets: Distances of the right and the left border as a CSV states them, `(n, 2)` m.
        notes: What was mended on reading, a sentence each.
        trusted: Whether the borders are polygons of their own (`.npy`, or a CSV's whose loops were cut off): a
            repeated row or a small fold at a corner is taken as it is. Borders made row by row must be clean.
    """

    where: str
    center: Points
    inner: Points
    outer: Points
    metadata: dict[str, str] = field(default_factory=dict)
    lines: tuple[int, ...] = ()
    offsets: NDArray[np.float64] | None = None
    notes: tuple[str, ...] = ()
    trusted: bool = False

    def place(self, row: int) -> str:
        """Say where a row stands: `"oval.csv, line 17"` or `"oval.npy, row 12 (from 0)"`."""
        if self.lines:
            return f"{self.where}, line {self.lines[row % len(self.lines)]}"
        return f"{self.where}, row {row} (from 0)"


def read_csv(path: Path, scale: float = 1.0, width: float | None = None) -> Rows:
    """Read racer's or TUM's CSV.

    Columns `x_m, y_m, w_tr_right_m, w_tr_left_m`: the centre line in driving direction and the distance from
    it to the right and left border along its normal. Lines that begin with `#` are comments, `# key: value`
    among them are kept. The track is closed; whether its first row is repeated as its last does not matter.

    Args:
        path: The file.
        scale: All lengths are multiplied by it.
        width: Width of the road, m, whatever the file says; its rows may then lack the last two columns.

    Raises:
        TrackError: The file cannot be read as such a table.
    """
    metadata: dict[str, str] = {}
    rows: list[list[float]] = []
    lines: list[int] = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        text = line.strip()
        if text.startswith("#"):
            if (pair := _KEY.fullmatch(text)) is not None:
                metadata.setdefault(pair[1].lower(), _printable(pair[2]))
        elif text and (rows or not _is_column_names(text)):
            rows.append(_numbers(text, f"{path}, line {number}", bare=width is not None))
            lines.append(number)
    if not rows:
        raise TrackError(f"{path} is empty: a track has rows of {', '.join(COLUMNS)}")
    with np.errstate(all="ignore"):
        table = np.array(rows) * scale
    return _beside(table, width, str(path), metadata, tuple(lines))


def _beside(
    table: NDArray[np.float64], width: float | None, where: str, metadata: dict[str, str], lines: tuple[int, ...]
) -> Rows:
    """A ring and the borders beside it, from rows of `COLUMNS` or, if the width is given, of the first two."""
    if width is not None:
        table = np.column_stack([table[:, :2], np.full((len(table), 2), width / 2.0)])
    if len(table) > 1 and np.all(table[0, :2] == table[-1, :2]):
        table[-1] = table[0]
    else:
        table = np.vstack([table, table[:1]])
    with np.errstate(all="ignore"):  # absurd numbers are for the checks to name
        made = Rows(where, table[:, :2], table[:, :2], table[:, :2], metadata, lines)
        _check_table(table, made)
        inner, outer = with_offset_borders(table[:, :2], right=table[:, 2], left=table[:, 3])
    return replace(made, inner=inner, outer=outer, offsets=table[:, 2:])


def read_npy(path: Path, scale: float = 1.0, width: float | None = None) -> Rows:
    """Read a DeepRacer route: an array `(n, 6)` of centre, inner and outer border, as it is; never unpickled.

    A ring whose file does not repeat the first row as its last is closed, if the gap is not wider than two rows.

    Args:
        path: The file.
        scale: All lengths are multiplied by it.
        width: Width of the road, m, whatever the file says; its rows may then lack the borders.

    Raises:
        TrackError: The file holds no such array.
    """
    data = _bytes(path)
    try:
        shape, _, kind = _npy_header(io.BytesIO(data))
    except Exception as error:  # NumPy's reader of foreign bytes raises nearly anything
        raise TrackError(f"{path} is not a NumPy array file: {error}") from error
    if kind.kind not in "fiu":
        reason = "pickled Python objects, which racer never loads" if kind.hasobject else f"values of type {kind}"
        raise TrackError(f"{path} holds {reason}; a DeepRacer route is an array of floats")
    if len(shape) != 2 or not (shape[1] == 6 or (width is not None and shape[1] >= 2)):
        raise TrackError(
            f"{path} holds an array of shape {shape}; a DeepRacer route is (rows, 6): "
            f"x and y of centre line, inner and outer border{_NO_WIDTH if shape[1:] == (2,) else ''}"
        )
    if shape[0] * shape[1] * kind.itemsize > len(data):
        raise TrackError(f"{path} is cut short: it announces {shape[0]} rows, but has only {len(data)} bytes")
    try:
        table = np.load(io.BytesIO(data), allow_pickle=False).astype(np.float64)
    except Exception as error:
        raise TrackError(f"{path} is not a NumPy array file: {error}") from error
    with np.errstate(all="ignore"):
        table *= scale
    if width is not None:
        same = np.all(np.diff(table[:, :2], axis=0) == 0.0, axis=1)
        return _beside(table[np.append(True, ~same)], width, str(path), {}, ())
    rows = Rows(str(path), table[:, 0:2], table[:, 2:4], table[:, 4:6], trusted=True)
    return _closed(rows) if len(table) > 2 and np.all(np.isfinite(table)) else rows


def _closed(rows: Rows) -> Rows:
    """A route as a ring, where its rows end a step or two before they began."""
    lines = [rows.center, rows.inner, rows.outer]
    with np.errstate(all="ignore"):  # the checks refuse what lies too far away
        gaps = [float(np.hypot(*(line[-1] - line[0]))) for line in lines]
        steps = [float(np.median(np.hypot(*np.diff(line, axis=0).T))) for line in lines]
    if max(gaps) == 0.0 or any(gap > CLOSING_STEPS * step for gap, step in zip(gaps, steps, strict=True)):
        return rows
    if is_closed(rows.center):
        where = " and ".join(name for name, gap in zip(("inner", "outer"), gaps[1:], strict=True) if gap > 0.0)
        note = (
            f"{rows.where}: the {where} border ended {max(gaps):.2g} m before it began; its last row is now its first"
        )
        lines = [np.vstack([line[:-1], line[:1]]) for line in lines]
    else:
        note = f"{rows.where}: the last row was not the first, {gaps[0]:.2g} m apart; the ring was closed"
        lines = [np.vstack([line, line[:1]]) for line in lines]
    return replace(rows, center=lines[0], inner=lines[1], outer=lines[2], notes=(note,))


def csv_text(center: Points, right: NDArray[np.float64], left: NDArray[np.float64], metadata: dict[str, str]) -> str:
    """A ring as racer's CSV, with all digits that reading it back takes; the first row is not repeated."""
    head = [f"# {key}: {_printable(value)}" for key, value in metadata.items()]
    head = [line for line in head if _KEY.fullmatch(line)]  # what could not be read back must not pass for rows
    body = [
        f"{x!r}, {y!r}, {w_right!r}, {w_left!r}"
        for (x, y), w_right, w_left in zip(center[:-1].tolist(), right.tolist(), left.tolist(), strict=False)
    ]
    return "\n".join([*head, f"# {', '.join(COLUMNS)}", *body, ""])


def npy_bytes(center: Points, inner: Points, outer: Points) -> bytes:
    """Three lines of equally many rows as a DeepRacer route."""
    buffer = io.BytesIO()
    np.save(buffer, np.hstack([center, inner, outer]), allow_pickle=False)
    return buffer.getvalue()


def _bytes(path: Path) -> bytes:
    data = read_bytes(path, TrackError, LIMITS["track"])
    if not data:
        raise TrackError(f"{path} is empty")
    return data


def _text(path: Path) -> str:
    data = _bytes(path)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise TrackError(
            f"{path}, line {line}: not text (byte 0x{data[error.start]:02x}); a CSV is saved as UTF-8"
        ) from error


def _printable(text: str) -> str:
    """One line of a header without control characters: it is shown on a terminal."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())[:TEXT_LIMIT]


def _is_column_names(text: str) -> bool:
    return tuple(cell.strip() for cell in text.split(",")) == COLUMNS


def _numbers(text: str, place: str, bare: bool) -> list[float]:
    cells = [cell.strip() for cell in text.replace(";", ",").split(",")]
    if bare and len(cells) >= 2:
        cells = cells[:2]
    elif len(cells) != len(COLUMNS):
        advice = _NO_WIDTH if len(cells) == 2 else "; is the line cut short?"
        raise TrackError(f"{place}: {len(cells)} columns, not the four {', '.join(COLUMNS)}{advice}")
    row = []
    for name, cell in zip(COLUMNS, cells, strict=False):
        try:
            value = float(cell)
        except ValueError as error:
            raise TrackError(f"{place}: {name} is {cell[:40]!r}, not a number") from error
        if not math.isfinite(value):
            raise TrackError(f"{place}: {name} is {cell[:40]}; every value must be a finite number")
        row.append(value)
    return row


def _check_table(table: NDArray[np.float64], rows: Rows) -> None:
    """Raise for what keeps borders from being made: repeated rows, no width, rows missing at the end."""
    x, y, right, left = table[:-1].T
    for name, width in (("w_tr_right_m", right), ("w_tr_left_m", left)):
        if len(low := np.flatnonzero(width <= 0.0)):
            raise TrackError(
                f"{rows.place(low[0])}: {name} is {width[low[0]]:g}; it is the distance to the border, above 0"
            )
    steps = np.hypot(np.diff(table[:, 0]), np.diff(table[:, 1]))
    if len(steps) > 1 and len(same := np.flatnonzero(steps == 0.0)):
        again = (same[0] + 1) % len(steps)
        raise TrackError(f"{rows.place(again)}: the point ({x[again]:g}, {y[again]:g}) repeats the one before it")
    if len(steps) > 8 and steps[-1] > SPACING_JUMP * np.median(steps) and steps[-1] > 2.0 * np.max(steps[:-1]):
        raise TrackError(
            f"{rows.place(len(steps) - 1)}: the track is not closed: its last row is {steps[-1]:.2f} m "
            f"from its first, while rows are about {np.median(steps):.2f} m apart; is the file cut short?"
        )


def _npy_header(file: io.BytesIO) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    return np.lib.format.read_array_header_2_0(file)
