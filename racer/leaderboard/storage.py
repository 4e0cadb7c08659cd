"""A database for racer's tables: a SQLite file by default, any other that SQLAlchemy knows by its URL.

Invariant: work happens in one transaction that is committed whole or not at all, and a writer has a SQLite file for
itself from its first statement on, so that none loses what another wrote.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from racer.errors import LeaderboardError
from racer.leaderboard.sqlite import Clock, advice, check_schema, sqlite_engine

__all__ = ["PATIENCE_S", "opened"]

PATIENCE_S = 120.0  # how long to wait while other processes write, s
SHOWN = 300  # characters of a database's name or an error's text
VERSION_TABLE = "racer_schema"
EXTRAS = {"postgresql": "postgres"}  # backends, and the extra of racer that installs what they need


@contextlib.contextmanager
def opened(
    db: str, metadata: sa.MetaData, schema: int, *, write: bool, patience_s: float = PATIENCE_S
) -> Iterator[sa.Connection]:
    """Open a database for one transaction, committed when the block ends and undone when it raises.

    Args:
        db: A path (SQLite) or a database URL, with `://` in it.
        metadata: The tables; a writer makes them where they are missing.
        schema: Their version; a database of another version is refused.
        write: Whether the block may change something. A reader makes nothing, not even the file.
        patience_s: How long to wait while other processes write to a SQLite file.

    Raises:
        LeaderboardError: The database is missing (for a reader), damaged, locked, read-only, altered, of another
            version, or no database.
    """
    clock, shown = Clock(), _short(db) if "://" not in db else "at that URL"
    try:
        if "://" in db:
            url = sa.make_url(db)
            if "@" in (url.host or ""):
                raise ValueError("an @ in its user or password must be written as %40")
            shown = _short(url.set(query={}).render_as_string(hide_password=True))
            engine = _engine(url, write, patience_s, clock)
        else:
            engine = sqlite_engine(db, write, patience_s, clock)
    except LeaderboardError:
        raise
    except (NoSuchModuleError, ImportError) as error:
        raise LeaderboardError(f"{shown}: racer cannot reach this kind of database: {_missing(db, error)}") from error
    except (ArgumentError, ValueError, OSError) as error:
        hint = "name a file, or a URL such as postgresql://user@host/name"
        what = repr(shown) if "://" not in db else "the URL given"
        raise LeaderboardError(f"{what} is no database: {_short(error)}; {hint}") from error
    try:
        with engine.begin() as connection:
            _prepare(connection, metadata, schema, shown, write)
            yield connection
    except (DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        reason = advice(cause, clock) or _short(cause)
        raise LeaderboardError(f"the leaderboard {shown} cannot be used: {reason}") from error
    except (SQLAlchemyError, UnicodeError, OverflowError) as error:
        raise LeaderboardError(f"the leaderboard {shown} cannot be used: {_short(error)}") from error
    finally:
        engine.dispose()


def _engine(url: sa.URL, write: bool, patience_s: float, clock: Clock) -> sa.Engine:
    if url.get_backend_name() == "sqlite":
        if not url.database or url.database == ":memory:":
            raise ValueError("what is in memory is gone at once")
        return sqlite_engine(url.database, write, patience_s, clock)
    if url.drivername == "postgresql":  # racer's extra brings the current driver, SQLAlchemy's default is the old one
        url = url.set(drivername="postgresql+psycopg")
    return sa.create_engine(url, poolclass=sa.NullPool)


def _missing(db: str, error: Exception) -> str:
    """Say what is to be installed where a database's driver is missing."""
    extra = EXTRAS.get(db.partition("://")[0].partition("+")[0])
    if extra is None or isinstance(error, NoSuchModuleError):
        return _short(error)
    return f"its driver is not installed; run pip install 'racer[{extra}]'"


def _prepare(connection: sa.Connection, metadata: sa.MetaData, schema: int, shown: str, write: bool) -> None:
    """Make the tables of a new database; refuse one in which they are not as they should be."""
    versions = sa.MetaData()
    version_table = sa.Table(
        VERSION_TABLE, versions, sa.Column("version", sa.Integer, primary_key=True, autoincrement=False)
    )
    inspector = sa.inspect(connection)
    present = {*inspector.get_table_names(), *inspector.get_view_names()}
    ours = set(metadata.tables) | {VERSION_TABLE}
    if write and not present & ours:
        metadata.create_all(connection)
        versions.create_all(connection)
        connection.execute(sa.insert(version_table).values(version=schema))
        return
    if not present & ours:
        raise LeaderboardError(f"{shown} holds no leaderboard; `racer leaderboard add REPLAY --driver NAME` begins one")
    if not ours <= present:
        raise LeaderboardError(
            f"the leaderboard {shown} lacks {', '.join(sorted(ours - present))}; name another one with --db"
        )
    check_schema(connection, versions, shown)
    version = connection.execute(sa.select(sa.func.max(version_table.c.version))).scalar()
    if not isinstance(version, int) or version < 1:
        raise LeaderboardError(
            f"the leaderboard {shown} is of no known version ({version!a:.40}); name another with --db"
        )
    if version < schema:
        raise LeaderboardError(
            f"the leaderboard {shown} was made by an earlier racer (version {version}), which did not keep cars apart; "
            "keep it as it is, and begin another one with --db"
        )
    if version > schema:
        raise LeaderboardError(
            f"the leaderboard {shown} was made by a later racer (version {version}); update racer to use it"
        )
    check_schema(connection, metadata, shown)


def _short(error: Any) -> str:
    """An error's text in one line, short enough to read and free of what would act on a terminal."""
    line = " ".join(str(error).split())[:SHOWN]
    return "".join(character if character.isprintable() else "?" for character in line)
