"""`racer.show`: laps in a notebook, by the player of racer's pages."""

from __future__ import annotations

import builtins
import os
from pathlib import Path

from racer.errors import ReplayError
from racer.replay import Replay, is_replay, load_replay
from racer.training import Run, find_run

__all__ = ["show"]


def show(what: Replay | Run | str | Path) -> Replay | Run | None:
    """Show a race in a notebook: its road, and its laps to play.

    Args:
        what: a replay or a run, or the name or the file of one. Of a run the best driver's laps are shown.

    Returns:
        In a notebook None: it is shown. Elsewhere the replay or the run, which shows itself where a notebook meets it.

    Raises:
        RacerError: there is no such replay or run, or it is damaged.
    """
    found = what if isinstance(what, Replay | Run) else _found(what)
    display = getattr(builtins, "display", None)  # IPython's, where it runs
    if display is None:
        return found
    display(found)
    return None


def _found(what: str | Path) -> Replay | Run:
    run = find_run(os.fspath(what))
    if run is not None:
        return run
    if Path(what).is_file() and is_replay(Path(what)):
        return load_replay(what)
    raise ReplayError(f"{os.fspath(what)!r} is no replay and no run; `racer list runs` lists the runs")
