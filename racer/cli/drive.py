"""`racer drive`: a person at the wheel."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from racer.cli import complete, console, laps, mark
from racer.shelf import DEFAULTS, refuse_existing

__all__ = ["drive"]


def drive(
    track: Annotated[str, typer.Option(help="Track.", autocompletion=complete.tracks)] = DEFAULTS["tracks"],
    reverse: Annotated[bool, typer.Option("--reverse", help="Drive it in the opposite direction.")] = False,
    car: Annotated[str, typer.Option(help="Car model: deepracer or deepracer-v4.")] = "deepracer",
    number: Annotated[int, typer.Option("--laps", min=1, max=1000, help="Number of laps.")] = 3,
    driver: Annotated[str, typer.Option(help="Who drives.")] = "me",
    replay: Annotated[
        Path | None,
        typer.Option(metavar="FILE.replay", help="Where to record it (default: drive-TRACK.replay).", dir_okay=False),
    ] = None,
    ghost: Annotated[bool, typer.Option("--mark/--no-mark", help="Show the best lap known as a ghost.")] = True,
    penalty: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", min=0.0, max=60.0, help="Continue a lap after leaving the track, held so long."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the replay file.")] = False,
) -> None:
    """Drive yourself, in a window: arrow keys or w, a, s, d, or a gamepad.

    Up and down (the triggers) change the speed that the car is to drive, left
    and right (the left stick) steer. Leaving the track ends a lap, and the next
    one starts from the line. Esc ends the race. It is recorded like any other,
    verifies, and may enter the leaderboard.

    Examples:
      [cyan]racer drive[/cyan]
      [cyan]racer drive --track needle --laps 5 --driver Ada[/cyan]
    """
    target = replay or _free(f"drive-{Path(track).stem}")
    refuse_existing(target, force)
    with console.busy(console.loading("Loading the engine")):
        from racer.racing import RaceConditions, drive as race
        from racer.replay import mark_of, save_replay
        from racer.viewer import Cockpit

        course, model = mark.track_and_car(track, reverse, car)
        cockpit = Cockpit(course, model, number, mark_of(course, model) if ghost else None)
    try:
        done = race(cockpit, course, number, RaceConditions(model, penalty_s=penalty), name=driver)
    finally:
        cockpit.close()
    save_replay(done, target, overwrite=force)
    laps.show(done)
    mark.offer(done)
    console.note(f"Recorded {console.word(target)}: {console.command('racer', 'watch', target, '--mark')}")
    if done.completed_laps:
        console.note(f"Enter it: {console.command('racer', 'leaderboard', 'add', target, '--driver', driver)}")


def _free(name: str) -> Path:
    """A name for a replay that is not taken."""
    path, number = Path(f"{name}.replay"), 1
    while os.path.lexists(path):
        number += 1
        path = Path(f"{name}-{number}.replay")
    return path
