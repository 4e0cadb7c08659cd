"""Clips: some seconds of a training as a small file, written while it learns and shown by a window of its own.

Invariant: a clip is whole or not there, and small; who writes it waits for nobody, who reads it may come and go.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from racer.errors import RunError
from racer.replay import DamagedError, pack, unpack
from racer.shelf import LIMITS, read_bytes, write_atomically

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CLIP", "Clip", "ClipFacts", "load_clip", "save_clip"]

CLIP = "live.clip"  # in a run folder
POSE = 5  # x, y (m), heading, steering (rad), speed (m/s)
LARGEST, LONGEST = 20_000, 1_000  # poses, and letters


@dataclass(frozen=True)
class ClipFacts:
    """How the training stood when a clip was made."""

    number: int = 0  # of the clip, from 1
    steps: int = 0
    used: float = 0.0  # share of the budget
    completed: float | None = None  # share of the laps in the newest evaluation
    best_lap_s: float | None = None
    reward: float | None = None  # mean of the training's episodes
    says: str = ""  # the meter
    warns: bool = False
    over: bool = False  # whether the training has ended


@dataclass(frozen=True, eq=False)
class Clip:
    """Some steps of some cars: poses (k, n, 5) and whether the episode of a car ended in a step, (k, n)."""

    poses: NDArray[np.float32]
    ends: NDArray[np.bool_]
    facts: ClipFacts


def save_clip(clip: Clip, folder: Path) -> None:
    """Write a clip into a run folder, in place of the one before.

    Raises:
        FileError: it cannot be written.
    """
    facts = json.dumps(dataclasses.asdict(clip.facts))
    write_atomically(
        folder / CLIP, pack({"racer clip": facts}, {"poses": clip.poses, "ends": clip.ends}), within=folder
    )


def load_clip(folder: Path) -> Clip | None:
    """Read the newest clip of a run folder, trusting nothing in it; None if there is none.

    Raises:
        RunError: it is damaged.
    """
    path = folder / CLIP
    if not path.is_file():
        return None
    try:
        metadata, arrays = unpack(read_bytes(path, RunError, LIMITS["settings"]))
        given: dict[str, Any] = json.loads(metadata["racer clip"])
        facts = ClipFacts(**{field.name: given[field.name] for field in dataclasses.fields(ClipFacts)})
        poses, ends = arrays["poses"], arrays["ends"]
        fits = poses.ndim == 3 and poses.shape[2] == POSE and ends.shape == poses.shape[:2]
        if (
            not fits
            or not 0 < poses.size <= LARGEST * POSE
            or (poses.dtype.name, ends.dtype.name) != ("float32", "bool")
        ):
            raise ValueError(f"its arrays have the shapes {poses.shape} and {ends.shape}")
        numbers = (facts.number, facts.steps, facts.used, facts.completed, facts.best_lap_s, facts.reward)
        sound = all(value is None or isinstance(value, int | float) for value in numbers)
        if not sound or not isinstance(facts.says, str) or len(facts.says) > LONGEST:
            raise ValueError("its facts are no numbers")
        if np.abs(poses).max() > 1e6:
            raise ValueError("a car is nowhere near a track")
    except (DamagedError, ValueError, KeyError, TypeError) as wrong:
        raise RunError(f"{path} is damaged: {wrong}") from wrong
    return Clip(poses, ends, facts)
