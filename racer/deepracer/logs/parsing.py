"""The lines of a log as rows: CSV with a header, or text with `SIM_TRACE_LOG` lines.

Invariant: a row is what its line says. A line that makes no sense is left out, and the notice names the first one:
no line stops the others, and what is left out is never silent.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from racer.deepracer.logs.simtrace import COLUMNS, LABELS, ROW
from racer.errors import LogError

__all__ = ["Parsed", "holds_steps", "parse"]

MARK = "SIM_TRACE_LOG:"
NEEDED = COLUMNS[:15]  # what logs have had since 2019
LAYOUTS = {15: NEEDED, 16: COLUMNS[:16], 17: COLUMNS[:17], 18: COLUMNS[:18], 19: COLUMNS}
"""The fields of a `SIM_TRACE_LOG` line by their number: each generation of DeepRacer added to the last."""

WALL_CLOCK = (*COLUMNS[:17], "wall_clock")
"""Of 18 fields, too: some versions print a wall clock, which has a point, in place of the crash counter."""

HEADLESS = "{} has no header, so its start may be missing; its columns are taken in DeepRacer's order"
CHUNK = 4096  # lines that are converted together
LARGEST = 1e15  # no number in a log is greater
FLAGS = {"true": True, "false": False}


@dataclass(frozen=True, eq=False)
class Parsed:
    """The steps of a text.

    Attributes:
        rows: (n,) of `racer.deepracer.logs.simtrace.ROW`, n >= 1, in degrees.
        statuses: whether the log says how each step ended; those of 2019 do not.
        notice: what was left out, as a sentence; empty if nothing was.
    """

    rows: NDArray[np.void]
    statuses: bool
    notice: str


class _Line(NamedTuple):
    number: int
    fields: list[str]


def holds_steps(lines: Iterator[str]) -> bool:
    """Whether lines are those of a log."""
    return any(
        MARK in line or (number <= 2 and (_is_header(line) or _headless(line) is not None))
        for number, line in enumerate(lines, 1)
    )


def parse(where: str, lines: Iterator[str], ends: bool) -> Parsed:
    """Parse the lines of a log, whichever of the two formats it has.

    Args:
        where: the file, for messages.
        lines: of the text, without their ends.
        ends: whether the last line has an end.

    Raises:
        LogError: it is no log, or makes no sense.
    """
    numbered = enumerate(lines, 1)
    head = list(islice(numbered, 3))
    everything = chain(head, numbered)
    if not any(MARK in line for _, line in head):
        if head and _is_header(head[0][1]):
            return _parse_table(where, head[0][1], islice(everything, 1, None), ends)
        for number, line in head[:2]:  # the first line may be half of one
            if (names := _headless(line)) is not None:
                return _parse_rows(where, names, islice(everything, number - 1, None), ends, HEADLESS.format(where))
    steps = _steps(everything)
    first = list(islice(steps, CHUNK))
    if not first:
        raise LogError(
            f"{where} is no DeepRacer log: it has neither lines with {MARK} nor a header episode,steps,X,Y,…"
        )
    return _parse_text(where, first, steps, ends)


def _is_header(line: str) -> bool:
    return {"episode", "steps"} <= {name.strip() for name in _split(line)}


def _parse_table(where: str, header: str, lines: Iterable[tuple[int, str]], ends: bool) -> Parsed:
    names = tuple(name.strip() for name in _split(header))
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise LogError(f"{where}, line 1: the header lacks {', '.join(missing)}; it needs {', '.join(NEEDED)}")
    return _parse_rows(where, names, lines, ends)


def _headless(line: str) -> tuple[str, ...] | None:
    """The columns of a row of DeepRacer's, by their number; None for any other line."""
    fields = _fields(line)
    names = _layout(fields)
    known = names is not None and {field.strip().lower() for field in fields[9:11]} <= FLAGS.keys()
    return names if known and set(fields[15:16]) <= LABELS.keys() else None


def _parse_rows(
    where: str, names: tuple[str, ...], lines: Iterable[tuple[int, str]], ends: bool, notice: str = ""
) -> Parsed:
    listed = (_Line(number, _fields(line)) for number, line in lines if line.strip())
    return _finish(names, _Table(where, names).convert(listed, ends), notice)


def _finish(names: tuple[str, ...], found: tuple[NDArray[np.void], str], notice: str = "") -> Parsed:
    rows, left_out = found
    if "episode_status" not in names:  # of 2019: in radians
        rows["yaw"], rows["steer"] = np.degrees(rows["yaw"]), np.degrees(rows["steer"])
        rows["episode_status"][rows["done"] & (rows["progress"] >= 100.0)] = "lap_complete"
    return Parsed(rows, "episode_status" in names, ". ".join(filter(None, (notice, left_out))))


def _parse_text(where: str, first: list[_Line], lines: Iterator[_Line], ends: bool) -> Parsed:
    common = Counter(names for line in first if (names := _layout(line.fields)) is not None).most_common(1)
    if not common and len(first) > 1:
        raise LogError(
            f"{where}, line {first[0].number}: it has {len(first[0].fields)} fields after {MARK} known are "
            f"{', '.join(map(str, LAYOUTS))}"
        )
    names = common[0][0] if common else COLUMNS
    return _finish(names, _Table(where, names).convert(chain(first, lines), ends))


def _layout(fields: Sequence[str]) -> tuple[str, ...] | None:
    if len(fields) == len(WALL_CLOCK) and "." in fields[-1]:
        return WALL_CLOCK
    return LAYOUTS.get(len(fields))


