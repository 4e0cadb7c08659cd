"""`racer leaderboard` and `racer watch`: what was driven, who was faster, and how it looked."""

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from racer.cli import complete, console
from racer.cli.inputs import replay_file
from racer.errors import RacerError, ShelfError

if TYPE_CHECKING:
    from racer.leaderboard import Row

__all__ = ["board", "leaderboard_app", "watch"]

Database = Annotated[
    str | None,
    typer.Option(
        "--db",
        metavar="FILE|URL",
        help="A SQLite file or a database URL (default: $RACER_DB, else ./leaderboard.sqlite).",
    ),
]

leaderboard_app = typer.Typer(invoke_without_command=True, no_args_is_help=False)


@leaderboard_app.callback()
def leaderboard(
    context: typer.Context,
    track: Annotated[
        str | None, typer.Option(help="Show only the boards of this track.", autocompletion=complete.tracks)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV for a spreadsheet.")] = False,
    db: Database = None,
) -> None:
    """Show who drove which track how fast, best lap first; ties share a rank.

    The leaderboard trusts no one: it re-simulates a replay's actions and accepts
    only laps that reproduce. Each track, direction and car has a board of its own.

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
    if track is not None and not rows:
        _check_track_name(track, {row.entry.track for row in standings(db=db)})
    if json:
        console.print_json(as_records(rows))
    elif as_csv:
        records = as_records(rows)
        console.print_csv(list(records[0]) if records else [], [list(record.values()) for record in records])
    elif rows:
        board(rows)
    else:
        on = f" on {escape(track)}" if track else ""
        console.note(f"Nobody is on the board{on} yet: [cyan]racer leaderboard add REPLAY|RUN --driver NAME[/cyan]")


def _check_track_name(track: str, on_boards: set[str]) -> None:
    """Refuse a name that neither a board nor the shelf has.

    Raises:
        ShelfError: it is such a name.
    """
    from racer.shelf import did_you_mean, names

    known = on_boards | set(names("tracks"))
    if track not in known:
        raise ShelfError(f"there is no track {track!r}.{did_you_mean(track, known)} `racer list tracks` lists them.")


@leaderboard_app.command("add")
def add(
    replays: Annotated[
        list[str],
        typer.Argument(metavar="REPLAY|RUN...", help="Replay files or runs.", autocompletion=complete.replays_and_runs),
    ],
    driver: Annotated[
        str | None, typer.Option(help="Who drove, 1 to 40 characters (default: as the replay says).")
    ] = None,
    db: Database = None,
) -> None:
    """Enter replays on the leaderboard, after re-simulating them: only laps that reproduce are accepted.

    Of a run the replay of its best driver is entered. The same driver's name
    again is another try of that driver. Several replays are entered at once;
    those that are refused do not hinder the others.

    Examples:
      [cyan]racer leaderboard add fast.replay --driver Ada[/cyan]
      [cyan]racer leaderboard add fast --driver Ada --db club.sqlite[/cyan]
      [cyan]racer leaderboard add pupils/*.replay[/cyan]
    """
    from racer.leaderboard import add_all, standings

    files = [replay_file(given) for given in replays]
    with console.busy(console.loading("Driving again")):
        outcomes = add_all(files, driver, db)
    entered = [outcome for outcome in outcomes if not isinstance(outcome, RacerError)]
    boards = {entry.board for entry in entered}
    rows = [row for row in standings(db=db) if row.entry.board in boards] if entered else []
    board(rows)
    for outcome in outcomes:
        if isinstance(outcome, RacerError):
            console.error(str(outcome))
            continue
        ranks = [(row.rank, row.entry.driver) for row in rows if row.entry.board == outcome.board]
        rank = next(rank for rank, name in ranks if name == outcome.driver)
        console.note(
            f"Entered {escape(outcome.driver)} with {outcome.best_lap_ms / 1000.0:.3f} s on {escape(outcome.track)}: "
            f"[bold]rank {rank} of {len(ranks)}[/bold]"
        )
    if len(entered) < len(outcomes):
        raise typer.Exit(1)


def watch(
    replays: Annotated[
        list[str],
        typer.Argument(
            metavar="REPLAY|RUN...",
            help="Replay files or runs on one track; the first in focus.",
            autocompletion=complete.replays_and_runs,
        ),
    ],
    record: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a .png, .gif or .mp4 instead of opening a window."),
    ] = None,
    speed: Annotated[float, typer.Option(help="Playback speed, 0.25 to 8.")] = 1.0,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Window size in pixels, such as 1280x800.")] = None,
    camera: Annotated[bool, typer.Option("--camera", help="Show what the car's camera and LIDAR see, too.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the recorded file.")] = False,
) -> None:
    """Watch replays in a window: the car, its trail, laps, pedals and reward.

    Several replays of one track drive at once, the others as ghosts. Space
    pauses, arrows seek and change the speed, ? shows all the keys. A recording
    needs no screen.

    Examples:
      [cyan]racer watch first[/cyan]
      [cyan]racer watch first.replay classic.replay --speed 0.5[/cyan]
      [cyan]racer watch first.replay --record first.mp4[/cyan]
    """
    pixels = None if size is None else _size(size)
    from racer.replay import load_replay
    from racer.viewer import watch as show

    show(
        [load_replay(replay_file(given)) for given in replays],
        record,
        pixels,
        speed=speed,
        camera=camera,
        overwrite=force,
    )
    if record is not None:
        console.note(f"Recorded {escape(str(record))}")


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise typer.BadParameter(f"{text!r} is no size; write it as 1280x800", param_hint="--size")
    return int(width), int(height)


def board(rows: "list[Row]") -> None:
    """Print one table for each track, direction, car and physics."""
    columns = ["rank>", "driver", "best lap>", "gap>?", "mean speed>?", "laps>?", "tries>?", "when (UTC)?"]
    boards = [list(group) for _, group in groupby(rows, key=lambda row: row.entry.board)]
    titles = _titles(boards)
    for index, entries in enumerate(boards):
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
        console.show(console.table(columns, cells, titles[index]))


def _titles(boards: "list[list[Row]]") -> list[str]:
    """What each board is of; where two read alike, the digests of the road, car or physics in which they differ."""
    titles = []
    for rows in boards:
        entry, engines = rows[0].entry, sorted({row.entry.engine for row in rows})
        way = "" if entry.direction == "forward" else f" ({entry.direction})"
        titles.append(f"{entry.track}{way}, car {entry.car}, racer {', '.join(engines)}")
    digests = [
        [("road", row.entry.track_digest), ("car", row.entry.car_digest), ("physics", row.entry.physics)]
        for row, *_ in boards
    ]
    marked = []
    for title, own in zip(titles, digests, strict=True):
        alike = [other for other, text in zip(digests, titles, strict=True) if text == title]
        marks = [f"{name} {value[:6]}" for k, (name, value) in enumerate(own) if len({one[k] for one in alike}) > 1]
        marked.append(", ".join([title, *marks]))
    return marked
