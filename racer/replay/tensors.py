"""Named arrays and a few texts in one safetensors file: the container of replays and of what agents learned.

What is read may come from a stranger. Nothing in such a file is code and nothing is compressed: its arrays are
never larger than the file. Nothing but `DamagedError` leaves `unpack`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["DamagedError", "pack", "unpack"]


class DamagedError(ValueError):
    """The bytes are not what `pack` writes; the message says why, and the caller which file it was."""

    def __init__(self, wrong: str) -> None:
        """Say what is wrong, without the control characters that the bytes may have brought along."""
        super().__init__("".join(letter if letter.isprintable() else " " for letter in wrong))


def pack(metadata: Mapping[str, str], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Give the bytes of a safetensors file.

    Args:
        metadata: texts by name; with one text alone the same content gives the same bytes.
        arrays: numbers or truth values by name, of any shape.
    """
    from safetensors.numpy import save

    return save({name: np.asarray(values, order="C") for name, values in arrays.items()}, dict(metadata))


def unpack(data: bytes) -> tuple[dict[str, str], dict[str, NDArray[Any]]]:
    """Give (metadata, arrays) of a safetensors file; all numbers in the arrays are finite.

    Raises:
        DamagedError: the bytes are anything else.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    if not data:
        raise DamagedError("it is empty")
    try:
        arrays = load(data)
        end = 8 + int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8:end]).get("__metadata__") or {}
    except (SafetensorError, ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        reason = " ".join(str(error).split())[:120]
        raise DamagedError(f"it is cut short, damaged, or another kind of file ({reason!a})") from error
    for name, values in arrays.items():
        if values.dtype.kind in "fc" and not (finite := np.isfinite(values)).all():
            row = np.unravel_index(finite.argmin(), values.shape)[0] if values.ndim else 0
            raise DamagedError(f"its array {name!a:.80} holds a number that is not finite, in row {row}")
        if values.dtype.kind == "b" and values.size and values.view(np.uint8).max() > 1:
            raise DamagedError(f"its array {name!a:.80} holds a value that is neither true nor false")
    return metadata, arrays
