"""A folder of DeepRacer's, as the console exports it or deepracer-for-cloud keeps it: which file is what."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from racer.errors import DeepRacerError
from racer.shelf import read_bytes

__all__ = ["Folder", "open_folder"]

PLACES = ("", "custom_files", "model", "ip", "agent")
"""Where the files lie: exported, with deepracer-for-cloud, in a model's bucket, in a car's model."""

METADATA = ("model_metadata.json",)
HYPERPARAMETERS = ("hyperparameters.json",)
REWARD = ("reward_function.py", "customer_reward_function.py")
SETTINGS = (("training_params.yaml",), ("training-params.yaml",), ("training_params_1.yaml",), ("run.env",))
"""Names of the settings' file, the one that says most first; the later ones stand in for it."""


@dataclass(frozen=True)
class Folder:
    """The files of a folder; None where it has none.

    Attributes:
        path: of the folder.
        metadata: its `model_metadata.json`.
        hyperparameters: its `hyperparameters.json`.
        reward: its reward function.
        settings: its `training_params.yaml`, or else its `run.env`.
    """

    path: Path
    metadata: Path | None
    hyperparameters: Path | None
    reward: str | Path | None
    settings: Path | None

    @property
    def empty(self) -> bool:
        """Whether it has none of the files."""
        return not (self.metadata or self.hyperparameters or self.reward or self.settings)


def open_folder(
    path: str | Path,
    metadata: Path | None = None,
    hyperparameters: Path | None = None,
    reward: str | Path | None = None,
) -> Folder:
    """Find the files of a folder.

    Args:
        path: of the folder; one folder around all of it, as archives have it, does not matter.
        metadata: a file to take instead of the folder's own.
        hyperparameters: likewise.
        reward: likewise.

    Raises:
        DeepRacerError: it is no folder, holds none of the files, or holds two versions of one.
    """
    top = Path(path)
    if not os.path.isdir(top):  # noqa: PTH112 (false, not an error, for names the system cannot hold)
        archive = top.suffix in (".gz", ".tgz", ".tar", ".zip")
        hint = "unpack it first, and name the folder" if archive else "name a folder that DeepRacer exported"
        raise DeepRacerError(f"{top} is no folder; {hint}")
    given = (metadata, hyperparameters, reward)
    found = _found(top, *given)
    inner = _only_folder(top) if found.empty else None
    if inner is not None:
        found = _found(inner, *given)
    if found.empty:
        names = ", ".join((*METADATA, *HYPERPARAMETERS, *REWARD[:1], *SETTINGS[0]))
        places = ", ".join(f"{place}/" for place in PLACES if place)
        raise DeepRacerError(f"{top} holds none of {names}, nor do {places} in it; is it a folder of DeepRacer's?")
    return found


def _found(top: Path, metadata: Path | None, hyperparameters: Path | None, reward: str | Path | None) -> Folder:
    settings = (_the_one(top, names, "remove the one that does not count") for names in SETTINGS)
    return Folder(
        top,
        metadata or _the_one(top, METADATA, "say which one with --model-metadata"),
        hyperparameters or _the_one(top, HYPERPARAMETERS, "say which one with --hyperparameters"),
        reward or _the_one(top, REWARD, "say which one with --reward"),
        next((path for path in settings if path is not None), None),
    )


def _the_one(top: Path, names: tuple[str, ...], hint: str) -> Path | None:
    """The one file of these names; several count as one if they hold the same."""
    first = None
    for path in _files(top, names):
        content = read_bytes(path, DeepRacerError)
        if first is not None and content != first[1]:
            raise DeepRacerError(f"{first[0]} and {path} differ; {hint}")
        first = first or (path, content)
    return first and first[0]


def _files(top: Path, names: tuple[str, ...]) -> Iterator[Path]:
    for place in PLACES:
        for name in names:
            if os.path.isfile(top / place / name):  # noqa: PTH113 (likewise)
                yield top / place / name


def _only_folder(top: Path) -> Path | None:
    try:
        inner = [entry for entry in top.iterdir() if not entry.name.startswith(".")]
    except OSError as wrong:
        raise DeepRacerError(f"cannot look into {top}: {wrong.strerror}") from wrong
    return inner[0] if len(inner) == 1 and inner[0].is_dir() else None
