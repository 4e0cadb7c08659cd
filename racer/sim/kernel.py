"""Compiled functions: Numba's decorator, with a cache on disk that never serves yesterday's physics.

Numba keeps compiled functions for each source file, and compiles anew when that file changes, but not when a function
it calls, in another file, does. Racer's kernels call each other across files. So the folder of the cache carries a
digest of them all: whatever changes, everything is compiled again.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

PACKAGE = Path(__file__).parents[1]
ROOMS = ("track", "sim", "sensors", "reward")  # that kernels, and the constants baked into them, come from
WEEK_S = 7 * 24 * 3600.0


def kernel(function: Function) -> Function:
    """Compile a function to machine code, without the interpreter's lock and without approximate arithmetic.

    What is divided by zero is infinite or nan, as IEEE 754 says: to check each divisor costs as much as to divide,
    and keeps the compiler from computing several things at once.
    """
    return _compiled(function, {})


def lean(function: Function) -> Function:
    """The same for what runs at every step: it makes no arrays, so it need not count who refers to them.

    Counting takes longer than the geometry of a car: each use of an array in a loop may count it twice.
    """
    return _compiled(function, {"_nrt": False})


def inlined(function: Function) -> Function:
    """Compile a function into its callers: for what is small and called in the innermost loops."""
    return _compiled(function, {"inline": "always"})


def _compiled(function: Function, options: dict[str, Any]) -> Function:
    settings: Any = numba.config
    # Read when the function is decorated; other packages' caches stay theirs.
    before, settings.CACHE_DIR = settings.CACHE_DIR, FOLDER
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy", **options)(function)  # type: ignore[no-any-return]
    finally:
        settings.CACHE_DIR = before


def _sources_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(path for room in ROOMS for path in (PACKAGE / room).rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _cache_folder() -> str:
    """A folder for this state of the kernels, beside them if that can be written; removes those of old states."""
    name = f"kernels-{_sources_digest()}"
    for parent in (PACKAGE / "__pycache__", Path.home() / ".cache" / "racer"):
        folder = parent / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError:
            continue
        for other in parent.glob("kernels-*"):
            if other != folder and time.time() - other.stat().st_mtime > WEEK_S:  # nobody runs that any more
                shutil.rmtree(other, ignore_errors=True)
        return str(folder)
    return tempfile.mkdtemp(prefix="racer-kernels-")


FOLDER = _cache_folder()
"""Where compiled functions are kept, for this state of the kernels alone; it can be written."""
