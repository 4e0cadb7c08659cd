"""`racer compare`: which reward is better, and whether that can be said at all."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.text import Text

from racer.cli import complete, console, inputs, laboratory
from racer.cli.training import count
from racer.errors import RunError
from racer.shelf import DEFAULTS

if TYPE_CHECKING:
    from racer.lab import Budget, Cell, Comparison, Experiment, Pair

__all__ = ["compare"]

USUAL_S = 30.0
FIGURE = "comparison.png"
MOST_SENTENCES = 3  # about pairs; more of them are a table


def compare(
    rewards: Annotated[
        list[str],
        typer.Argument(metavar="REWARD REWARD...", help="Names or files.", autocompletion=complete.rewards),
    ],
    track: Annotated[list[str] | None, laboratory.TRACK] = None,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Trainings of each reward on each track.")] = 5,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help=f"Train each for this long (default: {USUAL_S:g}).")
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(parser=count, metavar="N", help="Train each for so many car steps; repeats exactly."),
    ] = None,
    agent: Annotated[str, typer.Option(help="Training recipe.", autocompletion=complete.agents)] = DEFAULTS["agents"],
    car: Annotated[str, typer.Option(help="Car model: deepracer or deepracer-v4.")] = "deepracer",
    name: Annotated[
        str | None, typer.Option(help="Name of the comparison, which is kept in lab/NAME.", rich_help_panel="Files")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Keep what NAME holds, and train only what is missing.", rich_help_panel="Files"),
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=f"The picture: .png, .svg or .pdf (default: lab/NAME/{FIGURE}).",
            dir_okay=False,
            rich_help_panel="Files",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the picture.", rich_help_panel="Files")] = False,
    jobs: Annotated[int | None, laboratory.JOBS] = None,
    ray: Annotated[str | None, laboratory.RAY] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Compare rewards: train with each of them, several times, and see which drives faster.

    One training says little: the next seed may tell the opposite. So every
    reward is trained on every track with several seeds, on all cores, and the
    answer comes with what it is worth: P(A beats B) is the chance that a
    training with A ends with faster laps than one with B. Where that may be
    luck, the answer is that the data does not tell them apart, and how many
    seeds would.

    Ctrl-C keeps what is done; --resume goes on, also with more seeds or tracks.

    Examples:
      [cyan]racer compare progress my_reward[/cyan]
      [cyan]racer compare a.py b.py c.py --track harbor --track needle --seeds 8[/cyan]
      [cyan]racer compare a.py b.py --name ab --steps 400000[/cyan]
      [cyan]racer compare a.py b.py --name ab --steps 400000 --seeds 12 --resume[/cyan]
    """
    inputs.new_picture(plot, force)
    with console.busy("Reading"):
        from racer.lab import Comparison, lab_folder

        experiment = _experiment(rewards, track, seeds, laboratory.budget(steps, seconds, USUAL_S), agent, car)
        folder = lab_folder(name, "compare", resume)
    tasks = experiment.tasks
    with folder.locked():
        folder.describe(experiment.as_json())
        known = {task.name: outcome for task in tasks if (outcome := folder.outcome(task)) is not None}
        missing = [task for task in tasks if task.name not in known]
        work = laboratory.Work(len(tasks))
        work.known(len(known))
        if missing:
            with laboratory.workers(ray, jobs) as workers, work.shown(folder, workers):
                for event in folder.work(missing, workers):
                    work.tell(event)
                    if event.outcome is not None:
                        known[event.task.name] = event.outcome
    if not known:
        raise RunError(f"no training came to its end: {next(iter(work.problems.values()))[0]}")
    comparison = Comparison(experiment, known)
    picture = folder.path / FIGURE if plot is None else plot
    _draw(comparison, picture)
    if json:
        console.print_json({**comparison.as_json(), "problems": work.problems_as_json, "folder": str(folder.path)})
    else:
        _show(comparison)
    work.explain_problems()
    console.note(f"Drew {console.word(picture)}; see the drivers: {_watch(folder.path, experiment)}")


