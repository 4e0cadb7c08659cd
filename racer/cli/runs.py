"""`racer list runs`: what was trained in this folder; and runs by their names."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from racer.cli import console
from racer.errors import RacerError, RunError

if TYPE_CHECKING:
    from racer.training import Run

__all__ = ["known_run", "list_runs"]


def known_run(name: str, agent: str | None = None, reward: str | None = None) -> "Run":
    """The run of a name, with the files that the user names.

    Raises:
        RunError: there is none.
    """
    from racer.shelf import did_you_mean
    from racer.training import find_run, run_names

    found = find_run(name, agent, reward)
    if found is None:
        hint = did_you_mean(name, run_names())
        raise RunError(f"there is no run {name!r}.{hint} `racer list runs` lists them.")
    return found


def list_runs(json: bool) -> None:
    """Print the runs in `./runs/`, newest first, on stdout."""
    records = _records()
    if json:
        console.print_json(records)
    elif records:
        sound = [record for record in records if record["problem"] is None]
        columns = ["run", "best lap>", "laps>", "trained (local time)?", "tracks?", "reward?", "agent?", "budget>?"]
        if sound:
            console.show(console.table(columns, [_cells(record) for record in sound]))
        for record in records:
            if record["problem"] is not None:
                console.show(Text.assemble((record["name"], "red"), (" damaged: ", "bold red"), record["problem"]))
    else:
        command = console.command("racer", "train", "--reward", "REWARD", "--name", "NAME")
        console.note(f"No run in this folder yet: {command}")


def _records() -> list[dict[str, Any]]:
    from racer.training import RUNS, run_names

    return [_record(RUNS / name) for name in run_names()]


def _record(folder: Path) -> dict[str, Any]:
    """What is known about a run; a damaged one says what is wrong with it, and hides nothing of the others."""
    from racer.training import open_run, trained

    found: dict[str, Any] = {"name": folder.name}
    try:
        run = open_run(folder)
        config = run.config
        found |= {key: getattr(config, key) for key in ("reward", "agent", "seed", "steps", "seconds")}
        notes = run.notes() if run.best.exists() else {}
        found |= {"tracks": config.track_names, "budget": config.budget}
        found |= {key: notes.get(key) for key in ("best_lap_s", "completed")}
        found["trained"] = datetime.fromtimestamp(trained(folder)).astimezone().isoformat(timespec="seconds")
    except (RacerError, OSError) as error:
        return {"name": folder.name, "problem": str(error)}
    return found | {"problem": None}


def _cells(record: dict[str, Any]) -> list[str | Text]:
    lap, completed = record["best_lap_s"], record["completed"]
    return [
        record["name"],
        "" if lap is None else f"{lap:.3f} s",
        "" if completed is None else f"{completed:.0%}",
        record["trained"][:16].replace("T", " "),
        ", ".join(record["tracks"]),
        record["reward"],
        record["agent"],
        record["budget"],
    ]
