"""`racer list`, `import-track`, `new-track` and `new`: what lies on the shelves, and how it gets there."""

import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import RenderableType
from rich.markup import escape
from rich.text import Text

from racer import shelf
from racer.cli import complete, console, inputs, runs
from racer.errors import RacerError

if TYPE_CHECKING:
    from racer.track import Track

__all__ = ["import_track", "list_shelves", "new", "new_track"]

SEEDS = 1_000_000  # one of so many is drawn if none is given: few digits to note down
ORIGINS = {"folder": "your folder", "racer": "racer"}


class Kind(StrEnum):
    """What `racer list` can list."""

    TRACKS = "tracks"
    REWARDS = "rewards"
    AGENTS = "agents"
    RULES = "rules"
    RUNS = "runs"


SHELF_OF = {Kind.TRACKS: "tracks", Kind.REWARDS: "reward_functions", Kind.AGENTS: "agents", Kind.RULES: "rules"}
HEADINGS = {Kind.REWARDS: "idea", Kind.AGENTS: "what it does", Kind.RULES: "how it is raced"}


def list_shelves(
    kind: Annotated[
        Kind | None,
        typer.Argument(metavar="SHELF", help="tracks, rewards, agents, rules, or the runs here."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Also draw all tracks on one sheet.", dir_okay=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the picture.")] = False,
) -> None:
    """List tracks, rewards, agents and rulebooks: yours (from this folder) and racer's.

    A file that you put into tracks/, reward_functions/, agents/ or rules/ here
    is found by its name, and goes before racer's own of the same name. A broken
    file is marked with the line that is wrong.

    Examples:
      [cyan]racer list[/cyan]                            everything
      [cyan]racer list rewards[/cyan]                    one shelf, one idea per line
      [cyan]racer list tracks --plot tracks.png[/cyan]   the maps of all tracks
      [cyan]racer list runs[/cyan]                       what was trained in this folder
    """
    if plot is not None and kind not in (None, Kind.TRACKS):
        raise typer.BadParameter("only tracks can be drawn: racer list tracks --plot FILE.png", param_hint="--plot")
    inputs.new_picture(plot, force)
    if kind is Kind.RUNS:
        runs.list_runs(json)
        return
    kinds = list(SHELF_OF) if kind is None else [kind]
    records = {each: _records(each) for each in kinds}
    if json:
        console.print_json(records[kind] if kind is not None else {each.value: records[each] for each in kinds})
    else:
        for index, each in enumerate(kinds):
            if index:
                console.show("")
            console.show(_table(each, records[each], title=each.value if kind is None else None))
    if plot is not None:
        from racer.viewer.plot import contact_sheet

        contact_sheet([record["path"] for record in records[Kind.TRACKS] if _usable(record)], plot)
        console.note(f"Drew the tracks in {escape(str(plot))}")


def import_track(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A racer or TUM .csv, or a DeepRacer route .npy.",
            autocompletion=complete.track_files,
        ),
    ],
    name: Annotated[str | None, typer.Option(help="Its name on your shelf (default: the file's own).")] = None,
    scale: Annotated[float, typer.Option(help="Multiply all lengths, by 0.1 for a full-size circuit.")] = 1.0,
    width: Annotated[
        float | None, typer.Option(help="Width of the road in metres, for files that have none or another one.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a track of that name.")] = False,
) -> None:
    """Check a track file and put it on your shelf, ./tracks/.

    Reads racer's and TUM's .csv (F1TENTH's centre lines too) and DeepRacer's
    route .npy. A border that folds inside a tight bend loses its loop, and a
    ring whose first row is not repeated is closed; the command says so.

    Examples:
      [cyan]racer import-track Downloads/reinvent_base.npy[/cyan]
      [cyan]racer import-track Norisring.csv --scale 0.1 --name norisring[/cyan]
      [cyan]racer import-track line.csv --scale 0.1 --width 1[/cyan]   rows of x and y alone
    """
    inputs.expect("a track", file, "route")
    from racer.track import read_track, shelve, suffix_of

    track = read_track(file, name, scale=scale, width=width)
    stored = shelve(track, "tracks", suffix_of(track, file), overwrite=force)
    for note in track.notes:
        console.note(f"Mended: {escape(note)}.")
    _show_stored(track, stored)


def new_track(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Its name (default: random-SEED).")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Random seed, a whole number (default: drawn and printed).")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Also draw it into a picture.", dir_okay=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a track of that name, and the picture.")] = False,
) -> None:
    """Make a random track and put it on your shelf, ./tracks/.

    A closed circuit of 12 to 70 m with bends to both sides, checked like any
    other track. A seed always gives the same track.

    Examples:
      [cyan]racer new-track[/cyan]                               any one
      [cyan]racer new-track --seed 7 --plot random-7.png[/cyan]  that one, and its picture
      [cyan]racer new-track sunday --seed 7[/cyan]               under a name of your own
    """
    import dataclasses
    import secrets

    inputs.new_picture(plot, force)
    from racer.track import make_track, shelve

    chosen = secrets.randbelow(SEEDS) if seed is None else seed
    track = make_track(chosen)
    track = dataclasses.replace(track, name=track.name if name is None else name)
    stored = shelve(track, overwrite=force)
    _show_stored(track, stored)
    if seed is None:
        console.note(f"The same one again: {console.command('racer', 'new-track', '--seed', str(chosen))}")
    if plot is not None:
        from racer.viewer.plot import contact_sheet

        contact_sheet([stored], plot)
        console.note(f"Drew it in {escape(str(plot))}")


