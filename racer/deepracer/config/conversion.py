"""What racer makes of DeepRacer's files: what it takes over, what has no effect, and what it replaces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from racer import shelf
from racer.deepracer.config.folder import open_folder
from racer.deepracer.config.hyperparameters import knobs_of, read_hyperparameters
from racer.deepracer.config.metadata import DISCRETIZED, Lidar, ModelMetadata, read_model_metadata
from racer.deepracer.config.report import Fate, Line, learning_lines, looks, model_lines, quicker, rule_lines
from racer.deepracer.config.settings import Settings, read_settings
from racer.errors import DeepRacerError
from racer.sim import ActionSpace, DiscreteActions, Rotation, Start
from racer.track import Track, load_track

__all__ = ["Takeover", "take_over"]


@dataclass(frozen=True)
class Takeover:
    """What a training with DeepRacer's files needs; None where they say nothing.

    Attributes:
        agent: name of the recipe on the shelf that learns as the files say, by the sensors that there are.
        track: where, in the driving direction.
        reward: name or path of the reward function.
        actions: what may be commanded.
        sensors: what is perceived, as `racer.sensors.make_sensors` takes it.
        starts: where episodes start.
        both_ways: whether half of the cars drive against the track's direction.
        randomize: whether episodes differ in pictures, car and start.
        knobs: of the recipe.
        lines: what became of each setting.
        files: that were read, and the reward function's.
    """

    agent: str | None = None
    track: Track | None = None
    reward: str | Path | None = None
    actions: ActionSpace | None = None
    sensors: tuple[str, ...] | None = None
    starts: Start | None = None
    both_ways: bool = False
    randomize: bool = False
    knobs: Mapping[str, float | str] | None = None
    lines: tuple[Line, ...] = ()
    files: tuple[Path, ...] = ()


def take_over(
    folder: str | Path | None = None,
    *,
    metadata: Path | None = None,
    hyperparameters: Path | None = None,
    reward: str | Path | None = None,
    track: str | Path | None = None,
    sensors: tuple[str, ...] | None = None,
    agent: str | None = None,
) -> Takeover:
    """Read DeepRacer's files.

    Args:
        folder: of the console's or of deepracer-for-cloud's; its training rules are taken over as well.
        metadata: a `model_metadata.json`, alone or instead of the folder's.
        hyperparameters: likewise.
        reward: name or path of a reward function, instead of the folder's.
        track: name or path, instead of the folder's world.
        sensors: as `racer.sensors.make_sensors` takes them, instead of the model's.
        agent: name or path of a recipe, instead of the one that the files ask for.

    Raises:
        DeepRacerError: a file cannot be read, makes no sense, or asks for what racer does not have.
        TrackError: the track cannot be driven.
    """
    settings, settings_file = None, None
    if folder is not None:
        found = open_folder(folder, metadata, hyperparameters, reward)
        metadata, hyperparameters, reward = found.metadata, found.hyperparameters, found.reward
        settings_file = found.settings
        settings = read_settings(settings_file) if settings_file is not None else Settings()
        if metadata is None:
            raise DeepRacerError(f"{found.path} holds no model_metadata.json; name one with --model-metadata")
        if reward is None:
            raise DeepRacerError(f"{found.path} holds no reward_function.py; name a reward with --reward")
    lines: list[Line] = []
    course: Track | None = load_track(track) if track is not None else None
    starts: Start | None = None
    if settings is not None:
        where = settings_file or Path(str(folder))
        _check_race(settings, where)
        course = _course(settings, where, course, lines)
        starts = _starts(settings)
        lines += rule_lines(settings)
    model = read_model_metadata(metadata) if metadata is not None else None
    perceived, recipe = sensors, agent
    knobs: dict[str, float | str] | None = None
    if model is not None and metadata is not None:
        perceived = sensors or _sensors(model, metadata)
        recipe = agent or _recipe(model.training_algorithm, perceived, folder is not None)
        lines += model_lines(model, perceived, recipe, sensors is not None, agent is not None)
        knobs = {"network": model.neural_network} if looks(recipe, perceived) else None
    learning = read_hyperparameters(hyperparameters) if hyperparameters is not None else None
    if learning is not None:
        how = recipe or shelf.DEFAULTS["agents"]
        lines += learning_lines(learning, how, model is None or isinstance(model.actions, DiscreteActions))
        knobs = {knob: getattr(learning, key) for knob, key in knobs_of(how).items()} | (knobs or {})
    return Takeover(
        recipe,
        course,
        reward,
        model.actions if model else None,
        perceived,
        starts,
        settings is not None and settings.alternate,
        settings is not None and settings.randomize,
        knobs,
        tuple(lines),
        tuple(Path(file) for file in (metadata, hyperparameters, reward, settings_file) if file is not None),
    )


def _check_race(settings: Settings, where: Path) -> None:
    if settings.race_type != "TIME_TRIAL":
        raise DeepRacerError(
            f"{where}: RACE_TYPE is {settings.race_type}, a race that racer does not have yet; "
            "write TIME_TRIAL to train the same model against the clock"
        )


def _course(settings: Settings, where: Path, given: Track | None, lines: list[Line]) -> Track:
    """The track in its driving direction; adds what became of the settings."""
    if given is not None:
        course, note = given, f"--track {given.name}"
        lines.append(Line("WORLD_NAME", settings.world or "", Fate.REPLACED, note))
    else:
        course, note = _world(settings, where)
        lines.append(Line("WORLD_NAME", settings.world or "", Fate.TAKEN, note))
    if settings.reverse:
        course = course.reverse()
    lines.append(
        Line(
            "REVERSE_DIR",
            str(settings.reverse),
            Fate.TAKEN,
            "clockwise" if not course.is_ccw else "anticlockwise",
        )
    )
    return course


def _world(settings: Settings, where: Path) -> tuple[Track, str]:
    world = settings.world
    if world is None:
        raise DeepRacerError(f"{where}: no WORLD_NAME says where to drive; name a track with --track")
    names = shelf.names("tracks")
    ending = (
        "" if settings.clockwise is None or world.endswith(("_cw", "_ccw")) else "_cw" if settings.clockwise else "_ccw"
    )
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


def _recipe(algorithm: str, sensors: tuple[str, ...], rules: bool) -> str:
    """The recipe on the shelf for an algorithm and for what is perceived; of a folder, with DeepRacer's rules."""
    if algorithm == "sac":
        return "sac"
    if rules:
        return "clipped_ppo"
    return quicker(sensors)
