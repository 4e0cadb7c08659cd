"""What a file or folder is, by its content: so that a command can name the command that takes it."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
from pathlib import Path

from racer.cli.console import quoted
from racer.errors import FileError, ReplayError
from racer.shelf import refuse_existing

__all__ = ["entry_file", "expect", "kind", "new_picture", "replay_file"]

HEAD_BYTES = 65_536
MOST_HEADER_BYTES = 10_000_000

KINDS = {
    "run": ("a run", "racer evaluate {0}"),
    "model folder": ("a folder of a DeepRacer model", "racer train --deepracer {0}"),
    "model archive": ("an archive of a DeepRacer model", "racer train --deepracer {0}"),
    "log archive": ("an archive of DeepRacer's logs", "racer import-log {0}"),
    "log": ("a DeepRacer log", "racer import-log {0}"),
    "replay": ("a replay", "racer watch {0}"),
    "model": ("a model to enter a race with", "racer leaderboard submit {0} --board NAME"),
    "old replay": ("a replay of an earlier racer, which this one does not read", ""),
    "weights": ("what a driver has learned; it belongs to a run, whose folder or name is what to give", ""),
    "sb3": (
        "a model saved by Stable-Baselines3, which racer does not load, because that can run code; train here instead",
        "racer train",
    ),
    "route": ("a track", "racer import-track {0}"),
    "reward": ("a reward function", "racer check {0}"),
    "agent": ("an agent", "racer train --agent {0}"),
    "leaderboard": ("a leaderboard", "racer leaderboard --db {0}"),
    "picture": ("a picture", ""),
}
"""Each kind of file: what it is, and the command that takes it."""

MODEL_FILES = ("model_metadata.json", "hyperparameters.json", "training_params.yaml", "reward_function.py")


def expect(what: str, given: str | Path, *kinds: str) -> None:
    """Refuse a path that is something else than what a command takes; names of the shelves and of runs pass.

    Args:
        what: is wanted, in words: "a reward function".
        given: a name or a path.
        kinds: names of `KINDS` that the command takes.

    Raises:
        FileError: it is a file or a folder of another kind.
    """
    path = Path(given)
    found = kind(path)
    if found is None or found in kinds:
        return
    if path.is_dir() and len(path.parts) == 1 and set(kinds) <= {"reward", "agent", "route"}:
        return  # a folder may have the name of a file on the shelf
    noun, command = KINDS[found]
    advice = f": {command.format(quoted(given))}" if command else ""
    raise FileError(f"{given} is {noun}, not {what}{advice}")


def new_picture(path: Path | None, force: bool) -> None:
    """Refuse, before anything is done, a picture that cannot be drawn or would replace a file; None: there is none.

    Raises:
        FileError: it has the name of no picture, or something is there and `force` is false.
    """
    if path is not None:
        from racer.viewer.plot import check_picture

        check_picture(path)
        refuse_existing(path, force)


def replay_file(given: str) -> Path:
    """The replay that a file's or a run's name means.

    Raises:
        RacerError: it means neither.
    """
    path = Path(given)
    if path.is_file():
        expect("a replay or a run", path, "replay", "old replay")
        return path
    from racer.shelf import did_you_mean
    from racer.training import find_run, run_names

    run = find_run(given)
    if run is None:
        raise ReplayError(f"there is no replay and no run {given!r}.{did_you_mean(given, run_names())}")
    if not run.replay.is_file():
        raise ReplayError(
            f"the run {run.name} has no replay yet; record one with `racer evaluate {run.name} --replay FILE`"
        )
    return run.replay


def entry_file(given: str) -> Path:
    """The replay or the model that a file's or a run's name means.

    Raises:
        RacerError: it means neither.
    """
    path = Path(given)
    is_model = kind(path) == "model" or (path.suffix == ".model" and path.is_file())
    return path if is_model else replay_file(given)


def kind(path: Path) -> str | None:
    """A name of `KINDS`; None for what does not exist, cannot be read or is none of them."""
    try:
        if path.is_dir():
            return _kind_of_folder(path)
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return _kind_of_file(path, file.read(HEAD_BYTES), path.stat().st_size)
    except (OSError, ValueError):
        return None


def _kind_of_folder(path: Path) -> str | None:
    if (path / "run.json").exists():
        return "run"
    return "model folder" if any((path / name).exists() for name in MODEL_FILES) else None


def _kind_of_file(path: Path, head: bytes, size: int) -> str | None:
    if head.startswith(b"PK\x03\x04"):
        return _kind_of_zip(path)
    if head.startswith(b"\x1f\x8b") or head[257:262] == b"ustar":
        return _kind_of_archive(path)
    if head.startswith(b"\x93NUMPY"):
        return "route"
    if head.startswith(b"SQLite format 3\0"):
        return "leaderboard"
    if head.startswith((b"\x89PNG", b"GIF8")) or head[4:8] == b"ftyp":
        return "picture"
    if len(head) > 9 and head[8:9] == b"{" and struct.unpack("<Q", head[:8])[0] < min(size, MOST_HEADER_BYTES):
        return "replay" if b'\\"laps\\"' in head else "model" if b'"racer-model"' in head else "weights"
    if b"SIM_TRACE_LOG:" in head or head.lstrip(b'"').startswith((b"episode,steps,", b'episode","steps"')):
        return "log"
    if path.suffix == ".py":
        return "reward" if b"def reward_function" in head else "agent" if b"class Agent" in head else None
    return "route" if path.suffix in (".csv", ".npy") else None


def _kind_of_zip(path: Path) -> str | None:
    try:
        names = set(zipfile.ZipFile(path).namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return None
    if names & {"policy.pth", "data", "_stable_baselines3_version"}:
        return "sb3"
    return "old replay" if any(name.endswith(".npy") for name in names) else None


def _kind_of_archive(path: Path) -> str | None:
    try:
        with path.open("rb") as file, tarfile.open(fileobj=io.BytesIO(file.read(HEAD_BYTES))) as archive:
            for member in archive:  # until the bytes end
                if Path(member.name).name in MODEL_FILES or member.name.startswith(("agent/", "./agent/")):
                    return "model archive"
    except (tarfile.TarError, OSError, EOFError):
        pass
    return "log archive"