def _show_stored(track: "Track", stored: Path) -> None:
    from racer.track import track_summary

    facts = track_summary(track)
    console.show(
        Text(
            f"{stored}: {facts['length_m']:.2f} m long, {facts['width_m']:.2f} m wide, "
            f"{facts['turns']} turns, {facts['difficulty']}, {facts['direction']}"
        )
    )
    if track.closed:
        console.note(f"Train on it: {console.command('racer', 'train', '--track', track.name)}")
    else:
        gap = math.dist(track.center[0], track.center[-1])
        console.note(
            f"It is open: its last row is {gap:.2f} m from its first. Racer trains and races on closed tracks: to "
            "close it, add rows that lead back to the first, repeat that as the last, and import it again with --force."
        )


def new(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder; it is made if missing.", file_okay=False)],
) -> None:
    """Start a folder of your own: a shelf for each kind of file, with an example, and a guide.

    Nothing that is there already is touched.

    Examples:
      [cyan]racer new my-racing[/cyan]
      [cyan]cd my-racing[/cyan]
      [cyan]racer train --reward my_reward[/cyan]
    """
    from racer.shelf import scaffold

    for path in scaffold(folder):
        console.show(Text(str(path)))
    here = folder.resolve() == Path.cwd()
    console.note(
        f"Next: {'' if here else console.command('cd', folder) + ', '}open "
        f"[bold]reward_functions/my_reward.py[/bold], then {console.command('racer', 'check', 'my_reward')}"
    )


def _records(kind: Kind) -> list[dict[str, Any]]:
    """What is known of each entry of a shelf, the default one first."""
    name = SHELF_OF[kind]
    records = []
    for entry in shelf.entries(name):
        record: dict[str, Any] = {"name": entry.name, "default": False}
        problem = entry.problem
        if kind is Kind.TRACKS:
            facts, problem = _track_facts(entry)
            record |= facts
        else:
            record["summary"] = entry.summary
        if kind is Kind.RULES and entry.origin == "folder":
            problem = problem or _rules_problem(entry)
        record |= {
            "origin": entry.origin,
            "path": str(entry.path),
            "shadowed": entry.shadowed,
            "problem": problem,
        }
        record["default"] = entry.name == shelf.DEFAULTS[name] and not entry.shadowed
        records.append(record)
    return sorted(records, key=_order)


def _track_facts(entry: shelf.Entry) -> tuple[dict[str, Any], str | None]:
    from racer.track import load_track, track_summary

    try:
        # Racer's own are known to be sound, so that a list of them loads no library for their shape.
        track = load_track(entry.path, check_shape=entry.origin == "folder")
        return track_summary(track), entry.problem
    except RacerError as error:
        unknown = ("length_m", "width_m", "width_min_m", "width_max_m", "turns", "difficulty", "direction")
        return {"name": entry.name, "title": entry.summary, **dict.fromkeys(unknown), "about": ""}, str(error)


def _rules_problem(entry: shelf.Entry) -> str | None:
    from racer.racing import load_rulebook

    try:
        load_rulebook(entry.path)
    except RacerError as error:
        return str(error)
    return None


def _order(record: dict[str, Any]) -> tuple[bool, bool, int, float, str]:
    """Default first, broken last, tracks from easy to hard and short to long, others by name."""
    from racer.track import DIFFICULTIES

    difficulty = record.get("difficulty")
    rank = DIFFICULTIES.index(difficulty) if difficulty in DIFFICULTIES else len(DIFFICULTIES)
    length = record.get("length_m") or 0.0
    return not record["default"], record["problem"] is not None, rank, length, record["name"]


def _usable(record: dict[str, Any]) -> bool:
    return record["problem"] is None and not record["shadowed"]


def _table(kind: Kind, records: list[dict[str, Any]], title: str | None) -> RenderableType:
    rows: list[list[str | Text]]
    if kind is Kind.TRACKS:
        columns = ["name", "length>", "width>?", "turns>?", "difficulty", "from?", ""]
        rows = [[_name(record), *_sizes(record), ORIGINS[record["origin"]], _remark(record)] for record in records]
    else:
        columns = ["name", "from?", HEADINGS[kind]]
        rows = [[_name(record), ORIGINS[record["origin"]], _remark(record)] for record in records]
    return console.table(columns, rows, title)


def _sizes(record: dict[str, Any]) -> list[str]:
    if record["problem"] is not None:
        return ["", "", "", ""]
    narrow, wide = record["width_min_m"], record["width_max_m"]
    width = f"{record['width_m']:.2f} m" if wide - narrow < 0.05 else f"{narrow:.2f}-{wide:.2f} m"
    return [f"{record['length_m']:.1f} m", width, str(record["turns"]), record["difficulty"]]


def _name(record: dict[str, Any]) -> Text:
    if record["problem"] is not None:
        return Text(record["name"], style="red")
    return Text(record["name"], style="dim" if record["shadowed"] else "bold" if record["default"] else "")


def _remark(record: dict[str, Any]) -> Text:
    summary = record.get("summary") or record.get("about") or ""
    if record["problem"] is not None:
        return Text.assemble(("broken: ", "bold red"), record["problem"])
    if record["shadowed"]:
        return Text.assemble(("shadowed ", "yellow"), (f"by your {record['name']} ", "dim"), (summary, "dim"))
    return Text.assemble(("default: " if record["default"] else "", "bold green"), summary)
