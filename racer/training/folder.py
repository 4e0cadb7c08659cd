"""Run folders among other folders: their names, who trains in one, and what a stranger's may not do.

Invariant: a run folder is data. Nothing that it holds or names is executed unless it lies on a shelf, and nothing is
read or written through a link in it.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import stat
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from racer.errors import FileError, RacerError, RunError
from racer.shelf import (
    LIMITS,
    file_error,
    make_folder,
    read_json,
    refuse_links,
    resolve,
    shipped_folder,
    write_atomically,
)

__all__ = [
    "RUNS",
    "check_folder",
    "free_name",
    "is_free",
    "locked",
    "make_run_folder",
    "on_shelf",
    "run_folder",
    "run_names",
    "trained",
]

RUNS = Path("runs")
"""Where runs are kept, in the working folder."""

LOCK, OWNER = "lock", "lock.json"
MOST_FILES = 100_000  # in a run folder; a training of days leaves some thousands


def run_folder(name: str) -> Path | None:
    """The run folder that a name or a path means; None if there is none."""
    for folder in (Path(name), RUNS / name):
        if os.path.exists(folder / "run.json"):  # noqa: PTH110 (false, not an error, for names that no system can hold)
            return folder
    return None


def run_names() -> list[str]:
    """Names of the runs below `RUNS`, newest first."""
    return [
        folder.name for folder in sorted((path.parent for path in RUNS.glob("*/run.json")), key=trained, reverse=True)
    ]


def trained(folder: Path) -> float:
    """When a run was last trained, as seconds since 1970; its folder changes when it is evaluated, too."""
    times = [0.0]
    for name in ("run.json", "checkpoint.safetensors"):
        with contextlib.suppress(OSError):
            times.append((folder / name).stat().st_mtime)
    return max(times)


def free_name(stem: str) -> str:
    """The first name below `RUNS` that is not taken: `stem-1`, `stem-2` and so on."""
    number = 1
    while os.path.lexists(RUNS / f"{stem}-{number}"):
        number += 1
    return f"{stem}-{number}"


def is_free(folder: Path) -> bool:
    """Whether a run may be made here, as nothing is lost: there is nothing, or a run that has learned nothing yet."""
    if not os.path.lexists(folder):
        return True
    if not folder.is_dir():
        return False
    held = {path.name for path in folder.iterdir()}
    held -= {LOCK, OWNER, *(name for name in held if name.startswith(".") and ".tmp" in name)}  # of one that was killed
    return not held or ("track.json" in held and not held & {"checkpoint.safetensors", "best.safetensors"})


def check_folder(folder: Path) -> None:
    """Refuse a run folder that holds links, pipes or devices: to read or write them would reach outside of it.

    Raises:
        RunError: it does; names the first one.
        FileError: it cannot be read.
    """
    count = 0
    try:
        for parent, folders, files in os.walk(folder):
            for name in (*folders, *files):
                path, count = Path(parent, name), count + 1
                try:
                    mode = path.lstat().st_mode
                except FileNotFoundError:  # the run is being trained: a temporary file has its name by now
                    continue
                if stat.S_ISLNK(mode):
                    refuse_links(path, folder)
                if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                    raise RunError(f"{path} is no plain file; a run folder holds files and folders alone. Remove it.")
                if count > MOST_FILES:
                    raise RunError(f"{folder} holds more than {MOST_FILES:,} files; this is no run folder of racer's")
    except OSError as wrong:
        if isinstance(wrong, RacerError):
            raise
        raise file_error("read", Path(wrong.filename or folder), wrong) from wrong


@contextlib.contextmanager
def locked(folder: Path, doing: str = "being trained") -> Iterator[None]:
    """Keep a run folder to this process: a second training in it is refused, with what it is said to be doing.

    The system lets go of the lock when the process ends, however it ends, so no lock outlives its process.

    Raises:
        RunError: another process trains in it; says which.
        FileError: the folder cannot be written to.
    """
    refuse_links(folder / LOCK, folder)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as wrong:
        raise RunError(f"{folder} is {doing} {_owner(folder)}; wait for it, or choose another --name") from wrong
    except OSError as wrong:
        raise file_error("write", folder / LOCK, wrong) from wrong
    try:
        owner = {"pid": os.getpid(), "host": platform.node()}
        write_atomically(folder / OWNER, json.dumps(owner) + "\n", within=folder)
        yield
    finally:
        with contextlib.suppress(OSError):
            (folder / OWNER).unlink()
        lock.release()


def _owner(folder: Path) -> str:
    with contextlib.suppress(RacerError):
        match read_json(folder / OWNER, RunError, LIMITS["settings"]):
            case {"pid": int(pid), "host": str(host)}:
                return f"by process {pid} on {host:.100}"
    return "by another process"


def on_shelf(shelf: str, name: str, folder: Path) -> Path:
    """The file that a run folder names and that may be executed: one on the shelf, as its real path says.

    Args:
        shelf: `agents` or `reward_functions`.
        name: as `run.json` has it.
        folder: the run's.

    Raises:
        ShelfError: there is no such file.
        RunError: it lies elsewhere, or in a run.
    """
    path = resolve(shelf, name)
    real = path.resolve()
    shelves = (Path(shelf).resolve(), shipped_folder(shelf).resolve())
    if not any(real.is_relative_to(place) for place in shelves) or _in_a_run(real, folder.resolve()):
        option = "--agent" if shelf == "agents" else "--reward"
        raise RunError(
            f"{folder} names {name!r:.200}, which is not on the shelf ./{shelf}/. A run folder may come from anybody, "
            f"so racer executes only what lies there; if the file is yours, name it with {option}"
        )
    return path


def _in_a_run(path: Path, folder: Path) -> bool:
    """Whether a path lies in a run or beside one, both resolved."""
    runs = {folder, RUNS.resolve()} | ({folder.parent} if folder.parent.name == RUNS.name else set())
    return any(parent in runs or (parent / "run.json").exists() for parent in path.parents)


def make_run_folder(folder: Path) -> None:
    """Make a run folder, or take a free one.

    Raises:
        RunError: the folder is taken.
        FileError: it cannot be made.
    """
    if not is_free(folder):
        if (folder / "run.json").exists():
            with contextlib.suppress(FileError), locked(folder):
                pass  # the lock names who trains in it
        how = "add --resume to go on with it" if (folder / "run.json").exists() else "it is no run"
        raise RunError(f"{folder} exists already; {how}, or choose another --name")
    make_folder(folder)
    check_folder(folder)
