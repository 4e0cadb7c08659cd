"""Modules beside a learner's file: `import helper` in a reward or an agent finds `helper.py` in the file's folder.

Invariant: nothing beside a file hides a module of the standard library, and no search path is left changed.
"""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["Beside"]


class Beside:
    """Finds what a file imports from the folder that it lies in."""

    def __init__(self, path: Path) -> None:
        """Look beside the file `path`, which does not import itself."""
        self._folder = path.parent
        self._modules: dict[str, Path | None] = {path.stem: None}

    def module(self, name: str) -> Path | None:
        """The file of a module; None if there is none, or Python has a module of this name itself."""
        if name not in self._modules:
            path = self._folder / f"{name}.py"
            found = name not in sys.stdlib_module_names and "." not in name and path.is_file()
            self._modules[name] = path if found else None
        return self._modules[name]

    def package(self, name: str) -> str | None:
        """The folder to find a package in; None if there is none."""
        top = self._folder / name.partition(".")[0]
        return str(self._folder.absolute()) if top.is_dir() else None
