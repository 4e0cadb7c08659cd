"""`model_metadata.json`: a DeepRacer model's action space, sensors, network and algorithm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from racer.deepracer.config.documents import Source, json_of
from racer.errors import DeepRacerError
from racer.shelf import Section, did_you_mean
from racer.sim import ActionSpace, ContinuousActions, DiscreteActions

__all__ = [
    "ACTUATOR_SPEED",
    "ACTUATOR_STEERING",
    "CAMERAS",
    "DISCRETIZED",
    "LIDARS",
    "MOST_ACTIONS",
    "NETWORKS",
    "Lidar",
    "ModelMetadata",
    "action_space_json",
    "read_action_space",
    "read_model_metadata",
]

CAMERAS = ("observation", "FRONT_FACING_CAMERA", "LEFT_CAMERA", "STEREO_CAMERAS")
"""DeepRacer's cameras; a model has exactly one of them."""

DISCRETIZED = "DISCRETIZED_SECTOR_LIDAR"
LIDARS = ("LIDAR", "SECTOR_LIDAR", DISCRETIZED)
"""DeepRacer's distance sensors; a model has one of them at most. `lidar_config` is that of the discretized one."""

OWN = ("state",)
"""What racer can give a model instead of a camera; files that racer writes may name it."""

NETWORKS = (
    "DEEP_CONVOLUTIONAL_NETWORK_SHALLOW",
    "DEEP_CONVOLUTIONAL_NETWORK",
    "DEEP_CONVOLUTIONAL_NETWORK_DEEP",
)
ALGORITHMS = ("clipped_ppo", "sac")

MOST_ACTIONS = 256  # the console allowed 30; local set-ups any number
STEERING_LIMIT, SPEED_LIMIT = 180.0, 100.0  # degrees, m/s: beyond that it is a slip of the pen
ACTUATOR_STEERING, ACTUATOR_SPEED = (-30.0, 30.0), (0.1, 4.0)
"""What the car's actuators clip to, degrees and m/s; a reward function sees the command unclipped."""


@dataclass(frozen=True)
class Lidar:
    """The discretized distance sensor.

    Attributes:
        sectors: into which its 64 beams are bundled.
        values: distances that a sector tells apart.
        clip_m: the farthest, m.
    """

    sectors: int = 8
    values: int = 8
    clip_m: float = 2.0


@dataclass(frozen=True)
class ModelMetadata:
    """What `model_metadata.json` says.

    Attributes:
        actions: what the model may command; a discrete action is its position in the file's list.
        sensors: names as in the file.
        neural_network, training_algorithm: as the file has them.
        version: of the file; it selects the physics of the original.
        lidar: the file's `lidar_config`; None if it has none.
        notes: what is worth knowing about the action space, a sentence each.
    """

    actions: ActionSpace
    sensors: tuple[str, ...] = ("observation",)
    neural_network: str = NETWORKS[0]
    training_algorithm: str = ALGORITHMS[0]
    version: float = 1.0
    lidar: Lidar | None = None
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The file's content; `read_model_metadata` reads the same record from it, but for the notes."""
        lidar = self.lidar and {
            "num_sectors": self.lidar.sectors,
            "num_values_per_sector": self.lidar.values,
            "clipping_dist": self.lidar.clip_m,
        }
        return {
            **action_space_json(self.actions),
            "sensor": list(self.sensors),
            "neural_network": self.neural_network,
            "training_algorithm": self.training_algorithm,
            "version": f"{self.version:g}",
            **({"lidar_config": lidar} if lidar else {}),
        }


def read_model_metadata(source: Source) -> ModelMetadata:
    """Read a model's metadata, of any version.

    Args:
        source: the file. Numbers may be numeric strings; very old files hold the action space alone.

    Raises:
        DeepRacerError: it cannot be read, is no JSON, or a value makes no sense.
    """
    path, data = json_of(source)
    if not isinstance(data, Mapping):
        raise DeepRacerError(f"{path}: this is no model metadata; it must be an object that holds action_space")
    section = Section(str(path), data)
    actions = read_action_space(section)
    sensors = _sensors(section)
    algorithm = section.choice("training_algorithm", ALGORITHMS[0], ALGORITHMS)
    if algorithm == "sac" and isinstance(actions, DiscreteActions):
        section.refuse("training_algorithm", algorithm, "SAC takes continuous actions only; write clipped_ppo")
    return ModelMetadata(
        actions,
        sensors,
        section.choice("neural_network", NETWORKS[0], NETWORKS),
        algorithm,
        section.number("version", 2.0 if "sensor" in section else 1.0, 1.0, 100.0),
        _lidar(section.section("lidar_config")) if "lidar_config" in section else None,
        _notes(section, actions),
    )


