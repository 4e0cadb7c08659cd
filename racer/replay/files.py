"""Replay files: a race in one self-contained file, written whole and read without trust."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from racer.errors import ReplayError
from racer.replay.header import from_file, to_file
from racer.replay.record import Replay
from racer.replay.tensors import DamagedError, pack, unpack
from racer.shelf import LIMITS, open_plain, read_bytes, write_atomically

__all__ = ["is_replay", "load_replay", "save_replay"]

HEADER = "racer-replay"  # the text of the container that holds the header, as JSON
HEADER_LIMIT = 256 * 2**10  # bytes
OLD_FORMAT = b"PK"  # replays before format 3 were zip archives


def save_replay(replay: Replay, path: str | Path, *, overwrite: bool = False) -> None:
    """Write a replay as one file that needs no other.

    Args:
        replay: The race; its steps and laps must fit each other.
        path: Any name, `.replay` by custom; the safetensors library opens it. The folder must exist.
        overwrite: Whether a file of that name may be replaced.

    Raises:
        ReplayError: The name is taken, or `load_replay` would refuse what it holds.
        FileError: The file cannot be written; what was there is untouched.
    """
    target = Path(path)
    if os.path.lexists(target) and not overwrite:
        raise ReplayError(f"{target} exists already and is kept; choose another name")
    try:
        header, arrays = to_file(replay)
        data = pack({HEADER: json.dumps(header, ensure_ascii=False, allow_nan=False)}, arrays)
        _unpacked(data)  # what cannot be read again must not pass for saved
    except ValueError as error:
        raise ReplayError(f"this race cannot be saved as {target}: {error}") from error
    write_atomically(target, data)


def load_replay(path: str | Path) -> Replay:
    """Read a replay, trusting nothing in it; whether it was really driven is for `verify` to say.

    Args:
        path: A file that `save_replay` wrote, on whatever machine.

    Raises:
        ReplayError: The file is missing, damaged, no replay, made by another racer, or contradicts itself.
    """
    source = Path(path)
    try:
        if source.is_dir():
            raise ReplayError(f"{source} is a folder, not a replay; name a file in it")
        data = read_bytes(source, ReplayError, LIMITS["replay"])
        if data.startswith(OLD_FORMAT):
            raise DamagedError("an earlier racer wrote it, in a format that is no longer read")
        return _unpacked(data)
    except DamagedError as error:
        raise ReplayError(
            f"{source} cannot be opened as a replay: {error}. "
            "Fetch it again, or record the drive again with `racer evaluate … --replay FILE`."
        ) from error


def is_replay(path: str | Path) -> bool:
    """Whether a file begins as a replay does; nothing more of it is read.

    Raises:
        ReplayError: It is no plain file, or cannot be read.
    """
    with open_plain(path, ReplayError) as file:
        return f'"{HEADER}"'.encode() in file.read(HEADER_LIMIT)


def _unpacked(data: bytes) -> Replay:
    if len(data) > LIMITS["replay"]:
        raise DamagedError(
            f"it is {len(data) / 2**20:.0f} MiB large; replays have up to {LIMITS['replay'] // 2**20} MiB"
        )
    metadata, arrays = unpack(data)
    return from_file(_header(metadata.get(HEADER)), arrays)


def _header(text: object) -> dict[str, Any]:
    if not isinstance(text, str):
        raise DamagedError("it has no header, so it is no replay")
    if len(text) > HEADER_LIMIT:
        raise DamagedError(f"its header is longer than {HEADER_LIMIT // 2**10} KiB")
    try:
        header = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"its header is not JSON ({error})") from error
    if not isinstance(header, dict):
        raise DamagedError("its header is not a record")
    return header


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
