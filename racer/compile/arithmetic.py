"""Python's arithmetic, bit for bit, for compiled rewards.

Every number is a float64 here, whole ones and truth values too. What a function cannot do exactly as Python does,
and what Python would raise an exception for, raises `ArithmeticError`: then Python itself has to do it.

Invariant: transcendental functions are those of the C library that Python's `math` calls, under names that the
compiler does not know, so that it neither replaces nor reorders them.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from math import copysign, frexp, isfinite, isinf, isnan, ldexp, sqrt
from typing import Any

import numpy as np
from llvmlite.binding import add_symbol  # type: ignore[import-untyped]
from numba import types

from racer.kernel import kernel

EXACT = 2.0**53
"""Whole numbers up to here are exact as float64."""

DIGITS = 10
"""Most digits that `rounded` rounds to."""

LARGE = 1e9
"""Numbers beyond it are not rounded to digits here."""


_LIBRARY = ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None)


def _from_c(name: str, arguments: int) -> Any:
    """A function of the C library, as a compiled function may call it; None if it cannot be found."""
    try:
        address = ctypes.cast(getattr(_LIBRARY, name), ctypes.c_void_p).value
    except AttributeError:
        return None
    add_symbol(f"racer_{name}", address)
    return types.ExternalFunction(f"racer_{name}", types.float64(*[types.float64] * arguments))


c_fmod: Callable[[float, float], float] = _from_c("fmod", 2)
c_pow: Callable[[float, float], float] = _from_c("pow", 2)
c_log: Callable[[float], float] = _from_c("log", 1)

OF_ONE = ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "exp", "log", "log2", "log10")
OF_TWO = ("atan2", "remainder")

FROM_C: dict[str, Any] = {name: _from_c(name, 1) for name in OF_ONE} | {name: _from_c(name, 2) for name in OF_TWO}
"""Functions of the C library by the name that `math` has for them."""


@kernel
def whole(x: float) -> float:
    """A whole number that is still exact; never a negative zero, which whole numbers do not have."""
    if not -EXACT <= x <= EXACT:
        raise ArithmeticError
    return x + 0.0


@kernel
def fitting(x: float) -> float:
    """A number that is exact if it is a whole one."""
    if not -EXACT <= x <= EXACT:
        raise ArithmeticError
    return x


@kernel
def negated(x: float) -> float:
    """`-x`, where x may be whole or not: a zero would depend on it."""
    if x == 0.0 and copysign(1.0, x) > 0.0:
        raise ArithmeticError
    return -x


@kernel
def unsure(x: float) -> float:
    """The result of an operation whose operands may be whole or not: a negative zero would depend on it."""
    if not -EXACT <= x <= EXACT or (x == 0.0 and copysign(1.0, x) < 0.0):
        raise ArithmeticError
    return x


@kernel
def divided(a: float, b: float) -> float:
    """`a / b`."""
    if b == 0.0:
        raise ArithmeticError
    return a / b


@kernel
def floored(a: float, b: float) -> float:
    """`a // b`, as CPython computes it."""
    if b == 0.0 or not isfinite(a) or not isfinite(b):
        raise ArithmeticError
    remainder = c_fmod(a, b)
    quotient = (a - remainder) / b
    if remainder != 0.0 and (b < 0.0) != (remainder < 0.0):
        quotient -= 1.0
    if quotient == 0.0:
        return copysign(0.0, a / b)
    below = float(np.floor(quotient))
    return below + 1.0 if quotient - below > 0.5 else below


@kernel
def modulo(a: float, b: float) -> float:
    """`a % b`, as CPython computes it."""
    if b == 0.0 or not isfinite(a) or not isfinite(b):
        raise ArithmeticError
    remainder = c_fmod(a, b)
    if remainder == 0.0:
        return copysign(0.0, b)
    return remainder + b if (b < 0.0) != (remainder < 0.0) else remainder


@kernel
def power(a: float, b: float) -> float:
    """`a ** b` and `pow(a, b)`, as CPython computes it."""
    if not isfinite(a) or not isfinite(b) or (a == 0.0 and b < 0.0):
        raise ArithmeticError
    negate = False
    if a < 0.0:
        if b != np.floor(b):
            raise ArithmeticError  # a complex number
        a, negate = -a, c_fmod(abs(b), 2.0) == 1.0
    result = 1.0 if a == 1.0 else c_pow(a, b)
    if not isfinite(result):
        raise ArithmeticError
    return -result if negate else result


@kernel
def math_power(a: float, b: float) -> float:
    """`math.pow(a, b)`."""
    if not isfinite(a) or not isfinite(b):
        raise ArithmeticError
    return defined(c_pow(a, b))


@kernel
def defined(x: float) -> float:
    """The result of a function of `math` that Python gives too: where it raises, C's result is not finite."""
    if not isfinite(x):
        raise ArithmeticError
    return x


