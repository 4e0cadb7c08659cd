"""What a learner's code prints, put aside: into a log instead of over the progress bar."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import Any, TextIO


class Aside:
    """Context in which stdout and stderr of the thread that enters it go to a log; other threads' stay as they are.

    The learner's code may keep `sys.stdout`, as the handlers of `logging` do: that goes to the log ever after.
    """

    def __init__(self, log: TextIO | None) -> None:
        """Print to `log`; None changes nothing."""
        self._streams = () if log is None else (_Stream(log), _Stream(log))
        self._usual: tuple[Any, Any] = (sys.stdout, sys.stderr)

    def __enter__(self) -> None:
        """Put aside what is printed from now on."""
        if self._streams:
            self._usual = sys.stdout, sys.stderr
            for ours, usual in zip(self._streams, self._usual, strict=True):
                ours.usual, ours.thread = usual, threading.get_ident()
            sys.stdout, sys.stderr = self._streams

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Print as usual again."""
        if self._streams:
            sys.stdout, sys.stderr = self._usual


class _Stream:
    """The log for one thread, the usual stream for all others."""

    def __init__(self, log: TextIO) -> None:
        self._log = log
        self.usual: Any = None
        self.thread = 0

    def write(self, text: str) -> int:
        return int(self._stream().write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream(), name)

    def _stream(self) -> Any:
        return self._log if threading.get_ident() == self.thread else self.usual
