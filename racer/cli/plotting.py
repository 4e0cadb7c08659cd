"""`racer plot`: learning curves of runs, and laps of replays and runs, as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from racer.cli import complete, console
from racer.cli.inputs import new_picture, replay_file
from racer.cli.runs import known_run

if TYPE_CHECKING:
    from racer.viewer.plot import Curve

__all__ = ["plot"]

COLUMNS = {
    "return": ("rollout/ep_rew_mean", 1.0),
    "progress": ("rollout/ep_progress_mean", 1.0),
    "completed": ("eval/success_rate", 100.0),
    "best_lap": ("eval/best_lap_s", 1.0),
    "of_mark": ("eval/percent_of_mark", 1.0),
}
"""Columns of a run's metrics that are drawn, and what to multiply them by."""


def plot(
    what: Annotated[
        list[str],
        typer.Argument(metavar="RUN|REPLAY...", help="Runs or replays.", autocompletion=complete.replays_and_runs),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="The picture: .png, .svg or .pdf.", dir_okay=False)
    ],
    laps: Annotated[
        bool, typer.Option("--laps", help="Draw the laps of the runs' best drivers, not their learning curves.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the picture.")] = False,
) -> None:
    """Draw how runs learned, or the laps of replays.

    Runs give learning curves: return, progress, completed laps and best lap, in
    percent of the mark, too, over the steps that were driven. Replays give laps
    on their track, coloured by speed; so do runs with --laps.

    Examples:
      [cyan]racer plot first second --out curves.png[/cyan]
      [cyan]racer plot first --laps --out laps.png[/cyan]
      [cyan]racer plot first.replay classic.replay --out laps.png[/cyan]
    """
    new_picture(out, force)
    with console.busy("Drawing"):
        if laps or any(Path(one).is_file() for one in what):
            _draw_laps(what, out)
        else:
            _draw_curves(what, out)
    console.note(f"Drew {console.word(out)}")


def _draw_laps(what: list[str], out: Path) -> None:
    from racer.replay import load_replay
    from racer.viewer.plot import laps

    laps([load_replay(replay_file(one)) for one in what], out)


def _draw_curves(what: list[str], out: Path) -> None:
    from racer.viewer.plot import learning_curves

    learning_curves([_curve(one) for one in what], out)


def _curve(name: str) -> Curve:
    """A run's learning curve.

    Raises:
        RunError: there is no such run, or it has no metrics.
    """
    import numpy as np

    from racer.training import read_metrics
    from racer.viewer.plot import Curve

    run = known_run(name)
    metrics = read_metrics(run.folder)
    steps = metrics["steps"]
    nothing = np.full(len(steps), np.nan)
    values = {key: factor * metrics.get(column, nothing) for key, (column, factor) in COLUMNS.items()}
    values["best_lap"] = np.fmin.accumulate(values["best_lap"])
    values["of_mark"] = np.fmax.accumulate(values["of_mark"])
    return Curve(run.name, steps, values)
