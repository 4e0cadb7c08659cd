"""Models: trained drivers as data, in one file that whoever holds a race can trust.

A model is a safetensors file: the weights of a `Network`, and a JSON text that says what it observes, what its layers
are, and what its actions mean. Invariant: nothing in it is code, and nothing in it is believed. What is not a model is
refused in one line, before more memory is taken than the file may have.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from racer import __version__
from racer.errors import ModelError, SensorError
from racer.racing.network import Network, network_from_json
from racer.racing.race import RaceConditions
from racer.replay import DamagedError, pack, unpack
from racer.shelf import LIMITS, is_visible, parse_json, read_bytes, write_atomically
from racer.sim import CARS, ActionSpace, DiscreteActions, actions_as_json, actions_from_json

__all__ = ["Model", "load_model", "model_from_bytes", "save_model"]

FORMAT, VERSION = "racer model", 1
HEADER = "racer-model"  # the text of the container that holds the description, as JSON
HEADER_LIMIT = 64 * 2**10  # bytes of the container's header: names, shapes and the description
NAME_LIMIT = 100
MOST_CHOICES = 1000
KEYS = ("format", "version", "engine", "name", "car", "sensors", "actions", "network")


@dataclass(frozen=True, eq=False)
class Model:
    """A trained driver.

    Attributes:
        name: of it, as its maker says.
        car: the car that it was trained with.
        sensors: what it observes, as `racer.sensors.make_sensors` takes it.
        actions: what its actions mean.
        network: what it decides by.
        engine: version of racer that exported it.
    """

    name: str
    car: str
    sensors: tuple[str, ...]
    actions: ActionSpace
    network: Network
    engine: str = __version__

    def __post_init__(self) -> None:
        """Check that the network observes what the sensors give, and gives what the actions need.

        Raises:
            ModelError: it does not.
        """
        for what, text in (("name", self.name), ("car", self.car), ("engine", self.engine)):
            if not isinstance(text, str) or not 0 < len(text) <= NAME_LIMIT or not is_visible(text):
                raise ModelError(f"its {what} is {text!a:.60}; it must be 1 to {NAME_LIMIT} visible characters")
        if self.car not in CARS:
            raise ModelError(f"its car is {self.car!a}; the cars are {', '.join(CARS)}")
        choices = len(self.actions.choices) if isinstance(self.actions, DiscreteActions) else None
        if choices is not None and choices > MOST_CHOICES:
            raise ModelError(f"it has {choices:,} actions to choose from; it may have {MOST_CHOICES:,}")
        chosen = self.network.numbers if self.network.output == "argmax" else None
        if chosen != choices:
            raise ModelError(f"its network gives {_acts(chosen)}, but its actions are {_acts(choices)}")
        from racer.sensors import make_sensors

        try:
            given = {one.name: tuple(one.shape) for one in make_sensors(self.sensors)}
        except SensorError as wrong:
            raise ModelError(f"its sensors: {wrong!s:.200}") from wrong
        taken = {one.sensor: one.shape for one in self.network.inputs}
        if given != taken:
            raise ModelError(f"its network observes {_seen(taken)}, but its sensors give {_seen(given)}")

    def act(self, observation: Any) -> NDArray[Any]:
        """The best action known, for observations of any batch shape.

        Raises:
            AgentError: it is not what this model observes.
        """
        return self.network.act(observation)

    def conditions(self, seed: int = 0, penalty_s: float | None = None) -> RaceConditions:
        """What it races with: its car, its actions, its sensors; where there are rules, these say the rest."""
        return RaceConditions(CARS[self.car], self.actions, self.sensors, seed, penalty_s)

    @property
    def digest(self) -> str:
        """SHA-256 of all by which it drives, whatever it is called and whoever exported it."""
        data, arrays = self._described(), self.network.arrays()
        for key in ("name", "engine"):
            del data[key]
        digest = hashlib.sha256(json.dumps(data, sort_keys=True).encode())
        for name in sorted(arrays):
            digest.update(arrays[name].tobytes())
        return digest.hexdigest()

    def as_bytes(self) -> bytes:
        """The content of its file; the same model gives the same bytes."""
        return pack({HEADER: json.dumps(self._described(), ensure_ascii=False)}, self.network.arrays())

    def _described(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "version": VERSION,
            "engine": self.engine,
            "name": self.name,
            "car": self.car,
            "sensors": list(self.sensors),
            "actions": actions_as_json(self.actions),
            "network": self.network.as_json(),
        }


def save_model(model: Model, path: str | Path, *, overwrite: bool = False) -> None:
    """Write a model as one file.

    Args:
        model: what to write.
        path: any name, `.model` by custom; the safetensors library opens it. The folder must exist.
        overwrite: whether a file of that name may be replaced.

    Raises:
        ModelError: the name is taken, or `load_model` would refuse the file.
        FileError: the file cannot be written; what was there is untouched.
    """
    target = Path(path)
    if os.path.lexists(target) and not overwrite:
        raise ModelError(f"{target} exists already and is kept; choose another name, or replace it (--force)")
    data = model.as_bytes()
    if len(data) > LIMITS["model"]:
        raise ModelError(
            f"this model has {len(data):,} bytes; a model may have {LIMITS['model']:,}: train a smaller one"
        )
    model_from_bytes(data)  # what cannot be read again must not pass for saved
    write_atomically(target, data)


def load_model(path: str | Path) -> Model:
    """Read a model, trusting nothing in it.

    Raises:
        ModelError: the file is missing or no model; the message says why in one line.
    """
    return model_from_bytes(read_bytes(path, ModelError, LIMITS["model"]), path)


def model_from_bytes(data: bytes, path: str | Path = "this model") -> Model:
    """The model that the content of a file holds.

    Args:
        data: the content.
        path: what it is called in messages.

    Raises:
        ModelError: it is no model; the message says why in one line.
    """
    if len(data) > LIMITS["model"]:
        raise ModelError(f"{path} has {len(data):,} bytes; a model may have {LIMITS['model']:,}")
    try:
        announced = int.from_bytes(data[:8], "little")
        if len(data) < 10 or data[8:9] != b"{" or announced > len(data) - 8:
            raise DamagedError("it is no safetensors file, or cut short")
        if announced > HEADER_LIMIT:
            raise DamagedError(f"its header has {announced:,} bytes; it may have {HEADER_LIMIT:,}")
        texts, arrays = unpack(data)
        described = texts.get(HEADER)
        if not isinstance(described, str):
            raise DamagedError("it holds no description; `racer export RUN` makes models")
        return _model(parse_json(described, "its description", ModelError), arrays)
    except (DamagedError, ModelError) as wrong:
        reason = " ".join(str(wrong).split())
        raise ModelError(f"{path} is no model of racer's: {reason:.300}") from wrong


def _model(data: Any, arrays: Mapping[str, NDArray[np.generic]]) -> Model:
    if not isinstance(data, Mapping) or data.get("format") != FORMAT:
        raise DamagedError("its description is none of a model")
    if data.get("version") != VERSION:
        raise DamagedError(f"its version is {data.get('version')!a:.30}; this racer reads version {VERSION}")
    if set(data) != set(KEYS):
        raise DamagedError(f"its description must hold {', '.join(KEYS)}")
    sensors = data["sensors"]
    if not isinstance(sensors, list) or len(sensors) > 8 or not all(isinstance(one, str) for one in sensors):
        raise DamagedError("its sensors are no list of names")
    try:
        actions = actions_from_json(data["actions"])
        network = network_from_json(data["network"], arrays)
    except ValueError as wrong:
        raise DamagedError(str(wrong)) from wrong
    return Model(data["name"], data["car"], tuple(sensors), actions, network, data["engine"])


def _acts(choices: int | None) -> str:
    return "a steering angle and a speed" if choices is None else f"one of {choices} choices"


def _seen(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {' x '.join(map(str, shape))}" for name, shape in shapes.items()) or "nothing"
