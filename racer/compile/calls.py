"""What calls of `math`'s functions and of Python's own become, of those that can be had exactly."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Sequence
from typing import Any

from racer.compile.arithmetic import DIGITS, FROM_C, OF_ONE, OF_TWO, c_log, c_pow
from racer.compile.values import (
    BINARY,
    FLOAT,
    WHOLE,
    Items,
    Number,
    Table,
    Thing,
    Untranslatable,
    Value,
    constant,
    least,
    number,
    truth,
)

__all__ = ["KNOWN"]

Call = Callable[[Sequence[Value]], Value]


def _numbers(count: int, made: Callable[..., Value]) -> Call:
    """A call of so many numbers."""

    def called(arguments: Sequence[Value]) -> Value:
        if len(arguments) != count:
            raise Untranslatable("a call with other arguments")
        return made(*(number(argument) for argument in arguments))

    return called


def _float(form: str) -> Callable[..., Value]:
    return lambda *numbers: Number(form.format(*(n.code for n in numbers)), FLOAT)


def _whole(form: str) -> Callable[..., Value]:
    return lambda *numbers: Number(form.format(*(n.code for n in numbers)), WHOLE)


def _condition(form: str) -> Callable[..., Value]:
    return lambda *numbers: truth(form.format(*(n.code for n in numbers)))


def _log(arguments: Sequence[Value]) -> Value:
    if c_log is None:
        raise Untranslatable("math.log")
    if len(arguments) == 1:
        return _float("defined(c_log({}))")(number(arguments[0]))
    return _numbers(2, _float("logarithm({}, {})"))(arguments)


def _dist(arguments: Sequence[Value]) -> Value:
    match arguments:
        case [Items(values=[x0, y0]), Items(values=[x1, y1])]:
            x = BINARY[ast.Sub](number(x0), number(x1))
            y = BINARY[ast.Sub](number(y0), number(y1))
            return _float("hypotenuse({}, {})")(x, y)
    raise Untranslatable("math.dist of other than two points")


def _abs(x: Number) -> Value:
    return Number(f"abs({x.code})", WHOLE if x.is_whole else x.kind)


def _int(x: Number) -> Value:
    return Number(x.code, WHOLE) if x.is_whole else Number(f"truncated({x.code})", WHOLE)


def _to_float(arguments: Sequence[Value]) -> Value:
    match arguments:
        case [Number(code=code)]:
            return Number(code, FLOAT)
        case [Thing(it=str(text))]:
            try:
                return constant(float(text))
            except ValueError as wrong:
                raise Untranslatable("float of a text") from wrong
    raise Untranslatable("float of something else")


def _round(arguments: Sequence[Value]) -> Value:
    x = number(arguments[0]) if arguments else None
    if x is not None and len(arguments) == 1:
        return _int(x) if x.is_whole else Number(f"nearest({x.code})", WHOLE)
    digits = number(arguments[1]).constant if len(arguments) == 2 else None
    if x is None or type(digits) is not int or not 0 <= digits <= DIGITS:
        raise Untranslatable("round to a number of digits that is not known")
    return _int(x) if x.is_whole else Number(f"rounded({x.code}, {10.0**digits!r})", x.kind)


def _least(function: str) -> Call:
    def called(arguments: Sequence[Value]) -> Value:
        values = arguments[0].values if len(arguments) == 1 and isinstance(arguments[0], Items) else arguments
        if not values or (len(arguments) == 1 and not isinstance(arguments[0], Items)):
            raise Untranslatable("min or max of something else than numbers")
        return least([number(value) for value in values], function)

    return called


def _len(arguments: Sequence[Value]) -> Value:
    match arguments:
        case [Items(values=values)]:
            return constant(len(values))
        case [Table(rows=rows)]:
            return Number(f"float({rows})", WHOLE)
    raise Untranslatable("len of something else")


def _pow(arguments: Sequence[Value]) -> Value:
    return _numbers(2, BINARY[ast.Pow])(arguments)


def _math() -> dict[Any, Call]:
    calls: dict[Any, Call] = {
        math.sqrt: _numbers(1, _float("root({})")),
        math.fabs: _numbers(1, _float("abs({})")),
        math.floor: _numbers(1, _whole("whole(floor({}))")),
        math.ceil: _numbers(1, _whole("whole(ceil({}))")),
        math.trunc: _numbers(1, _int),
        math.copysign: _numbers(2, _float("copysign({}, {})")),
        math.degrees: _numbers(1, _float(f"({{}} * {180.0 / math.pi!r})")),
        math.radians: _numbers(1, _float(f"({{}} * {math.pi / 180.0!r})")),
        math.fmod: _numbers(2, _float("defined(c_fmod({}, {}))")),
        math.hypot: _numbers(2, _float("hypotenuse({}, {})")),
        math.dist: _dist,
        math.log: _log,
        math.isnan: _numbers(1, _condition("isnan({})")),
        math.isinf: _numbers(1, _condition("isinf({})")),
        math.isfinite: _numbers(1, _condition("isfinite({})")),
    }
    for count, names in ((1, OF_ONE), (2, OF_TWO)):
        for name in names:
            if FROM_C[name] is not None and name != "log":
                places = ", ".join(["{}"] * count)
                calls[getattr(math, name)] = _numbers(count, _float(f"defined(c_{name}({places}))"))
    if c_pow is not None:
        calls[math.pow] = _numbers(2, _float("math_power({}, {})"))
    return calls


KNOWN: dict[Any, Call] = _math() | {
    abs: _numbers(1, _abs),
    bool: _numbers(1, lambda x: truth(f"({x.code} != 0.0)")),
    float: _to_float,
    int: _numbers(1, _int),
    len: _len,
    max: _least("greater"),
    min: _least("lesser"),
    pow: _pow,
    round: _round,
}
"""By the function itself."""
