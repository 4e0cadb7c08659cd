"""A training's logs: what the learner's function prints, and the numbers of every update as CSV and for TensorBoard."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from racer.errors import FileError

PRINTED_LIMIT = 5_000_000
"""Characters of a reward's prints that are kept: 256 cars that print on every step would fill a disk in minutes."""


class Prints(io.TextIOBase):
    """A text file for prints that stops growing at `PRINTED_LIMIT`, and says so in its last line."""

    def __init__(self, path: Path) -> None:
        """Open `path` to append to it."""
        self._file: IO[str] = path.open("a", encoding="utf-8", errors="replace")
        self._left = PRINTED_LIMIT - path.stat().st_size

    def writable(self) -> bool:
        """Say yes."""
        return True

    def write(self, text: str) -> int:
        """Write, as long as there is room."""
        if self._left > 0:
            self._file.write(text[: self._left])
            self._left -= len(text)
            if self._left <= 0:
                self._file.write(f"\n[no more is kept: this log holds {PRINTED_LIMIT:,} characters]\n")
                self._file.flush()
        return len(text)

    def flush(self) -> None:
        """Hand what was written to the system."""
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        super().close()  # which flushes
        self._file.close()


class Logbook:
    """Rows of numbers: one CSV file, and TensorBoard's events beside it."""

    def __init__(self, folder: Path, name: str) -> None:
        """Log to `folder/name.csv`, going on where an earlier training stopped, and to `folder/tensorboard`."""
        from torch.utils.tensorboard import SummaryWriter

        self._path, self._name = folder / f"{name}.csv", name
        self._columns = _header(self._path)
        self._board = SummaryWriter(str(folder / "tensorboard"), flush_secs=5)

    def write(self, steps: int, seconds: float, numbers: Mapping[str, float | None]) -> None:
        """Add a row. The first row makes the columns; what is None is left blank.

        Raises:
            FileError: the file cannot be written.
        """
        row = {"steps": steps, "seconds": round(seconds, 3), **_shown(numbers)}
        text = io.StringIO()
        if not self._columns:
            self._columns = list(row)
            csv.writer(text, lineterminator="\n").writerow(self._columns)
        csv.DictWriter(text, self._columns, extrasaction="ignore", restval="", lineterminator="\n").writerow(row)
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(text.getvalue())
        except OSError as wrong:
            raise FileError(f"cannot write {self._path}: {wrong.strerror or wrong}") from wrong
        for key, value in numbers.items():
            if value is not None:
                self._board.add_scalar(key, value, steps)

    def close(self) -> None:
        """Close TensorBoard's file."""
        self._board.close()


def _shown(numbers: Mapping[str, float | None]) -> dict[str, str]:
    return {key: "" if value is None else f"{value:.6g}" for key, value in numbers.items()}


def _header(path: Path) -> list[str]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        return next(csv.reader(file), [])
