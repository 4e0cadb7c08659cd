"""`racer list runs`: what was trained in this folder."""

from typing import Any

from rich.text import Text

from racer.cli import console
from racer.errors import RacerError

__all__ = ["list_runs"]


def list_runs(json: bool) -> None:
    """Print the runs in `./runs/`, newest first, on stdout."""
    records = _records()
    if json:
        console.print_json(records)
    elif records:
        columns = ["run", "tracks", "reward", "agent", "budget"]
        console.show(console.table(columns, [_cells(record) for record in records]))
    else:
        console.note("No run in this folder yet: [cyan]racer train --reward REWARD --name NAME[/cyan]")


def _records() -> list[dict[str, Any]]:
    from racer.training import RUNS, open_run, run_names

    records: list[dict[str, Any]] = []
    for name in run_names():
        try:
            plan = open_run(RUNS / name).plan
        except RacerError as error:
            records.append({"name": name, "problem": str(error)})
        else:
            facts = {key: getattr(plan, key) for key in ("tracks", "reward", "agent", "seed", "steps", "seconds")}
            records.append({"name": name, **facts, "problem": None})
    return records


def _cells(record: dict[str, Any]) -> list[str | Text]:
    if record["problem"] is not None:
        told = Text.assemble(("broken: ", "bold red"), record["problem"])
        return [Text(record["name"], style="red"), "", "", "", told]
    steps = record["steps"]
    budget = f"{record['seconds']:g} s" if steps is None else f"{steps:,} steps"
    return [record["name"], ", ".join(record["tracks"]), record["reward"], record["agent"], budget]
