"""The statements of one function, as lines of source in which every variable is a float64."""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from racer.compile.expression import Expressions, counted
from racer.compile.values import (
    BINARY,
    Items,
    Number,
    Table,
    Thing,
    Untranslatable,
    Value,
    constant,
    leaves,
    merged,
    parts_of,
    renamed,
)

if TYPE_CHECKING:
    from racer.compile.translate import Translation

FUEL = 100_000
"""Rounds that the loops of a function may take in a call; one that needs more may be endless, and is Python's."""


class Body(Expressions):
    """A translated function.

    Attributes:
        lines: of source, after the `def`.
    """

    def __init__(self, translation: Translation, definition: ast.FunctionDef, arguments: dict[str, Value]) -> None:
        """Translate.

        Raises:
            Untranslatable: it does something that only Python can do.
        """
        super().__init__(translation, _stored(definition) | set(arguments))
        self._returned: Value | None = None
        before: dict[str, Value] | None = None
        while before != self.variables:  # what variables may hold grows until every assignment fits
            before = dict(self.variables)
            self.lines: list[str] = []
            self._indent, self._temporaries, self._assigned = "    ", 0, set()
            for name, value in arguments.items():
                self._assign([(name, value)])
            self._line(f"fuel = {FUEL}")
            self._block(definition.body)

    def result(self) -> Value:
        """What it returns, in words of its own.

        Raises:
            Untranslatable: nothing.
        """
        if self._returned is None:
            raise Untranslatable("a function that returns nothing")
        return self._returned

    def _line(self, text: str) -> None:
        self.lines.append(self._indent + text)

    def _block(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            if self._assigned is None:  # after a return, a break: never reached
                return
            self._statement(statement)

    def _indented(self, statements: list[ast.stmt], *first: str) -> None:
        self._indent += "    "
        for text in first:
            self._line(text)
        self._line("pass")
        self._block(statements)
        self._indent = self._indent[:-4]

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Expr(value=ast.Constant()) | ast.Pass() | ast.Global() | ast.AnnAssign(value=None):
                pass
            case ast.Assign(targets=targets, value=expression):
                value = self.value(expression)
                for target in targets:
                    self._assign(self._unpacked(target, value))
            case ast.AnnAssign(target=target, value=expression) if expression is not None:
                self._assign(self._unpacked(target, self.value(expression)))
            case ast.AugAssign(target=ast.Name(id=name), op=operator, value=expression) if type(operator) in BINARY:
                old = self.number(ast.Name(name, ast.Load()))
                self._assign([(name, BINARY[type(operator)](old, self.number(expression)))])
            case ast.Return(value=expression) if expression is not None:
                self._return(self.value(expression))
            case ast.If(test=test, body=body, orelse=other):
                self._if(self.condition(test), body, other)
            case ast.While(test=test, body=body, orelse=[]):
                self._loop(f"while {self.condition(test)}:", body, [])
            case ast.For(target=target, iter=over, body=body, orelse=[]):
                self._for(target, over, body)
            case ast.Break() | ast.Continue():
                self._line("break" if isinstance(node, ast.Break) else "continue")
                self._assigned = None
            case ast.Assert(test=test):
                self._line(f"if not {self.condition(test)}: raise ArithmeticError")
            case ast.Raise() | ast.Return():  # Python will raise it, or the complaint about None
                self._line("raise ArithmeticError")
                self._assigned = None
            case ast.Import(names=names):
                self._import([(alias.asname or alias.name, alias.name, "") for alias in names])
            case ast.ImportFrom(module=str(module), names=names, level=0):
                self._import([(alias.asname or alias.name, module, alias.name) for alias in names])
            case _:
                raise Untranslatable(type(node).__name__)

    def _unpacked(self, target: ast.expr, value: Value) -> list[tuple[str, Value]]:
        """Names and what is assigned to each."""
        if isinstance(target, ast.Name):
            return [(target.id, value)]
        if not isinstance(target, ast.Tuple | ast.List):
            raise Untranslatable("an assignment to something else than a name")
        parts = parts_of(value)
        if len(parts) != len(target.elts):
            raise Untranslatable("unpacking into another number of names")
        pairs = zip(target.elts, parts, strict=True)
        return [pair for inner, part in pairs for pair in self._unpacked(inner, part)]

    def _assign(self, pairs: Sequence[tuple[str, Value]]) -> None:
        """Assign to several names at once, as `a, b = b, a` does."""
        targets, sources = [], []
        for name, value in pairs:
            if name not in self.variables:
                self.variables[name] = renamed(value, f"v{len(self.variables)}")
            variable = self.variables[name] = merged(self.variables[name], value)
            targets += [leaf.code for leaf in leaves(variable)]
            sources += [leaf.code for leaf in leaves(value)]
        if targets:
            self._line(f"{', '.join(targets)} = {', '.join(sources)}")
        if self._assigned is not None:
            self._assigned |= {name for name, _ in pairs}

    def _return(self, value: Value) -> None:
        self._returned = renamed(value, "r") if self._returned is None else merged(self._returned, value)
        codes = ", ".join(leaf.code for leaf in leaves(value))
        self._line(f"return {codes}" if isinstance(value, Number) else f"return ({codes},)")
        self._assigned = None

    def _if(self, test: str, body: list[ast.stmt], other: list[ast.stmt]) -> None:
        before = set(self._assigned or ())
        self._line(f"if {test}:")
        self._indented(body)
        after, self._assigned = self._assigned, set(before)
        self._line("else:")
        self._indented(other)
        if self._assigned is None or after is None:
            self._assigned = after if self._assigned is None else self._assigned
        else:
            self._assigned &= after

    def _loop(self, head: str, body: list[ast.stmt], pairs: Sequence[tuple[ast.expr, Value]]) -> None:
        before = set(self._assigned or ())
        self._line(head)
        self._indent += "    "
        self._line("fuel -= 1")
        self._line("if fuel < 0: raise ArithmeticError")
        for target, value in pairs:
            self._assign(self._unpacked(target, value))
        self._block(body)
        self._indent = self._indent[:-4]
        self._assigned = before  # there may have been no round at all

    def _for(self, target: ast.expr, over: ast.expr, body: list[ast.stmt]) -> None:
        index = self.temporary()
        function = self.value(over.func) if isinstance(over, ast.Call) and not over.keywords else None
        if isinstance(over, ast.Call) and function == Thing(range):
            start, stop, step = self.range_of(over.args)
            head = f"for {index} in range(bound({start.code}), bound({stop.code}), stride({step.code})):"
            self._loop(head, body, [(target, counted(index))])
            return
        entry: Value
        if isinstance(over, ast.Call) and function == Thing(enumerate) and 1 <= len(over.args) <= 2:
            first = self.number(over.args[1]) if len(over.args) == 2 else constant(0)
            if not first.is_whole:
                raise Untranslatable("a count that is not whole")
            table = self._table(over.args[0])
            entry = Items((BINARY[ast.Add](counted(index), first), table.at(index)))
        else:
            table = self._table(over)
            entry = table.at(index)
        self._loop(f"for {index} in range({table.rows}):", body, [(target, entry)])

    def _table(self, node: ast.expr) -> Table:
        value = self.value(node)
        if isinstance(value, Items):  # of known numbers: as good as a table of the module
            known = [leaf.constant for leaf in leaves(value)]
            if len(known) == len(value.values) and None not in known:
                value = self.translation.known(known)
        if not isinstance(value, Table):
            raise Untranslatable("a loop over something else than a table")
        return value

    def _import(self, names: list[tuple[str, str, str]]) -> None:
        for name, module, part in names:
            if module != "math" or (part and not hasattr(math, part)):
                raise Untranslatable(f"an import of {module}")
            self._assign([(name, self.translation.known(getattr(math, part) if part else math))])


def _stored(definition: ast.FunctionDef) -> set[str]:
    """Names that are local to a function."""
    names: set[str] = set()
    declared: set[str] = set()
    for node in ast.walk(definition):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                names.add(name)
            case ast.Import(names=imported) | ast.ImportFrom(names=imported):
                names |= {alias.asname or alias.name for alias in imported}
            case ast.Global(names=globals_) | ast.Nonlocal(names=globals_):
                declared |= set(globals_)
    if names & declared:
        raise Untranslatable("a global variable that changes")
    return names
