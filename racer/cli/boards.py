"""The commands of `racer leaderboard` that make boards, and what a teacher does to them."""

from collections.abc import Callable
from typing import Annotated

import typer
from rich.markup import escape

from racer.cli import complete, console
from racer.cli.leaderboard import Database, on_db

__all__ = ["COMMANDS"]

Name = Annotated[str, typer.Argument(metavar="BOARD", help="Its name, or its number such as #3.")]
MaybeName = Annotated[str | None, typer.Argument(metavar="BOARD", help="Its name, or its number such as #3.")]
Driver = Annotated[str | None, typer.Option(help="Only this driver's entries on the board.")]
EntryNumber = Annotated[int | None, typer.Option("--entry", help="Only the entry of this number.")]
Who = Annotated[str | None, typer.Option("--by", help="Who does it, for the log (default: this computer's user).")]


def create(
    name: Annotated[str, typer.Argument(help="What the board is called.")],
    rules: Annotated[
        str, typer.Option(help="Rulebook: a name from the shelf or a file.", autocompletion=complete.rules)
    ] = "league",
    who: Who = None,
    db: Database = None,
) -> None:
    """Make a board with rules of its own: who enters drives by them, on their tracks, with their car.

    Examples:
      [cyan]racer leaderboard create "Class 5b" --rules league[/cyan]
      [cyan]racer leaderboard create "Spring cup" --rules rules/spring.toml --db club.sqlite[/cyan]
    """
    from racer.leaderboard import Board

    board = Board.create(name, rules, db=db, who=who)
    enter = console.command("racer", "leaderboard", "submit", "FILE", "--board", board.name, *on_db(db))
    console.note(
        f"Made the board {console.word(board.name)} by the rules {escape(board.rulebook.title)}; enter with {enter}"
    )


