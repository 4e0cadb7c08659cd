"""`racer leaderboard`: who was faster, entries and what they came to."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from racer.cli import complete, console, laps as lap_tables, mark
from racer.cli.inputs import entry_file
from racer.cli.views import print_csv, show_view
from racer.errors import RacerError, ShelfError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from racer.leaderboard import Entry, Standings

__all__ = ["Database", "leaderboard_app", "on_db", "show_tables"]

Database = Annotated[
    str | None,
    typer.Option(
        "--db",
        metavar="FILE|URL",
        help="A SQLite file or a PostgreSQL URL (default: $RACER_DB, else ./leaderboard.sqlite).",
    ),
]
Team = Annotated[str | None, typer.Option(help="The team that the driver drives for from now on.")]

SHOWN = 20  # drivers of a board, where it is shown beside something else

leaderboard_app = typer.Typer(invoke_without_command=True, no_args_is_help=False)


@leaderboard_app.callback()
def leaderboard(
    context: typer.Context,
    track: Annotated[
        str | None, typer.Option(help="Show only the boards of this track.", autocompletion=complete.tracks)
    ] = None,
    board: Annotated[str | None, typer.Option(help="Show only this board, by its name or number (#3).")] = None,
    driver: Annotated[str | None, typer.Option(help="Show this driver's history on the boards.")] = None,
    teams: Annotated[bool, typer.Option("--teams", help="Rank teams by the mean of their drivers' times.")] = False,
    progress: Annotated[bool, typer.Option("--progress", help="Show who improved most.")] = False,
    laps: Annotated[bool, typer.Option("--laps", help="With --json or --csv: all laps of all entries.")] = False,
    first: Annotated[int | None, typer.Option(min=1, help="Show only so many drivers of each board.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV for a spreadsheet.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write one HTML page with the best laps to play.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the page.")] = False,
    db: Database = None,
) -> None:
    """Show who drove which track how fast, best lap first; ties share a rank.

    The leaderboard trusts no one: it re-simulates a replay's actions and
    accepts only laps that reproduce. Each track, direction and car has a board
    of its own. [cyan]racer leaderboard create[/cyan] makes a board with rules.

    Examples:
      [cyan]racer leaderboard --track harbor[/cyan]
      [cyan]racer leaderboard add fast.replay --driver Ada[/cyan]
      [cyan]racer leaderboard --csv > board.csv[/cyan]
      [cyan]racer leaderboard --board "Class 5b" --html class.html[/cyan]
    """
    if context.invoked_subcommand is not None:
        _refuse_options(context, context.invoked_subcommand)
        return
    forms = {"--json": json, "--csv": as_csv, "--markdown": markdown, "--html": html is not None}
    if sum(forms.values()) > 1:
        raise typer.BadParameter(f"choose one of {', '.join(name for name, chosen in forms.items() if chosen)}")
    from racer.leaderboard import as_markdown, as_records, save_page, standings
    from racer.sim import kernels_are_compiled

    views = {"--driver": driver is not None, "--teams": teams, "--progress": progress, "--laps": laps}
    if sum(views.values()) > 1:
        raise typer.BadParameter(f"choose one of {', '.join(name for name, chosen in views.items() if chosen)}")
    if any(views.values()) and (markdown or html):
        raise typer.BadParameter("Markdown and HTML show the boards themselves; leave out the other option")
    compiled = kernels_are_compiled()  # to say which physics is this racer's, it drives a short race
    with contextlib.nullcontext() if compiled else console.busy(console.loading("Loading the engine")):
        tables = standings(track, db, board=board, **({} if first is None else {"limit": first}))
    if track is not None and not tables:
        _check_track_name(track, {course.track for table in standings(db=db) for course in table.board.courses})
    if any(views.values()):
        show_view(tables, driver, teams, progress, (json, as_csv))
    elif json:
        console.print_json(as_records(tables))
    elif as_csv:
        print_csv(as_records(tables))
    elif markdown and tables:
        typer.echo(as_markdown(tables), nl=False)
    elif html is not None:
        save_page(tables, html, overwrite=force)
        console.note(f"Wrote {console.word(html)}; open it in a browser")
    elif tables:
        show_tables(tables)
    elif board is not None:
        enter = console.command("racer", "leaderboard", "submit", "FILE", "--board", board, *on_db(db))
        console.note(f"Nobody is on the board {console.word(board)} yet: {enter}")
    else:
        on = f" on {escape(track)}" if track else ""
        enter = console.command("racer", "leaderboard", "add", "RUN", "--driver", "NAME", *on_db(db))
        console.note(f"Nobody is on the board{on} yet: {enter}")


def on_db(db: str | None) -> list[str]:
    """The words of a command on the same leaderboard."""
    return [] if db is None else ["--db", db]


def _refuse_options(context: typer.Context, command: str) -> None:
    """Refuse options before the name of a command: they would count for nothing.

    Raises:
        BadParameter: there are some.
    """
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter(
                f"put it behind the command, if that takes it: racer leaderboard {command} ... {option.opts[0]}",
                param_hint=option.opts[0],
            )


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
    team: Team = None,
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
    _enter(replays, None, driver, team, db)


@leaderboard_app.command("submit")
def submit(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="REPLAY|MODEL|RUN...",
            help="Replay files, exported models, or runs.",
            autocompletion=complete.replays_and_runs,
        ),
    ],
    board: Annotated[
        str | None, typer.Option(help="Its name or number (default: the board open to all on the replay's track).")
    ] = None,
    driver: Annotated[
        str | None, typer.Option(help="Whose it is, 1 to 40 characters (default: as the file says).")
    ] = None,
    team: Team = None,
    db: Database = None,
) -> None:
    """Submit replays and models to a board with rules.

    A replay is driven again before it counts, and that time is the official one.
    A model, which [cyan]racer export[/cyan] makes, is driven by racer itself, with
    noise and from seeds that nobody knows beforehand.

    Examples:
      [cyan]racer leaderboard submit fast.replay --driver Ada --board "Class 5b"[/cyan]
      [cyan]racer leaderboard submit entries/* --board "Class 5b" --db club.sqlite[/cyan]
    """
    _enter(files, board, driver, team, db)


def _enter(files: list[str], board: str | None, driver: str | None, team: str | None, db: str | None) -> None:
    from racer.leaderboard import Board, add_all, standings

    outcomes: list[Entry | RacerError] = []

    paths = []
    for given in files:
        try:
            paths.append(entry_file(given))
        except RacerError as error:
            outcomes.append(error)
    if paths:
        with console.busy(console.loading("Driving again")):
            if board is None:
                outcomes += add_all(paths, driver, db, team=team)
            else:
                outcomes += Board.find(board, db).submit(paths, driver, team=team)
    entered = [outcome for outcome in outcomes if not isinstance(outcome, RacerError)]
    numbers = dict.fromkeys(entry.board_id for entry in entered)
    tables = {number: next(one for one in standings(db=db, board=f"#{number}") if one.current) for number in numbers}
    show_tables(list(tables.values()), SHOWN)
    for outcome in outcomes:
        if isinstance(outcome, RacerError):
            console.error(str(outcome))
            continue
        rows = tables[outcome.board_id].rows
        rank = next(row.rank for row in rows if row.entry.driver == outcome.driver)
        console.note(
            f"Entered {escape(outcome.driver)} with {outcome.time_ms / 1000.0:.3f} s on {escape(outcome.board)}: "
            f"[bold]rank {rank} of {len(rows)}[/bold]"
        )
    for path in paths:
        mark.offer_file(path)
    if len(entered) < len(outcomes):
        raise typer.Exit(1)


def show_tables(tables: Sequence[Standings], most: int | None = None) -> None:
    """Print one table for each board and physics, of its first `most` drivers."""
    from racer.leaderboard import ranked_by, shares_of_mark

    for index, (table, title) in enumerate(zip(tables, _titles(tables), strict=True)):
        with_teams = any(row.entry.team for row in table.rows)
        columns = [
            "rank>",
            "driver",
            *(["team?"] if with_teams else []),
            f"{ranked_by(table.board)}>",
            "of the mark>?",
            "gap>?",
        ]
        columns += ["mean speed>?", "laps>?", "tries>?", "when (UTC)?"]
        cells = [
            [
                str(row.rank),
                row.entry.driver + (f" (as {row.entry.copy_of})" if row.entry.copy_of else ""),
                *([row.entry.team or ""] if with_teams else []),
                f"{row.entry.time_ms / 1000.0:.3f} s",
                lap_tables.percent(share),
                f"+{row.gap_ms / 1000.0:.3f}" if row.gap_ms else "",
                f"{row.entry.mean_speed_mps:.2f} m/s",
                str(row.entry.laps),
                str(row.attempts),
                row.entry.submitted[:16].replace("T", " "),
            ]
            for row, share in list(zip(table.rows, shares_of_mark(table), strict=True))[:most]
        ]
        if index:
            console.show("")
        console.show(console.table(columns, cells, title))
        if len(cells) < len(table.rows):
            console.show(f"… and {len(table.rows) - len(cells)} more")


def _titles(tables: Sequence[Standings]) -> list[str]:
    """What each table is of; where two read alike, the digests of the road, car or physics in which they differ."""
    titles, digests = [], []
    for table in tables:
        board, engines = table.board, sorted({row.entry.engine for row in table.rows})
        named = "" if board.open_to_all else f"{board.name}: "
        closed = "" if board.state == "open" else f" ({board.state})"
        old = "" if table.current else " (earlier physics: `racer leaderboard reverify`)"
        tracks = ", ".join(map(str, board.courses))
        titles.append(f"{named}{tracks}, car {board.car}, racer {', '.join(engines)}{closed}{old}")
        roads = "".join(course.track_digest[:6] for course in board.courses[:1])
        digests.append([("road", roads), ("car", board.car_digest), ("physics", table.physics)])
    marked = []
    for title, own in zip(titles, digests, strict=True):
        alike = [other for other, text in zip(digests, titles, strict=True) if text == title]
        marks = [f"{name} {value[:6]}" for k, (name, value) in enumerate(own) if len({one[k] for one in alike}) > 1]
        marked.append(", ".join([title, *marks]))
    return marked
