"""What a run is asked to do, and how it is kept as JSON.

Invariant: a `RunConfig` that exists makes sense. Whatever is wrong with one, be it typed, passed or read from an
edited file, is found here, in one place.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from racer import __version__
from racer.errors import RacerError, RunError
from racer.sensors import make_sensors
from racer.shelf import DEFAULTS, LIMITS, read_json
from racer.sim import (
    CARS,
    DEFAULT,
    RANDOM,
    RANDOMIZATIONS,
    ActionSpace,
    Rotation,
    Rules,
    Start,
    Traffic,
    actions_as_json,
    actions_from_json,
    traffic_as_json,
    traffic_from_json,
)
from racer.track import Track

__all__ = ["DEVICES", "FORMAT", "SECONDS", "RunConfig", "config_text", "read_config"]

FORMAT = 6
"""Of run folders. 5 knew time trials alone; 4 said only whether a training is randomised; 3 had DeepRacer's actions,
`knobs` and `both_ways`; 2 had one track; 1 had the defaults of actions, sensors, starts and directions, too."""

DEVICES = ("auto", "cpu", "cuda")
"""Where a recipe may calculate; with `auto` it chooses."""

SECONDS = 60.0
"""Seconds of training, if no budget is given."""

MOST_OPPONENTS = 7
MOST_SEED, MOST_STEPS, MOST_SECONDS = 2**32 - 1, 10**12, 1e7


@dataclass(frozen=True)
class RunConfig:
    """What a run is asked to do.

    `racer.training.start` fills in what is None or empty, and a run's own config holds names of tracks alone.

    Attributes:
        tracks: names, paths or `Track`s, with an equal share of the cars on each; one alone may be given as it is.
            `RANDOM` stands for random tracks; beside others they get half of the cars.
        reward: name or path of the reward function.
        agent: name or path of the recipe.
        steps: budget in car steps; the same seed and number of steps give the same driver.
        seconds: budget in seconds of training; `SECONDS` if neither is given.
        seed: random seed of everything, from 0 to 2**32 - 1.
        car: name of the car.
        actions: what the driver's actions mean; None for the recipe's own choice.
        sensors: what it observes, as `racer.sensors.make_sensors` takes it; None for the recipe's own choice.
        starts: where the episodes of the training start; races start on the line.
        both_directions: whether half of the cars train against the tracks' directions; None: if there are several.
        randomize: how much cars, observations and starts differ from episode to episode, one of
            `racer.sim.RANDOMIZATIONS`; None for the recipe's own choice. In races they do not differ.
        traffic: boxes or bot cars that it trains among; None for a time trial.
        opponents: whom it trains against: names of runs, model files, or agents of the shelf.
        hyperparameters: of the recipe, where they are not its own.
        device: where the recipe calculates, one of `DEVICES`.
        logs: whether DeepRacer's logs are kept, too; there are none of random tracks.
        reward_digest: SHA-256 of the reward's source.
        agent_digest: SHA-256 of the recipe's source.
        engine: racer's version.
        format: of the run folder.
    """

    tracks: tuple[str | Path | Track, ...] = (DEFAULTS["tracks"],)
    reward: str | Path = DEFAULTS["reward_functions"]
    agent: str | Path = DEFAULTS["agents"]
    steps: int | None = None
    seconds: float | None = None
    seed: int = 0
    car: str = "deepracer"
    actions: ActionSpace | None = None
    sensors: tuple[str, ...] | None = None
    starts: Start = "random"
    both_directions: bool | None = None
    randomize: str | None = None
    traffic: Traffic | None = None
    opponents: tuple[str, ...] = ()
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    device: str = "auto"
    logs: bool = True
    reward_digest: str = ""
    agent_digest: str = ""
    engine: str = __version__
    format: int = FORMAT

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            RunError: one of them makes no sense.
        """
        tracks = (self.tracks,) if isinstance(self.tracks, str | Path | Track) else tuple(self.tracks)
        object.__setattr__(self, "tracks", tracks)
        names = self.track_names
        if not names or len(set(names)) < len(names):
            raise RunError(f"the tracks are {', '.join(names) or 'none'}; name at least one, and each of them once")
        if self.steps is not None and self.seconds is not None:
            raise RunError("a training has a budget of steps or of seconds, not both")
        if self.steps is not None and not (_is_whole(self.steps) and 1 <= self.steps <= MOST_STEPS):
            raise RunError(f"steps is {self.steps!r:.30}; it must be from 1 to {MOST_STEPS:,}")
        if self.seconds is not None and not (_is_number(self.seconds) and 0.0 < self.seconds <= MOST_SECONDS):
            raise RunError(f"seconds is {self.seconds!r:.30}; it must be above 0 and at most {MOST_SECONDS:,.0f}")
        if not (_is_whole(self.seed) and 0 <= self.seed <= MOST_SEED):
            raise RunError(f"seed is {self.seed!r:.30}; it must be from 0 to {MOST_SEED}")
        for name, known in (("car", CARS), ("device", DEVICES), ("randomize", (None, *RANDOMIZATIONS))):
            if (value := getattr(self, name)) not in known:
                raise RunError(f"{name} is {value!r:.60}; it must be one of {', '.join(filter(None, known))}")
        try:
            Rules(self.starts)
        except ValueError as wrong:
            raise RunError(str(wrong).replace("start is", "starts is")) from wrong
        if self.sensors is not None:
            object.__setattr__(self, "sensors", tuple(self.sensors))
            try:
                make_sensors(self.sensors)
            except ValueError as wrong:
                raise RunError(f"sensors: {wrong}") from wrong
        if not isinstance(self.traffic, Traffic | None):
            raise RunError(f"traffic is {self.traffic!r:.60}; it must be a `racer.sim.Traffic`, or None")
        object.__setattr__(self, "opponents", tuple(self.opponents))
        if len(self.opponents) > MOST_OPPONENTS:
            raise RunError(f"there are {len(self.opponents)} opponents; a race has room for {MOST_OPPONENTS}")
        if self.opponents and self.traffic is None:
            object.__setattr__(self, "traffic", Traffic(drawn_grid=True))
        tuples = {key: tuple(v) if isinstance(v, list) else v for key, v in self.hyperparameters.items()}
        object.__setattr__(self, "hyperparameters", tuples)

    @property
    def track_names(self) -> tuple[str, ...]:
        """Names of the tracks, or paths as they were given."""
        return tuple(track.name if isinstance(track, Track) else str(track) for track in self.tracks)

    @property
    def fixed(self) -> tuple[str | Path | Track, ...]:
        """The tracks but for the random ones."""
        return tuple(track for track in self.tracks if track != RANDOM)

    @property
    def race(self) -> str:
        """The kind of race: `"time-trial"`, or what its traffic makes of it."""
        return "time-trial" if self.traffic is None else self.traffic.name

    @property
    def budget(self) -> str:
        """The budget in words."""
        return f"{round(self.seconds or SECONDS, 1):g} s" if self.steps is None else f"{self.steps:,} steps"

    def used(self, steps: int, seconds: float) -> float:
        """Share of the budget that so many steps and seconds are, from 0 to 1 and more."""
        return steps / self.steps if self.steps is not None else seconds / (self.seconds or SECONDS)

    def with_budget(self, steps: int | None, seconds: float | None) -> RunConfig:
        """The same with another budget, if one is given."""
        return self if steps is None and seconds is None else dataclasses.replace(self, steps=steps, seconds=seconds)


