"""A window on a training as it goes on: a process of its own, which `racer train --watch` starts."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from racer.cli import console

if TYPE_CHECKING:
    from racer.training import Callback, Run

__all__ = ["follow", "window"]

NICE = 10  # the training goes first
CLOSING_S = 5.0  # that a window may take to end by itself when its training has ended


@contextlib.contextmanager
def window(run: "Run", wanted: bool) -> "Iterator[list[Callback]]":
    """Open a window on a training; gives the callbacks that it needs. Where there is no screen, it says so once."""
    if not wanted:
        yield []
        return
    from racer.training import ClipWriter

    words = [sys.executable, "-m", "racer", "watch", "--live", str(run.folder)]
    # In a session of its own: Ctrl-C is for the training.
    process = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
    again = console.command("racer", "watch", run.called, "--live")
    console.note(f"A window shows the cars as they learn. Close it as you like; to open it again: {again}")
    try:
        yield [ClipWriter(run)]
    finally:
        try:
            said = process.communicate(timeout=CLOSING_S)[1].decode(errors="replace").strip()
        except subprocess.TimeoutExpired:
            process.terminate()
            said = process.communicate()[1].decode(errors="replace").strip()
        if process.returncode == 1 and said:
            console.note(f"[yellow]The window did not open:[/yellow] {escape(said)}")


def follow(name: str, record: Path | None, pixels: tuple[int, int] | None, speed: float, force: bool) -> None:
    """Show a training as it goes on, or draw what it shows now into a picture."""
    from racer.cli.runs import known_run
    from racer.viewer import follow as show, save_clip_picture

    run = known_run(name)
    track = run.track()
    if record is not None:
        save_clip_picture(run.folder, track, run.car, record, pixels, overwrite=force)
        console.note(f"Drew {console.word(record)}")
        return
    if hasattr(os, "nice"):
        os.nice(NICE)
    show(run.folder, track, run.car, pixels, speed)
