"""What an expression of a reward is, seen before it runs: a number of some kind, a row of values, a list, `params`.

Invariant: the code of a `Number` is a float64 expression that gives what Python's expression gives, or raises.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

BOOL, WHOLE, FLOAT = 1, 2, 4
"""Kinds of a number. A number that may be of one kind or another has their sum for a kind."""

LARGEST_TABLE = 20_000  # numbers
EXACT = 2**53


class Untranslatable(Exception):  # noqa: N818 (no error: Python runs it instead)
    """A reward, or a part of one, that stays Python; says why."""


@dataclass(frozen=True)
class Number:
    """A number.

    Attributes:
        code: of a float64 expression.
        kind: what Python's number is.
        constant: its value, if it is known.
    """

    code: str
    kind: int
    constant: int | float | None = None

    @property
    def is_whole(self) -> bool:
        """Whether Python's number is an int or a bool for certain."""
        return not self.kind & FLOAT


@dataclass(frozen=True)
class Items:
    """A tuple or list of a known length, such as a waypoint."""

    values: tuple[Value, ...]
    is_list: bool = False


@dataclass(frozen=True)
class Table:
    """A list that does not change: numbers, or rows of numbers.

    Attributes:
        code: of the array, (n,) or (n, columns).
        rows: n, as code.
        columns: of each row; None if there are no rows but numbers.
        kind: of every number.
        rows_are_lists: or tuples.
    """

    code: str
    rows: str
    columns: int | None
    kind: int
    rows_are_lists: bool = False

    def at(self, index: str) -> Value:
        """The entry at an index."""
        if self.columns is None:
            return Number(f"{self.code}[{index}]", self.kind)
        cells = (Number(f"{self.code}[{index}, {k}]", self.kind) for k in range(self.columns))
        return Items(tuple(cells), self.rows_are_lists)


@dataclass(frozen=True)
class Thing:
    """A Python object that is known before the reward runs: a module, a function, a text."""

    it: Any


@dataclass(frozen=True)
class Given:
    """The dict `params`."""


Value = Union[Number, Items, Table, Thing, Given]  # noqa: UP007 (it names classes that name it)


def constant(value: float) -> Number:
    """A number that is known.

    Raises:
        Untranslatable: a whole number too large to be exact.
    """
    kind = BOOL if isinstance(value, bool) else WHOLE if isinstance(value, int) else FLOAT
    if kind == WHOLE and abs(value) > EXACT:
        raise Untranslatable("a very large number")
    return Number(repr(float(value)), kind, value)


def truth(code: str) -> Number:
    """True or False, from the code of a condition."""
    return Number(f"(1.0 if {code} else 0.0)", BOOL)


def number(value: Value) -> Number:
    """A value that has to be a number.

    Raises:
        Untranslatable: it is none.
    """
    if not isinstance(value, Number):
        raise Untranslatable("arithmetic with something that is no number")
    return value


def table(values: Any) -> tuple[NDArray[np.float64], int, bool]:
    """A list or tuple of plain numbers or of rows of them, as an array, their kinds, and whether rows are lists.

    Raises:
        Untranslatable: it is something else.
    """
    if not isinstance(values, list | tuple) or not values:
        raise Untranslatable("a table of something else than numbers")
    rows_are_lists = isinstance(values[0], list)
    cells = list(values)
    if isinstance(values[0], list | tuple):
        if any(type(row) is not type(values[0]) or len(row) != len(values[0]) for row in values):
            raise Untranslatable("a table with rows of several kinds")
        cells = [cell for row in values for cell in row]
    if not cells or len(cells) > LARGEST_TABLE or any(type(cell) not in (bool, int, float) for cell in cells):
        raise Untranslatable("a table that is large, or not of numbers alone")
    kind = 0
    for cell in cells:
        kind |= constant(cell).kind
    return np.array(values, dtype=np.float64), kind, rows_are_lists


def _mixed(a: Number, b: Number) -> int:
    """The kind of a sum, a difference, a product."""
    if FLOAT in (a.kind, b.kind):
        return FLOAT
    return WHOLE if a.is_whole and b.is_whole else WHOLE | FLOAT


def _sum(operator: str) -> Callable[[Number, Number], Number]:
    def emitted(a: Number, b: Number) -> Number:
        code, kind = f"({a.code} {operator} {b.code})", _mixed(a, b)
        return Number(code if kind == FLOAT else f"fitting{code}", kind)

    return emitted


