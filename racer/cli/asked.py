"""What `racer train` is asked for: its options, DeepRacer's files, and a run to begin with, as one `RunConfig`.

The options that say what is on the track are those of `racer evaluate`, too.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from racer.cli import deepracer, inputs, runs

if TYPE_CHECKING:
    from racer.deepracer.config import Conversion
    from racer.sim import Traffic
    from racer.training import Run, RunConfig

__all__ = [
    "RACE",
    "BotCars",
    "BotSpeed",
    "LaneChanges",
    "Objects",
    "RandomObjects",
    "config_of",
    "converted",
    "folder_of",
    "traffic_of",
    "words",
]

RACE = "What is on the track"  # a panel of --help
Objects = Annotated[
    int | None, typer.Option(help="Boxes on the track (default: 6).", rich_help_panel=RACE, show_default=False)
]
RandomObjects = Annotated[
    bool, typer.Option("--random-objects", help="Draw the boxes' places anew in each episode.", rich_help_panel=RACE)
]
BotCars = Annotated[
    int | None, typer.Option(help="Bot cars on the track (default: 3).", rich_help_panel=RACE, show_default=False)
]
BotSpeed = Annotated[
    float | None, typer.Option(help="Their speed, m/s (default: 0.5).", rich_help_panel=RACE, show_default=False)
]
LaneChanges = Annotated[bool, typer.Option("--lane-changes", help="Let them change lanes.", rich_help_panel=RACE)]
RACES = ("time-trial", "object-avoidance", "head-to-bot", "head-to-head")


def traffic_of(
    race: str | None,
    objects: int | None,
    random_objects: bool,
    bots: int | None,
    bot_speed: float | None,
    lane_changes: bool,
    opponents: list[str] | None = None,
) -> "Traffic | None":
    """What `--race` and the options of a race ask for; None if that is a time trial.

    Raises:
        RunError: they make no sense.
    """
    from racer.env import bots_of, boxes_of
    from racer.errors import RunError
    from racer.sim import Boxes, Traffic

    of_boxes, of_bots = objects is not None or random_objects, bots is not None or bot_speed is not None or lane_changes
    if race is None:
        race = (
            "head-to-head" if opponents else "object-avoidance" if of_boxes else "head-to-bot" if of_bots else RACES[0]
        )
    if race not in RACES:
        raise RunError(f"--race is {race!r:.60}; it must be one of {', '.join(RACES)}")
    for wrong, options, right in (
        (of_boxes and race != "object-avoidance", "--objects, --random-objects", "object-avoidance"),
        (bool(opponents) and race != "head-to-head", "--opponent", "head-to-head"),
        (of_bots and race != "head-to-bot", "--bots, --bot-speed, --lane-changes", "head-to-bot"),
    ):
        if wrong:
            raise RunError(f"a race {race} has no {options}; these belong to --race {right}")
    try:
        if race == "object-avoidance":
            return boxes_of(Boxes().count if objects is None else objects, random_objects)
        if race == "head-to-bot":
            return bots_of(3 if bots is None else bots, 0.5 if bot_speed is None else bot_speed, lane_changes)
    except ValueError as wrong:
        raise RunError(str(wrong)) from wrong
    if race == "head-to-head":
        if not opponents:
            raise RunError(
                "a race head-to-head needs somebody to race against: --opponent, a run, a model, an agent or self"
            )
        return Traffic(drawn_grid=True)
    return None


def words(text: str | None) -> tuple[str, ...] | None:
    """Words separated by commas, with or without blanks."""
    return None if text is None else tuple(word.strip() for word in text.split(","))


def config_of(
    asked: dict[str, Any], steps: int | None, seconds: float | None, reverse: bool, weights: "Run | None"
) -> "RunConfig":
    """What is asked for, on top of the defaults or of the run whose driver is to begin with."""
    for what, kind, name in (("a reward function", "reward", "reward"), ("an agent", "agent", "agent")):
        if name in asked:
            inputs.expect(what, asked[name], kind)
    for track in asked.get("tracks", ()):
        if isinstance(track, str | Path):
            inputs.expect("a track", track, "route")
    from racer.racing import recipe_for
    from racer.sim import RANDOM
    from racer.track import load_track
    from racer.training import RunConfig

    if weights is None:
        if "sensors" in asked and "agent" not in asked:
            asked["agent"] = recipe_for(asked["sensors"])
        old = RunConfig()
    else:
        random = (RANDOM,) if RANDOM in weights.config.tracks else ()
        old = replace(weights.config, tracks=(*weights.tracks(), *random))
        asked["hyperparameters"] = {**old.hyperparameters, **asked.get("hyperparameters", {})}
        if "tracks" in asked:
            asked.setdefault("both_directions", None)
    config = replace(old, steps=steps, seconds=seconds, **asked)
    if reverse:
        config = replace(config, tracks=tuple(load_track(track).reverse() for track in config.tracks))
    return config


def converted(
    files: tuple[Path | None, Path | None, Path | None], asked: dict[str, Any], reverse: bool
) -> "Conversion | None":
    """What DeepRacer's files ask for, which goes into `asked` where no option says otherwise; None if none is given."""
    folder, metadata, hyperparameters = files
    if not any(files):
        return None
    from racer.deepracer.config import Document, convert

    where = asked.get("tracks", ())
    first = next((name for name in where if name != "random"), None)
    given = {key: asked.get(key) for key in ("reward", "agent", "sensors")}
    asked_for = convert(
        folder, metadata=metadata, hyperparameters=hyperparameters, track=first, reverse=reverse, **given
    )
    if asked_for.track is not None and len(where) < 2:
        asked["tracks"] = (asked_for.track,)
    if isinstance(asked_for.reward, Document) and folder is not None:
        asked["reward"] = deepracer.shelved(asked_for.reward, folder)
    for key in (
        "reward",
        "agent",
        "actions",
        "sensors",
        "starts",
        "both_directions",
        "randomize",
        "traffic",
        "hyperparameters",
    ):
        if (value := getattr(asked_for, key)) is not None:
            asked.setdefault(key, value)
    return asked_for


def folder_of(name: str | None) -> Path:
    """The run folder that `--resume` means."""
    from racer.errors import RunError
    from racer.training import RUNS, run_names

    if name is not None:
        return runs.known_run(name).folder
    known = run_names()
    if not known:
        raise RunError("there is no run to go on with; begin one: racer train --name NAME")
    return RUNS / known[0]
