"""`racer train`, and how a training looks while it goes on."""

import contextlib
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from racer.cli import complete, console, deepracer, laps
from racer.errors import RacerError
from racer.shelf import DEFAULTS

if TYPE_CHECKING:
    from racer.deepracer.config import Conversion
    from racer.replay import Replay
    from racer.training import Progress as State, Run, Show

__all__ = ["run_training", "train"]

FILES = "DeepRacer's files"
LINE_EVERY_S = 5.0  # of training, between two lines where there is no terminal to draw a bar on


def train(
    track: Annotated[
        str | None,
        typer.Option(help=f"Where. {DEFAULTS['tracks']} if left out.", autocompletion=complete.tracks),
    ] = None,
    tracks: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="One driver for several tracks, both directions; random: another track in each episode.",
            autocompletion=complete.track_lists,
        ),
    ] = None,
    reward: Annotated[
        str | None,
        typer.Option(help=f"What pays. {DEFAULTS['reward_functions']} if left out.", autocompletion=complete.rewards),
    ] = None,
    agent: Annotated[
        str | None,
        typer.Option(
            help=f"The recipe; {DEFAULTS['agents']}, or what fits --sensors, if left out.",
            autocompletion=complete.agents,
        ),
    ] = None,
    seconds: Annotated[float | None, typer.Option(help="Budget in time; 60 if none is given.")] = None,
    steps: Annotated[int | None, typer.Option(help="Budget in car steps; repeatable.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything drawn by lot; 0 if left out.")] = None,
    name: Annotated[
        str | None, typer.Option(help="Of the run, kept in runs/NAME.", autocompletion=complete.runs)
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run NAME, or the newest.")] = False,
    logs: Annotated[
        bool | None, typer.Option("--logs/--no-logs", help="Keep DeepRacer's logs, too; yes if left out.")
    ] = None,
    car: Annotated[str | None, typer.Option(help="Kind of car: deepracer if left out, or deepracer-v4.")] = None,
    sensors: Annotated[
        str | None,
        typer.Option(help="What the driver perceives, with commas; the recipe's own if left out."),
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="Of episodes: random if left out, rotate (as DeepRacer) or line.")
    ] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="Drive against the track's direction.")] = False,
    both_ways: Annotated[bool, typer.Option("--both-ways", help="Half of the cars train in each direction.")] = False,
    randomize: Annotated[
        bool, typer.Option("--randomize", help="Cars, senses and starts differ from episode to episode.")
    ] = False,
    device: Annotated[str | None, typer.Option(help="Where it learns: auto, cpu or cuda (a GPU).")] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--deepracer", metavar="FOLDER", help="All of the following in one.", rich_help_panel=FILES),
    ] = None,
    metadata: Annotated[
        Path | None,
        typer.Option("--model-metadata", metavar="FILE", help="Actions and sensors.", rich_help_panel=FILES),
    ] = None,
    hyperparameters: Annotated[
        Path | None, typer.Option(metavar="FILE", help="How to learn.", rich_help_panel=FILES)
    ] = None,
) -> None:
    """Train a driver with a reward function.

    The best driver is kept: complete laps first, then lap time. Ctrl-C keeps
    what was learnt. With --steps the same seed gives the same driver.

    A folder that DeepRacer's console exported, or that deepracer-for-cloud
    trains from, runs as it is: --deepracer reports the outcome of every setting.

    Examples:
      [cyan]racer train --reward centerline --seconds 30[/cyan]
      [cyan]racer train --track dune --reward my_reward --name fast[/cyan]
      [cyan]racer train --name fast --resume --seconds 120[/cyan]
      [cyan]racer train --agent ppo_camera[/cyan]
      [cyan]racer train --tracks harbor,needle,random --seconds 300[/cyan]
      [cyan]racer train --deepracer my-model/[/cyan]
    """
    if steps is not None and seconds is not None:
        raise typer.BadParameter("choose one of --steps and --seconds", param_hint="--steps")
    if tracks is not None and (track is not None or reverse):
        raise typer.BadParameter(
            "choose one of --tracks (which are driven in both directions) and --track, --reverse", param_hint="--tracks"
        )
    new = (track, tracks, agent, seed, car, sensors, start, device, folder, metadata, hyperparameters)
    if resume and (reverse or both_ways or randomize or any(option is not None for option in new)):
        raise typer.BadParameter(
            "a run that goes on keeps its track, agent, seed and all but its budget and reward",
            param_hint="--resume",
        )
    with console.busy(console.loading("Loading the engine")):
        from racer import training as engine
        from racer.deepracer.config import quicker
        from racer.track import load_track

        asked = _asked(track, tracks, reward, agent, sensors, start, both_ways, randomize)
        converted = _converted((folder, metadata, hyperparameters), asked, reverse)
    if converted is not None:
        deepracer.show(converted, folder)
    if resume:
        run = engine.resume(_folder(name), steps=steps, seconds=seconds, reward=reward, logs=logs)
    else:
        usual = {"tracks": DEFAULTS["tracks"], "reward": DEFAULTS["reward_functions"], "agent": DEFAULTS["agents"]}
        if "sensors" in asked:
            usual["agent"] = quicker(asked["sensors"])
        asked = usual | asked
        if reverse and folder is None:  # a folder's own direction is settled already
            asked["tracks"] = load_track(asked["tracks"]).reverse()
        run = engine.start(
            name=name or (deepracer.run_name(folder) if folder is not None else None),
            steps=steps,
            seconds=seconds,
            seed=seed or 0,
            car=car or "deepracer",
            device=device or "auto",
            logs=logs is not False,
            **asked,
        )
    replay = run_training(run)
    laps.show(replay)
    called = escape(run.name)
    console.note(f"Kept in [bold]{escape(str(run.folder))}[/bold]. Next:")
    console.note(f"  [cyan]racer watch {escape(str(run.replay))}[/cyan]")
    console.note(f"  [cyan]racer evaluate {called} --replay {called}.replay[/cyan]")
    console.note(f"  [cyan]racer train --name {called} --resume --seconds 120[/cyan]")


