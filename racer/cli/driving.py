"""`racer evaluate`: what a driver does on the clock."""

import contextlib
import dataclasses
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from racer.cli import complete, console, crowded, laps as lap_tables, mark, rules as rule_tables
from racer.cli.asked import RACE, BotCars, BotSpeed, LaneChanges, Objects, RandomObjects, traffic_of
from racer.cli.entrants import Entrant, entrant
from racer.errors import FileError, RacerError, RunError
from racer.shelf import DEFAULTS

if TYPE_CHECKING:
    from racer.replay import Replay
    from racer.track import Track
    from racer.training import Run

__all__ = ["evaluate"]


def evaluate(
    driver: Annotated[
        str,
        typer.Argument(
            metavar="RUN|MODEL|AGENT",
            help="A run, a model, or an agent that needs no training.",
            autocompletion=complete.drivers,
        ),
    ],
    track: Annotated[
        str | None, typer.Option(help="Track (default: the run's own).", autocompletion=complete.tracks)
    ] = None,
    tracks: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="Several tracks, in both directions: names, `shelf` for all, `random:K` for K random ones.",
            autocompletion=complete.track_lists,
        ),
    ] = None,
    agent: Annotated[
        str | None,
        typer.Option(help="The run's recipe, if it is not on the shelf.", autocompletion=complete.agents),
    ] = None,
    reward: Annotated[
        str | None,
        typer.Option(help="Reward function to record (default: the run's own).", autocompletion=complete.rewards),
    ] = None,
    rules: Annotated[
        str | None,
        typer.Option(metavar="RULES", help="Race by a rulebook, a name or a file.", autocompletion=complete.rules),
    ] = None,
    laps: Annotated[int | None, typer.Option(min=1, max=1000, help="Number of laps (default: 3).")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed (default: 0).")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    replay: Annotated[Path | None, typer.Option(metavar="FILE.replay", help="Record a replay.", dir_okay=False)] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the replay file.")] = False,
    logs: Annotated[bool, typer.Option("--logs/--no-logs", help="Write DeepRacer logs into the run.")] = True,
    penalty: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0.0,
            max=60.0,
            help="Continue a lap after leaving the track: the car is put back and held for so long. "
            "Most league races use 3 or 5 seconds, deepracer-for-cloud 5.",
        ),
    ] = None,
    race: Annotated[
        str | None,
        typer.Option(
            help="time-trial, object-avoidance or head-to-bot (default: the run's own).", rich_help_panel=RACE
        ),
    ] = None,
    objects: Objects = None,
    random_objects: RandomObjects = False,
    bots: BotCars = None,
    bot_speed: BotSpeed = None,
    lane_changes: LaneChanges = False,
    seeds: Annotated[
        int, typer.Option(min=1, max=1000, help="Number of races, each with a seed of its own.", rich_help_panel=RACE)
    ] = 20,
) -> None:
    """Evaluate a driver: timed laps from the start line, without learning.

    The first lap starts standing, the following ones flying. Leaving the track
    ends a lap, and the next one starts from the line. With a penalty the lap
    continues, and its time includes the penalty. Lap times are interpolated to
    the millisecond. The mean speed is that of the way driven, not of the
    centre line.

    Examples:
      [cyan]racer evaluate fast[/cyan]
      [cyan]racer evaluate fast --track odyssey --laps 5 --json[/cyan]
      [cyan]racer evaluate fast --penalty 5[/cyan]
      [cyan]racer evaluate fast --tracks shelf,random:10[/cyan]
      [cyan]racer evaluate fast --rules league --json[/cyan]
      [cyan]racer evaluate pure_pursuit --replay classic.replay[/cyan]
      [cyan]racer evaluate fast --race object-avoidance --random-objects --seeds 50[/cyan]
    """
    if rules is not None:
        on_track = (race, objects, bots, bot_speed, random_objects or None, lane_changes or None)
        if (track, tracks, laps, penalty, *on_track) != (None,) * 10:
            raise typer.BadParameter(
                "a rulebook says what --track, --tracks, --laps, --penalty and a race's options say",
                param_hint="--rules",
            )
        _evaluate_by(rules, entrant(driver, agent, reward, seed), json, replay, force)
        return
    number = 3 if laps is None else laps
    who = entrant(driver, agent, reward, seed, penalty)
    if race == "head-to-head":
        meet = f"racer race {console.quoted(driver)} OTHER"
        raise typer.BadParameter(f"here a driver drives without others; let drivers meet: {meet}", param_hint="--race")
    asked = (race, objects, random_objects, bots, bot_speed, lane_changes)
    if any(asked) or objects is not None or bots is not None:
        if tracks is not None:
            raise typer.BadParameter("a race with boxes or bot cars is on one track", param_hint="--tracks")
        traffic = traffic_of(*asked)
    else:
        traffic = None if who.run is None or tracks is not None else who.run.config.traffic
        if traffic is not None and not traffic.count:  # it was trained against drivers
            traffic = None
            meet = console.command("racer", "race", driver, "OTHER")
            console.note(f"It drives alone here. Let it meet others: {meet}")
    if traffic is not None:
        crowded.evaluate_among(who, traffic, track, (number, seeds, seed), json, (replay, force))
        return
    if tracks is not None:
        if track is not None or replay is not None:
            raise typer.BadParameter("a table of many races takes no --track and no --replay", param_hint="--tracks")
        _evaluate_on(who, tracks, number, json)
        return
    with console.busy(console.loading("Driving")):
        driven = _drive(who, track, number, logs)
    if replay is not None:
        from racer.replay import save_replay

        save_replay(driven, replay, overwrite=force)
    if json:
        console.print_json(lap_tables.record(driven))
    else:
        lap_tables.show(driven)
    mark.offer(driven)
    if replay is not None:
        console.note(f"Recorded [bold]{escape(str(replay))}[/bold]: {console.command('racer', 'watch', replay)}")