def config_text(config: RunConfig) -> str:
    """A config as `run.json` holds it."""
    data = {name: getattr(config, name) for name in RunConfig.__dataclass_fields__}
    data |= {"tracks": list(config.track_names), "reward": str(config.reward), "agent": str(config.agent)}
    data |= {"traffic": traffic_as_json(config.traffic), "opponents": list(config.opponents)}
    data |= {"sensors": list(config.sensors or ()), "actions": actions_as_json(config.actions or DEFAULT)}
    if isinstance(config.starts, Rotation):
        data["starts"] = dataclasses.asdict(config.starts)
    return json.dumps(data, indent=2) + "\n"


def read_config(path: Path) -> RunConfig:
    """Read what `config_text` wrote, trusting nothing in it.

    Raises:
        RunError: the file is missing, damaged, or made by a later racer.
    """
    data = read_json(path, RunError, LIMITS["settings"])
    if not isinstance(data, dict):
        raise RunError(f"{path}: this is no run's configuration; it must be an object")
    if data.get("format") not in range(1, FORMAT + 1):
        raise RunError(f"{path}: format {data.get('format')!r:.30}; this racer reads formats up to {FORMAT}")
    data = _upgraded(data)
    for key, (fits, words) in _KINDS.items():
        if key not in data:
            raise RunError(f"{path}: {key} is missing; it must be {words}")
        if not fits(data[key]):
            raise RunError(f"{path}: {key} is {data[key]!r:.80}; it must be {words}")
    if data["steps"] is None and data["seconds"] is None:
        raise RunError(f"{path}: steps and seconds are both missing; one of them must be a number")
    try:
        data["actions"] = actions_from_json(data["actions"])
    except ValueError as wrong:
        raise RunError(f"{path}: actions: {wrong}") from wrong
    try:
        if isinstance(data["starts"], dict):
            data["starts"] = Rotation(**data["starts"])
        data["traffic"] = traffic_from_json(data["traffic"])
        given = {name: data[name] for name in RunConfig.__dataclass_fields__ if name in data}
        return RunConfig(**given | {"tracks": tuple(data["tracks"]), "format": FORMAT})
    except (RacerError, TypeError, ValueError) as wrong:
        raise RunError(f"{path}: {wrong}") from wrong


