"""Ending this process where a reward function hangs and Python cannot interrupt it.

`sum(itertools.repeat(0))` never lets another thread run, and no signal handler either. So `faulthandler`, whose timer
and signal handlers are written in C, writes where every thread is into a pipe, and ends the process. At the other end
of the pipe a small process makes one sentence of it.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import subprocess
import sys
from pathlib import Path

_REPORTER = r"""
import os, re, signal, sys, threading

parent, limit, wait, package, watched = int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), sys.argv[4], sys.argv[5]
signal.signal(signal.SIGINT, signal.SIG_IGN)
place, timed_out, frames, timer = None, False, [], None

def say(what):
    cursor = "\x1b[?25h" if sys.stderr.isatty() else ""
    where = place + ": " if place else ""
    sys.stderr.write(cursor + "\nError: " + where + what + ", and Python cannot interrupt it there: giving up\n")
    sys.stderr.flush()

def interrupt():
    say("no answer to Ctrl-C")
    os.kill(parent, signal.SIGKILL)
    os._exit(0)

for line in sys.stdin:
    if line.startswith("Timeout"):
        timed_out = True
    elif "most recent call first" in line:
        frames = []
    elif line.startswith("alive"):
        if timer is not None:
            timer.cancel()
            timer = None
    elif found := re.match(r'  File "(.*)", line (\d+) in (.*)', line):
        if found[1].startswith(package) and found[3] == watched and frames:
            outermost = [*frames[-2:], *(frame for frame in frames if not frame[1].startswith(package))][-1]
            name = re.sub(r"\\(?:x..|u....|U........)", lambda code: chr(int(code[0][2:], 16)), outermost[1])
            place = name + ", line " + outermost[2]
            if not timed_out and timer is None:
                timer = threading.Timer(wait, interrupt)
                timer.daemon = True
                timer.start()
        frames.append(found)
if timer is not None:
    timer.cancel()
if timed_out:
    say("no answer for " + limit + " s")
"""
"""What the small process does: it reads what `faulthandler` wrote, and prints one sentence of it."""

PACKAGE = str(Path(__file__).parents[1]) + os.sep
"""Where racer's own code lies: a message names the first line of a stack that lies elsewhere."""

INTERRUPT_S = 1.5
"""Time that code has to answer Ctrl-C, s."""


class Reporter:
    """The timer that ends this process unless it is set again in time, and whoever says why."""

    def __init__(self, limit_s: float, watched: str) -> None:
        """Start the small process, and set the timer.

        Args:
            limit_s: time after which the process ends, s, unless `set_timer` is called again.
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
        if hasattr(faulthandler, "register"):  # not on Windows
            os.set_blocking(self._pipe, False)
            faulthandler.register(signal.SIGINT, file=self._pipe, all_threads=True, chain=True)
        self.set_timer()

    def set_timer(self) -> None:
        """Give the process another `limit_s` seconds."""
        faulthandler.dump_traceback_later(self._limit_s, exit=True, file=self._pipe)

    def stop_timer(self) -> None:
        """Let the process live on, whatever it does."""
        faulthandler.cancel_dump_traceback_later()

    def show_life(self) -> None:
        """Say that threads can run, so that Ctrl-C does not end the process from outside."""
        with contextlib.suppress(OSError):
            os.write(self._pipe, b"alive\n")


def give_up(place: str, silent_s: float) -> None:
    """End the process at once with one message, and its children (on Linux), for whom nobody would wait any more."""
    message = f"{place}: no answer for {silent_s:.0f} s, and Python cannot interrupt it there: giving up"
    show_cursor = "\x1b[?25h" if sys.__stderr__ is not None and sys.__stderr__.isatty() else ""
    with contextlib.suppress(OSError, ValueError):
        print(f"{show_cursor}\nError: {message}", file=sys.__stderr__, flush=True)
    for file in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in file.read_text().split():
                os.kill(int(child), signal.SIGKILL)
    os._exit(1)