def run_training(run: "Run") -> "Replay":
    """Train with everything shown on stderr; says how to go on when it is stopped."""
    from racer.training import train as engine_train

    plan = run.plan
    console.note(
        f"Training [bold]{escape(run.name)}[/bold]: {escape(plan.agent)} on {escape(', '.join(plan.tracks))} "
        f"with the reward {escape(plan.reward)}, seed {plan.seed}"
    )
    try:
        with _shown() as show:
            return engine_train(run, show, lambda about: console.note(escape(about)))
    except (KeyboardInterrupt, RacerError):
        if run.checkpoint.exists():
            again = f"racer train --name {escape(run.name)} --resume"
            console.note(f"What was learnt is kept in {escape(str(run.folder))}; [cyan]{again}[/cyan] goes on")
        raise


def _asked(
    track: str | None,
    tracks: str | None,
    reward: str | None,
    agent: str | None,
    sensors: str | None,
    start: str | None,
    both_ways: bool,
    randomize: bool,
) -> dict[str, Any]:
    """What `racer.training.start` is to be told, as far as the options say it."""
    names = tuple(sensors.split(",")) if sensors is not None else None
    given = {
        "tracks": track if tracks is None else tuple(tracks.split(",")),
        "reward": reward,
        "agent": agent,
        "sensors": names,
        "starts": start,
        "both_ways": both_ways or tracks is not None or None,
        "randomize": randomize or None,
    }
    return {key: value for key, value in given.items() if value is not None}


def _converted(
    files: tuple[Path | None, Path | None, Path | None], asked: dict[str, Any], reverse: bool
) -> "Conversion | None":
    """What DeepRacer's files ask for, which goes into `asked` where no option says otherwise; None if none is given."""
    folder, metadata, hyperparameters = files
    if not any(files):
        return None
    from racer.deepracer.config import Document, convert

    where = asked.get("tracks")
    first = where if isinstance(where, str | None) else next((name for name in where if name != "random"), None)
    given = {key: asked.get(key) for key in ("reward", "agent", "sensors")}
    converted = convert(
        folder, metadata=metadata, hyperparameters=hyperparameters, track=first, reverse=reverse, **given
    )
    if converted.track is not None and not isinstance(where, tuple):
        asked["tracks"] = converted.track
    if isinstance(converted.reward, Document) and folder is not None:
        asked["reward"] = deepracer.shelved(converted.reward, folder)
    asked |= {"both_ways": asked.get("both_ways", converted.both_directions)}
    asked |= {"knobs": converted.hyperparameters} if converted.hyperparameters is not None else {}
    for key in ("reward", "agent", "actions", "sensors", "starts", "randomize"):
        if (value := getattr(converted, key)) is not None:
            asked.setdefault(key, value)
    return converted


def _folder(name: str | None) -> Path:
    """The run folder that `--resume` means."""
    from racer.errors import RunError
    from racer.shelf import did_you_mean
    from racer.training import RUNS, find_run, run_names

    known = run_names()
    if name is None:
        if not known:
            raise RunError("there is no run to go on with; begin one: racer train --name NAME")
        return RUNS / known[0]
    found = find_run(name)
    if found is None:
        raise RunError(f"there is no run {name!r}.{did_you_mean(name, known)} `racer list runs` lists them.")
    return found.folder


@contextlib.contextmanager
def _shown() -> "Iterator[Show]":
    """A live picture of the training on a terminal, else a line now and then."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Group
    from rich.live import Live
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.spinner import Spinner
    from rich.text import Text

    bar = Progress(
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[speed]}"),
        console=console.messages(),
    )
    task = bar.add_task("", total=1.0, speed="", start=False)
    with Live(Spinner("dots", console.loading("Preparing")), console=console.messages(), refresh_per_second=8) as live:

        def show(state: "State") -> None:
            if not bar.tasks[0].started:
                bar.start_task(task)
            bar.update(task, completed=state.used, speed=f"{state.steps_per_s:,.0f} steps/s")
            live.update(Group(bar, Text(_facts(state), style="dim")))

        yield show


class _Lines:
    """Prints how a training stands, every few seconds, for logs."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, state: "State") -> None:
        if state.seconds >= self._next or state.used >= 1.0:
            self._next = state.seconds + LINE_EVERY_S
            console.note(
                f"{state.used:4.0%}  {state.seconds:6.1f} s  {state.steps:>9,} steps  "
                f"{state.steps_per_s:,.0f} steps/s  {_facts(state)}"
            )


def _facts(state: "State") -> str:
    """Completion, best lap and reward, as far as known."""
    facts = []
    if state.score is not None:
        facts.append(f"laps completed {state.score.completed:.0%}")
    if state.best is not None and state.best.best_lap_s is not None:
        facts.append(f"best lap {state.best.best_lap_s:.3f} s")
    reward = state.metrics.get("episode/reward", math.nan)
    if math.isfinite(reward):
        facts.append(f"reward per episode {reward:.4g}")
    return "  ".join(facts)
