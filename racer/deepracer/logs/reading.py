"""DeepRacer's step logs on the disk: iteration CSV files and text logs, alone, in folders and in archives.

Invariant: reading changes nothing, on the disk or in the process, whatever a log, a folder or an archive holds; a
log gives its steps as they are, in degrees, or a `LogError` with the file and the line.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from racer.deepracer.logs.parsing import holds_steps, parse
from racer.deepracer.logs.simtrace import Episode, episodes
from racer.deepracer.logs.workers import in_order
from racer.errors import LogError
from racer.shelf import LIMITS, is_archive, read_archive, read_bytes

__all__ = ["Log", "read_log", "read_logs"]

SUFFIXES = (".csv", ".log", ".txt")
MOST_LOGS = 2000  # files in a folder
MOST_STEPS = 3_000_000  # of all files together
ITERATION = r"\d+-iteration\.csv(\.gz)?"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
LONGEST_LINE = 2**16  # characters; a longer line is read in pieces


@dataclass(frozen=True, eq=False)
class Log:
    """The steps of one file.

    Attributes:
        path: the file; of one in an archive, the archive's path with the file's name below it.
        rows: (n,) of `racer.deepracer.logs.simtrace.ROW`, n >= 1, each worker's steps one after the other.
        statuses: whether the log says how each step ended; those of 2019 do not.
        notice: what was left out, as a sentence; empty if nothing was.
    """

    path: Path
    rows: NDArray[np.void]
    statuses: bool = True
    notice: str = ""

    @property
    def episodes(self) -> list[Episode]:
        """The episodes in the order of the file."""
        return episodes(self.rows, str(self.path), self.statuses)


def read_logs(path: str | Path) -> list[Log]:
    """Read a log, or all logs in a folder and below it, or in an archive (`.gz`, `.tar`, `.tar.gz`).

    Of a folder or an archive, iteration files (`0-iteration.csv`, …) are read if there are any; else every other log.

    Raises:
        LogError: there is no log, or one that cannot be read.
    """
    source = Path(path)
    if source.is_dir():
        files = [file for file in source.rglob("*") if _is_named_like_a_log(file.name) and file.is_file()]
        return _all(source, dict.fromkeys(files))
    if not is_archive(source, LogError):
        return [read_log(source)]
    found, complete = _unpacked(source)
    logs = _all(source, found)
    if not complete:
        notice = f"{source} is cut short; what is left of it was read. {logs[-1].notice}".rstrip()
        logs[-1] = replace(logs[-1], notice=notice)
    return logs


def _all(source: Path, found: Mapping[Path, bytes | None]) -> list[Log]:
    """The logs among files, in their order; the content of a file may be known."""
    numbered = {file: data for file, data in found.items() if re.fullmatch(ITERATION, file.name)}
    chosen = numbered or found
    if len(chosen) > MOST_LOGS:
        raise LogError(f"{source} holds {len(chosen):,} logs, more than {MOST_LOGS:,}; name a smaller folder")
    logs: list[Log] = []
    unread: list[LogError] = []
    steps = 0
    for file in sorted(chosen, key=_natural):
        data = chosen[file]
        try:
            content = _content(file) if data is None else data
            if numbered or holds_steps(_lines(content)):
                logs.append(_log(file, content))
                steps += len(logs[-1].rows)
        except LogError as wrong:  # an empty file, for instance, which a training that was killed had just begun
            unread.append(wrong)
        if steps > MOST_STEPS:
            raise LogError(f"{source} holds more than {MOST_STEPS:,} steps; name a smaller folder, or one file")
    if unread and not logs:
        raise unread[0]
    if not logs:
        raise LogError(f"{source} holds no DeepRacer log: no N-iteration.csv, and no other CSV or text file with steps")
    if unread:
        many = "that file was" if len(unread) == 1 else f"{len(unread):,} such files were"
        notice = f"{unread[0]}; {many} left out. {logs[-1].notice}".rstrip()
        logs[-1] = replace(logs[-1], notice=notice)
    return logs


def read_log(path: str | Path) -> Log:
    """Read one log, whichever of the two formats it has; it may be compressed (`.gz`).

    Raises:
        LogError: the file is missing, is no log, or makes no sense.
    """
    source = Path(path)
    return _log(source, _content(source))


def _content(source: Path) -> bytes:
    if not is_archive(source, LogError):
        return read_bytes(source, LogError, LIMITS["log"])
    files = list(_unpacked(source)[0].values())
    if len(files) != 1:
        raise LogError(f"{source} is an archive of {len(files):,} logs; name it alone, or unpack it")
    return files[0]


def _unpacked(source: Path) -> tuple[dict[Path, bytes], bool]:
    """The files of an archive that are named like logs, and whether that is all of it."""
    archive = read_archive(source, _is_named_like_a_log, LogError)
    return {source / name: data for name, data in archive.files.items()}, archive.complete


def _log(source: Path, data: bytes) -> Log:
    parsed = parse(str(source), _lines(data), data.endswith((b"\n", b"\n\0")))
    return Log(source, in_order(parsed.rows), parsed.statuses, parsed.notice)


def _lines(data: bytes) -> Iterator[str]:
    """The lines of a text; whatever else was printed into a log need not be UTF-8."""
    encoding = "utf-16" if data[:2] in UTF_16 else "utf-8-sig"
    text = io.TextIOWrapper(io.BytesIO(data), encoding, errors="replace")
    while line := text.readline(LONGEST_LINE):
        yield line.rstrip("\n")


def _is_named_like_a_log(name: str) -> bool:
    return name.lower().removesuffix(".gz").endswith(SUFFIXES)


def _natural(path: Path) -> list[tuple[bool, int, str]]:
    """Order by names with their numbers as numbers: 2-iteration before 10-iteration."""
    parts = re.findall(r"\d+|\D+", str(path))
    return [(False, int(part), "") if part.isdecimal() else (True, 0, part) for part in parts]
