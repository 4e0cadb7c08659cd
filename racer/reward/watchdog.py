"""A watch over code that may never return: a learner's function in an endless loop must not hang a training.

Code in Python is interrupted by an exception. Code that waits or calculates inside a library cannot be: it hangs a
notebook until Ctrl-C, but a process that is racer's own, the command line's, ends with a message (see
`end_process_when_stuck`).

Invariant: `RewardTimeout` is raised inside `Watchdog.watch` and nowhere else. The patrol raises it only in a thread
that it sees inside the watched call, and `watch` does not return before the patrol has looked away; so one at
most comes late, while `watch` is ending, and is caught there.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import signal
import socket
import sys
import threading
import time
import weakref
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

from racer.errors import RewardError
from racer.reward.process import INTERRUPT_S, PACKAGE, Reporter, give_up

Result = TypeVar("Result")

PATIENCE_S = 5.0
"""Wall clock that one call may take, as in DeepRacer's own validation, s."""

PATIENCE_VARIABLE = "RACER_REWARD_TIMEOUT"
"""Environment variable that sets another time, in seconds."""

ROUND_S = 0.1
"""Time between two rounds of the patrol, s."""

_SET_EXCEPTION = ctypes.pythonapi.PyThreadState_SetAsyncExc


class RewardTimeout(BaseException):
    """Raised inside code that has shown no sign of life; no `except Exception` swallows it."""


def patience_s() -> float:
    """Wall clock that one call of a reward function may take, s.

    Raises:
        RewardError: the environment variable that sets it is no number of seconds.
    """
    text = os.environ.get(PATIENCE_VARIABLE) or str(PATIENCE_S)
    with contextlib.suppress(ValueError):
        if math.isfinite(given := float(text)) and given > 0.0:
            return given
    raise RewardError(f"the environment variable {PATIENCE_VARIABLE} is {text!r}; it must be a number of seconds")


def end_process_when_stuck() -> None:
    """Let this process end when a reward function hangs where Python cannot interrupt it, or swallows Ctrl-C.

    For a process that is racer's own, such as the command line's; to be called in its main thread. In somebody's
    notebook nothing may end the process.
    """
    _PATROL.ends_process = True
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


class Watchdog:
    """Calls code that must show a sign of life at least every `patience_s` seconds of wall clock."""

    def __init__(self, patience_s: float) -> None:
        """Make a watchdog. One watchdog watches one call at a time.

        Args:
            patience_s: without a sign of life, after which `RewardTimeout` is raised in the watched thread. If that
                does not help within as long again, a process that is racer's own ends.
        """
        self.patience_s = patience_s
        self._watched: tuple[int, Callable[[], int]] | None = None  # thread, sign of life
        self._looking = False  # set by the patrol while it decides
        self._bitten: tuple[str, int] | None = None  # where and at which sign of life it first raised
        self._seen: tuple[object, int] = (None, 0)  # what the patrol saw in its last round
        self._silent_s = 0.0
        self._interrupted_s = 0.0  # how long ago Ctrl-C was, if that call did not end by it
        _PATROL.add(self)

    def watch(self, work: Callable[[], Result], sign_of_life: Callable[[], int]) -> Result:
        """Call `work`, and return what it returns.

        Args:
            work: what may never end. The whole batch of a learner's calls is one work.
            sign_of_life: a number that goes up as long as all is well; called from another thread.

        Raises:
            RewardTimeout: it showed no sign of life. If it swallowed that and went on, the exception's arguments are
                where it had been (file and line) and the last sign of life.
        """
        _PATROL.start()
        self._bitten = None
        try:
            try:
                self._watched = (threading.get_ident(), sign_of_life)
                if _PATROL.ends_process:
                    _PATROL.check_interrupt()
                    _PATROL.set_timer(self.patience_s)
                result = _inside(work)
            finally:
                self._end()
        except RewardTimeout:
            self._end()  # the one that may come late can have interrupted the first
            raise
        if self._bitten:
            raise RewardTimeout(*self._bitten)
        if _PATROL.interrupted:
            _PATROL.check_interrupt()
        return result

    @property
    def watching(self) -> bool:
        """Whether a call is being watched."""
        return self._watched is not None

    def _end(self) -> None:
        """Wait for the patrol to look away, and recall what it raised; may be begun anew at any point."""
        self._watched = None
        # Without a lock, which an exception just after taking it would leave taken: either the patrol sees
        # the None above, or it had begun to look before, and that is seen here.
        while self._looking:
            time.sleep(0.0001)
        if self._bitten:
            recall()

    def look(self, passed_s: float) -> None:
        """Do what a round of the patrol does, `passed_s` after the last one."""
        self._looking = True
        try:
            watched = self._watched
            if watched is None:
                return
            thread, sign_of_life = watched
            alive = sign_of_life()
            if self._seen[0] is not watched or self._seen[1] != alive:
                self._seen, self._silent_s, self._interrupted_s = (watched, alive), 0.0, 0.0
                return
            if _PATROL.interrupted:
                self._interrupted_s += passed_s
                if self._interrupted_s > INTERRUPT_S:
                    give_up(_place(_stack(thread)), "no answer to Ctrl-C")
            self._silent_s += passed_s
            if self._silent_s <= self.patience_s:
                return
            stack = _stack(thread)
            if not stack:
                return
            place = _place(stack)
            self._bitten = self._bitten or (place, alive)
            raise_in(thread, RewardTimeout)
            if _PATROL.ends_process and self._silent_s > 2.0 * self.patience_s:
                give_up(place, f"no answer for {self._silent_s:.0f} s")
        finally:
            self._looking = False


