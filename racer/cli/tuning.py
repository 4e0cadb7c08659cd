"""`racer tune`: which constants of a reward, or which hyperparameters of a recipe, drive best."""

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from racer import shelf
from racer.cli import complete, console, inputs, laboratory
from racer.cli.training import count
from racer.errors import RunError
from racer.shelf import DEFAULTS, refuse_existing

if TYPE_CHECKING:
    from racer.lab import Candidate, Search

__all__ = ["tune"]

USUAL_S = 15.0
SHOWN = 8  # candidates


def tune(
    what: Annotated[
        str,
        typer.Argument(metavar="REWARD|RECIPE", help="A name or a file.", autocompletion=complete.rewards_and_agents),
    ],
    ranges: Annotated[
        list[str] | None,
        typer.Option("--range", metavar="'NAME: RANGE'", help="Search over this constant, too; repeatable."),
    ] = None,
    candidates: Annotated[int, typer.Option(min=2, help="How many values to try, the file's own included.")] = 30,
    track: Annotated[list[str] | None, laboratory.TRACK] = None,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Trainings of each candidate on each track.")] = 5,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help=f"Train each for this long (default: {USUAL_S:g}).")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(parser=count, metavar="N", help="Train each for so many car steps.")
    ] = None,
    reward: Annotated[str, typer.Option(help="To tune a recipe with.", autocompletion=complete.rewards)] = DEFAULTS[
        "reward_functions"
    ],
    agent: Annotated[str, typer.Option(help="To tune a reward with.", autocompletion=complete.agents)] = DEFAULTS[
        "agents"
    ],
    seed: Annotated[int, typer.Option(min=0, help="Random seed of what is tried.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The new file (default: beside the old one, as NAME_tuned.py).", dir_okay=False
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the search, which is kept in lab/NAME.", rich_help_panel="Files")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the search NAME.", rich_help_panel="Files")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE.", rich_help_panel="Files")] = False,
    jobs: Annotated[int | None, laboratory.JOBS] = None,
    ray: Annotated[str | None, laboratory.RAY] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    r"""Search for the values of a file's constants that drive fastest.

    Mark in the file which constants may change, and how far:

      SPEED_WEIGHT = 2.0  # tune: 0.5 to 5
      GRIP = 2.5          # of the tyres; tune: 1.0 to 10.0 log
      LOOK_AHEAD = 4      # tune: one of 2, 4, 8

    Every candidate is trained with several seeds, and given up as soon as it is
    probably worse than the best so far. The best one is written as a new file.
    Needs `pip install 'racer\[tune]'`.

    Examples:
      [cyan]racer tune my_reward[/cyan]
      [cyan]racer tune my_reward --track harbor --track needle --name t[/cyan]
      [cyan]racer tune my_reward --name u --candidates 50[/cyan]
      [cyan]racer tune my_reward --name u --candidates 100 --resume[/cyan]
      [cyan]racer tune ppo --reward my_reward --range 'n_epochs: 3 to 10'[/cyan]
    """
    if out is not None:
        refuse_existing(out, force)
    with console.busy("Reading"):
        from racer.lab import Experiment, Search, lab_folder, ranges_of

        recipe = _is_recipe(what)
        experiment = Experiment(
            (laboratory.source_of_reward(reward if recipe else what),),
            laboratory.source_of_recipe(what if recipe else agent),
            laboratory.tracks_of(track),
            seeds,
            laboratory.budget(steps, seconds, USUAL_S),
        )
        source = experiment.recipe if recipe else experiment.rewards[0]
        found = ranges_of(source, ranges or ())
        if not found:
            raise RunError(
                f"{source.path} does not say what to search over: mark constants, as in "
                "`WEIGHT = 2.0  # tune: 0.5 to 5`, or name them: --range 'WEIGHT: 0.5 to 5'"
            )
        folder = lab_folder(name, "tune", resume)
    with folder.locked():
        search = Search(experiment, found, candidates, folder, seed, recipe)
        folder.describe({**experiment.as_json(), "searched": {one.name: str(one) for one in found}})
        _run(search, ray, jobs)
    best = search.best
    path = None if best.number == 0 else _write(search, best, out, force)
    if json:
        console.print_json(_record(search, best, path))
    else:
        _show(search, best)
    if path is None:
        console.note("Nothing that was tried is better than the file's own values; more candidates: --resume")
        return
    console.note(f"Wrote {console.word(path)}. The best of many was lucky, too: see what it is worth with other seeds:")
    other = ("--agent", path) if recipe else (path,)
    words = ("compare", source.path, path) if not recipe else ("train", *other)
    console.note(f"  {console.command('racer', *words)}")


def _run(search: "Search", ray: str | None, jobs: int | None) -> None:
    """Try candidates, and show how it goes."""
    if not search.left:
        return
    work, trained = laboratory.Work(search.left * search.seeds), Counter[int]()
    with laboratory.workers(ray, jobs) as workers, work.shown(search.folder, workers):
        for candidate, event in search.run(workers):
            if event is not None:
                trained[candidate.number] += event.ended
                work.tell(event, quiet=True)
            if candidate.state != "in progress":
                work.add(trained[candidate.number] - search.seeds)  # it was given up, or known in part
                work.say(escape(_line(candidate)))


def _line(candidate: "Candidate") -> str:
    """A candidate in a line."""
    mean = f"{candidate.mean:.1f} %" if candidate.scores else candidate.state
    note = f" ({candidate.state} after {len(candidate.scores)})" if candidate.state == "given up" else ""
    return f"{candidate.number:3}  {mean}{note}  {_values(candidate.values)}"


def _values(values: dict[str, Any]) -> str:
    return "  ".join(f"{name} {value}" for name, value in values.items())


def _is_recipe(what: str) -> bool:
    """Whether a name means a recipe and no reward.

    Raises:
        RacerError: it means nothing.
    """
    found = inputs.kind(Path(what))
    if found is not None:
        inputs.expect("a reward function or a recipe", what, "reward", "agent")
        return found == "agent"
    if what not in shelf.names("reward_functions") and what in shelf.names("agents"):
        return True
    shelf.resolve("reward_functions", what)
    return False


def _write(search: "Search", best: "Candidate", out: Path | None, force: bool) -> Path:
    """Write the best candidate as a new file, and nothing over an old one that was not named to be replaced."""
    from racer.shelf import make_folder, shipped_folder, write_atomically

    if out is None:
        kind = "agents" if search.recipe else "reward_functions"
        old = Path(search.source.path)
        folder = make_folder(kind) if old.is_relative_to(shipped_folder(kind).absolute()) else old.parent
        number, out = 1, folder / f"{old.stem}_tuned.py"
        while os.path.lexists(out):
            number += 1
            out = folder / f"{old.stem}_tuned_{number}.py"
    refuse_existing(out, force)
    write_atomically(out, search.text(best.values))
    return out


def _record(search: "Search", best: "Candidate", path: Path | None) -> dict[str, Any]:
    def plain(one: "Candidate") -> dict[str, Any]:
        mean = one.mean if one.scores else None
        return {"number": one.number, "values": one.values, "scores": one.scores, "mean": mean, "state": one.state}

    return {
        "format": "racer search",
        "version": 1,
        "asked": search.experiment.as_json(),
        "ranges": {one.name: str(one) for one in search.ranges},
        "candidates": [plain(one) for one in search.tried],
        "best": plain(best),
        "written": None if path is None else str(path),
        "folder": str(search.folder.path),
    }


def _show(search: "Search", best: "Candidate") -> None:
    """Print the best candidates, and the file's own values."""
    complete_ones = sorted((one for one in search.tried if one.state == "complete"), key=lambda one: -one.mean)
    shown = complete_ones[:SHOWN]
    shown += [one for one in complete_ones[SHOWN:] if one.number == 0]
    rows = [
        [str(one.number) + (" (own)" if one.number == 0 else ""), f"{one.mean:.1f}", _values(one.values)]
        for one in shown
    ]
    title = f"{len(search.tried)} candidates, up to {search.seeds} trainings of {search.experiment.budget} each"
    console.show(console.table(["candidate", "of the mark, %>", "values"], rows, title))
