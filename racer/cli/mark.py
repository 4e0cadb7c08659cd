"""`racer mark`: the best lap known of a track, which other laps are measured by."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from racer.cli import complete, console
from racer.cli.inputs import new_picture
from racer.errors import RacerError
from racer.shelf import DEFAULTS, refuse_existing

if TYPE_CHECKING:
    from racer.replay import Replay
    from racer.sim import Car
    from racer.track import Track

__all__ = ["mark", "offer", "offer_file", "track_and_car"]


def mark(
    track: Annotated[str, typer.Option(help="Track.", autocompletion=complete.tracks)] = DEFAULTS["tracks"],
    reverse: Annotated[bool, typer.Option("--reverse", help="Drive it in the opposite direction.")] = False,
    car: Annotated[str, typer.Option(help="Car model: deepracer or deepracer-v4.")] = "deepracer",
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw it: a .png, .svg or .pdf file.", dir_okay=False),
    ] = None,
    replay: Annotated[Path | None, typer.Option(metavar="FILE.replay", help="Copy its replay.", dir_okay=False)] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print its line: place, speed and commands, as CSV.")] = False,
    every: Annotated[
        float | None,
        typer.Option(metavar="METRES", min=0.001, help="With --csv: distance of the rows (default: the waypoints)."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Search for a quarter of the time, for a slower mark.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Search again; only a faster lap replaces the mark.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files.")] = False,
) -> None:
    """Show the mark: the best lap known of a track, in a direction and with a car.

    Lap times are reported in percent of it: 100 % is as fast. Marks of racer's
    own tracks come with it; those of other tracks are searched for when they
    are first asked for, which takes up to a minute, and then kept. A lap of
    anyone that verifies and is faster becomes the mark.

    With --csv, each row is a place along the lap: x and y are those of
    [cyan]params[/cyan], a row belongs to the waypoint of the same number.

    Examples:
      [cyan]racer mark --track harbor --out mark.png[/cyan]
      [cyan]racer mark --track harbor --csv > harbor_line.csv[/cyan]
      [cyan]racer mark --track dune --reverse --replay mark.replay[/cyan]
    """
    if json and as_csv:
        raise typer.BadParameter("choose one of --json and --csv")
    new_picture(out, force)
    if replay is not None:
        refuse_existing(replay, force)
    with console.busy(console.loading("Looking for the mark")):
        from racer.replay import best_clean_lap, mark_of

        course, model = track_and_car(track, reverse, car)
        known = mark_of(course, model)
    if known is None or again:
        known = _found(course, model, known, quick)
    lap = best_clean_lap(known)
    assert lap is not None
    if out is not None:
        from racer.viewer.plot import draw_mark

        draw_mark(known, lap, out)
    if replay is not None:
        from racer.replay import save_replay

        save_replay(known, replay, overwrite=force)
    if as_csv:
        _print_line(known, every)
    elif json:
        console.print_json(_record(known))
    else:
        _show(known, course)
    for written, word in ((out, "Drew"), (replay, "Copied")):
        if written is not None:
            console.note(f"{word} {console.word(written)}")


def track_and_car(track: str, reverse: bool, car: str) -> tuple[Track, Car]:
    """What is driven, by the names on the command line.

    Raises:
        BadParameter: there is no such car.
        ShelfError, TrackError: there is no such track, or it is broken.
    """
    from racer.sim import CARS
    from racer.track import load_track

    if car not in CARS:
        raise typer.BadParameter(f"{car!r} is no car; choose one of {', '.join(CARS)}", param_hint="--car")
    course = load_track(track)
    return course.reverse() if reverse else course, CARS[car]


def offer(race: Replay, *, hint: bool = True) -> None:
    """Let a race become the mark if its best lap beats the one known, and say so.

    Args:
        race: any.
        hint: whether to say how to find a mark where none is known.
    """
    from racer.replay import best_clean_lap, keep_mark, mark_of
    from racer.sim import CARS

    known, lap = mark_of(race.track, race.car), best_clean_lap(race)
    if known is None and hint and CARS.get(race.car.name) == race.car:
        words = ["racer", "mark", "--track", race.track.name, *(["--reverse"] if race.track.reversed else [])]
        words += [] if race.car.name == next(iter(CARS)) else ["--car", race.car.name]
        console.note(f"How fast could it be? Find the mark of this track: {console.command(*words)}")
    before = known and best_clean_lap(known)
    try:
        if keep_mark(race) and before and lap:
            faster = before.time_s - lap.time_s
            console.note(f"[bold green]A new mark:[/bold green] {lap.time_s:.3f} s, {faster:.3f} s faster")
    except RacerError as error:  # the race is as good without
        console.note(f"[yellow]Faster than the mark, but it cannot be kept:[/yellow] {escape(str(error))}")


def offer_file(path: Path) -> None:
    """The same with a file that has just been entered somewhere; what is no replay, or none that verifies, is none."""
    from racer.replay import is_replay, load_replay

    if is_replay(path):
        offer(load_replay(path), hint=False)


def _found(track: Track, car: Car, known: Replay | None, quick: bool) -> Replay:
    """Search for the mark, with a bar, and keep what is found if it beats what is known."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from racer.racing import find_lap
    from racer.replay import keep_mark, marks_folder

    way = " (reverse)" if track.reversed else ""
    name = f"{track.name}{way} with the car {car.name}"
    if known is None:
        console.note(f"No mark of {escape(name)} is known yet. It is searched for, up to a minute, and kept.")
    console.note(console.loading("Searching", "planning"))
    columns = (TextColumn("Searching"), BarColumn(bar_width=None), TimeElapsedColumn())
    with Progress(*columns, console=console.messages(), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=1.0)
        race = find_lap(track, car, on_progress=lambda share: bar.update(task, completed=share), quick=quick)
    if keep_mark(race, first=True):
        console.note(f"Kept in {console.word(marks_folder())}")
        return race
    if known is not None:
        console.note("Nothing faster was found.")
    return known or race


def _record(mark: Replay) -> dict[str, Any]:
    from racer.replay import best_clean_lap

    lap = best_clean_lap(mark)
    assert lap is not None
    return {
        "track": mark.track.name,
        "direction": "reverse" if mark.track.reversed else "forward",
        "length_m": round(mark.track.length, 3),
        "car": mark.car.name,
        "driver": mark.driver,
        "mark_s": round(lap.time_s, 3),
        "mean_speed_mps": round(mark.drives[0].mean_speed_mps(lap), 3),
        "created": mark.created,
        "physics": mark.physics,
        "track_digest": mark.track.digest[:12],
    }


def _show(mark: Replay, track: Track) -> None:
    record = _record(mark)
    row = [
        f"{record['mark_s']:.3f} s",
        f"{record['mean_speed_mps']:.2f} m/s",
        record["driver"],
        record["car"],
        record["created"][:16].replace("T", " "),
    ]
    way = " (reverse)" if track.reversed else ""
    columns = ["lap>", "mean speed>", "driven by", "car?", "found (UTC)?"]
    console.show(console.table(columns, [row], f"The mark of {track.name}{way}, {track.length:.1f} m"))


def _print_line(mark: Replay, every: float | None) -> None:
    import numpy as np

    from racer.replay import LINE_COLUMNS, best_clean_lap, line_of

    lap = best_clean_lap(mark)
    assert lap is not None
    at = mark.track.s[:-1] if every is None else np.arange(0.0, mark.track.length, every)
    rows = line_of(mark, lap, at).tolist()
    console.print_csv(LINE_COLUMNS, [[round(value, 4) for value in row] for row in rows])
