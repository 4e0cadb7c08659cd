"""The user module: a learner's file run for one car, with a clock, helper files, builtins and exits of its own.

Invariant: two cars' modules share nothing that a reward function can change, unless it reaches for it through a
library.
"""

from __future__ import annotations

import ast
import builtins
import itertools
import marshal
import math
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from racer.errors import RacerError
from racer.reward.clock import simulated_modules
from racer.reward.watchdog import RewardTimeout
from racer.shelf import Beside, read_source, run_module

CLOCKS = ("time", "datetime")
COPIED = {"numpy": np, "math": math}
"""Modules of which learners get copies: what they replace there (`np.sqrt = ...`) changes their own code alone."""

_STOPS = "__racer_stops__"
"""Builtin name, in a learner's modules, of the exceptions that no `except` of theirs may catch."""

_ESCAPED = "__racer_escaped__"
"""Builtin name, in a learner's modules, of `StopEscaped`."""

FUNCTION = "reward_function"
"""What a learner's function must be called."""

_numbers = itertools.count(1)


class StopEscaped(Exception):  # noqa: N818 (no error, as StopIteration is none)
    """Stands for a `StopIteration` that left a reward function: loops written in C would take that for their end."""


class UserCode:
    """A learner's file and the modules beside it: read and compiled once, run once for each car.

    Attributes:
        path: the learner's file.
        error: the kind of error to raise.
        text: the file's source, and that of the modules beside it which have been imported.
        beside: where its imports are looked for first.
    """

    def __init__(self, path: Path, text: str, tree: ast.Module, error: type[RacerError]) -> None:
        """Compile the file `path`, of which `tree` is the syntax; the tree is used up.

        Raises:
            RacerError: of the kind `error`: it is no Python.
        """
        self.path, self.text, self.error = path, text, error
        self.name = f"racer_file_{next(_numbers)}_{path.stem}"
        self._codes = {path.stem: self._compiled(path, tree)}
        self.beside = Beside(path)
        self._copies: dict[str, types.ModuleType] = {}

    def stands_in(self, module: types.ModuleType) -> types.ModuleType:
        """What learners get for a module that they import: of some a copy."""
        name = module.__name__
        if COPIED.get(name) is not module:
            return module
        copy = self._copies.setdefault(name, types.ModuleType(name))
        if len(vars(copy)) < len(vars(module)):  # new, or a part of it has been loaded since
            vars(copy).update({key: value for key, value in vars(module).items() if vars(copy).get(key) is None})
        return copy

    def code(self, name: str, path: Path) -> types.CodeType:
        """A copy of a module's code.

        Every car's is its own: Python keeps in the code where it found a global name last, and cars that took
        turns in one code would make it search each time.
        """
        if name not in self._codes:
            text, tree = read_source(path, self.error)
            self.text += text
            self._codes[name] = self._compiled(path, tree)
        copy: types.CodeType = marshal.loads(self._codes[name])
        return copy

    def _compiled(self, path: Path, tree: ast.Module) -> bytes:
        _prepare(tree)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return marshal.dumps(compile(tree, str(path), "exec"))
        except SyntaxError as wrong:  # a `return` outside a function, and what else the grammar lets pass
            raise self.error(f"{path}, line {wrong.lineno or 1}: SyntaxError: {wrong.msg}") from wrong
        except (ValueError, RecursionError, MemoryError) as wrong:
            raise self.error(f"{path}: this cannot be compiled: {wrong}") from wrong


class UserModule:
    """One car's module, and its own copies of the modules beside it that it imports.

    Attributes:
        module: the learner's module, run.
    """

    def __init__(self, code: UserCode, number: int, race_time: Callable[[], float], registered: list[str]) -> None:
        """Run the file; whatever it raises goes through.

        Args:
            code: what to run.
            number: of the car, for the module's private name.
            race_time: what its clocks follow, s.
            registered: is given the names that are put into Python's list of modules, now and later. Who keeps
                the module takes them out again in the end.
        """
        self._code, self._race_time, self._registered = code, race_time, registered
        self._name = f"{code.name}_{number}"
        self._clocks: dict[str, types.ModuleType] = {}
        self._modules: dict[str, types.ModuleType] = {}
        self._builtins = types.ModuleType("builtins")
        vars(self._builtins).update(vars(builtins))
        vars(self._builtins).update(
            {
                "__import__": self._import,
                "input": _no_input,
                "exit": sys.exit,  # the shell's own closes stdin first
                "quit": sys.exit,
                _STOPS: (RewardTimeout, KeyboardInterrupt),
                _ESCAPED: StopEscaped,
            }
        )
        self.module = self._run(code.path.stem, code.path)

    def _run(self, name: str, path: Path) -> types.ModuleType:
        own = self._name if path == self._code.path else f"{self._name}_{name}"
        self._registered.append(own)
        return run_module(self._code.code(name, path), own, path, vars(self._builtins), self._modules, name)

    def _import(
        self,
        name: str,
        globals: dict[str, Any] | None = None,
        locals: dict[str, Any] | None = None,
        fromlist: tuple[str, ...] = (),
        level: int = 0,
    ) -> types.ModuleType:
        """Import as Python does, but simulated clocks, the modules beside the file, and copies of some."""
        if level == 0:
            if name in CLOCKS:
                self._clocks = self._clocks or simulated_modules(self._race_time)
                return self._clocks[name]
            if name == "builtins":
                return self._builtins
            if name in self._modules and name != self._code.path.stem:
                return self._modules[name]
            path = self._code.beside.module(name)
            if path is not None:
                return self._run(name, path)
        with self._code.beside.packages(name if level == 0 else ""):
            return self._code.stands_in(builtins.__import__(name, globals, locals, fromlist, level))


def _prepare(tree: ast.Module) -> None:
    """Let Ctrl-C and the watchdog through every `try`, and no `StopIteration` out of a reward function.

    Not with a recursive visitor: an expression of some hundred terms would be too deep for it.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == FUNCTION:
            head = 1 if ast.get_docstring(node, clean=False) is not None and len(node.body) > 1 else 0
            escaped = ast.Raise(ast.Name(_ESCAPED, ast.Load()), None)
            handler = ast.ExceptHandler(ast.Name("StopIteration", ast.Load()), None, [escaped])
            body = node.body[head:]
            _place(handler, body[-1])
            node.body[head:] = [ast.copy_location(ast.Try(body, [handler], [], []), body[0])]
        elif isinstance(node, ast.Try) and node.handlers:
            through = ast.ExceptHandler(ast.Name(_STOPS, ast.Load()), None, [ast.Raise(None, None)])
            _place(through, node.handlers[0])
            node.handlers.insert(0, through)


def _place(node: ast.AST, like: ast.AST) -> None:
    for part in ast.walk(node):
        ast.copy_location(part, like)


def _no_input(prompt: object = "") -> str:
    raise RuntimeError("a reward function cannot ask for input")