def _steps(lines: Iterable[tuple[int, str]]) -> Iterator[_Line]:
    """The fields behind each mark; a line holds several where two processes printed into one file."""
    for number, line in lines:
        for step in line.split(MARK)[1:]:
            # An export as CSV or JSON puts the line in quotes, and its end may follow as an escape.
            fields = step.split('"')[0].split("\t")[0].removesuffix("\\n").strip().split(",")
            yield _Line(number, _join([*fields[:-1], fields[-1].partition(" ")[0]]))


def _fields(line: str) -> list[str]:
    return _join(_split(line)) if "[" in line else _split(line)


def _split(line: str) -> list[str]:
    """The fields of a line of CSV, each line on its own: a quote that is never closed spoils no other line."""
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return []


def _join(fields: list[str]) -> list[str]:
    """Put a list in brackets, whose commas have cut it, together again: `[30.0, 1.5]` is one field."""
    begin = next((i for i, field in enumerate(fields) if field.lstrip().startswith("[")), None)
    if begin is None or fields[begin].rstrip().endswith("]"):
        return fields
    end = next((i for i in range(begin, len(fields)) if fields[i].rstrip().endswith("]")), None)
    if end is None:
        return fields
    return [*fields[:begin], " ".join(field.strip() for field in fields[begin : end + 1]), *fields[end + 1 :]]


class _Table:
    """Lines with the same fields, converted many at once."""

    def __init__(self, where: str, names: tuple[str, ...]) -> None:
        self.where, self.names = where, names
        self.rows, self.count = np.zeros(CHUNK, ROW), 0
        self.left_out, self.first, self.reason = 0, sys.maxsize, ""

    def convert(self, lines: Iterator[_Line], ends: bool) -> tuple[NDArray[np.void], str]:
        """All rows, and what was left out."""
        cut = 0
        while chunk := list(islice(lines, CHUNK)):
            if len(chunk) < CHUNK and self._is_cut(chunk[-1].fields, ends):
                cut = chunk.pop().number
            self._add(chunk)
        if self.left_out > self.count:
            raise LogError(self.reason)
        if not self.count:
            raise LogError(f"{self.where} holds no whole step")
        self.rows.resize(self.count, refcheck=False)
        notices = [f"{self.where} ends in the middle of line {cut}, which was left out"] if cut else []
        if self.left_out:
            many = "that line was" if self.left_out == 1 else f"{self.left_out:,} lines of this kind were"
            notices.append(f"{self.reason}; {many} left out")
        return self.rows, ". ".join(notices)

    def _is_cut(self, last: Sequence[str], ends: bool) -> bool:
        if len(last) < len(self.names) or (not ends and not last[-1].strip()):
            return True
        status = self.names.index("episode_status") if "episode_status" in self.names else None
        return not ends and status is not None and last[status].strip() not in LABELS

    def _add(self, chunk: list[_Line]) -> None:
        whole = [line for line in chunk if len(line.fields) == len(self.names)]
        for line in chunk:
            if len(line.fields) != len(self.names):
                self._leave_out(
                    line.number,
                    f"it has {len(line.fields)} fields where {len(self.names)} belong; "
                    "the line was cut or another one runs into it",
                )
        if not whole:
            return
        rows = np.zeros(len(whole), ROW)
        rows["episode_status"], rows["wall_clock"] = "in_progress", np.nan
        bad = np.zeros(len(whole), np.bool_)
        for name, texts in zip(self.names, zip(*(line.fields for line in whole), strict=True), strict=True):
            if name in COLUMNS:
                rows[name], wrong, allowed = _column(name, texts)
                for i in np.flatnonzero(wrong & ~bad):
                    self._leave_out(whole[i].number, f"{name} is {texts[i]!r:.60}; it must be {allowed}")
                bad |= wrong
        rows = rows[~bad]
        if self.count + len(rows) > len(self.rows):
            self.rows.resize(self.count + max(len(rows), len(self.rows)), refcheck=False)
        self.rows[self.count : self.count + len(rows)] = rows
        self.count += len(rows)

    def _leave_out(self, number: int, reason: str) -> None:
        if number < self.first:
            self.first, self.reason = number, f"{self.where}, line {number}: {reason}"
        self.left_out += 1


def _column(name: str, texts: Sequence[str]) -> tuple[NDArray[np.generic], NDArray[np.bool_], str]:
    """The values of a column, which of them make no sense, and what would."""
    kind = ROW[name].kind
    if kind == "U":
        words = [text.replace(",", " ").strip() for text in texts]
        unknown = name == "episode_status" and not LABELS.keys() >= set(words)
        bad = np.array([unknown and word not in LABELS for word in words])
        return np.array(words, ROW[name]), bad, f"one of {', '.join(LABELS)}"
    if kind == "b":
        flags = [FLAGS.get(text.strip().lower()) for text in texts]
        bad = np.array([flag is None for flag in flags])
        return np.array(flags, np.bool_), bad, "True or False"
    numbers = _numbers(texts)
    bad = ~(np.abs(numbers) < LARGEST)
    if name == "wall_clock":
        bad &= ~np.isnan(numbers)  # as a log without one is written
    if kind == "i":
        bad |= numbers != np.floor(numbers)
    return np.where(bad, 0.0, numbers).astype(ROW[name]), bad, "a whole number" if kind == "i" else "a finite number"


def _numbers(texts: Sequence[str]) -> NDArray[np.float64]:
    try:
        return np.fromiter(map(float, texts), np.float64, len(texts))
    except ValueError:
        return np.array([_number(text) for text in texts])


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan
