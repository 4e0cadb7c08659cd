"""`training_params.yaml` and deepracer-for-cloud's `run.env`: where a model was trained, by which rules."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from racer.deepracer.config.documents import Source, text_of
from racer.deepracer.config.races import RACE_NAMES, read_traffic
from racer.errors import DeepRacerError
from racer.shelf import LIMITS, Section
from racer.sim import Traffic

__all__ = ["RACE_TYPES", "Settings", "read_settings"]

RACE_TYPES = ("TIME_TRIAL", "OBJECT_AVOIDANCE", "HEAD_TO_BOT", "HEAD_TO_MODEL", "F1")

ENV_NAMES: Mapping[str, tuple[str, ...]] = {
    "WORLD_NAME": ("DR_WORLD_NAME",),
    "RACE_TYPE": ("DR_RACE_TYPE",),
    "TRACK_DIRECTION_CLOCKWISE": ("DR_TRACK_DIRECTION_CLOCKWISE",),
    "REVERSE_DIR": ("DR_TRAIN_REVERSE_DIRECTION",),
    "ALTERNATE_DRIVING_DIRECTION": ("DR_TRAIN_ALTERNATE_DRIVING_DIRECTION", "DR_ALTERNATE_DRIVING_DIRECTION"),
    "CHANGE_START_POSITION": ("DR_TRAIN_CHANGE_START_POSITION", "DR_CHANGE_START_POSITION"),
    "ROUND_ROBIN_ADVANCE_DIST": (
        "DR_TRAIN_ROUND_ROBIN_ADVANCE_DIST",
        "DR_TRAIN_ROUND_ROBIN_ADVANCE_DISTANCE",
    ),
    "START_POSITION_OFFSET": ("DR_TRAIN_START_POSITION_OFFSET",),
    "ENABLE_DOMAIN_RANDOMIZATION": ("DR_ENABLE_DOMAIN_RANDOMIZATION",),
    "MIN_EVAL_TRIALS": ("DR_TRAIN_MIN_EVAL_TRIALS",),
    "BEST_MODEL_METRIC": ("DR_TRAIN_BEST_MODEL_METRIC",),
    "NUM_WORKERS": ("DR_WORKERS",),
    "MULTI_CONFIG": ("DR_TRAIN_MULTI_CONFIG",),
    "REWARD_FILE_S3_KEY": ("DR_LOCAL_S3_REWARD_KEY",),
    "MODEL_METADATA_FILE_S3_KEY": ("DR_LOCAL_S3_MODEL_METADATA_KEY",),
    "HYPERPARAMETER_FILE_S3_KEY": ("DR_LOCAL_S3_HYPERPARAMETERS_KEY",),
    **{key: (name,) for key, name in RACE_NAMES.items()},
}
"""deepracer-for-cloud's variables for each key of the YAML file, the newest name first."""

REPLACED = (
    "MIN_EVAL_TRIALS",
    "BEST_MODEL_METRIC",
    "NUM_WORKERS",
    "MULTI_CONFIG",
)
"""Keys about training that racer answers in its own way; reported, but not interpreted."""

FILES = ("REWARD_FILE_S3_KEY", "MODEL_METADATA_FILE_S3_KEY", "HYPERPARAMETER_FILE_S3_KEY")
"""Keys that name the other files."""

DEEPEST = 50  # levels of YAML; the C library has no limit of its own, and crashes
LONGEST = 4096  # characters of a value in which other variables are put in


@dataclass(frozen=True)
class Settings:
    """The settings of a training, with the original's defaults for what the file does not say.

    Attributes:
        world: name of the track; None if the file names none.
        clockwise: completes the world's name with `_cw` or `_ccw`; None where it has one direction.
        race_type: one of `RACE_TYPES`.
        reverse: against the track's direction.
        alternate: the direction changes after every episode.
        change_start: the start moves on after every episode.
        advance: by this share of a lap.
        offset: share of a lap at which the first episode starts.
        randomize: pictures differ from episode to episode.
        others: what the file says under the keys of `REPLACED`.
        files: what it says under the keys that name the other files.
        traffic: boxes or bot cars; None in other races.
        traffic_settings: what the file says of these, by its own keys.
    """

    world: str | None = None
    clockwise: bool | None = None
    race_type: str = RACE_TYPES[0]
    reverse: bool = False
    alternate: bool = False
    change_start: bool = True
    advance: float = 0.05
    offset: float = 0.0
    randomize: bool = False
    others: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    traffic: Traffic | None = None
    traffic_settings: Mapping[str, str] = field(default_factory=dict)


