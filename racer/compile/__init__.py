"""Reward functions compiled to machine code, where that changes nothing.

A reward that is arithmetic on `params` is rewritten as source in which every operation gives what Python's gives,
to the last bit, compiled by Numba, and compared with Python on poses all over the track. Whatever cannot be rewritten
(state, classes, text, libraries) stays Python, and so does a call that Python would answer with an exception.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from racer.blame import parse
from racer.compile.machine import machine_code
from racer.compile.translate import Translation
from racer.compile.values import (
    BOOL,
    FLOAT,
    WHOLE,
    Items,
    Number,
    Table,
    Untranslatable,
    Value,
    constant,
    truth,
)
from racer.errors import RewardError
from racer.params import FLOATS, Params
from racer.simulation import World
from racer.track import Track

__all__ = ["KEYS", "POSES", "Compiled", "Untranslatable", "poses", "translated"]

POSES = 1536
"""Poses on which a compiled reward must agree with Python, all of them."""

CARS = 64  # that are driven to get there

FLAGS = ("all_wheels_on_track", "is_left_of_center", "is_offtrack")
"""Columns of `Params.flags`."""

KEYS: Mapping[str, Value] = {
    **{key: Number(f"floats[i, {k}]", FLOAT) for k, key in enumerate(FLOATS)},
    **{key: truth(f"flags[i, {k}]") for k, key in enumerate(FLAGS)},
    "closest_waypoints": Items(tuple(Number(f"float(closest[i, {k}])", WHOLE) for k in (0, 1)), is_list=True),
    "waypoints": Table("points", "points.shape[0]", 2, FLOAT),
    "track_length": Number("length", FLOAT),
    "is_reversed": Number("is_reversed", BOOL),
    "is_crashed": constant(False),  # as long as there is nothing to crash into
    "object_in_camera": constant(False),
}
"""What the keys of `params` are in compiled rewards; the others stay Python's."""


class Compiled:
    """A compiled reward on a track.

    Attributes:
        translation: what was compiled.
    """

    def __init__(self, translation: Translation, track: Track, limit: float) -> None:
        """Compile.

        Args:
            translation: what to.
            track: where it is used.
            limit: greatest absolute value of a reward.

        Raises:
            Untranslatable: it cannot be compiled after all.
        """
        self.translation = translation
        self._limit = limit
        self._points = np.array(track.center, dtype=np.float64, order="C")
        self._length, self._reversed = float(track.length), float(track.reversed)
        try:
            self._batch = machine_code(translation.functions, translation.constants)
        except numba.errors.NumbaError as wrong:
            raise Untranslatable("what Numba cannot compile") from wrong
        self._fitting: Params | None = None
        self._values = np.zeros(0)
        self._failed = np.zeros(0, dtype=np.bool_)
        self._reached = np.zeros(1, dtype=np.int64)

    def __call__(self, params: Params, out: NDArray[np.float64]) -> NDArray[np.intp]:
        """Reward every car, and return the numbers of those that only Python can reward.

        Args:
            params: described just now, on this track.
            out: (n,), filled with the rewards of the others.
        """
        if len(self._values) != len(out):
            self._values, self._failed = np.zeros(len(out)), np.zeros(len(out), dtype=np.bool_)
        tables = params.floats, params.waypoints, params.flags
        track = self._points, self._length, self._reversed
        filled = self._values, self._failed, self._reached
        first = failures = 0
        while first < len(out):
            try:
                failures += self._batch(first, *tables, *track, self._limit, *filled)
                break
            except ArithmeticError:  # Numba's own `try` does not catch everything with every Python
                first, failures = int(self._reached[0]) + 1, failures + 1
        out[:] = self._values
        return np.flatnonzero(self._failed) if failures else _NONE

    def fits(self, params: Params) -> bool:
        """Whether `params` are of the track that this was compiled for."""
        if params is not self._fitting:
            given = params.of(0)
            points = [tuple(point) for point in self._points.tolist()]
            same = given["waypoints"] == points and given["track_length"] == self._length
            fits = same and given["is_reversed"] == bool(self._reversed)
            self._fitting = params if fits else None
        return self._fitting is not None

    def agrees(self, params: Params, answers: Sequence[float | None]) -> bool:
        """Whether the values are Python's `answers`, to the last bit, one for each car of `params`.

        Where Python raised or gave no reward (None), it must be left to Python; it may be left to Python
        elsewhere, but seldom.
        """
        out = np.zeros(len(answers))
        failed = set(self(params, out).tolist())
        pythons = {i for i, answer in enumerate(answers) if answer is None}
        same = [
            np.float64(answer).tobytes() == out[i].tobytes()
            for i, answer in enumerate(answers)
            if i not in failed and answer is not None
        ]
        return pythons <= failed and all(same) and len(same) >= len(answers) * 0.9