class _Patrol:
    """One thread for all watchdogs, begun with the first watch.

    Attributes:
        ends_process: whether the process is racer's own; see `end_process_when_stuck`.
        interrupted: whether Ctrl-C was pressed, and nobody has been stopped by it since as far as is known here.
    """

    def __init__(self) -> None:
        self.dogs: weakref.WeakSet[Watchdog] = weakref.WeakSet()
        self.ends_process = False
        self.interrupted = False
        self._bell: socket.socket | None = None  # rings for each signal, until `_interrupt` answers
        self.reset()

    def reset(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._reporter: Reporter | None = None
        if self._bell is not None:
            signal.set_wakeup_fd(-1)  # a child's signals are not its parent's
        self._bell = None
        self._sleeps = False  # whether it rang in the last round
        self._timed = False  # whether a timer ends the process unless a round of the patrol sets it again
        self._renewing = False  # set by the patrol while it decides about the timer

    def add(self, dog: Watchdog) -> None:
        with self._lock:
            self.dogs.add(dog)

    def start(self) -> None:
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._listen()
                    self._thread = threading.Thread(target=self._run, daemon=True, name="racer-watchdog")
                    self._thread.start()

    def _listen(self) -> None:
        """Have a byte sent here for each signal as it arrives, also where no handler in Python runs."""
        ours = signal.getsignal(signal.SIGINT) is _interrupt and hasattr(signal, "pthread_kill")
        if ours and threading.current_thread() is threading.main_thread():
            self._bell, ringing = socket.socketpair()
            self._bell.setblocking(False)
            ringing.setblocking(False)
            signal.set_wakeup_fd(ringing.detach(), warn_on_full_buffer=False)

    def _wake(self) -> None:
        """Repeat a Ctrl-C that the main thread has slept through for a round.

        A signal just before it waits for a lock, or one that another thread takes, does not wake it.
        """
        slept, self._sleeps = self._sleeps, False
        with contextlib.suppress(BlockingIOError):
            self._sleeps = self._bell is not None and signal.SIGINT in self._bell.recv(4096, socket.MSG_PEEK)
        main = threading.main_thread().ident
        if slept and self._sleeps and main is not None:
            signal.pthread_kill(main, signal.SIGINT)

    def answer(self) -> None:
        """Note that Python handles a Ctrl-C."""
        self.interrupted = True
        if self._bell is not None:
            with contextlib.suppress(BlockingIOError):
                self._bell.recv(4096)

    def check_interrupt(self) -> None:
        """Repeat a Ctrl-C that somebody swallowed."""
        if self.interrupted:
            self.interrupted = False
            signal.default_int_handler(signal.SIGINT, None)

    def set_timer(self, patience_s: float) -> None:
        """Have the process ended if no thread runs for twice as long as a call may take.

        To be called once the call counts as watched: either the patrol sees that, or it is seen here that it decides.
        """
        while self._renewing:
            time.sleep(0.0001)
        if not self._timed:
            try:
                self._reporter = self._reporter or Reporter(2.0 * patience_s, _inside.__name__)
            except OSError:  # no further process can be started: the patrol is all there is
                self.ends_process = False
            else:
                self._reporter.set_timer()
                self._timed = True

    def _run(self) -> None:
        before = time.monotonic()
        while True:
            time.sleep(ROUND_S)
            now = time.monotonic()
            passed_s, before = min(now - before, 2.0 * ROUND_S), now  # a suspended process was not silent
            with self._lock:
                dogs = list(self.dogs)
            self._wake()
            if self._reporter is not None:
                self._renew(self._reporter, dogs)
            while dogs:
                dogs.pop().look(passed_s)

    def _renew(self, reporter: Reporter, dogs: list[Watchdog]) -> None:
        """Set the timer again if a call is being watched, else stop it."""
        reporter.show_life()
        self._renewing = True
        self._timed = any(dog.watching for dog in dogs)
        if self._timed:
            reporter.set_timer()
        else:
            reporter.stop_timer()
        self._renewing = False


_PATROL = _Patrol()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_PATROL.reset)  # threads do not survive a fork, and a taken lock stays taken