def read_settings(source: Source) -> Settings:
    """Read a `.yaml` file of the original, or a `.env` file of deepracer-for-cloud.

    Args:
        source: the file. Of a list, which holds a value for each car, the first counts.

    Raises:
        DeepRacerError: it cannot be read, or a value makes no sense.
    """
    path, text = text_of(source, LIMITS["yaml"])
    data = _env(path, text) if path.suffix == ".env" else _yaml(path, text)
    section = Section(str(path), data)
    keys = ENV_NAMES if path.suffix == ".env" else {key: (key,) for key in ENV_NAMES}
    found = {key: name for key, names in keys.items() if (name := _first(data, names)) is not None}
    named = {key: found.get(key, key) for key in keys}
    race_type = section.choice(named["RACE_TYPE"], RACE_TYPES[0], RACE_TYPES)
    traffic = read_traffic(section, race_type, named)
    return Settings(
        world=section.text(named["WORLD_NAME"], "") or None,
        clockwise=section.flag(named["TRACK_DIRECTION_CLOCKWISE"], False)
        if "TRACK_DIRECTION_CLOCKWISE" in found
        else None,
        race_type=race_type,
        reverse=section.flag(named["REVERSE_DIR"], False),
        alternate=section.flag(named["ALTERNATE_DRIVING_DIRECTION"], False),
        change_start=section.flag(named["CHANGE_START_POSITION"], True),
        advance=section.number(named["ROUND_ROBIN_ADVANCE_DIST"], 0.05, 0.0, 1.0),
        offset=section.number(named["START_POSITION_OFFSET"], 0.0, 0.0, 1.0),
        randomize=section.flag(named["ENABLE_DOMAIN_RANDOMIZATION"], False),
        others=MappingProxyType({key: section.text(found[key], "") for key in REPLACED if key in found}),
        files=MappingProxyType({key: section.text(found[key], "") for key in FILES if key in found}),
        traffic=traffic,
        traffic_settings=MappingProxyType(
            {key: section.text(found[key], "") for key in RACE_NAMES if traffic is not None and key in found}
        ),
    )


def _first(data: Mapping[str, Any], names: Iterable[str]) -> str | None:
    return next((name for name in names if name in data), None)


def _yaml(path: Path, text: str) -> dict[str, Any]:
    """The values of a YAML file as they are written: they are cast where their meaning is known."""
    import yaml

    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # many times faster, where the library is there
    try:
        depth = 0
        for event in yaml.parse(text, Loader=loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise RecursionError(f"it nests deeper than {DEEPEST} levels")
        data = yaml.load(text, Loader=loader)
    except yaml.MarkedYAMLError as wrong:
        line = f", line {wrong.problem_mark.line + 1}" if wrong.problem_mark else ""
        raise DeepRacerError(f"{path}{line}: not valid YAML ({wrong.problem}); is the file cut short?") from wrong
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as wrong:
        raise DeepRacerError(f"{path}: not valid YAML ({str(wrong).splitlines()[0]})") from wrong
    if not isinstance(data, dict):
        raise DeepRacerError(
            f"{path}: these are no training parameters; it must hold lines such as WORLD_NAME: reinvent_base"
        )
    return _plain(data.items())


def _env(path: Path, text: str) -> dict[str, Any]:
    """The variables of a shell file, as far as they are plain."""
    pairs = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError as wrong:
            raise DeepRacerError(
                f"{path}, line {number}: {wrong}; a line must look like DR_WORLD_NAME=reinvent_base"
            ) from wrong
        for word in words:
            name, equals, value = word.partition("=")
            if equals:
                pairs.append((name, value))
            elif word != "export":
                raise DeepRacerError(
                    f"{path}, line {number}: {word!r:.60} sets nothing; a line must look like DR_WORLD_NAME=…"
                )
    return _plain(_filled(pairs))


def _filled(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Variables with the values of those before them put in, as `$NAME` or `${NAME}`."""
    known: dict[str, str] = {}
    for name, value in pairs:
        known[name] = re.sub(r"\$\{?(\w+)\}?", lambda found: known.get(found[1], found[0]), value)[:LONGEST]
        yield name, known[name]


def _plain(pairs: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
    """Without lists, and without what is left empty, which means the default."""
    first = ((str(key), _first_of(str(key), value)) for key, value in pairs)
    return {key: value for key, value in first if value not in ("", None)}


def _first_of(key: str, value: Any) -> Any:
    """The first value of a list, which is the first car's; of places of boxes all."""
    if not isinstance(value, list) or not value:
        return value
    if key == "OBJECT_POSITIONS":
        return ";".join(",".join(map(str, one)) if isinstance(one, list) else str(one) for one in value)
    return value[0]