def _drive(who: Entrant, track: str | None, number: int, logs: bool) -> "Replay":
    """Let a driver drive on a track, by default its own."""
    from racer.racing import drive
    from racer.track import load_track

    if who.run is not None:
        return _drive_run(who, who.run, who.run.track() if track is None else load_track(track), number, logs)
    course = load_track(track or DEFAULTS["tracks"])
    return drive(who.driver_on(course), course, number, who.conditions, name=who.name)


def _drive_run(who: Entrant, run: "Run", course: "Track", number: int, logs: bool) -> "Replay":
    """Let a run's best driver drive; the run keeps the logs of it, where they can be written."""
    from racer.deepracer.logs import StepRecorder, write_evaluation
    from racer.racing import drive
    from racer.reward import VectorReward
    from racer.training import Prints

    try:
        reward = run.reward()
    except RacerError as error:
        console.note(f"The reward recorded is progress instead: {escape(str(error))}")
        reward = None
    recorder = StepRecorder(1, endless=True)
    with contextlib.ExitStack() as stack:
        prints: Any = io.StringIO()
        try:
            prints = stack.enter_context(Prints(run.folder / "rewards.log"))
        except FileError as error:  # somebody else's run, perhaps; the race is as good without
            console.note(f"[yellow]What the reward prints is not kept:[/yellow] {escape(str(error))}")
        race = drive(
            who.driver_on(course),
            course,
            number,
            who.conditions,
            name=run.name,
            reward_function=reward and VectorReward(reward, 1, prints),
            step_callback=recorder if logs else None,
        )
    if logs:
        try:
            write_evaluation(run.folder, race.laps, recorder.laps(course))
        except (FileError, RunError) as error:
            console.note(f"[yellow]No logs are kept:[/yellow] {escape(str(error))}; --no-logs asks for none")
    return race


def _evaluate_on(who: Entrant, words: str, number: int, json: bool) -> None:
    """Let a driver race on several tracks, and print a table of how it fared."""
    with console.busy(console.loading("Driving")):
        from racer.racing import both_directions, trials

        courses = both_directions(words)
    trained = [] if who.run is None else who.run.training_tracks()
    made = trials(who.driver_on, courses, number, trained, who.conditions)
    found = list(console.progress(made, len(courses), "Driving"))
    if json:
        console.print_json(lap_tables.trial_records(who.name, found))
    else:
        lap_tables.show_trials(who.name, found)


def _evaluate_by(rules: str, who: Entrant, json: bool, replay: Path | None, force: bool) -> None:
    """Let a driver race by a rulebook, and print what it is worth; a replay is of a trial without noise."""
    with console.busy(console.loading("Racing")):
        from racer.racing import drive, load_rulebook, race_by_rules
        from racer.sim import CARS

        rulebook = load_rulebook(rules)
        race = race_by_rules(who.driver_on, rulebook, who.conditions, name=who.name)
        if replay is not None:
            from racer.replay import save_replay

            course = rulebook.courses()[0]
            how = dataclasses.replace(who.conditions, rules=rulebook.rules, car=CARS[rulebook.car])
            save_replay(drive(who.driver_on(course), course, conditions=how, name=who.name), replay, overwrite=force)
    if json:
        console.print_json(race.as_json())
    else:
        rule_tables.show_race(race)
    if replay is not None:
        watch = console.command("racer", "watch", replay)
        console.note(f"Recorded a trial without noise, {console.word(replay)}: {watch}")