def _watch(path: Path, experiment: "Experiment") -> str:
    """The command that shows the drivers of the first track; a window shows one track."""
    some = f"*-{experiment.tracks[0].name}-*.replay" if len(experiment.tracks) > 1 else "*.replay"
    return f"[cyan]racer watch {escape(str(path / 'trainings' / some))}[/cyan]"


def _experiment(
    rewards: list[str], tracks: list[str] | None, seeds: int, budget: "Budget", agent: str, car: str
) -> "Experiment":
    """What is to be compared.

    Raises:
        RacerError: a name means nothing, or two files have one name.
        typer.BadParameter: there is nothing to compare.
    """
    from racer.lab import Experiment
    from racer.sim import CARS

    sources = [laboratory.source_of_reward(one) for one in rewards]
    names = [source.name for source in sources]
    if len(set(names)) < len(names):
        raise typer.BadParameter(f"two of {', '.join(names)} have the same name; rename one of the files")
    if tracks is not None and len(set(tracks)) < len(tracks):
        raise typer.BadParameter("name each track once", param_hint="--track")
    if car not in CARS:
        raise typer.BadParameter(f"{car!r} is none of {', '.join(CARS)}", param_hint="--car")
    routes = laboratory.tracks_of(tracks)
    return Experiment(tuple(sources), laboratory.source_of_recipe(agent), routes, seeds, budget, car)


def _draw(comparison: "Comparison", path: Path) -> None:
    from racer.viewer.plot import Strip, comparison as draw

    experiment = comparison.experiment
    strips = []
    for cell in comparison.cells:
        reward = next(source for source in experiment.rewards if source.name == cell.reward)
        for track in experiment.tracks:
            if experiment.task(reward, track, 0).track_name == cell.track:
                values = comparison.percents(reward, track)
                strips.append(Strip(cell.reward, cell.track, values, cell.percent, cell.percent_interval))
    draw(strips, [(f"{pair.better} beats {pair.worse}", pair) for pair in comparison.pairs], path)


def _show(comparison: "Comparison") -> None:
    """Print the table, then what can be said of each pair."""
    experiment = comparison.experiment
    rows = [_row(cell) for cell in comparison.cells]
    title = (
        f"{experiment.seeds} trainings of {experiment.budget} for each reward and track, with {experiment.recipe.name}"
    )
    columns = ["reward", "track", "drive laps>", "?", "lap, s>", "?", "% of mark>", "?"]
    console.show(console.table(columns, rows, title))
    if len(comparison.pairs) > MOST_SENTENCES:
        columns = ["this", "beats that", "likely>", "", "p>", "told apart"]
        console.show(console.table(columns, [_pair_row(pair) for pair in comparison.pairs]))
        return
    for pair in comparison.pairs:
        color = "green" if pair.told_apart else "yellow"
        sentence = str(pair)
        console.show(Text(f"{sentence[0].upper()}{sentence[1:]}.", color))


def _row(cell: "Cell") -> list[str]:
    low, high = (f"{100.0 * end:.0f}" for end in cell.completed_interval)
    share = [f"{cell.completed} of {cell.runs}", f"{low}-{high} %"] if cell.runs else ["none", ""]
    lap = _figure(cell.lap_time_s, cell.lap_time_interval, 2)
    return [cell.reward, cell.track or "all", *share, *lap, *_figure(cell.percent, cell.percent_interval, 1)]


def _pair_row(pair: "Pair") -> list[str]:
    low, high = (f"{100.0 * end:.0f}" for end in pair.interval)
    needed = "by more than 1,000 seeds" if pair.seeds is None else f"by {pair.seeds} seeds, if so"
    answer = "yes" if pair.told_apart else f"no; {needed}"
    return [pair.better, pair.worse, f"{100.0 * pair.probability:.0f} %", f"{low}-{high} %", f"{pair.p:.2g}", answer]


def _figure(mean: float, interval: Any, digits: int) -> list[str]:
    """A mean and its interval; a dash for what is not finite."""
    if not math.isfinite(mean):
        return ["" if math.isnan(mean) else "-", ""]
    low, high = (f"{end:.{digits}f}" if math.isfinite(end) else "∞" for end in interval)
    return [f"{mean:.{digits}f}", f"{low}-{high}"]
