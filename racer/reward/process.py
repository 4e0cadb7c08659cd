"""Ending this process where a reward function hangs and Python cannot interrupt it.

`sum(itertools.repeat(0))` never lets another thread run, and no signal handler either. But `faulthandler` has a timer
and signal handlers written in C: they write where every thread is into a pipe. At its other end a small process waits
a moment for a sign of life, then makes one sentence of what it read, and ends this process.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

_REPORTER = r"""
import os, re, signal, sys, threading, time

parent, limit, wait, package, watched = int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), sys.argv[4], sys.argv[5]
signal.signal(signal.SIGINT, signal.SIG_IGN)
late = "no answer for " + limit + " s"
what, frames, timer = "no answer to Ctrl-C", [], None

def end(place, what):
    cursor = "\x1b[?25h" if sys.stderr.isatty() else ""
    sys.stderr.write(cursor + f"\nError: {place}: {what}, and Python cannot interrupt it there: giving up\n")
    sys.stderr.flush()
    for number in (getattr(signal, "SIGHUP", signal.SIGTERM), getattr(signal, "SIGKILL", signal.SIGTERM)):
        try:
            os.kill(parent, number)
        except OSError:
            break
        time.sleep(0.5)
    os._exit(0)

for line in sys.stdin:
    if line.startswith("alive"):
        what, frames = "no answer to Ctrl-C", []
        if timer is not None:
            timer.cancel()
            timer = None
    elif line.startswith("Timeout"):
        what = late
    elif "most recent call first" in line:
        frames = []
    elif found := re.match(r'  File "(.*)", line (\d+) in (.*)', line):
        if found[1].startswith(package) and found[3] == watched and frames and timer is None:
            frame = [*frames[-2:], *(frame for frame in frames if not frame[1].startswith(package))][-1]
            name = re.sub(r"\\(?:x..|u....|U........)", lambda code: chr(int(code[0][2:], 16)), frame[1])
            timer = threading.Timer(wait, end, (name + ", line " + frame[2], what))
            timer.daemon = True
            timer.start()
        frames.append(found)
"""
"""What the small process does."""

PACKAGE = str(Path(__file__).parents[1]) + os.sep
"""Where racer's own code lies: a message names the outermost line of a stack that lies elsewhere."""

INTERRUPT_S = 1.5
"""Time that code has to answer Ctrl-C, s."""


class Reporter:
    """The small process that ends this one, and the timer that wakes it."""

    def __init__(self, limit_s: float, watched: str) -> None:
        """Start the small process.

        Args:
            limit_s: time after which this process ends if no thread of it can run, s.
            watched: name of racer's function that calls the learner's code.

        Raises:
            OSError: the system lets no further process start.
        """
        self._limit_s = limit_s
        command = [sys.executable, "-I", "-S", "-c", _REPORTER]
        arguments = [str(os.getpid()), f"{limit_s:g}", str(INTERRUPT_S), PACKAGE, watched]
        self._process = subprocess.Popen([*command, *arguments], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        assert self._process.stdin is not None
        self._pipe = self._process.stdin.fileno()
        if sys.platform != "win32":
            os.set_blocking(self._pipe, False)
            if callable(signal.getsignal(signal.SIGINT)):  # not if it is ignored
                faulthandler.register(signal.SIGINT, file=self._pipe, all_threads=True, chain=True)
            if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
                _exit_by_hangup()

    def set_timer(self) -> None:
        """Give the process another `limit_s` seconds."""
        faulthandler.dump_traceback_later(self._limit_s, repeat=True, file=self._pipe)

    def stop_timer(self) -> None:
        """Let the process live on, whatever it does."""
        faulthandler.cancel_dump_traceback_later()

    def show_life(self) -> None:
        """Say that threads can run."""
        with contextlib.suppress(OSError):
            os.write(self._pipe, b"alive\n")


def give_up(place: str, what: str) -> NoReturn:
    """End the process at once with one message, and its children (on Linux), for whom nobody would wait any more."""
    message = f"{place}: {what}, and Python cannot interrupt it there: giving up"
    show_cursor = "\x1b[?25h" if sys.__stderr__ is not None and sys.__stderr__.isatty() else ""
    with contextlib.suppress(OSError, ValueError):
        print(f"{show_cursor}\nError: {message}", file=sys.__stderr__, flush=True)
    for file in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in file.read_text().split():
                os.kill(int(child), signal.SIGKILL)
    os._exit(1)


def _exit_by_hangup() -> None:
    """Have SIGHUP end the process with exit code 1 and not as killed.

    No handler written in Python would run while C code hangs. C's own `_exit` does: as a handler it is given the
    number of the signal, which is 1.
    """
    library = ctypes.CDLL(None)
    library.signal.argtypes, library.signal.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
    library.signal(int(signal.SIGHUP), ctypes.cast(library._exit, ctypes.c_void_p))
