"""The folder of a comparison or of a search: outcomes by the names of their tasks, so that none is carried out twice.

Invariant: an outcome is written whole when its training ends, and a training that was stopped leaves nothing. What
lies in the folder is data, and none of it is executed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from racer.errors import FileError, RunError
from racer.lab.task import Outcome, Task, outcome_from_json
from racer.lab.workers import Event, Workers, each
from racer.shelf import make_folder, read_json, write_atomically
from racer.training import locked

__all__ = ["LabFolder", "lab_folder"]

LAB = Path("lab")
"""Where comparisons and searches are kept, in the working folder."""

DESCRIPTION, RESULTS = "asked.json", "trainings"


class LabFolder:
    """A folder of outcomes.

    Attributes:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        """Make it, if it is not there.

        Raises:
            FileError: it cannot be made.
        """
        self.path = make_folder(path)
        make_folder(path / RESULTS, within=path)

    def describe(self, experiment: Mapping[str, Any]) -> None:
        """Write down, for people, what was asked for last.

        Raises:
            FileError: it cannot be written.
        """
        write_atomically(self.path / DESCRIPTION, json.dumps(dict(experiment), indent=2) + "\n", within=self.path)

    def locked(self) -> AbstractContextManager[None]:
        """Keep it to this process.

        Raises:
            RunError: another process works in it.
        """
        return locked(self.path, "in use")

    def outcome(self, task: Task) -> Outcome | None:
        """What became of a task; None if that is not known yet.

        Raises:
            RunError: the file is damaged.
        """
        path = self._path(task)
        if not path.is_file():
            return None
        found = outcome_from_json(read_json(path, RunError), path)
        if found.task != task.name:
            raise RunError(f"{path} holds the outcome of {found.task:.100}; remove it, and its training is done again")
        return found

    def replay(self, task: Task) -> Path:
        """Where the last laps of a task's best driver are."""
        return self._path(task).with_suffix(".replay")

    def keep(self, task: Task, outcome: Outcome) -> None:
        """Write an outcome.

        Raises:
            FileError: it cannot be written.
        """
        write_atomically(self.replay(task), outcome.replay, within=self.path)
        write_atomically(self._path(task), json.dumps(outcome.as_json(), indent=2) + "\n", within=self.path)

    def work(self, tasks: Iterable[Task], workers: Workers) -> Iterator[Event]:
        """Carry out tasks whose outcome is not known, and keep what comes of them.

        Gives what workers have to say. An outcome that cannot be kept comes with the problem of that.
        """
        for event in each(workers, tasks):
            yield self.kept(event)

    def kept(self, event: Event) -> Event:
        """An event, its outcome written if there is one."""
        if event.outcome is None:
            return event
        try:
            self.keep(event.task, event.outcome)
            return event
        except FileError as wrong:
            return replace(event, problem=f"its outcome counts, but is not kept: {wrong}")

    def _path(self, task: Task) -> Path:
        return self.path / RESULTS / f"{task.name}.json"


def lab_folder(name: str | None, kind: str, resume: bool) -> LabFolder:
    """The folder that a name means, below `LAB`, or a path.

    Args:
        name: None for the first free one.
        kind: the name's beginning if none is given.
        resume: whether it must exist; else it must not.

    Raises:
        RunError: it exists and is not to be resumed, or the other way round.
        FileError: it cannot be made.
    """
    if name is None:
        if resume:
            raise RunError("say which one to go on with: --name NAME --resume")
        number = 1
        while os.path.lexists(LAB / f"{kind}-{number}"):
            number += 1
        name = f"{kind}-{number}"
    path = Path(name) if len(Path(name).parts) > 1 else LAB / name
    is_one = (path / RESULTS).is_dir()
    if resume and not is_one:
        raise RunError(f"{path} is no folder of a comparison or a search, so there is nothing to go on with")
    if not resume and os.path.lexists(path):
        how = "add --resume to go on with it" if is_one else "it holds something else"
        raise RunError(f"{path} exists already; {how}, or choose another --name")
    return LabFolder(path)
