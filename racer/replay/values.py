"""Values of a replay's header and its arrays, each of which may be anything until it is read.

Invariant: what is read is of its kind, or `DamagedError` says which is not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from racer.replay.tensors import DamagedError

__all__ = ["TEXT_LIMIT", "array_of", "number_of", "text_of", "value_of"]

TEXT_LIMIT = 200  # characters of a name

Kind = TypeVar("Kind", int, str, bool, list[Any], dict[str, Any])


def value_of(record: Mapping[str, Any], key: str, kind: type[Kind]) -> Kind:
    """A value of a kind.

    Raises:
        DamagedError: it is none.
    """
    value = record.get(key)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise DamagedError(f"its header has no proper {key!r}")
    return value


def number_of(record: Mapping[str, Any], key: str) -> float:
    """A finite number.

    Raises:
        DamagedError: it is none.
    """
    value = record.get(key)
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not abs(value) < 1e12
        or not math.isfinite(value)
    ):
        raise DamagedError(f"its header has no proper number {key!r}")
    return float(value)


def text_of(record: Mapping[str, Any], key: str, limit: int = TEXT_LIMIT) -> str:
    """A text that can be printed.

    Raises:
        DamagedError: it is none.
    """
    value = value_of(record, key, str)
    if len(value) > limit or not value.isprintable():
        raise DamagedError(f"its {key[:40]!r} is too long or cannot be printed")
    return value


def array_of(arrays: Mapping[str, NDArray[Any]], name: str, dtype: np.dtype[Any], dimensions: int) -> NDArray[Any]:
    """An array of a kind.

    Raises:
        DamagedError: it is none.
    """
    array = arrays.get(name)
    if array is None:
        raise DamagedError(f"it has no array {name!r}")
    if array.dtype != dtype or array.ndim != dimensions:
        raise DamagedError(
            f"its array {name!r} has {array.ndim} dimensions of {array.dtype}, not {dimensions} of {dtype}"
        )
    return array
