"""`racer report`: a training on one page."""

from pathlib import Path
from typing import Annotated

import typer

from racer.cli import complete, console
from racer.cli.runs import known_run

__all__ = ["report"]


def report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A trained run.", autocompletion=complete.runs)],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE.html", help="The page (default: RUN.html).", dir_okay=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the page.")] = False,
) -> None:
    """Write one HTML page about a training, to look at, to print or to hand in.

    Learning curves with the best model marked, lap times in percent of the mark,
    the laps to play, sectors, maps of reward, speed, visits and exits, the
    settings, and the reward function. The page is one file: it needs no network
    and no racer.

    Examples:
      [cyan]racer report first[/cyan]
      [cyan]racer report first --out homework.html[/cyan]
    """
    with console.busy(console.loading("Writing")):
        from racer.lab import save_report

        found = known_run(run)
        target = out or Path(f"{found.name}.html")
        save_report(found, target, overwrite=force)
    console.note(f"Wrote {console.word(target)} ({target.stat().st_size / 1e3:,.0f} kB); open it in a browser")
