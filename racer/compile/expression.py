"""Expressions of a reward function, as float64 expressions and conditions of Numba source."""

from __future__ import annotations

import ast
import functools
import operator
import types
from typing import TYPE_CHECKING

from racer.compile.calls import KNOWN
from racer.compile.values import (
    BINARY,
    BOOL,
    COMPARED,
    WHOLE,
    Given,
    Items,
    Number,
    Table,
    Thing,
    Untranslatable,
    Value,
    constant,
    equal,
    merged,
    negated,
    number,
    parts_of,
    truth,
)

if TYPE_CHECKING:
    from racer.compile.translate import Translation


class Expressions:
    """Translates expressions where the variables in reach are known.

    Attributes:
        translation: that they belong to.
        variables: what every local name holds; None for one that is not assigned yet.
    """

    def __init__(self, translation: Translation, local: set[str]) -> None:
        """Begin with nothing assigned to the names in `local`."""
        self.translation = translation
        self.variables: dict[str, Value] = {}
        self._local = local
        self._assigned: set[str] | None = set()  # for certain, where the translation stands; None: never reached
        self._temporaries = 0

    def value(self, node: ast.expr) -> Value:
        """What an expression is.

        Raises:
            Untranslatable: something that only Python can do.
        """
        match node:
            case ast.Constant(value=bool() | int() | float() as known):
                return constant(known)
            case ast.Constant(value=str(text)):
                return Thing(text)
            case ast.Name(id=name):
                return self._name(name)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                return Items(tuple(self.value(part) for part in parts), isinstance(node, ast.List))
            case ast.BinOp(left=left, op=sign, right=right) if type(sign) in BINARY:
                return BINARY[type(sign)](self.number(left), self.number(right))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return negated(self.number(operand))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return negated(negated(self.number(operand)))
            case ast.UnaryOp(op=ast.Not()) | ast.Compare():
                return truth(self.condition(node))
            case ast.BoolOp(op=word, values=values):
                return self._either(isinstance(word, ast.And), values)
            case ast.IfExp(test=test, body=body, orelse=other):
                return self._choice(self.condition(test), self.value(body), self.value(other))
            case ast.Attribute(value=of, attr=attribute):
                return self._attribute(self.value(of), attribute)
            case ast.Subscript(value=of, slice=index):
                return self._item(self.value(of), index)
            case ast.Call(func=function, args=arguments, keywords=[]):
                return self._call(function, arguments)
        raise Untranslatable(type(node).__name__)

    def number(self, node: ast.expr) -> Number:
        """What an expression is that has to be a number."""
        return number(self.value(node))

    def condition(self, node: ast.expr) -> str:
        """The code of an expression's truth."""
        match node:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return f"(not {self.condition(operand)})"
            case ast.BoolOp(op=word, values=values):
                between = " and " if isinstance(word, ast.And) else " or "
                return f"({between.join(self.condition(value) for value in values)})"
            case ast.Compare(left=left, ops=signs, comparators=rights):
                return self._comparison(left, signs, rights)
        return f"({self.number(node).code} != 0.0)"

    def temporary(self) -> str:
        """A name that nothing has."""
        self._temporaries += 1
        return f"t{self._temporaries}"

    def _name(self, name: str) -> Value:
        if name not in self._local:
            return self.translation.stands_for(name)
        if self._assigned is not None and name not in self._assigned:
            raise Untranslatable(f"{name} may be used before it is assigned")
        return self.variables[name]

    def _either(self, is_and: bool, nodes: list[ast.expr]) -> Number:
        """`a and b`, `a or b`: one of the two, whichever decides."""
        *firsts, last = [self.number(node) for node in nodes]
        code, kind = last.code, last.kind
        for value in reversed(firsts):  # evaluated twice: Numba has no assignment in an expression
            then, other = (code, value.code) if is_and else (value.code, code)
            code, kind = f"({then} if {value.code} != 0.0 else {other})", kind | value.kind
        return Number(code, kind)

    def _choice(self, test: str, a: Value, b: Value) -> Value:
        """`a if test else b`."""
        kind = merged(a, b)
        if isinstance(kind, Items) and isinstance(a, Items) and isinstance(b, Items):
            parts = (self._choice(test, x, y) for x, y in zip(a.values, b.values, strict=True))
            return Items(tuple(parts), kind.is_list)
        if isinstance(kind, Number):
            return Number(f"({number(a).code} if {test} else {number(b).code})", kind.kind)
        return kind

    def _attribute(self, of: Value, attribute: str) -> Value:
        if isinstance(of, Thing) and isinstance(of.it, types.ModuleType) and hasattr(of.it, attribute):
            return self.translation.known(getattr(of.it, attribute))
        raise Untranslatable(f"the attribute {attribute}")

    def _item(self, of: Value, index: ast.expr) -> Value:
        if isinstance(of, Given):
            key = self.value(index)
            if isinstance(key, Thing) and key.it in self.translation.keys:
                return self.translation.keys[key.it]
            raise Untranslatable("a key of params that is unknown, or not built in")
        at = self.number(index)
        if not at.is_whole:
            raise Untranslatable("an index that may not be whole")
        if isinstance(of, Table):
            return of.at(f"place({at.code}, {of.rows})")
        if isinstance(of, Items) and at.constant is not None and -len(of.values) <= at.constant < len(of.values):
            return of.values[int(at.constant)]
        if isinstance(of, Items) and of.values:
            entries = [number(entry) for entry in of.values]
            kind = functools.reduce(operator.or_, (entry.kind for entry in entries))
            codes = ", ".join(entry.code for entry in entries)
            return Number(f"({codes},)[place({at.code}, {len(entries)})]", kind)
        raise Untranslatable("an index into something else than a table")

    def _call(self, function: ast.expr, arguments: list[ast.expr]) -> Value:
        if isinstance(function, ast.Attribute) and function.attr == "get":
            if isinstance(self.value(function.value), Given) and 1 <= len(arguments) <= 2:
                return self._item(Given(), arguments[0])
            raise Untranslatable("get of something else than params")
        thing = self.value(function)
        if any(isinstance(argument, ast.Starred) for argument in arguments) or not isinstance(thing, Thing):
            raise Untranslatable("a call of something else than a function")
        values = [self.value(argument) for argument in arguments]
        if isinstance(thing.it, types.FunctionType):
            return self.translation.called(thing.it, values)
        if isinstance(thing.it, type | types.BuiltinFunctionType) and thing.it in KNOWN:
            return KNOWN[thing.it](values)
        raise Untranslatable(f"a call of {thing.it}")

    def _comparison(self, left: ast.expr, signs: list[ast.cmpop], rights: list[ast.expr]) -> str:
        parts = []
        value = self.value(left)
        for sign, right in zip(signs, rights, strict=True):
            if isinstance(sign, ast.In | ast.NotIn):
                if len(rights) > 1:
                    raise Untranslatable("a chain with 'in'")
                code = self._membership(number(value), right)
                return code if isinstance(sign, ast.In) else f"(not {code})"
            other = self.value(right)
            parts.append(self._compared(value, sign, other, right))
            value = other
        return f"({' and '.join(parts)})"

    def _compared(self, a: Value, sign: ast.cmpop, b: Value, right: ast.expr) -> str:
        if isinstance(sign, ast.Is | ast.IsNot):
            if not (isinstance(a, Number) and a.kind == BOOL and isinstance(right, ast.Constant)):
                raise Untranslatable("is")
            code = equal(a, b) if number(b).kind == BOOL else "False"
            return code if isinstance(sign, ast.Is) else f"(not {code})"
        if isinstance(sign, ast.Eq):
            return equal(a, b)
        if isinstance(sign, ast.NotEq):
            return f"(not {equal(a, b)})"
        return f"({number(a).code} {COMPARED[type(sign)]} {number(b).code})"

    def _membership(self, x: Number, node: ast.expr) -> str:
        if isinstance(node, ast.Call) and self.value(node.func) == Thing(range):
            start, stop, step = self.range_of(node.args)
            return f"within({x.code}, {start.code}, {stop.code}, {step.code})"
        value = self.value(ast.Tuple(node.elts) if isinstance(node, ast.Set) else node)
        if isinstance(value, Table) and value.columns is None:
            return f"among({x.code}, {value.code})"
        parts = [number(part).code for part in parts_of(value)]
        return f"among({x.code}, ({', '.join(parts)},))" if parts else "False"

    def range_of(self, arguments: list[ast.expr]) -> tuple[Number, Number, Number]:
        """Start, stop and step of a range.

        Raises:
            Untranslatable: one of them may not be whole.
        """
        numbers = [self.number(argument) for argument in arguments]
        if not 1 <= len(numbers) <= 3 or not all(n.is_whole for n in numbers):
            raise Untranslatable("a range of numbers that may not be whole")
        start, stop = (constant(0), numbers[0]) if len(numbers) == 1 else numbers[:2]
        return start, stop, numbers[2] if len(numbers) == 3 else constant(1)


def counted(index: str) -> Number:
    """The counter of a loop."""
    return Number(f"float({index})", WHOLE)
