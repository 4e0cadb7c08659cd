"""`racer train --deepracer FOLDER`: what DeepRacer's files ask for, and the table of what became of it."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.text import Text

from racer.cli import console

if TYPE_CHECKING:
    from racer.deepracer.config import Takeover

__all__ = ["run_name", "show"]

STYLES = {"taken over": "green", "replaced": "yellow", "no effect": "dim"}


def show(taken: "Takeover", folder: Path | None) -> None:
    """Tell on stderr which files were read and what became of each setting."""
    files = ", ".join(escape(str(file)) for file in taken.files)
    console.note(f"From {f'[bold]{escape(str(folder))}[/bold]: ' if folder else ''}{files}")
    rows: list[list[str | Text]] = [
        [line.name, _short(line.value), Text(line.fate.value, STYLES[line.fate.value]), line.note]
        for line in sorted(taken.lines, key=lambda line: list(STYLES).index(line.fate.value))
    ]
    console.messages().print(console.table(["DeepRacer's setting", "value", "here", ""], rows))
    console.note("")


def run_name(folder: Path) -> str:
    """Name a run after the folder that it comes from."""
    from racer.training import free_name

    return free_name(folder.resolve().name or "deepracer")


def _short(value: str) -> str:
    return value if len(value) <= 60 else value[:59] + "…"
