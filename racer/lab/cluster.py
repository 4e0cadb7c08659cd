"""Workers of a Ray cluster: tasks go to its nodes, and those of a node that is lost are carried out by another one.

Invariant: nothing that a task needs lies on this machine alone but modules beside the reward and the recipe; racer, of
the same version, is installed on every node.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from typing import Any

from racer.errors import RunError
from racer.lab.task import Outcome, Task, carry_out
from racer.lab.workers import Event

__all__ = ["RayWorkers"]

RETRIES = 5  # of a task whose worker or node is lost; the next ones may be lost, too
CONNECT_S = 10.0  # for an answer of the head
POLL_S = 5.0  # between two looks for what has ended


class RayWorkers:
    """The processors of a Ray cluster, one for each task."""

    def __init__(self, address: str, jobs: int | None = None) -> None:
        """Join a cluster.

        Args:
            address: of its head, such as `10.0.0.1:6379`; `auto` for the one that runs here.
            jobs: tasks at a time; by default one for each processor core of the cluster.

        Raises:
            RunError: Ray is not installed, or there is no cluster.
        """
        try:
            import ray
        except ImportError as missing:
            raise RunError("a cluster needs a library more: run pip install 'racer[ray]'") from missing
        try:
            _check_reachable(address)
            ray.init(address, log_to_driver=False, logging_level="warning", configure_logging=False)
        except Exception as wrong:  # Ray raises whatever its layers raise
            raise RunError(
                f"there is no Ray cluster at {address}: {_first_line(wrong)}. Start one with: ray start --head"
            ) from wrong
        self._ray: Any = ray
        self._redirected = contextlib.redirect_stdout(sys.stderr)  # Ray prints what becomes of its nodes: no result
        self._carry_out = ray.remote(num_cpus=1, max_retries=RETRIES)(_carried_out)
        self._tasks: dict[Any, Task] = {}
        self.size = jobs or max(1, int(ray.cluster_resources().get("CPU", 1)))

    def __enter__(self) -> RayWorkers:
        """Take up work."""
        self._redirected.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        """Cancel what is not done yet, and leave the cluster."""
        for reference in self._tasks:
            self._ray.cancel(reference, force=True)
        self._tasks = {}
        self._ray.shutdown()
        self._redirected.__exit__(None, None, None)

    def submit(self, task: Task) -> None:
        """Hand a task to the cluster."""
        self._tasks[self._carry_out.remote(task)] = task

    def wait(self) -> list[Event]:
        """Wait for something new; empty if there is no task left."""
        done: list[Any] = []
        while self._tasks and not done:
            done, _ = self._ray.wait(list(self._tasks), timeout=POLL_S)
        return [self._event(reference) for reference in done]

    def _event(self, reference: Any) -> Event:
        task = self._tasks.pop(reference)
        try:
            said = self._ray.get(reference)
        except self._ray.exceptions.RayError as wrong:
            return Event(task, 0.0, problem=f"the cluster lost it: {_first_line(wrong)}")
        return Event.end(task, said)


def _first_line(wrong: Exception) -> str:
    return (str(wrong).strip().splitlines() or [type(wrong).__name__])[0]


def _check_reachable(address: str) -> None:
    """Fail where nobody listens; Ray itself would wait there for minutes.

    Raises:
        OSError: nobody does.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_S).close()


def _carried_out(task: Task) -> Outcome | str:
    """The outcome of a task, or what went wrong; runs on a node."""
    from racer.reward import end_process_when_stuck

    end_process_when_stuck()
    return carry_out(task)
