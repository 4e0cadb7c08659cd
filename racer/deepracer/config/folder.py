"""A folder of DeepRacer's, as the console exports it or deepracer-for-cloud keeps it: which file is what.

Invariant: every file that is taken lies in the folder or in the archive that the learner named, whatever its settings
and links say; an archive is never unpacked.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from racer.deepracer.config.documents import Document, read_document
from racer.deepracer.config.settings import Settings, read_settings
from racer.errors import DeepRacerError
from racer.shelf import is_archive, read_archive

__all__ = ["FILE_KEYS", "Folder", "open_folder"]

PLACES = ("", "custom_files", "model", "ip", "agent", "configs")
"""Where the files lie: exported, with deepracer-for-cloud, in a model's bucket, in a car's model."""

METADATA = (("model_metadata.json",), ("agent_params.json",))
HYPERPARAMETERS = (("hyperparameters.json",),)
REWARD = (("reward_function.py", "customer_reward_function.py"),)
SETTINGS = (
    ("training_params.yaml",),
    ("training-params.yaml",),
    ("training_params_1.yaml",),
    ("environment_params.yaml",),
    ("run.env",),
)
"""Names of each file, the one that says most first; the later ones stand in for it."""

FILE_KEYS = {
    "reward": "REWARD_FILE_S3_KEY",
    "metadata": "MODEL_METADATA_FILE_S3_KEY",
    "hyperparameters": "HYPERPARAMETER_FILE_S3_KEY",
}
"""The settings that name a file."""

READ_IN_ARCHIVES = (".py", ".json", ".yaml", ".env")


@dataclass(frozen=True)
class Folder:
    """The files of a folder; None where it has none.

    Attributes:
        path: of the folder or the archive.
        metadata: its `model_metadata.json`.
        hyperparameters: its `hyperparameters.json`.
        reward: its reward function.
        settings_file: its `training_params.yaml`, or what stands in for it.
        settings: what that file says; the defaults if there is none.
        missing: keys of `settings` that name a file which the folder does not hold.
    """

    path: Path
    metadata: Document | None = None
    hyperparameters: Document | None = None
    reward: Document | None = None
    settings_file: Document | None = None
    settings: Settings = field(default_factory=Settings)
    missing: tuple[str, ...] = ()


def open_folder(path: str | Path, given: frozenset[str] = frozenset()) -> Folder:
    """Find the files of a folder, or of an archive of one (`.tar`, `.tar.gz`).

    One folder around all of it, as archives have it, does not matter. The settings may name the other files.

    Args:
        path: of the folder or the archive.
        given: names of the attributes of `Folder` that are known from elsewhere, and need not be looked for.

    Raises:
        DeepRacerError: it is neither, holds none of the files, or holds two versions of one.
    """
    top = Path(path)
    found = next(filter(None, (_found(top, tree, given) for tree in _trees(top))), None)
    if found is None and not given:
        names = ", ".join(group[0][0] for group in (METADATA, HYPERPARAMETERS, REWARD, SETTINGS))
        places = ", ".join(f"{place}/" for place in PLACES if place)
        raise DeepRacerError(f"{top} holds none of {names}, nor do {places} in it; is it a folder of DeepRacer's?")
    return found or Folder(top)


def _trees(top: Path) -> Iterator[_Tree]:
    """Where to look for the files."""
    if os.path.isdir(top):  # noqa: PTH112 (false, not an error, for names the system cannot hold)
        yield _Disk(top)
        inner = _only_folder(top)
        if inner is not None:
            yield _Disk(inner)
    elif os.path.isfile(top) and is_archive(top, DeepRacerError):  # noqa: PTH113 (false for odd names)
        files = _unpacked(top)
        yield from (_Packed(top, files, root) for root in _roots(files))
    else:
        raise DeepRacerError(f"{top} is no folder and no archive; name a folder of DeepRacer's, or its .tar.gz")


class _Disk:
    """The files below a folder."""

    def __init__(self, top: Path) -> None:
        self.top = top

    def read(self, name: str) -> Document | None:
        path = self.top / name
        if not os.path.isfile(path):  # noqa: PTH113 (false for odd names)
            return None
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.top)):
            raise DeepRacerError(f"{path} is a link that leads out of {self.top}; replace it by the file")
        return read_document(path)


class _Packed:
    """The files in an archive, below a folder in it."""

    def __init__(self, top: Path, files: Mapping[str, bytes], root: PurePosixPath) -> None:
        self.top, self.files, self.root = top, files, root

    def read(self, name: str) -> Document | None:
        data = self.files.get(str(self.root / name))
        return None if data is None else read_document(Document(self.top / self.root / name, data, packed=True))


def _unpacked(top: Path) -> dict[str, bytes]:
    archive = read_archive(top, lambda name: name.endswith(READ_IN_ARCHIVES), DeepRacerError)
    if not archive.complete:
        raise DeepRacerError(f"{top} is cut short; download it again")
    return archive.files


def _roots(files: Mapping[str, bytes]) -> Iterator[PurePosixPath]:
    """The folders in an archive that may be the one around all files: what they have in common, or the outermost."""
    known = {name for groups in (METADATA, HYPERPARAMETERS, REWARD, SETTINGS) for names in groups for name in names}
    folders = {path.parent for path in map(PurePosixPath, files) if path.name in known}
    if folders:
        common = PurePosixPath(os.path.commonpath(folders)) if len(folders) > 1 else min(folders)
        yield common.parent if len(folders) == 1 and common.name in PLACES else common
        yield min(folders, key=lambda folder: len(folder.parts))


_Tree = _Disk | _Packed


def _found(top: Path, tree: _Tree, given: frozenset[str]) -> Folder | None:
    """The files of a tree; None if it has none of them."""
    settings_file = _the_one(tree, SETTINGS, "remove the one that does not count")
    settings = Settings() if settings_file is None else read_settings(settings_file)
    files: dict[str, Document | None] = {"metadata": None, "hyperparameters": None, "reward": None}
    missing = []
    for what, names, option in (
        ("metadata", METADATA, "--model-metadata"),
        ("hyperparameters", HYPERPARAMETERS, "--hyperparameters"),
        ("reward", REWARD, "--reward"),
    ):
        if what in given:
            continue
        key = FILE_KEYS[what]
        if key in settings.files:
            files[what] = _named(tree, settings.files[key])
            if files[what] is None:
                missing.append(key)
        if files[what] is None:
            files[what] = _the_one(tree, names, f"say which one with {option}")
    if settings_file is None and not any(files.values()):
        return None
    return Folder(top, **files, settings_file=settings_file, settings=settings, missing=tuple(missing))


def _named(tree: _Tree, key: str) -> Document | None:
    """The file that a key of an object store names: its path, or the end of it, below the folder."""
    parts = PurePosixPath(key.replace("\\", "/")).parts
    if ".." in parts or "\0" in key:
        return None
    parts = tuple(part for part in parts if part != "/")
    ends = ["/".join(parts[i:]) for i in range(len(parts))]
    places = [f"{place}/{parts[-1]}" for place in PLACES if place and parts]
    return next((found for name in (*ends, *places) if (found := tree.read(name)) is not None), None)


def _the_one(tree: _Tree, groups: tuple[tuple[str, ...], ...], hint: str) -> Document | None:
    """The one file of these names; several count as one if they hold the same."""
    for names in groups:
        first = None
        for document in _files(tree, names):
            if first is not None and document.data != first.data:
                raise DeepRacerError(f"{first.path} and {document.path} differ; {hint}")
            first = first or document
        if first is not None:
            return first
    return None


def _files(tree: _Tree, names: tuple[str, ...]) -> Iterator[Document]:
    for place in PLACES:
        for name in names:
            document = tree.read(f"{place}/{name}" if place else name)
            if document is not None:
                yield document


def _only_folder(top: Path) -> Path | None:
    try:
        inner = [entry for entry in top.iterdir() if not entry.name.startswith(".")]
    except OSError as wrong:
        raise DeepRacerError(f"cannot look into {top}: {wrong.strerror}") from wrong
    return inner[0] if len(inner) == 1 and inner[0].is_dir() and not inner[0].is_symlink() else None
