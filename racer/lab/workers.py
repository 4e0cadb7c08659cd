"""Workers: who carries out tasks, several at a time. Those of this machine are processes that live for many tasks.

Invariant: every task that was handed over comes back once, with its outcome or with what went wrong; a worker that
dies takes nobody with it, and its task is tried once more.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from multiprocessing.process import BaseProcess
from tempfile import TemporaryDirectory
from typing import Protocol

from racer.lab.task import Outcome, Task, carry_out, use_one_thread

__all__ = ["Event", "LocalWorkers", "Workers", "cores", "each"]

TRIES = 2  # of a task whose worker dies
REPORT_EVERY = 0.01  # share of the budget
REMOVE = "import shutil, sys; sys.stdin.read(); shutil.rmtree(sys.argv[1], ignore_errors=True)"


@dataclass(frozen=True)
class Event:
    """Something that a worker has to say.

    Attributes:
        task: about which.
        used: share of its budget, 0..1.
        outcome: its outcome, if it is done.
        problem: what went wrong, if it failed.
    """

    task: Task
    used: float
    outcome: Outcome | None = None
    problem: str = ""

    @classmethod
    def end(cls, task: Task, answer: Outcome | str) -> Event:
        """The end of a task, by what `carry_out` gave."""
        return cls(task, 1.0, problem=answer) if isinstance(answer, str) else cls(task, 1.0, answer)

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of the task."""
        return self.outcome is not None or bool(self.problem)


class Workers(Protocol):
    """Whoever carries out tasks. A context: leaving it ends what is not done yet."""

    size: int

    def __enter__(self) -> Workers:
        """Take up work."""
        ...

    def __exit__(self, *error: object) -> None:
        """End what is not done yet."""
        ...

    def submit(self, task: Task) -> None:
        """Hand over a task."""
        ...

    def wait(self) -> list[Event]:
        """Wait for something new; empty if there is no task left."""
        ...


def cores() -> int:
    """How many processor cores this process may use."""
    with contextlib.suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def each(workers: Workers, tasks: Iterable[Task]) -> Iterator[Event]:
    """Carry out tasks, never more than workers at a time; gives what they have to say as it comes."""
    waiting, active, more = iter(tasks), 0, True
    while more or active:
        while more and active < workers.size:
            task = next(waiting, None)
            if task is None:
                more = False
            else:
                workers.submit(task)
                active += 1
        for event in workers.wait() if active else ():
            active -= event.ended
            yield event


class LocalWorkers:
    """Processes of this machine, each of which calculates with one thread.

    They are begun when there is work for them, and stay, because to load PyTorch and the engine takes seconds. They end
    with their parent, however that ends.
    """

    def __init__(self, jobs: int) -> None:
        """Be `jobs` processes at most."""
        self.size = jobs
        self._scratch = TemporaryDirectory(prefix="racer-lab-", ignore_cleanup_errors=True)
        self._idle: list[_Worker] = []
        self._busy: dict[connection.Connection, _Worker] = {}

    def __enter__(self) -> LocalWorkers:
        """Take up work."""
        return self

    def __exit__(self, *error: object) -> None:
        """End all processes."""
        for worker in (*self._idle, *self._busy.values()):
            worker.end()
        self._idle, self._busy = [], {}
        self._scratch.cleanup()

    def submit(self, task: Task) -> None:
        """Hand a task to an idle process, or to a new one."""
        self._assign(task, 1)

    def wait(self) -> list[Event]:
        """Wait for something new; empty if there is no task left."""
        found: list[Event] = []
        while self._busy and not found:
            for pipe in connection.wait(list(self._busy)):
                assert isinstance(pipe, connection.Connection)
                if (event := self._receive(pipe)) is not None:
                    found.append(event)
        return found

    def _assign(self, task: Task, tries: int) -> None:
        while True:
            worker = self._idle.pop() if self._idle else _Worker(self._scratch.name)
            try:
                worker.pipe.send(task)
            except OSError:  # it died while it was idle
                worker.end()
                continue
            worker.task, worker.tries = task, tries
            self._busy[worker.pipe] = worker
            return

    def _receive(self, pipe: connection.Connection) -> Event | None:
        worker = self._busy[pipe]
        assert worker.task is not None
        try:
            said = pipe.recv()
        except (EOFError, OSError):
            del self._busy[pipe]
            code = worker.end()
            if worker.tries < TRIES:
                self._assign(worker.task, worker.tries + 1)
                return None
            return Event(worker.task, 0.0, problem=f"its process ended {TRIES} times, last {_how(code)}")
        if isinstance(said, float):
            return Event(worker.task, said)
        self._idle.append(self._busy.pop(pipe))
        return Event.end(worker.task, said)


class _Worker:
    """A process and the pipe to it."""

    def __init__(self, scratch: str) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.task: Task | None = None
        self.tries = 0
        before = dict(os.environ)
        use_one_thread()  # what the process inherits
        try:
            self._process: BaseProcess = context.Process(target=_work, args=(theirs, scratch), daemon=True)
            self._process.start()
        finally:
            os.environ.clear()
            os.environ.update(before)
        theirs.close()

    def end(self) -> int | None:
        """End the process, if it lives; returns its exit code."""
        self._process.join(0.1)
        self._process.kill()
        self._process.join()
        self.pipe.close()
        return self._process.exitcode


def _work(pipe: connection.Connection, scratch: str) -> None:
    """Carry out tasks until there is nobody any more to give them; temporary files lie in the folder `scratch`."""
    tempfile.tempdir = scratch
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process
    end = threading.Thread(target=_end_with_parent, args=(scratch,), daemon=True)
    end.start()
    from racer.reward import end_process_when_stuck

    end_process_when_stuck()
    reported = 0.0

    def report(used: float) -> None:
        nonlocal reported
        if used >= reported + REPORT_EVERY:
            reported = used
            pipe.send(min(used, 1.0))

    with contextlib.suppress(EOFError, OSError):  # the parent is gone, perhaps in the middle of a message
        while True:
            task, reported = pipe.recv(), 0.0
            pipe.send(carry_out(task, report))
    end.join()


def _end_with_parent(scratch: str) -> None:
    """End this process when its parent has ended; what removes its files is another, since this one still writes."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        hush = subprocess.DEVNULL
        subprocess.Popen([sys.executable, "-c", REMOVE, scratch], stdin=subprocess.PIPE, stdout=hush, stderr=hush)
        os._exit(1)


def _how(code: int | None) -> str:
    """An exit code in words."""
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return f"by {signal.Signals(-code).name}"
    return f"with exit code {code}"
