"""Sensors in a word: `FRONT_FACING_CAMERA:size=80x60:stack=2` is what a command line, a run folder or a recipe says.

A name, and settings behind colons. Angles are in degrees here, as everything that people write.
"""

from __future__ import annotations

from collections.abc import Callable
from math import radians
from types import MappingProxyType
from typing import Any

from racer.errors import SensorError
from racer.sensors.camera import LENSES, Camera
from racer.sensors.lidar import CLIPS, Lidar
from racer.sensors.stack import Stack
from racer.sensors.state import State

__all__ = ["SETTINGS", "name_of", "sensor_of"]


def _size(text: str) -> tuple[int, int]:
    width, height = text.lower().split("x")
    return int(width), int(height)


def _angle(text: str) -> float:
    return radians(float(text))


def _yes(text: str) -> bool:
    return {"yes": True, "no": False}[text]


Parse = Callable[[str], Any]

_CAMERA: dict[str, tuple[Parse, str]] = {
    "size": (_size, "WIDTHxHEIGHT in pixels"),
    "field_of_view": (_angle, "degrees"),
    "pitch": (_angle, "degrees, down"),
    "height_m": (float, "metres"),
}
_LIDAR: dict[str, tuple[Parse, str]] = {
    "clip_m": (float, "metres"),
    "sectors": (int, "a whole number"),
    "values": (int, "a whole number"),
    "blind": (str, "front or rear"),
    "walls": (_yes, "yes or no"),
}
_STATE: dict[str, tuple[Parse, str]] = {"objects": (int, "how many of those ahead")}
_STACK: dict[str, tuple[Parse, str]] = {"stack": (int, "a number of frames")}

SETTINGS = MappingProxyType(
    {
        "state": _STATE | _STACK,
        **{name: _CAMERA | _STACK for name in LENSES},
        **{name: _LIDAR | _STACK for name in CLIPS},
    }
)
"""The settings of every sensor by name: how each is read, and what it must be."""


def name_of(spec: str) -> str:
    """The sensor's name alone."""
    return spec.split(":", 1)[0]


def sensor_of(spec: str) -> Any:
    """The sensor that a word means.

    Raises:
        SensorError: there is no such sensor or setting, or its value makes no sense.
    """
    name, *given = spec.split(":")
    if name not in SETTINGS:
        raise SensorError(f"there is no sensor {name!r}; the sensors are {', '.join(SETTINGS)}")
    settings: dict[str, Any] = {}
    for setting in given:
        key, equals, value = setting.partition("=")
        if key not in SETTINGS[name] or not equals:
            known = ", ".join(SETTINGS[name])
            raise SensorError(f"{spec}: there is no setting {setting!r}; {name} takes {known}, as in {_example(name)}")
        if key in settings:
            raise SensorError(f"{spec}: {key} is said twice")
        parse, must_be = SETTINGS[name][key]
        try:
            settings[key] = parse(value)
        except (ValueError, KeyError) as wrong:
            raise SensorError(f"{spec}: {key} is {value!r}; it must be {must_be}") from wrong
    frames = settings.pop("stack", 1)
    sensor = State(**settings) if name == "state" else (Camera if name in LENSES else Lidar)(name, **settings)
    return sensor if frames == 1 else Stack(sensor, frames)


def _example(name: str) -> str:
    return f"{name}:size=80x60" if name in LENSES else f"{name}:stack=2"
