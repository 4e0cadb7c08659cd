"""A watch over code that may never return: a learner's function in an endless loop must not hang a training."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from types import TracebackType


class Stuck(BaseException):
    """Raised inside code that has shown no sign of life; no `except Exception` of a learner's swallows it."""


class Watchdog:
    """Context in which code must count `beat` up at least every `patience_s` seconds of wall clock.

    Invariant: outside the context nothing is ever raised.

    Attributes:
        beat: to be counted up by the watched code.
    """

    def __init__(self, patience_s: float, exit_when_deaf: bool) -> None:
        """Make a watchdog; its thread starts with the first watch.

        Args:
            patience_s: without a beat, after which `Stuck` is raised in the watched thread.
            exit_when_deaf: end the process if that does not help within as long again (the code hangs inside compiled
                code, which Python cannot interrupt).
        """
        self.beat = 0
        self._patience_s, self._exit_when_deaf = patience_s, exit_when_deaf
        self._watched: int | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Watchdog:
        """Start to watch the calling thread."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, daemon=True, name="racer-watchdog")
            self._thread.start()
        self._watched = threading.get_ident()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop to watch."""
        with self._lock:
            self._watched = None

    def _watch(self) -> None:
        seen, since = (-1, 0), time.monotonic()
        while True:
            time.sleep(min(0.25, self._patience_s / 4))
            with self._lock:
                watched = self._watched
                if watched is None or (watched, self.beat) != seen:
                    seen, since = (watched or 0, self.beat), time.monotonic()
                    continue
                silent = time.monotonic() - since
                if silent > self._patience_s:
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(watched), ctypes.py_object(Stuck))
                if silent > 2 * self._patience_s and self._exit_when_deaf:
                    message = f"a function hangs where Python cannot interrupt it, for {silent:.0f} s now: giving up"
                    print(f"\nError: {message}", file=sys.__stderr__, flush=True)
                    os._exit(1)
