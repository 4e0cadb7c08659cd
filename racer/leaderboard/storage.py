"""A database for racer's tables: a SQLite file by default, or PostgreSQL by its URL.

Invariant: work happens in one transaction that is committed whole or not at all, and there is one writer at a time, who
has the database for itself from its first statement on, so that none loses what another wrote.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from racer.errors import LeaderboardError
from racer.leaderboard import earlier
from racer.leaderboard.postgres import Server
from racer.leaderboard.sqlite import File, check_schema
from racer.leaderboard.tables import REVISION, metadata, versions

__all__ = ["PATIENCE_S", "database", "opened"]

DEFAULT_DB = "leaderboard.sqlite"  # in the working folder, like runs/ and the shelves: found and deleted with them
DB_VARIABLE = "RACER_DB"
PATIENCE_S = 120.0  # how long to wait while other processes write, s
SHOWN = 300  # characters of a database's name or an error's text


def database(db: str | Path | None = None) -> str:
    """Say which database is meant: `db`, else the variable `RACER_DB`, else `./leaderboard.sqlite`."""
    return str(db) if db is not None else os.environ.get(DB_VARIABLE) or DEFAULT_DB


class Backend(Protocol):
    """What opens a database of one kind, and knows what its errors mean."""

    engine: sa.Engine

    def advice(self, error: BaseException | None) -> str | None:
        """What an error means and what to do; None if it is none of its own, or a rare one."""
        ...


@dataclass(frozen=True)
class Access:
    """How a database is to be opened: by which name, to change it or not, and how long to wait for others."""

    db: str
    write: bool
    patience_s: float = PATIENCE_S


@contextlib.contextmanager
def opened(db: str, *, write: bool, patience_s: float = PATIENCE_S) -> Iterator[sa.Connection]:
    """Open a database for one transaction, committed when the block ends and undone when it raises.

    A database of an earlier racer is brought up to date first, also for a reader, in a transaction of its own.

    Args:
        db: A path (SQLite) or a database URL, with `://` in it.
        write: Whether the block may change something. A reader makes nothing, not even the file.
        patience_s: How long to wait while other processes write.

    Raises:
        LeaderboardError: The database is missing (for a reader), damaged, locked, read-only, altered, of another
            version, out of reach, or no database.
    """
    with _transaction(Access(db, write, patience_s)) as (connection, shown):
        if _is_ready(connection, shown, write):
            yield connection
            return
    with _transaction(Access(db, True, patience_s)) as (connection, shown):
        _is_ready(connection, shown, True)
    with _transaction(Access(db, False, patience_s)) as (connection, shown):
        _is_ready(connection, shown, False)
        yield connection


@contextlib.contextmanager
def _transaction(access: Access) -> Iterator[tuple[sa.Connection, str]]:
    """Begin a transaction; gives its connection and the database's name as it may be shown."""
    backend, shown = _backend(access)
    try:
        with backend.engine.begin() as connection:
            yield connection, shown
    except (DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        reason = backend.advice(cause) or _short(cause)
        raise LeaderboardError(f"the leaderboard {shown} cannot be used: {reason}") from error
    except (SQLAlchemyError, UnicodeError, OverflowError) as error:
        raise LeaderboardError(f"the leaderboard {shown} cannot be used: {_short(error)}") from error
    finally:
        backend.engine.dispose()


def _backend(access: Access) -> tuple[Backend, str]:
    db = access.db
    shown = _short(db) if "://" not in db else "at that URL"
    try:
        if "://" not in db:
            return File(db, access.write, access.patience_s), shown
        url = sa.make_url(db)
        if "@" in (url.host or ""):
            raise ValueError("an @ in its user or password must be written as %40")
        shown = _short(url.set(query={}).render_as_string(hide_password=True))
        if url.get_backend_name() == "sqlite":
            if not url.database or url.database == ":memory:":
                raise ValueError("what is in memory is gone at once")
            return File(url.database, access.write, access.patience_s), shown
        if url.get_backend_name() != "postgresql":
            raise LeaderboardError(
                f"{shown}: a leaderboard is kept in a SQLite file, or in PostgreSQL (postgresql://…)"
            )
        return Server(url, access.write, access.patience_s), shown
    except LeaderboardError:
        raise
    except NoSuchModuleError as error:
        raise LeaderboardError(f"{shown}: racer cannot reach this kind of database: {_short(error)}") from error
    except ImportError as error:
        raise LeaderboardError(f"{shown}: its driver is not installed; run pip install 'racer[postgres]'") from error
    except (ArgumentError, ValueError, OSError) as error:
        hint = "name a file, or a URL such as postgresql://user@host/name"
        what = repr(shown) if "://" not in db else "the URL given"
        raise LeaderboardError(f"{what} is no database: {_short(error)}; {hint}") from error


def _is_ready(connection: sa.Connection, shown: str, write: bool) -> bool:
    """Make or update the tables for a writer, and refuse what is not as it should be; False: first a writer must."""
    inspector = sa.inspect(connection)
    present = {*inspector.get_table_names(), *inspector.get_view_names()}
    ours, old = set(metadata.tables), set(earlier.metadata.tables)
    if not present & (ours | old):
        if not write:
            raise LeaderboardError(
                f"{shown} holds no leaderboard; `racer leaderboard add REPLAY --driver NAME` begins one"
            )
        metadata.create_all(connection)
        connection.execute(sa.insert(versions).values(version_num=REVISION))
        return True
    if earlier.is_earlier(present):
        earlier.check(connection, present, shown)
        if write:
            earlier.upgrade(connection)
        return write
    if not ours <= present:
        raise LeaderboardError(
            f"the leaderboard {shown} lacks {', '.join(sorted(ours - present))}; name another one with --db"
        )
    check_schema(connection, metadata, shown)
    version = connection.execute(sa.select(sa.func.max(versions.c.version_num))).scalar()
    if not isinstance(version, str) or not version.isdecimal():
        raise LeaderboardError(
            f"the leaderboard {shown} is of no known version ({version!a:.40}); name another with --db"
        )
    if version > REVISION:
        raise LeaderboardError(
            f"the leaderboard {shown} was made by a later racer (version {version:.40}); update racer to use it"
        )
    return True


def _short(error: Any) -> str:
    """An error's text in one line, short enough to read and free of what would act on a terminal."""
    line = " ".join(str(error).split())[:SHOWN]
    return "".join(character if character.isprintable() else "?" for character in line)