@kernel
def root(x: float) -> float:
    """`math.sqrt(x)`."""
    if not 0.0 <= x < np.inf:
        raise ArithmeticError
    return sqrt(x)


@kernel
def truncated(x: float) -> float:
    """`int(x)`."""
    return whole(np.trunc(x))


@kernel
def nearest(x: float) -> float:
    """`round(x)`: halves go to the even number."""
    return whole(np.rint(x))


@kernel
def rounded(x: float, scale: float) -> float:
    """`round(x, n)` for `scale` = 10**n, which is exact: the float next to the decimal number next to x.

    Where two decimal numbers are about as near, Python has to look at more digits than a float has.
    """
    scaled = x * scale
    if not abs(scaled) <= LARGE or abs(scaled - np.floor(scaled) - 0.5) < 1e-6:
        raise ArithmeticError
    return float(np.rint(scaled)) / scale


@kernel
def logarithm(x: float, base: float) -> float:
    """`math.log(x, base)`."""
    if not (0.0 < x < np.inf and 0.0 < base < np.inf) or base == 1.0:
        raise ArithmeticError
    return c_log(x) / c_log(base)


@kernel
def lesser(a: float, b: float) -> float:
    """`min(a, b)`."""
    return b if b < a else a


@kernel
def greater(a: float, b: float) -> float:
    """`max(a, b)`."""
    return b if b > a else a


@kernel
def same(a: float, b: float) -> bool:
    """`a == b` inside of two tuples, which takes a NaN for equal to itself if it is the same object."""
    if isnan(a) or isnan(b):
        raise ArithmeticError
    return a == b


@kernel
def place(i: float, n: int) -> int:
    """The index that `[i]` means in a list of n."""
    k = int(i) if -EXACT <= i <= EXACT else n
    if k < 0:
        k += n
    if not 0 <= k < n:
        raise ArithmeticError
    return k


@kernel
def bound(x: float) -> int:
    """A bound of a range."""
    if not -EXACT <= x <= EXACT:
        raise ArithmeticError
    return int(x)


@kernel
def stride(x: float) -> int:
    """The step of a range."""
    if x == 0.0:
        raise ArithmeticError
    return bound(x)


@kernel
def among(x: float, table: Any) -> bool:
    """`x in table`; a NaN is in it if it is the same object."""
    if isnan(x):
        raise ArithmeticError
    for value in table:  # noqa: SIM110 (compiled)
        if value == x:
            return True
    return False


@kernel
def within(x: float, start: float, stop: float, step: float) -> bool:
    """`x in range(start, stop, step)`."""
    if step == 0.0 or isnan(x):
        raise ArithmeticError
    if isinf(x) or x != np.floor(x) or c_fmod(x - start, step) != 0.0:
        return False
    return start <= x < stop if step > 0.0 else stop < x <= start


@kernel
def hypotenuse(x: float, y: float) -> float:
    """`math.hypot(x, y)`, as CPython computes it: with squares and a root that are corrected for their rounding."""
    x, y = abs(x), abs(y)
    if x == 0.0 and y == 0.0:
        return 0.0
    most = max(x, y)
    if not (isfinite(x) and isfinite(y)) or most < 1e-300:
        raise ArithmeticError
    scale = ldexp(1.0, -frexp(most)[1])
    total, low = _add(1.0, x * scale, 1.0)
    total, more = _add(total, y * scale, 1.0)
    low = _sum(low, more)
    h = sqrt(total - 1.0 + (low[0] + low[1]))
    total, more = _add(total, h, -1.0)
    low = _sum(low, more)
    return (h + (total - 1.0 + (low[0] + low[1])) / (2.0 * h)) / scale


@kernel
def _add(total: float, x: float, sign: float) -> tuple[float, tuple[float, float]]:
    """`total + sign * x**2`, and what rounding took from the square and from the sum (Dekker 1971)."""
    t = x * 134217729.0  # 2**27 + 1 splits a float in two halves
    high = t - (t - x)
    low = x - high
    square = x * x
    lost = low * low - ((square - high * high) - 2.0 * high * low)
    after = total + sign * square
    return after, (sign * lost, (total - after) + sign * square)


@kernel
def _sum(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    return a[0] + b[0], a[1] + b[1]
