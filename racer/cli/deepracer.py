"""`racer train --deepracer FOLDER`: the report on DeepRacer's files, and what their training is called."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from racer.cli import console

if TYPE_CHECKING:
    from racer.deepracer.config import Conversion, Document

__all__ = ["run_name", "shelved", "show"]

STYLES = {"converted": "green", "replaced": "yellow", "no effect": "dim"}
HEADINGS = {
    "converted": "Converted",
    "replaced": "Replaced: racer does these in its own way",
    "no effect": "Without effect",
}
LONGEST = 60  # characters of a value


def show(converted: "Conversion", folder: Path | None) -> None:
    """Print on stderr which files were read, and the outcome of each setting, in groups by what happened to it."""
    files = ", ".join(escape(str(file)) for file in converted.files)
    console.note(f"From {f'[bold]{escape(str(folder))}[/bold]: ' if folder else ''}{files}")
    width = max((len(outcome.name) for outcome in converted.report), default=0)
    for status, heading in HEADINGS.items():
        table = Table(title=Text(heading, f"bold {STYLES[status]}"), title_justify="left", show_header=False, box=None)
        table.pad_edge, table.padding = False, (0, 2, 0, 0)
        table.add_column(no_wrap=True, width=width)
        table.add_column(overflow="fold")
        for outcome in converted.report:
            if outcome.status.value == status:
                text = ": ".join(filter(None, (_short(outcome.value), outcome.note)))
                table.add_row(Text(outcome.name), Text(text))
        if table.row_count:
            console.messages().print(table)
    console.note("")


def run_name(folder: Path) -> str:
    """Name a run after the folder or the archive that it comes from."""
    from racer.training import free_name

    return free_name(_stem(folder))


def shelved(reward: "Document", folder: Path) -> Path:
    """Put a reward function that lies in an archive on the learner's shelf, and say where.

    It is written once; a file of that name that holds something else is kept, and another name is chosen.

    Raises:
        FileError: it cannot be written.
    """
    from racer.shelf import make_folder, read_bytes, write_atomically

    shelf, stem = make_folder("reward_functions"), _stem(folder)
    path, number = shelf / f"{stem}.py", 1
    while path.is_symlink() or (path.exists() and read_bytes(path) != reward.data):
        number += 1
        path = shelf / f"{stem}-{number}.py"
    if not path.exists():
        write_atomically(path, reward.data)
    console.note(f"The reward function of the archive is now [bold]{escape(str(path))}[/bold]")
    return path


def _stem(folder: Path) -> str:
    name = folder.resolve().name
    for suffix in (".gz", ".tgz", ".tar"):
        name = name.removesuffix(suffix)
    return name.lstrip(".-") or "deepracer"


def _short(value: str) -> str:
    return value if len(value) <= LONGEST else value[: LONGEST - 1] + "…"
