"""DeepRacer's step logs on the disk: iteration CSV files, and text logs with `SIM_TRACE_LOG` lines.

Invariant: a reader gives the steps of a file as they are, in degrees, or a `LogError` with the file and the
line. A last line that was cut short is left out, and `notice` says so.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from racer.deepracer.logs.simtrace import COLUMNS, LABELS, ROW, Episode, episodes
from racer.errors import LogError
from racer.shelf import read_bytes

__all__ = ["Log", "read_log", "read_logs"]

MARK = "SIM_TRACE_LOG:"
NEEDED = COLUMNS[:15]  # what logs have had since 2019
TEXT_FIELDS = {
    15: NEEDED,
    16: COLUMNS[:16],
    17: COLUMNS[:17],
    18: COLUMNS[:18],
    19: COLUMNS,
}
"""The fields of a `SIM_TRACE_LOG` line by their number: each generation of DeepRacer added to the last."""

SUFFIXES = (".csv", ".log", ".txt")
LOGS_LIMIT = 2000  # files in a folder
LARGEST = 1e15  # no number in a log is greater


@dataclass(frozen=True, eq=False)
class Log:
    """The steps of one file.

    Attributes:
        path: the file.
        rows: (n,) of `racer.deepracer.logs.simtrace.ROW`, n >= 1.
        rounded: whether the numbers are those of a text log, with four decimals (two for the track's length).
        notice: what was left out, as a sentence; empty if nothing was.
    """

    path: Path
    rows: NDArray[np.void]
    rounded: bool
    notice: str = ""

    @property
    def episodes(self) -> list[Episode]:
        """The episodes in the order of the file."""
        return episodes(self.rows, str(self.path))


def read_logs(path: str | Path) -> list[Log]:
    """Read a log, or all logs in a folder and below it.

    Of a folder, iteration files (`0-iteration.csv`, …) are read if there are any; else every other log.

    Raises:
        LogError: there is no log, or one that cannot be read.
    """
    source = Path(path)
    if not source.is_dir():
        return [read_log(source)]
    found = [file for file in source.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file()]
    files = [file for file in found if re.fullmatch(r"\d+-iteration\.csv", file.name)]
    files = files or [file for file in found if _is_log(file)]
    if not files:
        raise LogError(f"{source} holds no DeepRacer log: no N-iteration.csv, and no other CSV or text file with steps")
    if len(files) > LOGS_LIMIT:
        raise LogError(f"{source} holds {len(files)} logs, more than {LOGS_LIMIT}; name a smaller folder")
    return [read_log(file) for file in sorted(files, key=_natural)]


def read_log(path: str | Path) -> Log:
    """Read one log, whichever of the two formats it has.

    Raises:
        LogError: the file is missing, is no log, or has a line that makes no sense.
    """
    source = Path(path)
    text = _text(source)
    if MARK in text:
        return _log(source, _text_fields(source, text), rounded=True)
    if _has_header(text):
        return _log(source, _csv_fields(source, text), rounded=False)
    raise LogError(f"{source} is no DeepRacer log: it has neither lines with {MARK} nor a header episode,steps,X,Y,…")


@dataclass(frozen=True)
class _Fields:
    """The fields of a file as text: names, the lines they stand in, and what was left out at the end."""

    names: tuple[str, ...]
    lines: Sequence[int]
    values: Sequence[Sequence[str]]
    notice: str = ""


def _csv_fields(source: Path, text: str) -> _Fields:
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        names = tuple(name.strip() for name in next(reader))
        lines, values = [], []
        for row in reader:
            if row:
                lines.append(reader.line_num)
                values.append(row)
    except csv.Error as wrong:
        raise LogError(f"{source}, line {reader.line_num}: this is no CSV: {wrong}") from wrong
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise LogError(f"{source}, line 1: the header lacks {', '.join(missing)}; it needs {', '.join(NEEDED)}")
    return _whole(source, names, lines, values, text.endswith("\n"))


def _text_fields(source: Path, text: str) -> _Fields:
    lines, values = [], []
    for number, line in enumerate(text.split("\n"), 1):
        _, mark, fields = line.partition(MARK)
        if mark:
            lines.append(number)
            values.append(fields.split("\t")[0].strip().split(","))
    names = TEXT_FIELDS.get(len(values[0]))
    if names is None and len(values) > 1:
        known = ", ".join(map(str, TEXT_FIELDS))
        count = len(values[0])
        raise LogError(f"{source}, line {lines[0]}: it has {count} fields after {MARK} known are {known}")
    return _whole(source, names or COLUMNS, lines, values, text.endswith("\n"))


def _whole(source: Path, names: tuple[str, ...], lines: list[int], values: list[list[str]], ended: bool) -> _Fields:
    """Leave out a last line that was cut short; any other line must be whole."""
    notice = ""
    if values:
        status = names.index("episode_status") if "episode_status" in names else None
        last = values[-1]
        cut = len(last) < len(names) or (not ended and not last[-1].strip())
        cut |= not ended and status is not None and status < len(last) and last[status].strip() not in LABELS
        if cut:
            notice = f"{source} ends in the middle of line {lines[-1]}, which was left out"
            lines, values = lines[:-1], values[:-1]
    for line, row in zip(lines, values, strict=True):
        if len(row) != len(names):
            raise LogError(
                f"{source}, line {line}: it has {len(row)} fields where {len(names)} belong; "
                "the line was cut or another one runs into it: remove it"
            )
    if not values:
        raise LogError(f"{source} holds no whole step")
    return _Fields(names, lines, values, notice)


def _log(source: Path, fields: _Fields, rounded: bool) -> Log:
    rows = np.zeros(len(fields.values), ROW)
    rows["episode_status"], rows["wall_clock"] = "in_progress", np.nan
    columns = dict(zip(fields.names, zip(*fields.values, strict=True), strict=True))
    for name in COLUMNS:
        if name in columns:
            place = f"{source}, line {{}}: {name}"
            rows[name] = _column(place, name, columns[name], fields.lines)
    if "episode_status" not in columns:  # 2019
        rows["yaw"], rows["steer"] = np.degrees(rows["yaw"]), np.degrees(rows["steer"])
        rows["episode_status"][rows["done"] & (rows["progress"] >= 100.0)] = "lap_complete"
    return Log(source, rows, rounded, fields.notice)


def _column(place: str, name: str, texts: Sequence[str], lines: Sequence[int]) -> NDArray[np.generic]:
    kind = ROW[name]
    if kind.kind == "U":
        values = np.array([text.strip() for text in texts], kind)
        if name == "episode_status":
            _refuse(place, ~np.isin(values, list(LABELS)), texts, lines, f"one of {', '.join(LABELS)}")
        return values
    if kind.kind == "b":
        words = np.array([text.strip().lower() for text in texts])
        _refuse(place, ~np.isin(words, ["true", "false"]), texts, lines, "True or False")
        return np.asarray(words == "true")
    numbers = np.array([_number(text) for text in texts])
    bad = ~(np.abs(numbers) < LARGEST)
    whole = kind.kind == "i"
    if whole:
        bad |= numbers != np.floor(numbers)
    _refuse(place, bad, texts, lines, "a whole number" if whole else "a finite number")
    return numbers.astype(kind)


def _refuse(place: str, bad: NDArray[np.bool_], texts: Sequence[str], lines: Sequence[int], allowed: str) -> None:
    if bad.any():
        first = int(np.argmax(bad))
        raise LogError(f"{place.format(lines[first])} is {texts[first]!r:.60}; it must be {allowed}")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def _has_header(text: str) -> bool:
    first = text.partition("\n")[0]
    return {"episode", "steps"} <= {name.strip() for name in first.split(",")}


def _is_log(file: Path) -> bool:
    text = _text(file)
    return MARK in text or _has_header(text)


def _text(source: Path) -> str:
    """The text of a file; whatever else was printed into a log need not be UTF-8."""
    data = read_bytes(source, LogError)
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return data.decode(encoding, errors="replace").replace("\r\n", "\n")


def _natural(path: Path) -> list[tuple[bool, int, str]]:
    """Order by names with their numbers as numbers: 2-iteration before 10-iteration."""
    return list(_parts(str(path)))


def _parts(text: str) -> Iterator[tuple[bool, int, str]]:
    for part in re.findall(r"\d+|\D+", text):
        yield (False, int(part), "") if part.isdecimal() else (True, 0, part)
