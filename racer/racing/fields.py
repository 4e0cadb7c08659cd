"""What the fields of a rulebook may be: each kind reads a value, or says in words what it must be."""

from __future__ import annotations

import dataclasses
import math
import reprlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from racer.errors import RulesError
from racer.shelf import did_you_mean, is_visible

__all__ = ["Kind", "checked", "choice", "flag", "maybe", "moment", "number", "of", "text", "texts", "whole"]

UNLIMITED = "unlimited"

_REPR = reprlib.Repr()
_REPR.maxlevel, _REPR.maxdict, _REPR.maxlist, _REPR.maxstring = 2, 3, 3, 60


@dataclass(frozen=True)
class Kind:
    """One kind of value.

    Attributes:
        words: what it must be, behind "it must be".
        read: gives the value as the record keeps it; raises `ValueError` or `TypeError` for any other.
        none: what None is called.
    """

    words: str
    read: Callable[[Any], Any]
    none: str = "-"


def of(kind: Kind, default: Any, about: str) -> Any:
    """A field of a section: its kind, its default, and what it means."""
    return dataclasses.field(default=default, metadata={"kind": kind, "about": about})


def checked(section: Any, name: str) -> None:
    """Read every field of a frozen section, in its `__post_init__`.

    Raises:
        RulesError: a value is not of its kind.
    """
    for field in dataclasses.fields(section):
        kind, value = field.metadata.get("kind"), getattr(section, field.name)
        if kind is None:
            continue
        try:
            object.__setattr__(section, field.name, kind.read(value))
        except (ValueError, TypeError, OverflowError) as wrong:
            where = f"{field.name} in [{name}]" if name else field.name
            hint = f" {wrong}" if isinstance(wrong, _HintError) else ""
            key = f"{name}.{field.name}" if name else field.name
            raise RulesError(f"{where} is {_shown(value)}; it must be {kind.words}.{hint}", key) from wrong


def whole(low: int, high: int) -> Kind:
    """A whole number in a range."""

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError
        return value

    return Kind(f"a whole number from {low} to {high:,}", read)


def number(low: float, high: float, unit: str = "") -> Kind:
    """A number in a range; it is kept as a float."""

    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError
        return float(value) + 0.0  # -0.0 is 0.0

    return Kind(f"a number from {low:g} to {high:,g}{unit and ' '}{unit}", read)


def flag() -> Kind:
    """True or false."""

    def read(value: Any) -> bool:
        if not isinstance(value, bool):
            raise TypeError
        return value

    return Kind("true or false", read)


def choice(*words: str) -> Kind:
    """One of some words."""

    def read(value: Any) -> str:
        if value not in words:
            raise _HintError(did_you_mean(value, words).strip() if isinstance(value, str) else "")
        return str(value)

    return Kind(" or ".join(filter(None, (", ".join(map(repr, words[:-1])), repr(words[-1])))), read)


def text(most: int) -> Kind:
    """A text that can be seen."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or not value.strip() or len(value) > most or not is_visible(value):
            raise ValueError
        return value.strip()

    return Kind(f"a line of 1 to {most} visible characters", read)


def texts(what: str, most: int, known: Callable[[], Iterable[str]] | None = None, least: int = 0) -> Kind:
    """Several different texts; one alone needs no brackets.

    Args:
        what: they are, in words: "names of tracks".
        most: how many there may be.
        known: gives the texts that are allowed; None for any.
        least: how many there must be.
    """
    one = text(200)

    def read(value: Any) -> tuple[str, ...]:
        given = (value,) if isinstance(value, str) else value
        if not isinstance(given, list | tuple) or not least <= len(given) <= most:
            raise ValueError
        found = tuple(map(one.read, given))
        if len(set(found)) < len(found):
            raise _HintError("One is named twice.")
        allowed = () if known is None or not found else tuple(known())
        for word in found:
            if allowed and word not in allowed:
                raise _HintError(f"There is no {word!r}.{did_you_mean(word, allowed)} There are {', '.join(allowed)}.")
        return found

    return Kind(f"a list of {least or 'up'} to {most} {what}", read)


def moment() -> Kind:
    """A moment with its offset from UTC; it is kept in UTC."""

    def read(value: Any) -> datetime:
        given = datetime.fromisoformat(value) if isinstance(value, str) else value
        if not isinstance(given, datetime) and isinstance(given, date):
            raise _HintError("It has no time of day.")
        if not isinstance(given, datetime):
            raise TypeError
        if given.tzinfo is None:
            raise _HintError("It has no offset from UTC.")
        return given.astimezone(UTC)

    return Kind("a time such as 2026-09-01T08:00:00Z or 2026-09-01T10:00:00+02:00", read)


def maybe(kind: Kind, word: str | None = UNLIMITED) -> Kind:
    """The same, or None, which is written as a word, or not at all."""
    words = kind.words if word is None else f"{kind.words}, or {word!r}"
    return Kind(words, lambda value: None if value is None or value == word else kind.read(value), word or "-")


class _HintError(ValueError):
    """What else there is to say about a wrong value."""


def _shown(value: Any) -> str:
    finite = not isinstance(value, float) or math.isfinite(value)
    return _REPR.repr(value) if finite else f"{value}, which is no number"
