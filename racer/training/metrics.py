"""A training's logs: what the learner's function prints, and the numbers of each update, for TensorBoard too.

Numbers have Stable-Baselines3's names (`rollout/ep_rew_mean`, `time/fps`, `train/…`), so that one dashboard shows
both. Its writers are not used: its CSV file begins anew when a training goes on, and its TensorBoard writer is a thread
that dies of a full disk with a traceback.
"""

from __future__ import annotations

import csv
import io
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from racer.errors import RunError
from racer.shelf import LIMITS, file_error, make_folder, read_text, refuse_links, write_atomically

__all__ = ["Metrics", "Prints", "read_metrics"]

PRINTED_LIMIT = 5_000_000
"""Characters of a reward's prints that are kept: 256 cars that print on every step fill a disk in minutes."""


class Prints(io.TextIOBase):
    """A text file for prints that stops growing at `PRINTED_LIMIT`, and says so in its last line.

    Prints are collected until `flush`, so that none of them fails for a full disk: they stand in the learner's
    function.
    """

    def __init__(self, path: Path) -> None:
        """Go on with the file `path`, or begin it.

        Raises:
            FileError: it cannot be written.
            RunError: it is a link.
        """
        refuse_links(path, path.parent, in_place=True)
        self._path, self._waiting = path, io.StringIO()
        try:
            with path.open("a") as file:
                self._left = PRINTED_LIMIT - file.seek(0, io.SEEK_END)
        except OSError as wrong:
            raise file_error("write", path, wrong) from wrong

    def writable(self) -> bool:
        """Say yes."""
        return True

    def write(self, text: str) -> int:
        """Take a text, as long as there is room."""
        if self._left > 0:
            self._waiting.write(text[: self._left])
            self._left -= len(text)
            if self._left <= 0:
                self._waiting.write(f"\n[no more is kept: this log holds {PRINTED_LIMIT:,} characters]\n")
        return len(text)

    def flush(self) -> None:
        """Write what was printed; `close` does so too.

        Raises:
            FileError: the file cannot be written.
        """
        if self._waiting.tell():
            try:
                with self._path.open("a", encoding="utf-8", errors="replace") as file:
                    file.write(self._waiting.getvalue())
            except OSError as wrong:
                raise file_error("write", self._path, wrong) from wrong
            self._waiting = io.StringIO()


