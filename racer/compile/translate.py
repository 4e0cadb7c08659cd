"""Rewriting a reward function as source for Numba: arithmetic on `params`, branches and loops; nothing else.

What a name stands for outside the function is looked up in the module as it was loaded: numbers, tables of
numbers, functions of the file, and `math`. Invariant: what is translated neither keeps nor changes anything, so that
it may be run, again or not at all, as one likes.
"""

from __future__ import annotations

import ast
import math
import types
from collections.abc import Mapping, Sequence
from typing import Any

from racer.compile.body import Body
from racer.compile.values import (
    Given,
    Table,
    Thing,
    Untranslatable,
    Value,
    constant,
    leaves,
    number,
    renamed,
    returned,
    table,
)

ARGUMENTS = "i, floats, closest, flags, points, length, is_reversed"
"""What every translated function is given: a row and the tables of `racer.params.Params`, and the track."""

LONGEST = 40_000
"""Characters of source beyond which compiling takes longer than a training should wait."""


class Translation:
    """A reward function and the functions it calls, as source for Numba.

    Attributes:
        keys: of `params`, and what they stand for.
        constants: arrays that the source names.
        used: names of the module that it was looked up what they stand for.
        functions: source of each function by its name, callees first; the last one is the reward function.
    """

    def __init__(self, tree: ast.Module, function: types.FunctionType, keys: Mapping[str, Value]) -> None:
        """Translate.

        Args:
            tree: of the file that the function is from.
            function: `reward_function`.
            keys: of `params`, and what they stand for.

        Raises:
            Untranslatable: it does something that only Python can do.
        """
        self.keys = keys
        self.constants: dict[str, Any] = {}
        self.used: set[str] = set()
        self.functions: dict[str, str] = {}
        self._globals = function.__globals__
        self._definitions = {n.lineno: n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
        self._done: dict[tuple[Any, ...], tuple[str, Value]] = {}
        self._open: list[types.FunctionType] = []
        number(self.called(function, [Given()]))
        if sum(map(len, self.functions.values())) > LONGEST:
            raise Untranslatable("too long")

    def called(self, function: types.FunctionType, arguments: Sequence[Value]) -> Value:
        """What a call gives of a function of the file, which is translated for arguments like these.

        Raises:
            Untranslatable: the function, or calling it so.
        """
        definition = self._definition(function)
        names = [argument.arg for argument in definition.args.posonlyargs + definition.args.args]
        defaults = function.__defaults__ or ()
        missing = len(names) - len(arguments)
        if not 0 <= missing <= len(defaults):
            raise Untranslatable("a call with too few or too many arguments")
        values = [*arguments, *(self.known(value) for value in defaults[len(defaults) - missing :])]
        inside = [renamed(value, f"a{k}") for k, value in enumerate(values)]
        key = (function, *inside)
        if key not in self._done:
            self._open.append(function)
            body = Body(self, definition, dict(zip(names, inside, strict=True)))
            self._open.pop()
            name = f"f{len(self.functions)}"
            taken = ", ".join([ARGUMENTS, *(leaf.code for value in inside for leaf in leaves(value))])
            self.functions[name] = "\n".join([f"def {name}({taken}):", *body.lines, "    raise ArithmeticError"])
            self._done[key] = name, body.result()
        name, result = self._done[key]
        given = ", ".join([ARGUMENTS, *(leaf.code for value in values for leaf in leaves(value))])
        return returned(result, f"{name}({given})")

    def stands_for(self, name: str) -> Value:
        """What a name of the module means.

        Raises:
            Untranslatable: something that is no number, table, function, or module `math`.
        """
        if name in self._globals:
            self.used.add(name)
            return self.known(self._globals[name], name)
        found = self._globals["__builtins__"].get(name)
        if found is None:
            raise Untranslatable(f"{name} is not defined")
        return Thing(found)

    def known(self, value: Any, name: str = "") -> Value:
        """What an object is that was there before the reward ran.

        Raises:
            Untranslatable: something else than `stands_for` says.
        """
        if type(value) in (bool, int, float):
            return constant(value)
        if value is math or isinstance(value, str | type | types.FunctionType | types.BuiltinFunctionType):
            return Thing(value)
        array, kind, lists = table(value)
        code = f"table_{name or len(self.constants)}"
        self.constants[code] = array
        return Table(code, str(len(array)), array.shape[1] if array.ndim == 2 else None, kind, lists)

    def _definition(self, function: types.FunctionType) -> ast.FunctionDef:
        definition = self._definitions.get(function.__code__.co_firstlineno)
        if function.__globals__ is not self._globals or function.__closure__ or definition is None:
            raise Untranslatable(f"{function.__name__} is no plain function of this file")
        if definition.name != function.__code__.co_name or definition.decorator_list or function in self._open:
            raise Untranslatable(f"{function.__name__} is decorated, or calls itself")
        if definition.args.vararg or definition.args.kwarg or definition.args.kwonlyargs:
            raise Untranslatable("functions with *arguments")
        return definition