def boards(
    removed: Annotated[bool, typer.Option("--removed", help="List removed ones, too.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    db: Database = None,
) -> None:
    """List the boards: tracks, car, rules and state of each.

    Examples:
      [cyan]racer leaderboard boards[/cyan]
    """
    from racer.leaderboard import Board, ranked_by
    from racer.racing import rulebook_as_json

    found = Board.all(db, removed=removed)
    if json:
        console.print_json(
            [
                {
                    "id": board.id,
                    "name": board.name,
                    "state": board.state,
                    "tracks": [vars(course) for course in board.courses],
                    "car": board.car,
                    "digest": board.digest,
                    "open_to_all": board.open_to_all,
                    "opens": board.opens,
                    "closes": board.closes,
                    "created": board.created,
                    "rules": rulebook_as_json(board.rulebook),
                }
                for board in found
            ]
        )
        return
    rows = [
        [
            f"#{one.id}",
            one.name,
            one.state,
            ", ".join(map(str, one.courses)),
            one.car,
            ranked_by(one),
            one.rulebook.title,
        ]
        for one in found
    ]
    console.show(console.table(["number>", "board", "state", "tracks", "car?", "ranked by?", "rules?"], rows))


def reverify(
    board: Annotated[str | None, typer.Option(help="Only this board, by its name or number.")] = None,
    everything: Annotated[
        bool, typer.Option("--everything", help="Drive all entries again, not only those of an earlier physics.")
    ] = False,
    who: Who = None,
    db: Database = None,
) -> None:
    """Drive entries of an earlier physics again; those that hold rank with this racer's from now on.

    The others are kept as they are, in the table of the physics they were driven
    with.

    Examples:
      [cyan]racer leaderboard reverify[/cyan]
      [cyan]racer leaderboard reverify --board "Class 5b" --everything[/cyan]
    """
    from racer.leaderboard import Board

    chosen = Board.all(db) if board is None else [Board.find(board, db)]
    held = failed = 0
    for one in console.progress(chosen, len(chosen), "Driving again"):
        for outcome in one.reverify(everything=everything, who=who):
            if outcome.time_ms is None:
                failed += 1
                entry = f"Entry {outcome.entry.id} of {escape(outcome.entry.driver)} on {escape(one.name)}"
                console.note(f"{entry} stays as it is: {escape(outcome.reason)}")
            else:
                held += 1
    console.note(f"{held + failed} entries driven again: {held} hold, {failed} do not")


def close(board: Name, who: Who = None, db: Database = None) -> None:
    """Close a board: it stays, and takes no more entries.

    Examples:
      [cyan]racer leaderboard close "Class 5b" --by "Ms Frizzle"[/cyan]
    """
    from racer import leaderboard

    leaderboard.close(board, db=db, who=who)
    opens = console.command("racer", "leaderboard", "restore", board, *on_db(db))
    console.note(f"Closed {console.word(board)}; {opens} opens it")


def remove(
    board: MaybeName = None, driver: Driver = None, entry: EntryNumber = None, who: Who = None, db: Database = None
) -> None:
    """Take a board, a driver or an entry off the leaderboard; `restore` takes that back.

    Examples:
      [cyan]racer leaderboard remove "Class 5b" --driver Mallory --by "Ms Frizzle"[/cyan]
      [cyan]racer leaderboard remove --entry 17[/cyan]
    """
    from racer import leaderboard

    count = leaderboard.remove(board, driver=driver, entry=entry, db=db, who=who)
    console.note(f"Removed {_what(board, count)}; `racer leaderboard restore` with the same words takes that back")


def restore(
    board: MaybeName = None, driver: Driver = None, entry: EntryNumber = None, who: Who = None, db: Database = None
) -> None:
    """Take back what was removed, or open a board again that was closed.

    Examples:
      [cyan]racer leaderboard restore "Class 5b"[/cyan]
      [cyan]racer leaderboard restore --entry 17[/cyan]
    """
    from racer import leaderboard

    count = leaderboard.restore(board, driver=driver, entry=entry, db=db, who=who)
    console.note(f"Restored {_what(board, count)}")


def rename(
    old: Annotated[str, typer.Argument(help="A board, or with --driver a driver.")],
    new: Annotated[str, typer.Argument(help="The new name.")],
    driver: Annotated[bool, typer.Option("--driver", help="Rename a driver, on all boards.")] = False,
    who: Who = None,
    db: Database = None,
) -> None:
    """Give a board or a driver another name.

    Examples:
      [cyan]racer leaderboard rename "Class 5b" "Class 6b"[/cyan]
      [cyan]racer leaderboard rename --driver xXx "Ada L"[/cyan]
    """
    from racer import leaderboard

    (leaderboard.rename_driver if driver else leaderboard.rename)(old, new, db=db, who=who)
    console.note(f"Renamed {console.word(old)} to {console.word(new)}")


def log(
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False, db: Database = None
) -> None:
    """Show who did what to the leaderboard, and when.

    Examples:
      [cyan]racer leaderboard log[/cyan]
    """
    from racer.leaderboard import history

    found = history(db)
    if json:
        console.print_json([vars(action) for action in found])
    elif found:
        rows = [[one.moment[:16].replace("T", " "), one.who, one.action, one.subject, one.note] for one in found]
        console.show(console.table(["when (UTC)", "who", "what", "to", "more?"], rows))
    else:
        console.note("Nothing was done to the boards yet but to enter races")


def _what(board: str | None, count: int) -> str:
    """What was removed or restored, in markup."""
    entries = f"{count} {'entry' if count == 1 else 'entries'}"
    return (
        entries + (f" on {console.word(board)}" if board else "") if count else f"the board {console.word(board or '')}"
    )


COMMANDS: dict[str, Callable[..., None]] = {
    "create": create,
    "boards": boards,
    "reverify": reverify,
    "close": close,
    "remove": remove,
    "restore": restore,
    "rename": rename,
    "log": log,
}
"""What `racer leaderboard` has beside showing and entering."""
