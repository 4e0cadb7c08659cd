"""`racer train`: a new training, one that goes on, or a new one that begins with the driver of an old one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from racer.cli import asked as options, complete, console, deepracer, laps, mark, runs, screen, watching
from racer.errors import RacerError
from racer.shelf import DEFAULTS

if TYPE_CHECKING:
    from racer.replay import Replay
    from racer.training import Run

__all__ = ["run_training", "train"]

BUDGET, DRIVING, FILES = "How long", "What it drives and observes", "DeepRacer's files"


def count(text: str) -> int:
    """A number of steps, as people write it: 1e6, 400_000, 400,000.

    Raises:
        typer.BadParameter: it is no whole number.
    """
    try:
        number = float(text.replace(",", ""))
        if number != int(number):
            raise ValueError
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is not a whole number; write it as 1000000 or 1e6") from None
    return int(number)


def train(
    track: Annotated[
        str | None,
        typer.Option(help=f"Track to train on (default: {DEFAULTS['tracks']}).", autocompletion=complete.tracks),
    ] = None,
    tracks: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="Several tracks, in both directions; `random` stands for a new track in each episode.",
            autocompletion=complete.track_lists,
        ),
    ] = None,
    reward: Annotated[
        str | None,
        typer.Option(
            help=f"Reward function (default: {DEFAULTS['reward_functions']}).", autocompletion=complete.rewards
        ),
    ] = None,
    agent: Annotated[
        str | None,
        typer.Option(
            help=f"Training recipe (default: {DEFAULTS['agents']}, or one that fits --sensors).",
            autocompletion=complete.agents,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the run, which is kept in runs/NAME.", autocompletion=complete.runs),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run NAME, or the newest one if no name is given.")
    ] = False,
    origin: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="RUN",
            help="Start a new run with the best driver of another run; track, reward and name may differ.",
            autocompletion=complete.runs,
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Random seed (default: 0).")] = None,
    logs: Annotated[
        bool | None, typer.Option("--logs/--no-logs", help="Keep logs in DeepRacer's format, too (default: yes).")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="Where the networks are trained: auto, cpu or cuda (default: auto).")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Set a hyperparameter of the recipe; repeatable."),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Train for this long in total (default: 60).", rich_help_panel=BUDGET)
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(parser=count, metavar="N", help="Train for this many car steps.", rich_help_panel=BUDGET),
    ] = None,
    more_seconds: Annotated[
        float | None, typer.Option(help="With --resume: train for this much longer.", rich_help_panel=BUDGET)
    ] = None,
    more_steps: Annotated[
        int | None,
        typer.Option(parser=count, metavar="N", help="With --resume: this many more steps.", rich_help_panel=BUDGET),
    ] = None,
    car: Annotated[
        str | None,
        typer.Option(help="Car model: deepracer or deepracer-v4 (default: deepracer).", rich_help_panel=DRIVING),
    ] = None,
    sensors: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="Sensors that the driver observes (default: those of the recipe). See `racer sensors`.",
            rich_help_panel=DRIVING,
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            help="Where episodes start: random, rotate (as in DeepRacer) or line (default: random).",
            rich_help_panel=DRIVING,
        ),
    ] = None,
    reverse: Annotated[
        bool, typer.Option("--reverse", help="Drive the track in the opposite direction.", rich_help_panel=DRIVING)
    ] = False,
    both_directions: Annotated[
        bool,
        typer.Option(
            "--both-directions",
            "--both-ways",
            help="Train half of the cars in each direction.",
            rich_help_panel=DRIVING,
        ),
    ] = False,
    randomize: Annotated[
        str | None,
        typer.Option(
            metavar="LEVEL",
            help="Vary car, sensors and start in each episode: off, some, or car (default: as the recipe says).",
            autocompletion=complete.randomizations,
            rich_help_panel=DRIVING,
        ),
    ] = None,
    race: Annotated[
        str | None,
        typer.Option(
            help="time-trial, object-avoidance, head-to-bot or head-to-head (default: time-trial).",
            rich_help_panel=options.RACE,
        ),
    ] = None,
    objects: options.Objects = None,
    random_objects: options.RandomObjects = False,
    bots: options.BotCars = None,
    bot_speed: options.BotSpeed = None,
    lane_changes: options.LaneChanges = False,
    opponent: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RUN|MODEL|AGENT|self",
            help="Race against this driver, or the run's own earlier ones; repeatable.",
            autocompletion=complete.drivers,
            rich_help_panel=options.RACE,
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--deepracer", metavar="FOLDER", help="A whole model folder.", rich_help_panel=FILES),
    ] = None,
    metadata: Annotated[
        Path | None,
        typer.Option("--model-metadata", metavar="FILE", help="Actions and sensors.", rich_help_panel=FILES),
    ] = None,
    hyperparameters: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Hyperparameters.", rich_help_panel=FILES)
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Open a window on the cars as they learn.")] = False,
) -> None:
    """Train a driver with a reward function.

    The best driver is kept: complete laps first, then lap time. Ctrl-C keeps
    what was learned. With --steps, the same seed gives the same driver.

    A folder that DeepRacer's console exported, or that deepracer-for-cloud
    trains from, works as it is: --deepracer reports the outcome of every setting.

    The learning curves of all runs: [cyan]tensorboard --logdir runs[/cyan]

    Examples:
      [cyan]racer train --reward centerline --seconds 30[/cyan]
      [cyan]racer train --track dune --reward my_reward --name fast[/cyan]
      [cyan]racer train --name fast --resume --more-seconds 120[/cyan]
      [cyan]racer train --from fast --reward speed --name faster[/cyan]
      [cyan]racer train --agent ppo_camera[/cyan]
      [cyan]racer train --set n_epochs=8 --set net_arch=128,128[/cyan]
      [cyan]racer train --tracks harbor,needle,random --seconds 300[/cyan]
      [cyan]racer train --reward speed --watch[/cyan]
      [cyan]racer train --race object-avoidance --objects 6 --reward avoid_boxes[/cyan]
      [cyan]racer train --race head-to-head --opponent self --reward overtake[/cyan]
      [cyan]racer train --deepracer my-model/[/cyan]
    """
    if steps is not None and seconds is not None:
        raise typer.BadParameter("choose one of --steps and --seconds", param_hint="--steps")
    more = {"more_steps": more_steps, "more_seconds": more_seconds}
    if any(given is not None for given in more.values()) and not resume:
        raise typer.BadParameter("this continues a run; add --resume", param_hint="--more-seconds, --more-steps")
    if tracks is not None and (track is not None or reverse):
        raise typer.BadParameter(
            "choose one of --tracks (which are driven in both directions) and --track, --reverse", param_hint="--tracks"
        )
    new = (track, tracks, seed, car, sensors, start, settings, device, folder, metadata, hyperparameters, origin)
    in_race = (race, objects, bots, bot_speed, random_objects or None, lane_changes or None, opponent or None)
    asked_anew = reverse or both_directions or randomize or any(one is not None for one in (*new, *in_race))
    if resume and asked_anew:
        raise typer.BadParameter(
            "a run that goes on keeps its track, seed and all but its budget and reward; "
            "for a new run with its driver use --from RUN instead",
            param_hint="--resume",
        )
    with console.busy(console.loading("Loading the engine")):
        from racer import training as engine
        from racer.racing import parse_hyperparameters

        if resume:
            budget: dict[str, Any] = {"steps": steps, "seconds": seconds, **more}
            run = engine.resume(options.folder_of(name), **budget, agent=agent, reward=reward, logs=logs)
        else:
            given: dict[str, Any] = {"reward": reward, "agent": agent, "seed": seed, "car": car, "starts": start}
            given |= {"tracks": (track,) if track else options.words(tracks), "sensors": options.words(sensors)}
            given |= {"device": device, "logs": logs, "randomize": randomize}
            given |= {"both_directions": both_directions or bool(tracks) or None}
            asked = {key: value for key, value in given.items() if value is not None}
            if any(option is not None for option in in_race):  # a time trial, too, where --from names another race
                others = objects, random_objects, bots, bot_speed, lane_changes, opponent
                asked["traffic"] = options.traffic_of(race, *others)
                asked["opponents"] = tuple(opponent or ())
            converted = options.converted((folder, metadata, hyperparameters), asked, reverse)
            if settings:
                asked["hyperparameters"] = {**asked.get("hyperparameters", {}), **parse_hyperparameters(settings)}
            weights = None if origin is None else runs.known_run(origin, agent, reward)
            against = reverse and folder is None  # a folder's way is settled
            config = options.config_of(asked, steps, seconds, against, weights)
    if not resume:
        if converted is not None:
            deepracer.show(converted, folder)
        called = name or (deepracer.run_name(folder) if folder is not None else None)
        run = engine.start(config, called, weights)
    replay = run_training(run, watch)
    _show(run, replay)


def run_training(run: "Run", watch: bool = False) -> "Replay":
    """Train with everything shown on stderr, and with a window; says how to go on when it is stopped."""
    from racer.deepracer.logs import TrainingLogs
    from racer.training import train as engine_train

    config = run.config
    console.note(
        f"Training [bold]{escape(run.name)}[/bold]: {escape(str(config.agent))} on "
        f"{escape(', '.join(config.track_names))} with the reward {escape(str(config.reward))}, seed {config.seed}"
    )
    logs = [TrainingLogs(run.folder)] if config.logs else []
    try:
        with watching.window(run, watch) as window, screen.shown(run) as shown:
            return engine_train(run, [*logs, shown, *window])
    except (KeyboardInterrupt, RacerError):
        if run.checkpoint.exists():
            console.note(f"What was learned is kept in {escape(str(run.folder))}; go on with:")
            console.note(f"  {screen.go_on(run)}")
        raise


def _show(run: "Run", replay: "Replay") -> None:
    """Print how the best driver drives, and what can be done next."""
    from racer.racing import trials
    from racer.training import evaluation_tracks

    courses = evaluation_tracks(run)
    if len(courses) > 1:
        found = trials(run.driver, courses, len(replay.laps), run.training_tracks(), run.conditions())
        laps.show_trials(run.name, list(console.progress(found, len(courses), "Driving all tracks")))
    else:
        laps.show(replay)
        mark.offer(replay)
    laps.show_pool(run)
    screen.explain_laps(run, replay)
    console.note(f"Kept in [bold]{escape(str(run.folder))}[/bold]. Next:")
    console.note(f"  {console.command('racer', 'watch', run.replay)}")
    words = ("evaluate", run.called, *run.unshelved, "--replay", f"{run.name}.replay")
    console.note(f"  {console.command('racer', *words)}")
    console.note(f"  {console.command('racer', 'report', run.called)}")
    console.note(f"  {screen.go_on(run, '--more-seconds', '60')}")
