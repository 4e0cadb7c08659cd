"""A learner's file run as a module for one car, with a clock, helper files and exits of its own.

Invariant: two instances share nothing that a reward function can change, unless it reaches for it through a
library.
"""

from __future__ import annotations

import ast
import builtins
import itertools
import marshal
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from racer.errors import RacerError
from racer.reward.clock import simulated_modules
from racer.reward.watchdog import RewardTimeout
from racer.shelf import parse, read_source

CLOCKS = ("time", "datetime")

_STOPS = "__racer_stops__"
"""Builtin name, in a learner's modules, of the exceptions that no `except` of theirs may catch."""

_numbers = itertools.count(1)


class Source:
    """A learner's file and the modules beside it: read and compiled once, run once for each car."""

    def __init__(self, path: Path, text: str, error: type[RacerError]) -> None:
        """Compile `text`, which was read from `path`.

        Raises:
            RacerError: of the kind `error`: it is no Python.
        """
        self.path, self.error = path, error
        self.name = f"racer_file_{next(_numbers)}_{path.stem}"
        self._folder = path.parent
        self._codes = {path.stem: self._compiled(path, text)}
        self._beside: dict[str, Path | None] = {path.stem: None}  # a file does not import itself

    def beside(self, name: str) -> Path | None:
        """The file of a module that lies beside the learner's and hides none of the standard library's."""
        if name not in self._beside:
            path = self._folder / f"{name}.py"
            found = name not in sys.stdlib_module_names and "." not in name and path.is_file()
            self._beside[name] = path if found else None
        return self._beside[name]

    def package(self, name: str) -> str | None:
        """The folder to find a package in that lies beside the learner's file."""
        top = self._folder / name.partition(".")[0]
        return str(self._folder.absolute()) if top.is_dir() else None

    def code(self, name: str, path: Path) -> types.CodeType:
        """A copy of a module's code.

        Every car's is its own: Python keeps in the code where it found a global name last, and cars that took
        turns in one code would make it search each time.
        """
        if name not in self._codes:
            self._codes[name] = self._compiled(path, read_source(path, self.error))
        copy: types.CodeType = marshal.loads(self._codes[name])
        return copy

    def _compiled(self, path: Path, text: str) -> bytes:
        tree = _Unstoppable().visit(parse(path, text, self.error))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return marshal.dumps(compile(tree, str(path), "exec"))
        except SyntaxError as wrong:  # a `return` outside a function, and what else the grammar lets pass
            raise self.error(f"{path}, line {wrong.lineno or 1}: SyntaxError: {wrong.msg}") from wrong
        except (ValueError, RecursionError, MemoryError) as wrong:
            raise self.error(f"{path}: this cannot be compiled: {wrong}") from wrong


class Instance:
    """One car's module, and its own copies of the modules beside it that it imports.

    Attributes:
        module: the learner's module, run.
    """

    def __init__(self, source: Source, number: int, race_time: Callable[[], float], registered: list[str]) -> None:
        """Run the file; whatever it raises goes through.

        Args:
            source: what to run.
            number: of the car, for the module's private name.
            race_time: what its clocks follow, s.
            registered: is told the names that are put into Python's list of modules, now and later. Who keeps
                the instance takes them out again in the end.
        """
        self._source, self._race_time, self._registered = source, race_time, registered
        self._name = f"{source.name}_{number}"
        self._clocks: dict[str, types.ModuleType] = {}
        self._modules: dict[str, types.ModuleType] = {}
        self._builtins = {
            **vars(builtins),
            "__import__": self._import,
            "input": _no_input,
            "exit": sys.exit,  # the shell's own closes stdin first
            "quit": sys.exit,
            _STOPS: (RewardTimeout, KeyboardInterrupt),
        }
        self.module = self._run(source.path.stem, source.path)

    def _run(self, name: str, path: Path) -> types.ModuleType:
        own = self._name if path == self._source.path else f"{self._name}_{name}"
        module = types.ModuleType(own)
        module.__file__ = str(path.absolute())
        module.__dict__["__builtins__"] = self._builtins
        self._modules[name] = sys.modules[own] = module  # dataclasses look their module up there
        self._registered.append(own)
        try:
            exec(self._source.code(name, path), module.__dict__)
        except BaseException:
            del self._modules[name], sys.modules[own]
            raise
        return module

    def _import(
        self,
        name: str,
        globals: dict[str, Any] | None = None,
        locals: dict[str, Any] | None = None,
        fromlist: tuple[str, ...] = (),
        level: int = 0,
    ) -> types.ModuleType:
        """Import as Python does, but simulated clocks, and the modules beside the file."""
        folder = None
        if level == 0:
            if name in CLOCKS:
                self._clocks = self._clocks or simulated_modules(self._race_time)
                return self._clocks[name]
            if name in self._modules and name != self._source.path.stem:
                return self._modules[name]
            path = self._source.beside(name)
            if path is not None:
                return self._run(name, path)
            if name not in sys.modules:
                folder = self._source.package(name)
        if folder is None:
            return builtins.__import__(name, globals, locals, fromlist, level)
        sys.path.append(folder)
        try:
            return builtins.__import__(name, globals, locals, fromlist, level)
        finally:
            sys.path.remove(folder)


class _Unstoppable(ast.NodeTransformer):
    """Lets Ctrl-C and the watchdog through every `try`, also through a bare `except:` in an endless loop."""

    def visit_Try(self, node: ast.Try) -> ast.Try:
        self.generic_visit(node)
        if node.handlers:
            stops = ast.Name(_STOPS, ast.Load())
            through = ast.ExceptHandler(stops, None, [ast.Raise(None, None)])
            ast.copy_location(through, node.handlers[0])
            node.handlers.insert(0, ast.fix_missing_locations(through))
        return node


def _no_input(prompt: object = "") -> str:
    raise RuntimeError("a reward function cannot ask for input")
