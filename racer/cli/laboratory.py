"""What `racer compare` and `racer tune` share: who does the work, how it looks, and what is left of it."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import typer
from rich.markup import escape

from racer.cli import complete, console, inputs
from racer.shelf import DEFAULTS

if TYPE_CHECKING:
    from racer.lab import Budget, Event, LabFolder, Outcome, Source, Task, Workers
    from racer.track import Track

__all__ = ["JOBS", "RAY", "TRACK", "Work", "budget", "source_of_recipe", "source_of_reward", "tracks_of", "workers"]

TRACK = typer.Option(help=f"Where; repeatable (default: {DEFAULTS['tracks']}).", autocompletion=complete.tracks)
JOBS = typer.Option(min=1, help="Trainings at a time (default: one for each core).", rich_help_panel="Where")
RAY = typer.Option(
    metavar="ADDRESS",
    help="Train on a Ray cluster, such as 10.0.0.1:6379; `auto` is the one that runs here. Needs 'racer\\[ray]'.",
    rich_help_panel="Where",
)


def budget(steps: int | None, seconds: float | None, usual_s: float) -> "Budget":
    """The budget of each training, from the options.

    Raises:
        typer.BadParameter: both are given.
    """
    from racer.lab import Budget

    if steps is not None and seconds is not None:
        raise typer.BadParameter("choose one of --steps and --seconds", param_hint="--steps")
    return Budget(steps, None if steps is not None else usual_s if seconds is None else seconds)


def source_of_reward(name: str) -> "Source":
    """A reward by its name or path.

    Raises:
        RacerError: there is none, or it is no reward.
    """
    from racer.lab import Source
    from racer.reward import load_reward

    inputs.expect("a reward function", name, "reward")
    found = load_reward(name)
    assert found.path is not None
    return Source(found.name, str(found.path.absolute()), found.text)


def source_of_recipe(name: str) -> "Source":
    """A recipe by its name or path.

    Raises:
        RacerError: there is none, or it is no agent.
    """
    from racer.lab import Source
    from racer.racing import load_agent

    inputs.expect("an agent", name, "agent")
    found = load_agent(name)
    return Source(found.name, str(found.path.absolute()), found.text)


def tracks_of(names: list[str] | None) -> "tuple[Track, ...]":
    """Tracks by their names or paths; the default one if no name is given.

    Raises:
        RacerError: there is none of a name, or it cannot be driven.
    """
    from racer.track import load_track

    names = names or [DEFAULTS["tracks"]]
    for name in names:
        inputs.expect("a track", name, "route")
    return tuple(map(load_track, names))


def workers(ray: str | None, jobs: int | None) -> "Workers":
    """Who does the work.

    Raises:
        RunError: there is no such cluster.
    """
    from racer.lab import LocalWorkers, RayWorkers, cores

    return LocalWorkers(jobs or cores()) if ray is None else RayWorkers(ray, jobs)


def _seconds(outcome: "Outcome") -> str:
    """A lap time as it is printed, or that there is none."""
    return "no complete laps" if outcome.lap_time_s is None else f"laps of {outcome.lap_time_s:.2f} s"


class Work:
    """Shows work on stderr: a bar of all trainings, and a line for each that ends.

    Attributes:
        problems: of each reward what went wrong first, and how often something did.
        say: prints a message, above the bar while there is one.
    """

    def __init__(self, total: int) -> None:
        """Expect so many trainings in all."""
        self.problems: dict[str, tuple[str, int]] = {}
        self._total, self._ended, self._used = total, 0, dict[int, float]()
        self._bar: Callable[[float, int], None] = lambda share, total: None
        self.say: Callable[[str], None] = console.note

    @contextlib.contextmanager
    def shown(self, folder: "LabFolder", workers: "Workers") -> Iterator[None]:
        """Show a bar if there is a terminal; says how to go on if the work is stopped."""
        console.note(f"{self._total} trainings, {workers.size} at a time; kept in {console.word(folder.path)}")
        try:
            with self._with_bar():
                yield
        except KeyboardInterrupt:
            console.note(
                f"{self._ended} of {self._total} trainings are kept; go on with the same command and "
                f"--name {escape(console.quoted(folder.path.name))} --resume"
            )
            raise

    @property
    def problems_as_json(self) -> dict[str, dict[str, Any]]:
        """The same for scripts, by the rewards' names."""
        return {name: {"trainings": times, "first": first} for name, (first, times) in self.problems.items()}

    def explain_problems(self) -> None:
        """Say again, in the end, what went wrong."""
        for name, (first, times) in self.problems.items():
            console.note(f"[red]{times} trainings with {escape(name)} failed:[/red] {escape(first.splitlines()[0])}")

    def add(self, trainings: int) -> None:
        """Expect so many trainings more, or fewer."""
        self._total += trainings

    def tell(self, event: "Event", quiet: bool = False) -> None:
        """Show what a worker says; `quiet`: no line for each outcome."""
        task = event.task
        if event.outcome is not None and not quiet:
            self.say(f"{escape(_named(task))}: {_seconds(event.outcome)}")
        if event.problem:
            first, times = self.problems.get(task.reward.name, (event.problem, 0))
            self.problems[task.reward.name] = first, times + 1
            if not times:
                self.say(f"[red]{escape(_named(task))} failed[/red]; the others go on: {escape(event.problem)}")
        self._used[id(task)] = event.used
        if event.ended:
            self._used.pop(id(task))
            self._ended += 1
        self._bar(self._ended + sum(self._used.values()), self._total)

    def known(self, trainings: int = 1) -> None:
        """Count trainings whose outcome was known before."""
        self._ended += trainings

    @contextlib.contextmanager
    def _with_bar(self) -> Iterator[None]:
        if not sys.stderr.isatty():
            yield
            return
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = (TextColumn("Training"), BarColumn(None), TaskProgressColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console.messages(), transient=True, redirect_stdout=False) as bar:
            item = bar.add_task("", total=float(self._total), completed=self._ended)

            def move(done: float, total: int) -> None:
                bar.update(item, completed=done, total=float(total))

            self._bar = move
            self.say = lambda message: bar.console.print(message, soft_wrap=True, highlight=False)
            try:
                yield
            finally:
                self.say = console.note


def _named(task: "Task") -> str:
    return f"{task.reward.name} on {task.track_name}, seed {task.seed}"
