"""An agent file run as a module of its own, with what it imports from beside it.

Invariant: the text that was read is what runs, under a private name; no bytecode is left beside the file, and two
files of one name are two modules.
"""

from __future__ import annotations

import builtins
import types
from pathlib import Path
from typing import Any

from racer.errors import AgentError
from racer.shelf import Beside, read_source, run_module

__all__ = ["run_agent"]


def run_agent(name: str, path: Path, text: str) -> types.ModuleType:
    """Run an agent file; whatever it raises goes through.

    Args:
        name: private name of the module, in Python's list of modules.
        path: the file, absolute.
        text: its source.
    """
    return _Runner(name, path).run(name, path.stem, path, text)


class _Runner:
    """Runs a file and the modules beside it, each once."""

    def __init__(self, name: str, path: Path) -> None:
        self._name, self._beside = name, Beside(path)
        self._modules: dict[str, types.ModuleType] = {}

    def run(self, name: str, key: str, path: Path, text: str) -> types.ModuleType:
        own = {**vars(builtins), "__import__": self._import}
        return run_module(compile(text, str(path), "exec"), name, path, own, self._modules, key)

    def _import(
        self,
        name: str,
        globals: dict[str, Any] | None = None,
        locals: dict[str, Any] | None = None,
        fromlist: tuple[str, ...] = (),
        level: int = 0,
    ) -> types.ModuleType:
        """Import as Python does, but the modules beside the file from there."""
        path = self._beside.module(name) if level == 0 else None
        if path is not None:
            if name not in self._modules:
                self.run(f"{self._name}_{name}", name, path, read_source(path, AgentError)[0])
            return self._modules[name]
        with self._beside.packages(name if level == 0 else ""):
            return builtins.__import__(name, globals, locals, fromlist, level)