def read_action_space(section: Section) -> ActionSpace:
    """The action space of an object that holds `action_space` and perhaps `action_space_type`.

    Raises:
        DeepRacerError: it makes no sense.
    """
    kind = section.choice("action_space_type", "discrete", ("discrete", "continuous"), any_case=True)
    given = section.data.get("action_space")
    if kind == "continuous":
        ranges = section.section("action_space")
        steering = _bounds(ranges.section("steering_angle"), -STEERING_LIMIT, STEERING_LIMIT)
        return ContinuousActions(steering, _bounds(ranges.section("speed"), 0.0, SPEED_LIMIT))
    many = f"it must be a list of 1 to {MOST_ACTIONS} actions"
    if isinstance(given, Mapping):
        many += ', or action_space_type must be "continuous"'
    if not isinstance(given, list):
        section.refuse("action_space", given, many)
    if not 1 <= len(given) <= MOST_ACTIONS:
        raise DeepRacerError(f"{section.where}: action_space holds {len(given):,} actions; {many}")
    return DiscreteActions(tuple(_choice(section, i, action) for i, action in enumerate(given)))


def action_space_json(actions: ActionSpace) -> dict[str, Any]:
    """The keys `action_space_type` and `action_space` of DeepRacer's files, for `read_action_space`."""
    if isinstance(actions, DiscreteActions):
        listed = [
            {"steering_angle": steering, "speed": speed, "index": i}
            for i, (steering, speed) in enumerate(actions.choices)
        ]
        return {"action_space_type": "discrete", "action_space": listed}
    ranges = {"steering_angle": actions.steering_angle, "speed": actions.speed}
    bounds = {name: {"low": low, "high": high} for name, (low, high) in ranges.items()}
    return {"action_space_type": "continuous", "action_space": bounds}


def _choice(section: Section, i: int, action: Any) -> tuple[float, float]:
    key = f"action_space[{i}]"
    if not isinstance(action, Mapping):
        section.refuse(key, action, 'it must be an object such as {"steering_angle": 15, "speed": 1}')
    entry = Section(section.where, action, key)
    steering = entry.number("steering_angle", None, -STEERING_LIMIT, STEERING_LIMIT)
    return steering, entry.number("speed", None, 0.0, SPEED_LIMIT)


def _bounds(bounds: Section, least: float, most: float) -> tuple[float, float]:
    low, high = (bounds.number(key, None, least, most) for key in ("low", "high"))
    if not low < high:
        raise DeepRacerError(
            f"{bounds.where}: {bounds.path} goes from low {low:g} to high {high:g}; low must be below high"
        )
    return low, high


def _sensors(section: Section) -> tuple[str, ...]:
    given = section.data.get("sensor", ["observation"])
    known = (*CAMERAS, *LIDARS, *OWN)
    allowed = f"it must be a list of one of {', '.join(CAMERAS)}, and at most one of {', '.join(LIDARS)}"
    if not isinstance(given, list):
        section.refuse("sensor", given, allowed)
    for i, name in enumerate(given):
        if name not in known:
            hint = did_you_mean(name, known) if isinstance(name, str) else ""
            section.refuse(
                f"sensor[{i}]",
                name,
                f"the sensors are {', '.join(known[: -len(OWN)])}.{hint}".removesuffix("."),
            )
    if sum(name not in LIDARS for name in given) != 1 or sum(name in LIDARS for name in given) > 1:
        section.refuse("sensor", given, allowed)
    return tuple(given)


def _lidar(section: Section) -> Lidar:
    sectors = section.whole("num_sectors", 8, 1, 64)
    if 64 % sectors:
        section.refuse("num_sectors", sectors, "it must divide the 64 beams: 1, 2, 4, 8, 16, 32 or 64")
    return Lidar(
        sectors,
        section.whole("num_values_per_sector", 8, 1, 64),
        section.number("clipping_dist", 2.0, 0.15, 12.0),
    )


def _notes(section: Section, actions: ActionSpace) -> tuple[str, ...]:
    notes = []
    if isinstance(actions, DiscreteActions):
        steering, speed = zip(*actions.choices, strict=True)
        numbers = [action.get("index", i) for i, action in enumerate(section.data["action_space"])]
        if any(str(number) != str(i) for i, number in enumerate(numbers)):
            notes.append("an action is its position in the list; DeepRacer ignores the file's index, and so does racer")
    else:
        steering, speed = actions.steering_angle, actions.speed
    for values, (low, high), name in (
        (steering, ACTUATOR_STEERING, "degrees"),
        (speed, ACTUATOR_SPEED, "m/s"),
    ):
        beyond = [value for value in values if not low <= value <= high]
        if beyond:
            worst = max(beyond, key=lambda value: max(low - value, value - high))
            driven = min(high, max(low, worst))
            notes.append(f"{worst:g} {name} drives as {driven:g}; the reward function sees {worst:g}, as in DeepRacer")
    return tuple(notes)
