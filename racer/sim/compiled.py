"""Compiled functions: the decorators of kernels, and Numba's only place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

from racer.sim.kernel_cache import kernel_folder

__all__ = ["inlined", "kernel", "lean"]

Function = TypeVar("Function", bound=Callable[..., Any])


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
    before, settings.CACHE_DIR = settings.CACHE_DIR, kernel_folder()
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy", **options)(function)  # type: ignore[no-any-return]
    finally:
        settings.CACHE_DIR = before
