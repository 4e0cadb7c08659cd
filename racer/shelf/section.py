"""One object of a settings file, whose values are cast as DeepRacer casts them: numbers may be in quotes.

Invariant: a value that cannot be cast, or that is not allowed, is a `DeepRacerError` that names the file, the
key, the value and what is allowed; nothing is guessed.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from racer.errors import DeepRacerError
from racer.shelf.names import did_you_mean

__all__ = ["Section"]

TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")  # YAML's words, in any case

_REPR = reprlib.Repr()
_REPR.maxlevel, _REPR.maxdict, _REPR.maxlist, _REPR.maxstring = 2, 3, 3, 60


@dataclass(frozen=True)
class Section:
    """An object of a file.

    Attributes:
        where: the file, for messages.
        data: its keys and values, as they were read.
        path: of keys that leads to it, empty for the whole file.
    """

    where: str
    data: Mapping[str, Any]
    path: str = ""

    def __contains__(self, key: str) -> bool:
        """Whether it holds the key."""
        return key in self.data

    def number(self, key: str, default: float | None = None, low: float = -math.inf, high: float = math.inf) -> float:
        """A number, as `float()` reads it.

        Args:
            key: of the value.
            default: if the key is missing; None if it must not be.
            low: the least that is allowed.
            high: the most.

        Raises:
            DeepRacerError: it is missing, no finite number, or out of range.
        """
        allowed = f"it must be a number {_range(low, high)}"
        value = self._given(key, default, allowed)
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not (math.isfinite(number) and low <= number <= high):
            self.refuse(key, value, allowed)
        return number

    def whole(self, key: str, default: int | None = None, low: float = -math.inf, high: float = math.inf) -> int:
        """A whole number, as `int()` reads it: `"64"` and 64.9 pass, `"64.0"` does not.

        Args:
            key: of the value.
            default: if the key is missing; None if it must not be.
            low: the least that is allowed.
            high: the most.

        Raises:
            DeepRacerError: it is missing, no whole number, or out of range.
        """
        allowed = f"it must be a whole number {_range(low, high)}"
        value = self._given(key, default, allowed)
        try:
            number = None if isinstance(value, bool) else int(value)
        except (TypeError, ValueError, OverflowError):
            number = None
        if number is None or not low <= number <= high:
            self.refuse(key, value, allowed)
        return number

    def flag(self, key: str, default: bool) -> bool:
        """A yes or no, as a boolean or as a word in any case.

        Raises:
            DeepRacerError: it is neither.
        """
        value = self.data.get(key, default)
        word = str(value).strip().lower() if isinstance(value, str | bool | int) else None
        if word in TRUE or word in FALSE:
            return word in TRUE
        return self.refuse(key, value, "it must be true or false")

    def choice(self, key: str, default: str, allowed: Iterable[str], any_case: bool = False) -> str:
        """One of some words.

        Raises:
            DeepRacerError: it is none of them.
        """
        words = tuple(allowed)
        value = self.data.get(key, default)
        word = value.lower() if any_case and isinstance(value, str) else value
        if not isinstance(word, str) or word not in words:
            hint = did_you_mean(word, words) if isinstance(word, str) else ""
            self.refuse(key, value, f"it must be {_listed(words)}.{hint}".removesuffix("."))
        return word

    def text(self, key: str, default: str) -> str:
        """A text; numbers are taken as they are written.

        Raises:
            DeepRacerError: it is no text.
        """
        value = self.data.get(key, default)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            self.refuse(key, value, "it must be a text")
        return str(value)

    def section(self, key: str) -> Section:
        """The object at a key.

        Raises:
            DeepRacerError: there is none.
        """
        allowed = "it must be an object"
        value = self._given(key, None, allowed)
        if not isinstance(value, Mapping):
            self.refuse(key, value, allowed)
        return Section(self.where, value, self._named(key))

    def refuse(self, key: str, value: Any, allowed: str) -> NoReturn:
        """Say that the value of a key cannot be used, and what could.

        Raises:
            DeepRacerError: always.
        """
        raise DeepRacerError(f"{self.where}: {self._named(key)} is {_REPR.repr(value)}; {allowed}")

    def _given(self, key: str, default: Any, allowed: str) -> Any:
        if key not in self.data and default is None:
            raise DeepRacerError(f"{self.where}: {self._named(key)} is missing; {allowed}")
        return self.data.get(key, default)

    def _named(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key


def _range(low: float, high: float) -> str:
    if math.isinf(high):
        return "" if math.isinf(low) else f"from {low:g} on"
    return f"from {low:g} to {high:g}"


def _listed(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
