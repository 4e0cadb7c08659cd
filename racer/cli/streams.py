"""Standard streams that can always be printed to: closed ones, narrow encodings, and text that strangers wrote.

Invariant: whatever is printed, no character stops a command, and no stranger's text reaches the terminal as a command.
"""

import codecs
import os
import sys
import unicodedata

from racer.shelf import UNSEEN, is_visible

__all__ = ["prepare", "visible"]

SIMPLER = {
    "…": "...",
    "·": "-",
    "\u2013": "-",
    "—": "-",
    "\u00d7": "x",
    "µ": "u",
    "²": "2",
    "→": "->",
    "━": "-",
    "─": "-",
}
"""What to write for racer's own characters where the encoding lacks them; all others become `\\u2603` and the like."""


def prepare() -> tuple[str, ...]:
    """Make the standard streams fit to print to, before the first word is printed.

    Returns:
        The streams that the caller closed. They become the null device, also for the system, so that no file that is
        opened later is mistaken for one of them.
    """
    codecs.register_error("racer", _simpler)
    closed = []
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            _occupy(number)
            stream = open(os.devnull, "r" if number == 0 else "w", encoding="utf-8")  # noqa: PTH123, SIM115
            setattr(sys, name, stream)
            closed.append(name)
        elif number and hasattr(getattr(sys, name), "reconfigure"):
            getattr(sys, name).reconfigure(errors="racer")
    return tuple(closed)


def visible(text: str) -> str:
    """Write out what controls a terminal, changes the direction of writing or cannot be seen, as `U+001B` is."""
    if is_visible(text):
        return text
    return "".join(one if one in "\n\t" or _is_shown(one) else _written_out(one) for one in text)


def _is_shown(one: str) -> bool:
    # Printable to Python are all characters but controls, formats, separators, surrogates and those unassigned.
    return (one.isprintable() and one not in UNSEEN) or unicodedata.category(one) in ("Zs", "Cn")


def _written_out(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode("ascii") if ord(text) > 127 else f"\\x{ord(text):02x}"


def _simpler(error: UnicodeError) -> tuple[str, int]:
    """What to write instead of the characters that a stream's encoding lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    part = error.object[error.start : error.end]
    return "".join(SIMPLER.get(one) or _written_out(one) for one in part), error.end


def _occupy(number: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        os.open(os.devnull, os.O_RDWR)  # the system gives the lowest number that is free