def _inside(work: Callable[[], Result]) -> Result:
    """Call `work`; while this frame is on a thread's stack, `RewardTimeout` may be raised in it."""
    return work()


def _stack(thread: int) -> list[FrameType]:
    """Frames of a thread within `_inside`, the outermost first; empty if it is not there."""
    stack: list[FrameType] = []
    frame = sys._current_frames().get(thread)
    while frame is not None and frame.f_code is not _inside.__code__:
        stack.append(frame)
        frame = frame.f_back
    return [] if frame is None else stack[::-1]


def _place(stack: list[FrameType]) -> str:
    """The learner's line as seen from racer; in a stack of racer's alone the line of what `work` called."""
    theirs = (frame for frame in stack if not frame.f_code.co_filename.startswith(PACKAGE))
    frame = next(theirs, stack[:2][-1] if stack else None)
    return "the reward function" if frame is None else f"{frame.f_code.co_filename}, line {frame.f_lineno}"


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Handle Ctrl-C as Python does; that it was pressed is noted in case that somebody swallows it."""
    _PATROL.answer()
    signal.default_int_handler(number, frame)


def raise_in(thread: int, kind: type[BaseException]) -> None:
    """Let another thread raise an exception at its next step in Python."""
    _SET_EXCEPTION(ctypes.c_ulong(thread), ctypes.py_object(kind))
    recall()  # of Python's notice alone: the other thread renews it for itself when it goes on


class _Recalled(BaseException):
    """Takes the place of what was to be raised."""


def recall() -> None:
    """Take back what another thread lets this one raise, if it was not raised yet.

    Python before 3.13 notes that some thread has something to raise, and forgets it only when one has raised. Until
    then any thread of Python 3.11 that is traced, as by a debugger, hangs. So this thread raises something of its own.
    """
    # Made before the `try`: a Ctrl-C while they are made must not come to where the exception is waited for.
    thread, kind = ctypes.c_ulong(threading.get_ident()), ctypes.py_object(_Recalled)
    try:
        _SET_EXCEPTION(thread, kind)
        while True:
            pass
    except _Recalled:
        return
    except BaseException as first:  # such as Ctrl-C
        try:
            while True:
                pass
        except _Recalled:
            raise first from None
