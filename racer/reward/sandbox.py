"""Running a learner's code so that it leaves no trace around it: output redirected, the process's settings put back.

This keeps accidents away from racer, not attackers: whoever runs a file trusts it.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import sys
import threading
import warnings
from types import TracebackType
from typing import Any, TextIO

import numpy as np

KEPT_CHARACTERS = 100_000
"""Characters that an `OutputBuffer` keeps."""

TextStream = TextIO | io.TextIOBase

_CHANGES_THE_PROCESS = re.compile(r"chdir|setrecursionlimit|signal|seterr|warnings")


class OutputBuffer(io.TextIOBase):
    """A text stream in memory that keeps the beginning of what is written to it.

    Attributes:
        lines: how many lines were written, those that are not kept included.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.lines = 0
        self._kept = io.StringIO()
        self._begun = False  # whether the last line has no end yet

    def writable(self) -> bool:
        """Say yes."""
        return True

    def write(self, text: str) -> int:
        """Keep a text as long as there is room."""
        room = KEPT_CHARACTERS - self._kept.tell()
        if room > 0:
            self._kept.write(text[:room])
        if text:
            self.lines += text.count("\n") + (0 if self._begun else 1) - (text[-1] == "\n")
            self._begun = text[-1] != "\n"
        return len(text)

    def getvalue(self) -> str:
        """The text that was kept."""
        return self._kept.getvalue()


class Sandbox:
    """Context for learner's code: its prints go to a log, and what it changes in the process is put back afterwards.

    Only the prints of the thread that enters are redirected; other threads print where they did. A learner's code may
    keep `sys.stdout`, as the handlers of `logging` do: what it writes there goes to the log ever after.

    Attributes:
        thorough: put back settings of the process, too: working folder, recursion limit, warnings, NumPy's handling of
            errors, the handler of Ctrl-C. To look at them all takes some microseconds.
    """

    def __init__(self, log: TextStream | None) -> None:
        """Redirect output to `log`; None leaves the streams alone."""
        self.thorough = True
        self._streams = () if log is None else (_Redirected(log), _Redirected(log))
        self._usual: tuple[Any, Any] = (sys.stdout, sys.stderr)
        self._process: _Process | None = None

    def __enter__(self) -> None:
        """Remember how things are, and redirect what is printed from now on."""
        if self.thorough:
            self._process = _Process()
        if self._streams:
            self._usual = sys.stdout, sys.stderr
            for ours, usual in zip(self._streams, self._usual, strict=True):
                ours.usual, ours.thread = usual, threading.get_ident()
            sys.stdout, sys.stderr = self._streams

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put things back."""
        if self._streams:
            sys.stdout, sys.stderr = self._usual
        if self._process is not None:
            self._process.restore()
            self._process = None


def changes_the_process(text: str) -> bool:
    """Whether a source names something by which it could change what only a thorough `Sandbox` puts back."""
    return _CHANGES_THE_PROCESS.search(text) is not None


class _Process:
    """Settings of the process as they are now."""

    def __init__(self) -> None:
        try:
            self._folder: str | None = os.getcwd()  # noqa: PTH109 (a Path costs more)
        except OSError:  # somebody removed it
            self._folder = None
        self._recursion_limit = sys.getrecursionlimit()
        self._numpy = np.geterr()
        self._warnings = warnings.filters[:]
        self._interrupt = signal.getsignal(signal.SIGINT)

    def restore(self) -> None:
        if self._folder is not None:
            with contextlib.suppress(OSError):
                os.chdir(self._folder)
        sys.setrecursionlimit(self._recursion_limit)
        np.seterr(**self._numpy)
        if warnings.filters != self._warnings:
            warnings.filters[:] = self._warnings  # type: ignore[index]
            warnings._filters_mutated()  # type: ignore[attr-defined]
        changed = signal.getsignal(signal.SIGINT) is not self._interrupt
        if changed and self._interrupt is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._interrupt)


class _Redirected:
    """The log for one thread, the usual stream for all others."""

    def __init__(self, log: TextStream) -> None:
        self._log = log
        self.usual: Any = None
        self.thread = 0

    def write(self, text: str) -> int:
        return int(self._stream().write(text))

    def close(self) -> None:
        """Stay open: the log is not the learner's to close."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream(), name)

    def _stream(self) -> Any:
        return self._log if threading.get_ident() == self.thread else self.usual
