"""`racer leaderboard` and `racer watch`: what was driven, who was faster, and how it looked."""

import csv
import sys
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from racer.cli import complete, console

if TYPE_CHECKING:
    from racer.leaderboard import Row

__all__ = ["board", "leaderboard_app", "watch"]

Database = Annotated[
    str | None,
    typer.Option(
        "--db",
        metavar="FILE|URL",
        help="A SQLite file or a database URL; $RACER_DB or ./leaderboard.sqlite if left out.",
    ),
]

leaderboard_app = typer.Typer(invoke_without_command=True, no_args_is_help=False)


@leaderboard_app.callback()
def leaderboard(
    context: typer.Context,
    track: Annotated[
        str | None, typer.Option(help="Only the boards of this track.", autocompletion=complete.tracks)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV for a spreadsheet.")] = False,
    db: Database = None,
) -> None:
    """Show who drove which track how fast, best lap first; ties share a rank.

    A replay gets on the board only if driving its actions again gives the same
    laps, so a time cannot be made up.

    Examples:
      [cyan]racer leaderboard --track harbor[/cyan]
      [cyan]racer leaderboard add fast.replay --driver Ada[/cyan]
      [cyan]racer leaderboard --csv > board.csv[/cyan]
    """
    if context.invoked_subcommand is not None:
        return
    if json and as_csv:
        raise typer.BadParameter("choose one of --json and --csv")
    from racer.leaderboard import as_records, standings

    rows = standings(track, db)
    if json:
        console.print_json(as_records(rows))
    elif as_csv:
        _print_csv(as_records(rows))
    elif rows:
        board(rows)
    else:
        on = f" on {escape(track)}" if track else ""
        console.note(f"Nobody is on the board{on} yet: [cyan]racer leaderboard add REPLAY --driver NAME[/cyan]")


@leaderboard_app.command("add")
def add(
    replay: Annotated[Path, typer.Argument(metavar="REPLAY", help="A replay file.", autocompletion=complete.replays)],
    driver: Annotated[str, typer.Option(help="Who drove: 1 to 40 characters.")],
    db: Database = None,
) -> None:
    """Enter a replay on the board, after driving it again to see that it is true.

    The same name again is another try of the same driver.

    Examples:
      [cyan]racer leaderboard add fast.replay --driver Ada[/cyan]
      [cyan]racer leaderboard add lap.replay --driver Ada --db club.sqlite[/cyan]
    """
    from racer.leaderboard import add as enter, standings

    entry = enter(replay, driver, db)
    rows = [row for row in standings(entry.track, db) if row.entry.track_digest == entry.track_digest]
    board(rows)
    rank = next(row.rank for row in rows if row.entry.driver == entry.driver)
    console.note(
        f"Entered {escape(entry.driver)} with {entry.best_lap_ms / 1000.0:.3f} s on {escape(entry.track)}: "
        f"[bold]rank {rank} of {len(rows)}[/bold]"
    )


def watch(
    replays: Annotated[
        list[Path],
        typer.Argument(metavar="REPLAY", help="Of one track; the first in focus.", autocompletion=complete.replays),
    ],
    record: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw a .png, .gif or .mp4 instead of opening a window."),
    ] = None,
    speed: Annotated[float, typer.Option(help="Pace: 0.25 to 8.")] = 1.0,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Pixels, such as 1280x800.")] = None,
    camera: Annotated[bool, typer.Option("--camera", help="Show what the car's camera and LIDAR see, too.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file to record.")] = False,
) -> None:
    """Watch replays in a window: the car, its trail, laps, pedals and reward.

    Several replays of one track drive at once, the others as ghosts. Space
    pauses, arrows seek and change the speed, ? shows all the keys. A recording
    needs no screen.

    Examples:
      [cyan]racer watch first.replay[/cyan]
      [cyan]racer watch first.replay classic.replay --speed 0.5[/cyan]
      [cyan]racer watch first.replay --record first.mp4[/cyan]
    """
    pixels = None if size is None else _size(size)
    from racer.replay import load_replay
    from racer.viewer import watch as show

    show([load_replay(path) for path in replays], record, pixels, speed=speed, camera=camera, overwrite=force)
    if record is not None:
        console.note(f"Recorded {escape(str(record))}")


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise typer.BadParameter(f"{text!r} is no size; write it as 1280x800", param_hint="--size")
    return int(width), int(height)


def board(rows: "list[Row]") -> None:
    """Print one table for each track and direction."""
    columns = ["rank>", "driver", "best lap>", "gap>", "mean speed>", "laps>", "tries>", "when"]
    boards = groupby(rows, key=lambda row: (row.entry.track, row.entry.direction, row.entry.track_digest))
    for index, ((track, direction, _), group) in enumerate(boards):
        entries = list(group)
        fastest = entries[0].entry.best_lap_ms
        cells = [
            [
                str(row.rank),
                row.entry.driver,
                f"{row.entry.best_lap_ms / 1000.0:.3f} s",
                f"+{(row.entry.best_lap_ms - fastest) / 1000.0:.3f}" if row.entry.best_lap_ms > fastest else "",
                f"{row.entry.mean_speed_mps:.2f} m/s",
                str(row.entry.laps),
                str(row.attempts),
                row.entry.submitted[:16].replace("T", " "),
            ]
            for row in entries
        ]
        if index:
            console.show("")
        title = track if direction == "forward" else f"{track} ({direction})"
        console.show(console.table(columns, cells, title))


def _print_csv(records: list[dict[str, Any]]) -> None:
    if records:
        writer = csv.DictWriter(sys.stdout, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
