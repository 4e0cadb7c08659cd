"""The command line: `racer COMMAND`, one function for each command, thin over the engine.

Invariant: modules of this package import at their top only what is cheap (Typer, Rich, the shelf); the
engine is imported inside the commands, so that help and completion answer at once. Exit codes: 0 done, 1 an
error that a user can mend (one message, no traceback), 2 wrong usage, 130 Ctrl-C.
"""

import contextlib
import importlib
import os
import sys
import threading
import time
from itertools import pairwise
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from racer import __version__
from racer.cli import (
    boards,
    checking,
    comparing,
    console,
    demo,
    drive,
    driving,
    export,
    importing,
    leaderboard,
    logs,
    mark,
    plotting,
    race,
    report,
    results,
    rules,
    sensors,
    shelves,
    streams,
    tournament,
    training,
    tuning,
)
from racer.errors import RacerError

__all__ = ["app", "main"]

START, DRIVE, COMPETE = "Start here", "Teach and race", "Compare"


class Racer(TyperGroup):
    """The group of all commands; turns the errors that a user can mend into one message and exit code 1."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command line."""
        try:
            return super().main(*args, **options)
        except RacerError as error:
            console.error(str(error))
        except OSError as error:  # the system's word, where no module had a better one
            console.error(str(error))
        sys.exit(1)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take the words of a command line; as a file's name, an empty one would mean the folder that one is in."""
        if any(not word and not before.startswith("-") for before, word in pairwise(["", *args])):
            raise typer.BadParameter("one of the words is empty; in a script, look whether a variable is not set")
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=Racer,
    name="racer",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def show_version(wanted: bool) -> None:
    """Print the version and stop."""
    if wanted:
        typer.echo(f"racer {__version__}")
        raise typer.Exit


@app.callback()
def racer(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=show_version, is_eager=True)
    ] = False,
) -> None:
    """Write a reward function, watch a car learn to drive it.

    [cyan]racer COMMAND --help[/cyan] explains a command, with examples, and
    [cyan]racer --install-completion[/cyan] lets the TAB key finish commands and names.

    The way through:
      [cyan]racer demo[/cyan]                        the whole thing in a minute
      [cyan]racer new my-racing[/cyan]               a folder of your own, with examples
      [cyan]racer check my_reward[/cyan]             what does my reward pay for?
      [cyan]racer train --reward my_reward[/cyan]    teach a car with it
      [cyan]racer evaluate RUN[/cyan]                three laps against the clock
      [cyan]racer race RUN RUN ...[/cyan]            against each other
      [cyan]racer mark --track TRACK[/cyan]          how fast it could be
      [cyan]racer watch RUN|REPLAY[/cyan]            see them, alone or next to others
      [cyan]racer plot RUN --out FILE.png[/cyan]     how it learned
      [cyan]racer report RUN[/cyan]                  all about a training, on one page
      [cyan]racer leaderboard add REPLAY[/cyan]      enter the best one
    """
    importlib.import_module("racer.env")  # registers the environments, which a learner's file may make


app.command("demo", rich_help_panel=START)(demo.demo)
app.command("new", rich_help_panel=START)(shelves.new)
app.command("list", rich_help_panel=START)(shelves.list_shelves)
app.command("import-track", rich_help_panel=START)(shelves.import_track)
app.command("new-track", rich_help_panel=START)(shelves.new_track)
app.command("sensors", rich_help_panel=START)(sensors.sensors)
app.command("check", rich_help_panel=DRIVE)(checking.check)
app.command("train", rich_help_panel=DRIVE)(training.train)
app.command("evaluate", rich_help_panel=DRIVE)(driving.evaluate)
app.command("export", rich_help_panel=COMPETE)(export.export)
app.command("race", rich_help_panel=DRIVE)(race.race)
app.command("tournament", rich_help_panel=COMPETE)(tournament.tournament)
app.command("drive", rich_help_panel=DRIVE)(drive.drive)
app.command("watch", rich_help_panel=DRIVE)(results.watch)
app.command("compare", rich_help_panel=COMPETE)(comparing.compare)
app.command("tune", rich_help_panel=COMPETE)(tuning.tune)
app.command("mark", rich_help_panel=COMPETE)(mark.mark)
app.command("plot", rich_help_panel=COMPETE)(plotting.plot)
app.command("report", rich_help_panel=COMPETE)(report.report)
app.command("import-model", rich_help_panel=COMPETE)(importing.import_model)
app.command("import-log", rich_help_panel=COMPETE)(logs.import_log)
app.command("rescore", rich_help_panel=COMPETE)(logs.rescore)
app.add_typer(rules.rules_app, name="rules", rich_help_panel=COMPETE)
for name, command in boards.COMMANDS.items():
    leaderboard.leaderboard_app.command(name)(command)
app.add_typer(leaderboard.leaderboard_app, name="leaderboard", rich_help_panel=COMPETE)


def main() -> None:
    """Enter from the shell: the process is racer's own, and nothing that a reward function does keeps it alive."""
    from racer.reward import end_process_when_stuck

    console.errors_on_stdout("stderr" in streams.prepare())
    end_process_when_stuck()
    code: Any = None
    try:
        app(prog_name="racer")
    except SystemExit as leaving:
        code = leaving.code
    _end_threads(code)
    sys.exit(code)


def _end_threads(code: Any) -> None:
    """Give threads that would keep the process alive, which reward functions may have started, a second to end."""
    deadline = time.monotonic() + 1.0
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                for stream in (sys.stdout, sys.stderr):
                    with contextlib.suppress(OSError, ValueError, AttributeError):
                        stream.flush()
                os._exit(code if isinstance(code, int) else int(code is not None))