_NONE = np.zeros(0, dtype=np.intp)


def translated(text: str, path: Path, functions: Sequence[Callable[..., Any]]) -> Translation:
    """Rewrite a reward for Numba.

    Args:
        text: of the file at `path`.
        functions: its `reward_function`, one instance for each car.

    Raises:
        Untranslatable: it does what only Python can do, or its instances differ.
    """
    first = functions[0]
    if not isinstance(first, types.FunctionType):
        raise Untranslatable("an object that is called")
    translation = Translation(parse(path, text, RewardError), first, KEYS)
    for other in functions[1:]:
        if not isinstance(other, types.FunctionType) or other.__code__ != first.__code__:
            raise Untranslatable("instances that differ")
        for name in translation.used:
            if not _alike(first.__globals__[name], other.__globals__.get(name)):
                raise Untranslatable(f"instances whose {name} differs")
    return translation


def poses(track: Track) -> Params:
    """Poses all over a track and beside it, with all kinds of commands and progress."""
    rounds = POSES // CARS
    random = np.random.default_rng(0)
    world, few, many = World(track, CARS), Params(track, CARS), Params(track, POSES)
    world.seed(0)
    world.reset()
    for k in range(rounds):
        commands = np.stack([random.uniform(-30.0, 30.0, (CARS, 1)), random.uniform(0.5, 4.0, (CARS, 1))], axis=2)
        few.describe(world, commands)
        rows = slice(k * CARS, (k + 1) * CARS)
        many.floats[rows], many.waypoints[rows], many.flags[rows] = few.floats, few.waypoints, few.flags
        world.step(commands, np.zeros((CARS, 1)))
    floats = dict(zip(FLOATS, many.floats.T, strict=True))  # views: what is written to them is in the table
    some = random.random((6, POSES))
    floats["heading"][some[0] < 0.4] = random.uniform(-180.0, 180.0, POSES)[some[0] < 0.4]
    floats["heading"][some[0] > 0.95] = random.choice([-180.0, -90.0, 0.0, 90.0, 180.0], POSES)[some[0] > 0.95]
    floats["progress"][:] = random.uniform(-5.0, 100.0, POSES)
    floats["progress"][some[1] < 0.1] = 100.0
    floats["steps"][:] = np.floor(random.uniform(2.0, 600.0, POSES))
    floats["steps"][some[2] < 0.1] = 2.0
    floats["speed"][some[3] < 0.5] = np.round(floats["speed"][some[3] < 0.5] * 2.0) / 2.0
    floats["steering_angle"][some[4] < 0.5] = np.round(floats["steering_angle"][some[4] < 0.5] / 5.0) * 5.0
    floats["distance_from_center"][some[5] < 0.02] = 0.0
    floats["sim_time"][:] = floats["steps"] / 15.0
    return many


def _alike(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(_alike, a, b))
    if isinstance(a, types.FunctionType):
        return bool(a.__code__ == b.__code__ and _alike(a.__defaults__, b.__defaults__))
    return bool(a is b or (isinstance(a, int | float | str) and repr(a) == repr(b)))
