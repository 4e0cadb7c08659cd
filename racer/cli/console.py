"""What the command line prints: results on stdout, messages on stderr, tables for people, JSON for scripts.

Invariant: with `--json` stdout holds one JSON document and nothing else, without NaN or infinities.
"""

import contextlib
import csv
import json
import math
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from racer.cli.streams import visible

__all__ = [
    "busy",
    "command",
    "counter",
    "error",
    "errors_on_stdout",
    "loading",
    "messages",
    "note",
    "print_csv",
    "print_json",
    "prints_to_messages",
    "progress",
    "quoted",
    "show",
    "show_printed",
    "table",
    "word",
]

Item = TypeVar("Item")
PRINTED_LINES = 20  # of what a reward function prints
PIPE_WIDTH = 200  # columns when no terminal says how many it has, so that `racer list | grep` sees whole rows
LAST_COLUMN = 24  # columns of the screen that the last column of a table gets at least, before others are left out
LEAST_COLUMN = 8  # columns of the screen that a column of words gets at least; one of numbers is never cut
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for a formula at the start of a cell


class _Console(Console):
    """A console that shows strangers' control characters instead of obeying them."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render as Rich does, each control character of the text written out."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


def show(content: RenderableType) -> None:
    """Print a result on stdout."""
    _console(stderr=False).print(content)


def note(message: str) -> None:
    """Print a message on stderr; rich markup is understood, so escape what a user typed."""
    messages().print(message, soft_wrap=True, highlight=False)


_errors_on_stdout = False


def errors_on_stdout(wanted: bool) -> None:
    """Print errors on stdout from now on, for callers who closed stderr."""
    global _errors_on_stdout
    _errors_on_stdout = wanted


def error(message: str) -> None:
    """Print an error on stderr, word for word."""
    text = Text.assemble(("Error: ", "bold red"), message)
    _console(stderr=not _errors_on_stdout).print(text, soft_wrap=True)


def quoted(word: str | Path) -> str:
    """A word as it can be typed into a shell: in quotes if it holds blanks or special characters."""
    return shlex.quote(str(word))


def word(text: str | Path) -> str:
    """A name or a path, in markup."""
    return f"[bold]{escape(str(text))}[/bold]"


def command(*words: str | Path) -> str:
    """A command as it can be typed into a shell, in markup."""
    return f"[cyan]{escape(' '.join(map(quoted, words)))}[/cyan]"


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows on stdout as CSV; a text that a spreadsheet would run as a formula gets an apostrophe in front."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_harmless(cell) if isinstance(cell, str) else cell for cell in row])


def show_printed(text: str, lines: int, where: str = "") -> None:
    """Show on stderr the beginning of what a reward function printed: `lines` in all."""
    if lines:
        note(f"\nThe reward function prints ({lines:,} lines{where}):")
        note(escape("\n".join(line[:PIPE_WIDTH] for line in text.splitlines()[:PRINTED_LINES])))


def print_json(data: Any) -> None:
    """Print one JSON document on stdout; what JSON cannot say (NaN, infinities) becomes null."""
    narrow = (sys.stdout.encoding or "").lower().replace("-", "") not in ("utf8", "utf16")
    text = json.dumps(_finite(data), indent=2, ensure_ascii=narrow, allow_nan=False)
    if text != visible(text):
        text = json.dumps(_finite(data), indent=2, allow_nan=False)  # JSON's own escapes, for all that is not ASCII
    sys.stdout.write(text + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]], title: str | None = None) -> RenderableType:
    """Make a table that stays readable on narrow screens.

    Args:
        columns: names of the columns. One named `…>` is right-aligned; one named `…?` or `…>?` is left out where the
            screen is too narrow, the last such one first; the last column takes the room that is left.
        rows: cells of each row, as many as columns; strings are shown as they are, without markup.
        title: a heading above it.
    """
    cells = [tuple(cell if isinstance(cell, Text) else Text(visible(cell)) for cell in row) for row in rows]
    return _Table(tuple(columns), cells, title)


class _Table:
    """A table that chooses its columns when it knows how wide the screen is."""

    def __init__(self, columns: tuple[str, ...], rows: list[tuple[Text, ...]], title: str | None) -> None:
        self._columns, self._rows, self._title = columns, rows, title

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        shown = list(range(len(self._columns)))
        widths = [
            max([len(name.rstrip("?>")), *(row[k].cell_len for row in self._rows)])
            for k, name in enumerate(self._columns)
        ]
        widths[-1] = min(widths[-1], LAST_COLUMN)
        spare = [k for k in shown if self._columns[k].endswith("?")]
        while spare and sum(widths[k] + 2 for k in shown) - 2 > options.max_width:
            shown.remove(spare.pop())
        made = Table(title=self._title and Text(self._title, "bold"), title_justify="left", box=None, pad_edge=False)
        made.padding = (0, 2, 0, 0)
        for k in shown:
            last = k == shown[-1]
            made.add_column(
                self._columns[k].rstrip("?>"),
                justify="right" if ">" in self._columns[k] else "left",
                header_style="dim",
                no_wrap=not last,
                min_width=widths[k] if ">" in self._columns[k] else min(widths[k], LEAST_COLUMN),
                overflow="fold" if last else "ellipsis",
            )
        for row in self._rows:
            made.add_row(*(row[k] for k in shown))
        yield made


def messages() -> Console:
    """The console for messages: stderr as it is now."""
    return _console(stderr=True)


def loading(what: str, module: str = "step") -> str:
    """Say what is being done, and the first time that it takes longer because the engine is compiled then.

    Args:
        what: is being done.
        module: with the kernels that it takes; see `racer.sim.kernels_are_compiled`.
    """
    from racer.sim import kernels_are_compiled

    if kernels_are_compiled(module):
        return f"{what} …"
    return f"{what} … (this first time the engine is compiled: up to half a minute)"


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


def prints_to_messages() -> contextlib.redirect_stdout[Any]:
    """Let what drivers print go to stderr for a while: stdout is for the result."""
    return contextlib.redirect_stdout(sys.stderr)


@contextlib.contextmanager
def counter(what: str, most: int) -> Iterator[Callable[[], None]]:
    """Give a function to call whenever one thing more is done, with a bar on stderr if that is a terminal.

    Args:
        what: is being done.
        most: how many things there are at most.
    """
    from rich.progress import Progress

    with Progress(console=messages(), transient=True, disable=not sys.stderr.isatty()) as shown:
        task = shown.add_task(what, total=most)
        yield lambda: shown.advance(task)


def _harmless(cell: str) -> str:
    return f"'{visible(cell)}" if cell.startswith(FORMULA) else visible(cell)


def _console(stderr: bool) -> _Console:
    """A console for the stream as it is now: tests and callers redirect it."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPE_WIDTH
    return _Console(file=stream, width=width)


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
