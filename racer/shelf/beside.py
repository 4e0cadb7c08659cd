"""Modules beside a learner's file: `import helper` in a reward or an agent finds `helper.py` in the file's folder.

Invariant: nothing beside a file hides a module of the standard library, and no search path is left changed.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["Beside", "run_module"]


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

    @contextmanager
    def packages(self, name: str) -> Iterator[None]:
        """Let Python find the package of a dotted name beside the file, after everywhere else."""
        top = self._folder / name.partition(".")[0]
        folder = str(self._folder.absolute()) if name and name not in sys.modules and top.is_dir() else None
        if folder is not None:
            sys.path.append(folder)
        try:
            yield
        finally:
            if folder is not None:
                sys.path.remove(folder)


def run_module(
    code: types.CodeType, name: str, path: Path, builtins: dict[str, Any], known: dict[str, types.ModuleType], key: str
) -> types.ModuleType:
    """Run code as a new module; whatever it raises goes through, and leaves no module behind.

    Args:
        code: compiled.
        name: private name in Python's list of modules: dataclasses look their module up there.
        path: of the file.
        builtins: what it finds as its built-in names.
        known, key: where else it is listed from its first line on, since modules may import each other.
    """
    module = types.ModuleType(name)
    module.__file__ = str(path.absolute())
    vars(module)["__builtins__"] = builtins
    known[key] = sys.modules[name] = module
    try:
        exec(code, vars(module))
    except BaseException:
        del known[key], sys.modules[name]
        raise
    return module