def _upgraded(data: dict[str, Any]) -> dict[str, Any]:
    """What an older racer wrote, as this one writes it: see `FORMAT`."""
    new = {
        "steps": None,
        "seconds": None,
        "actions": actions_as_json(DEFAULT),
        "sensors": ["state"],
        "starts": "random",
        "both_directions": data.get("both_ways", False),
        "randomize": "off",
        "traffic": None,
        "opponents": [],
        "hyperparameters": data.get("knobs", {}),
        "device": "auto",
        "logs": True,
        "engine": "",
        **data,
    }
    if isinstance(new["randomize"], bool):
        new["randomize"] = "some" if new["randomize"] else "off"
    if "track" in data:
        new.setdefault("tracks", [data["track"]])
    match new["actions"]:
        case {"action_space_type": "discrete", "action_space": [*choices]} if all(isinstance(c, dict) for c in choices):
            new["actions"] = {"choices": [[c.get("steering_angle"), c.get("speed")] for c in choices]}
        case {"action_space_type": "continuous", "action_space": {**ranges}}:
            bounds = {name: list(r.values()) if isinstance(r, dict) else r for name, r in ranges.items()}
            new["actions"] = bounds
    return new


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(name, str) for name in value)


def _are_settings(value: Any) -> bool:
    plain = str | int | float | bool | None
    return isinstance(value, dict) and all(
        isinstance(v, plain) or (isinstance(v, list) and all(isinstance(part, plain) for part in v))
        for v in value.values()
    )


_TEXT, _FLAG = (_is_text, "a text"), (_is_flag, "true or false")
_KINDS = {
    "tracks": (_are_names, "a list of names"),
    "reward": _TEXT,
    "agent": _TEXT,
    "reward_digest": _TEXT,
    "agent_digest": _TEXT,
    "car": _TEXT,
    "seed": (_is_whole, "a whole number"),
    "steps": (lambda value: value is None or _is_whole(value), "a whole number or null"),
    "seconds": (lambda value: value is None or _is_number(value), "a number or null"),
    "sensors": (_are_names, "a list of sensors"),
    "starts": (lambda value: isinstance(value, str | dict), "random, rotate, line, or an advance and an offset"),
    "both_directions": _FLAG,
    "randomize": _TEXT,
    "opponents": (lambda value: value == [] or _are_names(value), "a list of names"),
    "hyperparameters": (_are_settings, "names with numbers, texts, or lists of them"),
    "device": _TEXT,
    "logs": _FLAG,
    "engine": _TEXT,
}
