"""Where compiled kernels are kept on disk, so that only the first call of a new racer waits for the compiler.

Numba keeps compiled functions for each source file, and compiles anew when that file changes, but not when a function
or a constant that they take from another file does. Kernels take both from each other. So the folder's name carries a
digest of all files that kernels are made of: whatever changes there, everything is compiled again.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

__all__ = ["SOURCES", "kernel_folder", "kernels_are_compiled"]

PACKAGE = Path(__file__).parents[1]
WEEK_S = 7 * 24 * 3600.0

SOURCES = {
    "sim": (
        "borders", "car", "compiled", "course", "crowd", "draws", "lanes", "location", "lookup", "meeting", "objects",
        "plan_costs", "plan_motion", "planning", "projection", "pursuit", "randomization", "road", "rules", "start",
        "step", "things", "traffic",
    ),
    "sensors": (
        "beams", "boxes", "ground", "lidar", "observer", "perspective", "picture", "state", "variation",
    ),
    "reward": ("objects", "params"),
    "training/sb3": ("gradients", "muon"),
}  # fmt: skip
"""The modules, by room, that kernels and the constants compiled into them are defined in."""


def kernels_are_compiled(module: str = "step") -> bool:
    """Whether the kernels of a module are on disk, so that they load in a moment; without importing Numba.

    Args:
        module: a module with kernels; `"step"` is the simulation itself, `"picture"` the cameras.
    """
    return any(Path(kernel_folder()).glob(f"*/{module}.*.nbi"))


@cache
def kernel_folder() -> str:
    """The folder of this state of the kernels, made if need be; it can be written.

    It is beside the code if that can be written, else in the user's cache (`XDG_CACHE_HOME`, `~/.cache`), else in the
    temporary directory under the user's name. Folders of states that have not been used for a week are removed.
    """
    name = f"kernels-{_digest()}"
    for parent in _parents():
        folder = parent / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError:
            continue
        for other in parent.glob("kernels-*"):
            if other != folder and time.time() - other.stat().st_mtime > WEEK_S:
                shutil.rmtree(other, ignore_errors=True)
        return str(folder)
    last = tempfile.mkdtemp(prefix="racer-kernels-")
    atexit.register(shutil.rmtree, last, ignore_errors=True)
    return last


def _digest() -> str:
    digest = hashlib.sha256()
    for room, modules in SOURCES.items():
        for module in modules:
            digest.update((PACKAGE / room / f"{module}.py").read_bytes())
    return digest.hexdigest()[:16]


def _parents() -> Iterator[Path]:
    yield PACKAGE / "__pycache__"
    cache_home = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if cache_home.is_absolute():  # others are to be ignored, says the specification of the variable
        yield cache_home / "racer"
    with contextlib.suppress(RuntimeError):  # a user without a home
        yield Path.home() / ".cache" / "racer"
    shared = Path(tempfile.gettempdir()) / f"racer-{os.getuid() if hasattr(os, 'getuid') else 'kernels'}"
    try:
        shared.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return
    if _is_private(shared):
        yield shared


def _is_private(folder: Path) -> bool:
    """Whether no other user can have put compiled code into a folder: to load it is to run it."""
    if not hasattr(os, "getuid"):
        return True
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
