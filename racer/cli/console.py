"""What the command line prints: results on stdout, messages on stderr, tables for people, JSON for scripts.

Invariant: with `--json` stdout holds one JSON document and nothing else, without NaN or infinities.
"""

import contextlib
import json
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

__all__ = ["busy", "error", "loading", "messages", "note", "print_json", "progress", "show", "table"]

Item = TypeVar("Item")
PIPE_WIDTH = 200  # columns when no terminal says how many it has, so that `racer list | grep` sees whole rows


def show(content: RenderableType) -> None:
    """Print a result on stdout."""
    _console(stderr=False).print(content)


def note(message: str) -> None:
    """Print a message on stderr; rich markup is understood, so escape what a user typed."""
    messages().print(message, soft_wrap=True, highlight=False)


def error(message: str) -> None:
    """Print an error on stderr, word for word."""
    messages().print(Text.assemble(("Error: ", "bold red"), message), soft_wrap=True)


def print_json(data: Any) -> None:
    """Print one JSON document on stdout; what JSON cannot say (NaN, infinities) becomes null."""
    sys.stdout.write(json.dumps(_finite(data), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]], title: str | None = None) -> Table:
    """Make a table; a column named `…>` is right-aligned, the last one takes the room that is left.

    Args:
        columns: Names of the columns.
        rows: Cells of each row, as many as columns; strings are shown as they are, without markup.
        title: A heading above it.
    """
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, column in enumerate(columns):
        right = column.endswith(">")
        last = index == len(columns) - 1
        made.add_column(
            column.rstrip(">"),
            justify="right" if right else "left",
            header_style="dim",
            no_wrap=not last,
            overflow="fold" if last else "ellipsis",
        )
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    return made


def messages() -> Console:
    """The console for messages: stderr as it is now."""
    return _console(stderr=True)


def loading(what: str) -> str:
    """Say what is being done, and that the first time takes longer because the engine is compiled then."""
    compiled = any((Path(__file__).parent.parent / "__pycache__").glob("*.nbi"))  # where Numba keeps it
    return f"{what} …" if compiled else f"{what} … (this first time the engine is compiled: up to half a minute)"


@contextlib.contextmanager
def busy(message: str) -> Iterator[None]:
    """Show on stderr that something takes a while: a spinner on a terminal, else one line."""
    if sys.stderr.isatty():
        with messages().status(message):
            yield
    else:
        note(message)
        yield


def progress(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """Give what is being made, one after the other, with a bar on stderr if that is a terminal."""
    from rich.progress import track

    return iter(track(items, what, total, console=messages(), transient=True, disable=not sys.stderr.isatty()))


def _console(stderr: bool) -> Console:
    """A console for the stream as it is now: tests and callers redirect it."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPE_WIDTH
    return Console(file=stream, width=width)


def _finite(data: Any) -> Any:
    match data:
        case float():
            return data if math.isfinite(data) else None
        case dict():
            return {str(key): _finite(value) for key, value in data.items()}
        case list() | tuple():
            return [_finite(value) for value in data]
        case None | bool() | int() | str():
            return data
    return _finite(data.item())  # a NumPy scalar
