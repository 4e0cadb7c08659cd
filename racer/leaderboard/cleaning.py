"""What a teacher does to a leaderboard: remove, rename, close and restore, each with who and when.

Invariant: nothing is lost. What is removed is only hidden, and `restore` takes it back.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from racer.errors import LeaderboardError
from racer.leaderboard.audit import Action, actions, note
from racer.leaderboard.boards import BoardRecord, found, only
from racer.leaderboard.entering import settle
from racer.leaderboard.names import board_name, clean_name
from racer.leaderboard.ranking import entries_on
from racer.leaderboard.records import Entry
from racer.leaderboard.storage import database, opened
from racer.leaderboard.tables import BOARD_LIMIT, NAME_LIMIT, boards, drivers, entries

__all__ = ["close", "history", "remove", "rename", "rename_driver", "restore"]


def close(board: str, *, db: str | Path | None = None, who: str | None = None) -> None:
    """Close a board: it stays, and takes no more entries.

    Args:
        board: its name, or its number such as `"#3"`.
        db: a path (SQLite) or a database URL; see `racer.leaderboard.database`.
        who: does it, for the record; by default the user of this computer.

    Raises:
        LeaderboardError: there is no such board, it is closed, or the database cannot be used.
    """
    _set_state(board, "closed", "close", db, who)


def remove(
    board: str | None = None,
    *,
    driver: str | None = None,
    entry: int | None = None,
    db: str | Path | None = None,
    who: str | None = None,
) -> int:
    """Hide a board, all of a driver's entries on it, or one entry.

    Args:
        board: its name, or its number such as `"#3"`; not needed for an entry.
        driver: whose entries, instead of the whole board.
        entry: its number.
        db, who: as for `close`.

    Returns:
        How many entries were hidden; 0 for a board.

    Raises:
        LeaderboardError: there is no such board, driver or entry, it is hidden already, or the database cannot be used.
    """
    return _hide(True, board, driver, entry, (db, who))


def restore(
    board: str | None = None,
    *,
    driver: str | None = None,
    entry: int | None = None,
    db: str | Path | None = None,
    who: str | None = None,
) -> int:
    """Take back what `remove` or `close` did; arguments, result and errors are those of `remove`."""
    return _hide(False, board, driver, entry, (db, who))


def rename(board: str, name: str, *, db: str | Path | None = None, who: str | None = None) -> None:
    """Give a board another name.

    Raises:
        LeaderboardError: there is no such board, the name is taken or is none, or the database cannot be used.
    """
    name = board_name(name, BOARD_LIMIT)
    with opened(database(db), write=True) as connection:
        one = only(connection, database(db), board)
        if found(connection, database(db), boards.c.name == name):
            raise LeaderboardError(f"there is a board {name!r} already; choose another name")
        connection.execute(sa.update(boards).where(boards.c.id == one.id).values(name=name))
        note(connection, who, "rename", f"board {one.name}", f"to {name}")


def rename_driver(driver: str, name: str, *, db: str | Path | None = None, who: str | None = None) -> None:
    """Give a driver another name, on all boards.

    Raises:
        LeaderboardError: there is no such driver, the name is taken or is none, or the database cannot be used.
    """
    name = clean_name(name, "driver's", NAME_LIMIT)
    with opened(database(db), write=True) as connection:
        taken = connection.execute(sa.select(drivers.c.id).where(drivers.c.name == name)).scalar()
        if taken is not None:
            raise LeaderboardError(f"there is a driver {name!r} already; choose another name")
        changed = connection.execute(sa.update(drivers).where(drivers.c.name == driver).values(name=name))
        if not changed.rowcount:
            raise LeaderboardError(f"there is no driver {driver!r}")
        note(connection, who, "rename", f"driver {driver}", f"to {name}")


def history(db: str | Path | None = None) -> list[Action]:
    """What was done to the leaderboard, oldest first.

    Raises:
        LeaderboardError: there is no leaderboard there, or it cannot be read.
    """
    with opened(database(db), write=False) as connection:
        return actions(connection)


def _hide(hidden: bool, board: str | None, driver: str | None, entry: int | None, how: tuple[Any, str | None]) -> int:
    (db, who), action = how, "remove" if hidden else "restore"
    if entry is None and driver is None:
        if board is None:
            raise LeaderboardError(f"say what to {action}: a board, a driver on a board, or an entry")
        _set_state(board, "removed" if hidden else "open", action, db, who)
        return 0
    with opened(database(db), write=True) as connection:
        chosen, subject = _chosen(connection, only(connection, database(db), board) if board else None, driver, entry)
        changed = [one for one in chosen if one.removed != hidden]
        if not changed:
            state = "removed already" if hidden else "not removed"
            raise LeaderboardError(f"{subject} is {state}" if chosen else f"there is no {subject}")
        numbers = [one.id for one in changed]
        connection.execute(sa.update(entries).where(entries.c.id.in_(numbers)).values(removed=hidden))
        places = sa.select(entries.c.board_id, entries.c.driver_id).where(entries.c.id.in_(numbers)).distinct()
        for board_id, driver_id in connection.execute(places).all():
            settle(connection, board_id, driver_id)
        note(connection, who, action, subject, f"entries {', '.join(map(str, numbers))}")
    return len(changed)


def _chosen(
    connection: sa.Connection, board: BoardRecord | None, driver: str | None, entry: int | None
) -> tuple[list[Entry], str]:
    """The entries that are meant, and what they are in words."""
    conditions = [] if board is None else [entries.c.board_id == board.id]
    on = "" if board is None else f" on {board.name}"
    if entry is not None:
        return list(entries_on(connection, *conditions, entries.c.id == entry)), f"entry {entry}{on}"
    if board is None:
        raise LeaderboardError("name the board, too: a driver's entries are removed from one board at a time")
    return list(entries_on(connection, *conditions, drivers.c.name == driver)), f"driver {driver}{on}"


def _set_state(board: str, state: str, action: str, db: str | Path | None, who: str | None) -> None:
    with opened(database(db), write=True) as connection:
        one = only(connection, database(db), board)
        if one.state == state:
            raise LeaderboardError(f"the board {one.name} is {state} already")
        connection.execute(sa.update(boards).where(boards.c.id == one.id).values(state=state))
        note(connection, who, action, f"board {one.name}", f"it was {one.state}")
