"""Calls of drivers in a race of several: one that hangs is left behind, and the race goes on.

Invariant: `Caller.call` returns within the patience. The code that has not answered by then is ended if it is a loop of
Python's; what waits inside a library goes on in a thread that nobody listens to any more, and ends with the process.
"""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any

from racer.errors import AgentError
from racer.reward import raise_in

__all__ = ["Caller"]

Work = Callable[[], Any]


class Caller:
    """Calls code that may never return, each call in a thread beside the caller's own."""

    def __init__(self) -> None:
        """Make a caller."""
        self._begin()

    def call(self, work: Work, patience_s: float) -> Any:
        """Call `work`, and return what it returns or raise what it raises.

        Args:
            work: what may never end.
            patience_s: wall clock that it may take, s.

        Raises:
            AgentError: it did not answer in time.
        """
        self._asked.put(work)
        try:
            answer, wrong = self._answered.get(timeout=patience_s)
        except queue.Empty:
            place, left = self._place(), self._thread.ident
            self.close()
            if left is not None:
                raise_in(left, SystemExit)
            self._begin()
            raise AgentError(f"act() gave no answer for {patience_s:g} s{place}") from None
        if wrong is not None:
            raise wrong
        return answer

    def close(self) -> None:
        """Let go of the thread, which ends once it has answered."""
        self._asked.put(None)

    def _begin(self) -> None:
        self._asked: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._answered: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        serve = (self._asked, self._answered)
        self._thread = threading.Thread(target=_serve, args=serve, daemon=True, name="racer-driver")
        self._thread.start()

    def _place(self) -> str:
        """The line that the thread is at."""
        frame = sys._current_frames().get(self._thread.ident or 0)
        return "" if frame is None else f" ({frame.f_code.co_filename}, line {frame.f_lineno})"


def _serve(asked: queue.SimpleQueue[Work | None], answered: queue.SimpleQueue[Any]) -> None:
    """Do one work after the other, until there is None."""
    with contextlib.suppress(SystemExit):  # which may come late
        while (work := asked.get()) is not None:
            try:
                answered.put((work(), None))
            except BaseException as wrong:
                answered.put((None, wrong))