def _exact(form: str) -> Callable[[Number, Number], Number]:
    """An operation that gives a zero of another sign for floats than for whole numbers."""

    def emitted(a: Number, b: Number) -> Number:
        code, kind = form.format(a.code, b.code), _mixed(a, b)
        return Number(code if kind == FLOAT else f"{'whole' if kind == WHOLE else 'unsure'}({code})", kind)

    return emitted


def _power(a: Number, b: Number) -> Number:
    code = f"power({a.code}, {b.code})"
    if FLOAT in (a.kind, b.kind) or (b.is_whole and b.constant is not None and b.constant < 0):
        return Number(code, FLOAT)
    if a.is_whole and b.is_whole and b.constant is not None:
        return Number(f"nearest({code})", WHOLE)
    return Number(f"fitting({code})", WHOLE | FLOAT)


BINARY: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: _sum("+"),
    ast.Sub: _sum("-"),
    ast.Mult: _exact("({} * {})"),
    ast.Div: lambda a, b: Number(f"divided({a.code}, {b.code})", FLOAT),
    ast.FloorDiv: _exact("floored({}, {})"),
    ast.Mod: _exact("modulo({}, {})"),
    ast.Pow: _power,
}
"""Python's operators between two numbers."""

COMPARED: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}


def negated(a: Number) -> Number:
    """`-a`."""
    if a.constant is not None:
        return constant(-a.constant)
    if a.kind == FLOAT:
        return Number(f"(-{a.code})", FLOAT)
    if a.is_whole:
        return Number(f"(0.0 - {a.code})", WHOLE)
    return Number(f"negated({a.code})", WHOLE | FLOAT)


def least(values: Sequence[Number], function: str) -> Number:
    """`min` or `max` of numbers, as `lesser` and `greater` of two."""
    code, kind = values[0].code, values[0].kind
    for value in values[1:]:
        code, kind = f"{function}({code}, {value.code})", kind | value.kind
    return Number(code, kind)


def equal(a: Value, b: Value) -> str:
    """The condition `a == b`.

    Raises:
        Untranslatable: of what cannot be compared here.
    """
    if isinstance(a, Number) and isinstance(b, Number):
        return f"({a.code} == {b.code})"
    if not (isinstance(a, Items) and isinstance(b, Items)) or a.is_list != b.is_list:
        raise Untranslatable("a comparison of different things")
    if len(a.values) != len(b.values):
        return "False"
    parts = [f"same({number(x).code}, {number(y).code})" for x, y in zip(a.values, b.values, strict=True)]
    return f"({' and '.join(parts or ['True'])})"


def leaves(value: Value) -> list[Number]:
    """The numbers in a value, those of tables and of `params` left out: they are there anyway."""
    if isinstance(value, Items):
        return [leaf for part in value.values for leaf in leaves(part)]
    return [value] if isinstance(value, Number) else []


def renamed(value: Value, name: str) -> Value:
    """A value kept in variables called `name`, `name_0`, …; its numbers may then be any."""
    if isinstance(value, Items):
        parts = (renamed(part, f"{name}_{k}") for k, part in enumerate(value.values))
        return Items(tuple(parts), value.is_list)
    return Number(name, value.kind) if isinstance(value, Number) else value


def returned(value: Value, call: str) -> Value:
    """What a translated function returns, where it is called.

    Raises:
        Untranslatable: it returns nothing that has to be computed.
    """
    if isinstance(value, Number):
        return Number(call, value.kind)
    if not isinstance(value, Items) or any(not isinstance(part, Number) for part in value.values):
        raise Untranslatable("a function that returns something else than numbers")
    parts = (Number(f"{call}[{k}]", number(part).kind) for k, part in enumerate(value.values))
    return Items(tuple(parts), value.is_list)


def merged(a: Value, b: Value) -> Value:
    """What a variable may be that is one thing or another, in the words of the first.

    Raises:
        Untranslatable: there is no such thing.
    """
    match a, b:
        case Number(), Number():
            return Number(a.code, a.kind | b.kind)
        case Items(), Items() if len(a.values) == len(b.values) and a.is_list == b.is_list:
            parts = (merged(x, y) for x, y in zip(a.values, b.values, strict=True))
            return Items(tuple(parts), a.is_list)
    if a != b:
        raise Untranslatable("a variable that holds different things")
    return a


def parts_of(value: Value) -> tuple[Value, ...]:
    """What a value is unpacked into.

    Raises:
        Untranslatable: its length is not known.
    """
    if isinstance(value, Items):
        return value.values
    if isinstance(value, Table) and value.rows.isdigit():
        return tuple(value.at(str(k)) for k in range(int(value.rows)))
    raise Untranslatable("unpacking of something of unknown length")
