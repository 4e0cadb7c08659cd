"""The content of files as text and as JSON, strictly, whether a file or an archive holds it.

Invariant: what is not what it should be is an error of the caller's class that names the file and, where there is
one, the line.
"""

import json
import math
from pathlib import Path
from typing import Any, NoReturn

from racer.errors import FileError, RacerError

__all__ = ["parse_json", "parse_text"]

DEEPEST = 64  # levels of JSON; what nests deeper overflows the stack of whoever prints or copies it
LARGEST = 2**64  # of whole numbers in JSON: beyond, arithmetic with floats raises


def parse_text(data: bytes, path: str | Path, error: type[RacerError] = FileError) -> str:
    """The text of a UTF-8 file; drops a byte order mark, unifies newlines.

    Args:
        data: Its content.
        path: What it is called in messages.
        error: The class to raise.

    Raises:
        RacerError: As `error`: it is not UTF-8; the message names the line.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        line = data[: cause.start].count(b"\n") + 1
        byte = f"0x{data[cause.start]:02x}"
        raise error(f"{path}, line {line}: not UTF-8 text (byte {byte}); save it as UTF-8") from cause
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse_json(text: str, path: str | Path, error: type[RacerError] = FileError) -> Any:
    """The value of a JSON text, as `read_json` reads it from a file.

    Args:
        text: The content of a file.
        path: What it is called in messages.
        error: The class to raise.

    Raises:
        RacerError: As `error`: as `read_json`.
    """
    if not text.strip():
        raise error(f"{path} is empty")
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite, parse_int=_small)
        _refuse_depths(value)
    except json.JSONDecodeError as cause:
        where = f"{path}, line {cause.lineno}"
        raise error(f"{where}: not valid JSON ({cause.msg}); is the file cut short?") from cause
    except (ValueError, RecursionError) as cause:
        reason = f"it nests deeper than {DEEPEST} levels" if isinstance(cause, RecursionError) else cause
        raise error(f"{path}: not valid JSON ({reason})") from cause
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _no_constant(text)


def _small(text: str) -> int:
    if len(text) > 21 or abs(value := int(text)) > LARGEST:
        raise ValueError(f"{text[:21]}{'…' * (len(text) > 21)} is too large for a whole number")
    return value


def _refuse_depths(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        inside = (item.values() if isinstance(item, dict) else item for item in level if isinstance(item, dict | list))
        level = [child for items in inside for child in items if isinstance(child, dict | list)]
        if not level:
            return
    raise RecursionError