class Metrics:
    """Rows of numbers: one CSV file, and TensorBoard's events beside it."""

    def __init__(self, folder: Path, name: str = "metrics", steps: int | None = None) -> None:
        """Log to `folder/name.csv`, going on where an earlier training stopped, and to `folder/tensorboard`.

        Args:
            folder: the run's.
            name: of the table.
            steps: at which the training goes on; rows of later steps are cut off, as their checkpoint was never made.
                None: all are kept.

        Raises:
            FileError: a file cannot be read or written.
            RunError: one of them is a link.
        """
        self._path = folder / f"{name}.csv"
        refuse_links(self._path, folder, in_place=True)
        try:
            self._columns = _go_on(self._path, steps)
            self._events = _Events(make_folder(folder / "tensorboard", within=folder), steps)
        except OSError as wrong:
            raise file_error("open", Path(wrong.filename or folder), wrong) from wrong

    def describe(self, hyperparameters: Mapping[str, Any], texts: Mapping[str, str]) -> None:
        """Tell TensorBoard what is trained: hyperparameters by name, and texts (Markdown) by title.

        Raises:
            FileError: the file cannot be written.
        """
        self._events.describe(hyperparameters, texts)

    def write(self, steps: int, seconds: float, numbers: Mapping[str, float | None]) -> None:
        """Add a row; a new number makes a new column. What is None or not finite is left blank.

        Raises:
            FileError: the file cannot be written.
        """
        known = {key: value for key, value in numbers.items() if value is not None and math.isfinite(value)}
        row = {"steps": str(steps), "seconds": f"{seconds:.3f}"}
        row |= {key: f"{known[key]:.6g}" if key in known else "" for key in numbers}
        new = [column for column in row if column not in self._columns]
        text = io.StringIO()
        if not self._columns:
            csv.writer(text, lineterminator="\n").writerow(new)
        elif new:
            self._widen(new)
        self._columns += new
        csv.writer(text, lineterminator="\n").writerow([row.get(column, "") for column in self._columns])
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(text.getvalue())
        except OSError as wrong:
            raise file_error("write", self._path, wrong) from wrong
        self._events.write(steps, known)

    def close(self) -> None:
        """Close TensorBoard's file."""
        self._events.close()

    def _widen(self, new: list[str]) -> None:
        """Give the table further columns, which its rows so far leave blank."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow([*self._columns, *new])
        for row in read_text(self._path).splitlines()[1:]:
            text.write(row + "," * len(new) + "\n")
        write_atomically(self._path, text.getvalue())


def read_metrics(folder: Path) -> dict[str, NDArray[np.float64]]:
    """Read a run's table of numbers.

    Args:
        folder: the run's.

    Returns:
        Each column by its name, (n,); nan where a row is blank. There is always `steps`.

    Raises:
        RunError: there is no table yet, or it is damaged.
    """
    path = folder / "metrics.csv"
    refuse_links(path, folder)
    if not path.exists():
        raise RunError(f"{folder} was not trained here yet, so there are no numbers of how it learned")
    rows = list(csv.reader(io.StringIO(read_text(path, RunError, LIMITS["json"]))))
    columns = rows[0] if rows else []
    if "steps" not in columns or len(rows) < 2:
        raise RunError(f"{path} holds no numbers yet; train for longer")
    try:
        table = np.array([[float(cell or "nan") for cell in row] for row in rows[1:]], dtype=np.float64)
        return dict(zip(columns, table.T, strict=True))
    except ValueError as wrong:
        raise RunError(f"{path} is damaged: a row is no list of {len(columns)} numbers") from wrong


class _Events:
    """TensorBoard's event file, one event a row."""

    def __init__(self, folder: Path, steps: int | None) -> None:
        self._path = folder / f"events.out.tfevents.{time.time_ns() // 1000}.{os.getpid()}.racer"
        self._file = self._path.open("xb")
        from tensorboard.compat.proto.event_pb2 import SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter  # type: ignore[import-untyped]

        self._records = RecordWriter(self._file)
        self._add(file_version="brain.Event:2")
        if steps:  # events of later steps, in earlier files, count no more
            self._add(step=steps + 1, session_log=SessionLog(status=SessionLog.START))

    def describe(self, hyperparameters: Mapping[str, Any], texts: Mapping[str, str]) -> None:
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb  # type: ignore[import-untyped]
        from tensorboard.plugins.text.summary_v2 import text_pb  # type: ignore[import-untyped]

        plain = {key: v if isinstance(v, bool | int | float | str) else str(v) for key, v in hyperparameters.items()}
        self._add(summary=hparams_pb(plain))
        for title, text in texts.items():
            self._add(summary=text_pb(title, text))

    def write(self, steps: int, numbers: Mapping[str, float]) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [Summary.Value(tag=key, simple_value=value) for key, value in numbers.items()]
        self._add(step=steps, summary=Summary(value=values))

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as wrong:
            raise file_error("write", self._path, wrong) from wrong

    def _add(self, **fields: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        try:
            self._records.write(Event(wall_time=time.time(), **fields).SerializeToString())
            self._file.flush()
        except OSError as wrong:
            raise file_error("write", self._path, wrong) from wrong


def _go_on(path: Path, steps: int | None) -> list[str]:
    """The columns of a table, whose rows of later steps are cut off; what is no table stays as it is."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        try:
            columns = next(csv.reader(file), [])
        except csv.Error:  # no longer a table; what was there is kept, with rows as before behind it
            return []
        if columns[:1] != ["steps"]:
            return columns
        rows = file.readlines()
    kept = [row for row in rows if not _later(row, steps)]
    if len(kept) < len(rows):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(columns)
        write_atomically(path, text.getvalue() + "".join(kept))
    return columns


def _later(row: str, steps: int | None) -> bool:
    number = row.partition(",")[0]
    return steps is not None and number.isdecimal() and len(number) < 20 and int(number) > steps
