"""Converting DeepRacer's files: what a training of racer's has to be asked for, and the report on every setting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from racer import shelf
from racer.deepracer.config.documents import Document, Source
from racer.deepracer.config.folder import FILE_KEYS, Folder, open_folder
from racer.deepracer.config.hyperparameters import read_hyperparameters
from racer.deepracer.config.metadata import DISCRETIZED, Lidar, ModelMetadata, read_model_metadata
from racer.deepracer.config.report import (
    Outcome,
    Status,
    learning_outcomes,
    model_outcomes,
    rule_outcomes,
    takes_network,
)
from racer.deepracer.config.settings import Settings
from racer.errors import DeepRacerError
from racer.racing import Hyperparameters, load_agent, recipe_for
from racer.sim import ActionSpace, DiscreteActions, Rotation, Start, Traffic
from racer.track import Track, load_track

__all__ = ["Conversion", "convert"]

TRAINED = ("TIME_TRIAL", "OBJECT_AVOIDANCE", "HEAD_TO_BOT")


@dataclass(frozen=True)
class Conversion:
    """What DeepRacer's files ask of a training; None where they say nothing.

    Attributes:
        agent: name of the recipe on the shelf that learns as the files say, from the sensors that there are.
        track: in the driving direction.
        reward: name or path of the reward function, or its content if it lies in an archive.
        actions: the action space.
        sensors: as `racer.sensors.make_sensors` takes them.
        starts: where episodes start.
        both_directions: whether half of the cars drive against the track's direction.
        traffic: boxes or bot cars on the track.
        randomize: how much episodes differ in pictures, car and start, one of `racer.sim.RANDOMIZATIONS`.
        hyperparameters: of the recipe, by its own names.
        report: the outcome of each setting.
        files: that were read, and the reward function's.
    """

    agent: str | None = None
    track: Track | None = None
    reward: str | Path | Document | None = None
    actions: ActionSpace | None = None
    sensors: tuple[str, ...] | None = None
    starts: Start | None = None
    both_directions: bool = False
    randomize: str | None = None
    hyperparameters: Hyperparameters | None = None
    report: tuple[Outcome, ...] = ()
    files: tuple[Path, ...] = ()
    traffic: Traffic | None = None


def convert(
    folder: str | Path | None = None,
    *,
    metadata: Path | None = None,
    hyperparameters: Path | None = None,
    reward: str | Path | None = None,
    track: str | Path | None = None,
    reverse: bool = False,
    sensors: tuple[str, ...] | None = None,
    agent: str | None = None,
) -> Conversion:
    """Read DeepRacer's files, and say what becomes of every setting.

    Args:
        folder: of the console's or of deepracer-for-cloud's, or its archive; its training rules are converted as well.
        metadata: a `model_metadata.json`, alone or instead of the folder's.
        hyperparameters: a `hyperparameters.json`, alone or instead of the folder's.
        reward: name or path of a reward function, instead of the folder's.
        track: name or path, instead of the folder's world.
        reverse: drive against the track's direction, whatever the folder says.
        sensors: as `racer.sensors.make_sensors` takes them, instead of the model's.
        agent: name or path of a recipe, instead of the one that the files ask for.

    Raises:
        DeepRacerError: a file cannot be read, makes no sense, or asks for what racer does not have.
        TrackError: the track cannot be driven.
    """
    given = {"metadata": metadata, "hyperparameters": hyperparameters, "reward": reward}
    found = _opened(folder, frozenset(name for name, value in given.items() if value is not None))
    about_model = metadata or (found.metadata if found else None)
    about_learning = hyperparameters or (found.hyperparameters if found else None)
    pay = reward or (found.reward if found else None)
    report: list[Outcome] = []
    course: Track | None = load_track(track) if track is not None else None
    starts: Start | None = None
    if found is not None:
        _check(found, about_model, pay)
        course = _course(found, course, reverse, report)
        _check_room(found, course)
        starts = _starts(found.settings)
        report += rule_outcomes(found.settings)
        report += _file_outcomes(found, given)
    model = read_model_metadata(about_model) if about_model is not None else None
    observed, recipe = sensors, agent
    chosen: dict[str, Any] | None = None
    if model is not None and about_model is not None:
        observed = sensors or _sensors(model, _path(about_model))
        recipe = agent or recipe_for(observed, model.training_algorithm, folder is not None)
        kind = load_agent(recipe).load()
        report += model_outcomes(model, observed, (recipe, kind), sensors is not None, agent is not None)
        chosen = {"network": model.neural_network} if takes_network(kind, observed) else None
    learning = read_hyperparameters(about_learning) if about_learning is not None else None
    if learning is not None:
        kind = load_agent(recipe or shelf.DEFAULTS["agents"]).load()
        report += learning_outcomes(learning, kind, model is None or isinstance(model.actions, DiscreteActions))
        taken: Mapping[str, str] = getattr(kind, "deepracer", {})
        values = learning.effective
        chosen = {own: values[key] for key, own in taken.items()} | (chosen or {})
    files = (about_model, about_learning, pay, found.settings_file if found else None)
    return Conversion(
        recipe,
        course,
        pay.path if isinstance(pay, Document) and not pay.packed else pay,
        model.actions if model else None,
        observed,
        starts,
        found is not None and found.settings.alternate,
        "some" if found is not None and found.settings.randomize else None,
        chosen,
        tuple(report),
        tuple(_path(file) for file in files if file is not None),
        found.settings.traffic if found is not None else None,
    )


def _opened(folder: str | Path | None, given: frozenset[str]) -> Folder | None:
    return None if folder is None else open_folder(folder, given)


def _path(source: Source) -> Path:
    return source.path if isinstance(source, Document) else Path(source)


def _where(found: Folder) -> Path:
    """The settings' file of a folder, or the folder, for messages."""
    return found.settings_file.path if found.settings_file is not None else found.path


