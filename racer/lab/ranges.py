"""Ranges: which constants of a file may be searched over, as comments in it say.

    SPEED_WEIGHT = 2.0  # of the whole; tune: 0.5 to 5 log
    LANES = 3  # tune: 1 to 5
    SIDE = "left"  # tune: one of "left", "right"

Invariant: the file is read, never run. Constants are assignments of one number, text or truth value to one name, at the
top level of the file or of its class `Agent`; a changed file differs from the old one in these values alone.
"""

from __future__ import annotations

import ast
import io
import math
import re
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from racer.errors import RunError
from racer.lab.task import Source

__all__ = ["Range", "changed", "ranges_of"]

MARK = "tune:"
FORM = "write it as `# tune: 0.5 to 5`, `# tune: 1e-4 to 1e-2 log` or `# tune: one of 1, 2, 4`"
DIGITS = 4  # of numbers that are tried, so that a file with them stays readable


@dataclass(frozen=True)
class Range:
    """What a constant may be.

    Attributes:
        name: of the constant.
        value: what it is in the file.
        choices: what it may be, if that is a list.
        low, high: the ends, both included, if it is none.
        log: whether numbers are as likely to be between 1 and 10 as between 10 and 100.
    """

    name: str
    value: Any
    choices: tuple[Any, ...] = ()
    low: float = math.nan
    high: float = math.nan
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether it is a whole number."""
        return isinstance(self.value, int) and not isinstance(self.value, bool)

    def rounded(self, value: Any) -> Any:
        """A value of the range as it would be written."""
        if self.choices or self.whole or value == self.value:
            return value
        return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)

    def __str__(self) -> str:
        """The range as a comment says it."""
        if self.choices:
            return f"one of {', '.join(map(repr, self.choices))}"
        return f"{self.low:g} to {self.high:g}{' log' if self.log else ''}"


@dataclass(frozen=True)
class _Constant:
    """An assignment: its value, and the bytes of its file that this is."""

    name: str
    value: Any
    start: int
    end: int


def ranges_of(source: Source, more: Sequence[str] = ()) -> list[Range]:
    """The constants of a file that may be searched over.

    Args:
        source: the file.
        more: further ranges, which go before those of the file, such as `"gamma: 0.95 to 0.99"`.

    Raises:
        RunError: a range cannot be read, or its line is no constant; names file and line.
    """
    constants = {line: constant for line, constant in _constants(source)}
    named = {constant.name: constant for constant in constants.values()}
    found: dict[str, Range] = {}
    for line, words in _marks(source):
        where = f"{source.path}, line {line}"
        if line not in constants:
            raise RunError(f"{where}: {MARK} belongs behind a constant, such as `WEIGHT = 2.0  # tune: 0.5 to 5`")
        constant = constants[line]
        found[constant.name] = _range(constant, words, where)
    for text in more:
        name, _, words = (part.strip() for part in text.partition(":"))
        if name not in named:
            known = ", ".join(named) or "none"
            raise RunError(f"{source.path} sets no constant {name!r:.40} to one value; those that it sets: {known}")
        found[name] = _range(named[name], words, f"--range {text!r:.60}")
    return list(found.values())


def changed(source: Source, values: Mapping[str, Any]) -> str:
    """The text of a file with other values of its constants.

    Raises:
        RunError: there is no such constant.
    """
    constants = {constant.name: constant for _, constant in _constants(source)}
    if unknown := set(values) - set(constants):
        raise RunError(f"{source.path} sets no constants {', '.join(sorted(unknown))}")
    data = source.text.encode()
    for constant in sorted(constants.values(), key=lambda one: -one.start):
        if constant.name in values:
            data = data[: constant.start] + repr(values[constant.name]).encode() + data[constant.end :]
    return data.decode()


def _constants(source: Source) -> Iterator[tuple[int, _Constant]]:
    """Each constant with the line that it ends on; of a name that is set twice the last one counts."""
    starts = [0]
    for line in source.text.encode().split(b"\n"):
        starts.append(starts[-1] + len(line) + 1)
    body = ast.parse(source.text).body
    classes = [node.body for node in body if isinstance(node, ast.ClassDef) and node.name == "Agent"]
    for node in (*body, *(inner for statements in classes for inner in statements)):
        match node:
            case ast.Assign(targets=[ast.Name(name)], value=value) | ast.AnnAssign(target=ast.Name(name), value=value):
                pass
            case _:
                continue
        if value is None or value.end_lineno is None or value.end_col_offset is None:
            continue
        try:
            plain = ast.literal_eval(value)
        except ValueError:
            continue
        if isinstance(plain, bool | int | float | str):
            start = starts[value.lineno - 1] + value.col_offset
            end = starts[value.end_lineno - 1] + value.end_col_offset
            yield value.end_lineno, _Constant(name, plain, start, end)


def _marks(source: Source) -> Iterator[tuple[int, str]]:
    """Line and words of each comment that holds a mark."""
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type == tokenize.COMMENT and MARK in token.string:
            yield token.start[0], token.string.partition(MARK)[2].strip()


def _range(constant: _Constant, words: str, where: str) -> Range:
    """What the words of a mark say of a constant."""
    if words.startswith("one of "):
        choices = _values(words.removeprefix("one of "))
        if choices is None or len(set(choices)) < 2:
            raise RunError(f"{where}: {words!r:.60} is no list of different values; {FORM}")
        if constant.value not in choices:
            raise RunError(f"{where}: {constant.name} is {constant.value!r:.40}, which is none of {words[7:]:.60}")
        return Range(constant.name, constant.value, choices)
    form = re.fullmatch(r"(\S+) to (\S+)( log)?", " ".join(words.split()))
    ends = _values(f"{form[1]}, {form[2]}") if form else None
    if form is None or ends is None or not all(_is_number(end) for end in ends):
        raise RunError(f"{where}: {words!r:.60} is no range; {FORM}")
    low, high, log = *ends, form[3] is not None
    if not low < high or (log and low <= 0):
        above = "a logarithmic range begins above 0, and " if log else ""
        raise RunError(f"{where}: {words!r:.60}: {above}the first number must be less than the second")
    if not _is_number(constant.value):
        raise RunError(f"{where}: {constant.name} is {constant.value!r:.40}, no number; {FORM}")
    found = Range(constant.name, constant.value, (), low, high, log)
    if found.whole and not (isinstance(low, int) and isinstance(high, int)):
        raise RunError(
            f"{where}: {constant.name} is the whole number {constant.value}, and so must be the ends of its range; "
            f"write {float(constant.value)} if it may be any number"
        )
    if not low <= constant.value <= high:
        raise RunError(f"{where}: {constant.name} is {constant.value}, which is not from {low} to {high}")
    return found


def _values(text: str) -> tuple[Any, ...] | None:
    """Plain values with commas between them; None if they are none."""
    try:
        found = ast.literal_eval(f"({text},)")
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    fits = all(isinstance(one, str | bool) or _is_number(one) for one in found)
    return found if fits else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
