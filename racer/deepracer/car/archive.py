"""The archive that a car takes: `agent/model.pb` and `model_metadata.json`, and nothing else.

Invariant: what comes out passes the car's loader (`model_loader_node.py` of deepracer-custom-car). It takes exactly one
model, and counts every file without a suffix as one; it cuts its folder's name off at a dot.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import tarfile
from collections.abc import Sequence
from pathlib import Path

from racer.deepracer.car.graph import SHAPE, frozen_graph
from racer.deepracer.config import ModelMetadata
from racer.errors import ModelError
from racer.racing import Model
from racer.sensors import make_sensors
from racer.shelf import write_atomically
from racer.sim import DEFAULT, ActionSpace, DiscreteActions

__all__ = ["car_archive", "car_name", "check_car", "save_car"]

CAMERAS = ("FRONT_FACING_CAMERA", "observation", "LEFT_CAMERA")  # with one lens
SUFFIX = ".tar.gz"
VERSION = 5.0  # of the metadata, as the last console wrote it
INSTEAD = "train one that can: racer train --agent ppo_car"


def check_car(sensors: Sequence[str], actions: ActionSpace | None = None) -> None:
    """Refuse what a car cannot run.

    Args:
        sensors: what the driver observes, as `racer.sensors.make_sensors` takes it.
        actions: what it does; None for the simulated car's whole range.

    Raises:
        ModelError: it observes or does something else than a car; the message says what, and what to train instead.
    """
    seen = make_sensors(tuple(sensors))
    strange = [one.name for one in seen if one.name not in CAMERAS]
    if strange:
        raise ModelError(f"a car cannot observe {', '.join(strange)}, only one camera of one lens; {INSTEAD}")
    rows, columns, channels = seen[0].shape
    if channels != 1:
        raise ModelError(f"a car gives its driver one picture at a time, not {channels} ({sensors[0]}); {INSTEAD}")
    if seen[0].shape != SHAPE:
        raise ModelError(
            f"a car's picture has {SHAPE[1]} x {SHAPE[0]} pixels, not {columns} x {rows} ({sensors[0]}); {INSTEAD}"
        )
    actions = actions or DEFAULT
    if isinstance(actions, DiscreteActions):
        steering, speeds = zip(*actions.choices, strict=True)
    else:
        steering, speeds = actions.steering_angle, actions.speed
    if min(speeds) < 0.0 or max(speeds) <= 0.0:
        raise ModelError(f"the speeds go from {min(speeds):g} to {max(speeds):g} m/s; a car needs some above 0")
    if max(map(abs, steering)) == 0.0:
        raise ModelError("no action steers; the car's software divides by the largest steering angle")
    if not isinstance(actions, DiscreteActions) and steering[0] != -steering[1]:
        raise ModelError(
            f"the steering goes from {steering[0]:g} to {steering[1]:g} degrees; the car's software takes the same "
            "angle to both sides"
        )


def car_archive(model: Model) -> bytes:
    """The content of a `.tar.gz` that a car's console takes; the same model gives the same bytes.

    Raises:
        ModelError: a car cannot run it.
    """
    check_car(model.sensors, model.actions)
    (seen,) = model.network.inputs
    metadata = ModelMetadata(model.actions, (seen.sensor,), version=VERSION)
    files = {
        "agent/model.pb": frozen_graph(model.network),
        "model_metadata.json": (json.dumps(metadata.as_json(), indent=2) + "\n").encode(),
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
    return gzip.compress(packed.getvalue(), mtime=0)


def save_car(model: Model, path: str | Path, *, overwrite: bool = False) -> None:
    """Write a model as a car takes it.

    Args:
        model: what to write.
        path: `NAME.tar.gz`; the car calls it NAME. The folder must exist.
        overwrite: whether a file of that name may be replaced.

    Raises:
        ModelError: a car cannot run it, or the name is taken or none for a car.
        FileError: the file cannot be written; what was there is untouched.
    """
    car_name(path)
    if os.path.lexists(path) and not overwrite:
        raise ModelError(f"{path} exists already and is kept; choose another name, or replace it (--force)")
    write_atomically(path, car_archive(model))


def car_name(path: str | Path) -> str:
    """What a car calls the model in an archive of this name: the file's name without `.tar.gz`.

    Raises:
        ModelError: the car could not use the name.
    """
    name = Path(path).name
    stem = name.removesuffix(SUFFIX)
    if stem == name or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", stem):
        raise ModelError(
            f"a car takes NAME{SUFFIX}, where NAME has letters, digits, - and _ alone, not {name!r:.80}; "
            "a dot would cut it off"
        )
    return stem