def _check(found: Folder, metadata: Source | None, reward: Source | None) -> None:
    """Refuse a folder that lacks a file, or whose race racer does not have."""
    for what, there, name, option in (
        ("metadata", metadata, "model_metadata.json; name one", "--model-metadata"),
        ("reward", reward, "reward_function.py; name a reward", "--reward"),
    ):
        if there is None:
            key = FILE_KEYS[what]
            asked = f", and no {found.settings.files[key]!r:.80}, which {key} names" if key in found.missing else ""
            noun, _, advice = name.partition("; ")
            raise DeepRacerError(f"{found.path} holds no {noun}{asked}; {advice} with {option}")
    if found.settings.race_type not in TRAINED:
        raise DeepRacerError(
            f"{_where(found)}: RACE_TYPE is {found.settings.race_type}, for which racer trains no drivers yet; "
            "write TIME_TRIAL to train the same model against the clock"
        )


def _check_room(found: Folder, course: Track) -> None:
    """Refuse boxes or bot cars that do not fit on the track."""
    try:
        if found.settings.traffic is not None:
            found.settings.traffic.check_room(course.length, course.name)
    except ValueError as wrong:
        raise DeepRacerError(f"{_where(found)}: {wrong}") from wrong


def _course(found: Folder, given: Track | None, reverse: bool, report: list[Outcome]) -> Track:
    """The track in its driving direction; adds the outcomes of the settings."""
    settings = found.settings
    name = settings.world or ""
    if given is not None:
        course, outcome = given, Outcome("WORLD_NAME", name, Status.REPLACED, f"--track {given.name}")
    elif settings.world is None:
        course = load_track(shelf.DEFAULTS["tracks"])
        note = f"no file names a world: {course.name}; choose another with --track"
        outcome = Outcome("WORLD_NAME", name, Status.REPLACED, note)
    else:
        course, note = _world(settings, settings.world, _where(found))
        outcome = Outcome("WORLD_NAME", name, Status.CONVERTED, note)
    report.append(outcome)
    if settings.reverse or reverse:
        course = course.reverse()
    note = "clockwise" if not course.is_ccw else "anticlockwise"
    if reverse and not settings.reverse:
        report.append(Outcome("REVERSE_DIR", "False", Status.REPLACED, f"--reverse: {note}"))
    else:
        report.append(Outcome("REVERSE_DIR", str(settings.reverse), Status.CONVERTED, note))
    return course


def _world(settings: Settings, world: str, where: Path) -> tuple[Track, str]:
    names = shelf.names("tracks")
    ending = ""
    if settings.clockwise is not None and not world.endswith(("_cw", "_ccw")):
        ending = "_cw" if settings.clockwise else "_ccw"
    if world + ending in names:
        return load_track(world + ending), "" if not ending else f"{world}{ending}, as TRACK_DIRECTION_CLOCKWISE says"
    if world in names:
        course = load_track(world)
        return (course.reverse(), "driven clockwise") if course.is_ccw is settings.clockwise else (course, "")
    hint, file = shelf.did_you_mean(world + ending, names), f"{world[:80]}{ending}.npy"
    raise DeepRacerError(
        f"{where}: WORLD_NAME is {world!r:.80}, which is not on the shelf of tracks.{hint} If you have "
        f"its route file, `racer import-track {file}` puts it there; else choose one with --track."
    )


def _starts(settings: Settings) -> Start:
    return Rotation(settings.advance if settings.change_start else 0.0, settings.offset)


def _file_outcomes(found: Folder, given: Mapping[str, object]) -> Iterator[Outcome]:
    """What became of the settings that name the other files."""
    options = {"reward": "--reward", "metadata": "--model-metadata", "hyperparameters": "--hyperparameters"}
    for what, key in FILE_KEYS.items():
        if key in found.settings.files:
            own: Document | None = getattr(found, what)
            instead = options[what] if given[what] is not None else f"not in {found.path}"
            if own is not None:
                instead += f": {own.path}" if key in found.missing else ""
            if own is None or key in found.missing:
                yield Outcome(key, found.settings.files[key], Status.REPLACED, instead)
            else:
                yield Outcome(key, found.settings.files[key], Status.CONVERTED, str(own.path))


def _sensors(model: ModelMetadata, where: Path) -> tuple[str, ...]:
    """The model's sensors, the LIDAR's settings with them.

    Raises:
        DeepRacerError: racer cannot simulate one with these settings.
    """
    from racer.sensors import make_sensors

    lidar = model.lidar or Lidar()
    settings = f":sectors={lidar.sectors}:values={lidar.values}:clip_m={lidar.clip_m:g}"
    specs = tuple(name + (settings if model.lidar and name == DISCRETIZED else "") for name in model.sensors)
    try:
        make_sensors(specs)
    except ValueError as wrong:
        raise DeepRacerError(f"{where}: {wrong}; --sensors names others") from wrong
    return specs
