"""A database for racer's tables: a SQLite file by default, any other that SQLAlchemy knows by its URL.

Invariant: work happens in one transaction that is committed whole or not at all, and a writer has the
database for itself from its first statement on (SQLite: BEGIN IMMEDIATE, with a patient wait), so that none
loses what another wrote.
"""

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from racer.errors import LeaderboardError

__all__ = ["opened"]

BUSY_S = 20.0  # s, how long to wait while another process writes
SHOWN = 300  # characters of a database's name or an error's text

_schema = sa.Table(
    "racer_schema", sa.MetaData(), sa.Column("version", sa.Integer, primary_key=True, autoincrement=False)
)

SQLITE_ADVICE = {
    sqlite3.SQLITE_BUSY: f"another process has kept it locked for more than {BUSY_S:.0f} s; try again",
    sqlite3.SQLITE_LOCKED: f"another process has kept it locked for more than {BUSY_S:.0f} s; try again",
    sqlite3.SQLITE_NOTADB: "it is no SQLite database; name another file with --db",
    sqlite3.SQLITE_CORRUPT: "it is damaged; put a copy of it back, or name another file with --db",
    sqlite3.SQLITE_READONLY: "it is read-only; change its permissions, or name another file with --db",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; is the folder there, and may you write in it?",
    sqlite3.SQLITE_PERM: "no permission; change its permissions, or name another file with --db",
    sqlite3.SQLITE_FULL: "the disk is full; free some space and try again",
    sqlite3.SQLITE_IOERR: "the disk failed to read or write it; try again, or name another file with --db",
}


@contextlib.contextmanager
def opened(db: str, metadata: sa.MetaData, schema: int, *, write: bool) -> Iterator[sa.Connection]:
    """Open a database for one transaction, committed when the block ends and undone when it raises.

    Args:
        db: A path (SQLite) or a database URL, with `://` in it.
        metadata: The tables; a writer makes them where they are missing.
        schema: Their version; a database of another version is refused.
        write: Whether the block may change something. A reader makes nothing, not even the file.

    Raises:
        LeaderboardError: The database is missing (for a reader), damaged, locked, read-only, of another
            version, or no database.
    """
    shown = _short(re.sub(r":[^:@/]*@", ":***@", db))  # a password is not shown
    try:
        engine = _engine(db, write)
    except LeaderboardError:
        raise
    except (NoSuchModuleError, ImportError) as error:
        raise LeaderboardError(f"{shown}: racer cannot reach this kind of database: {_short(error)}") from error
    except (ArgumentError, ValueError, OSError) as error:
        hint = "name a file, or a URL such as postgresql+psycopg://user@host/name"
        raise LeaderboardError(f"{shown!r} is no database: {_short(error)}; {hint}") from error
    try:
        with engine.begin() as connection:
            _prepare(connection, metadata, schema, shown, write)
            yield connection
    except DBAPIError as error:
        raise LeaderboardError(f"the leaderboard {shown} cannot be used: {_reason(error.orig)}") from error
    except (SQLAlchemyError, UnicodeError, OverflowError) as error:
        raise LeaderboardError(f"the leaderboard {shown} cannot be used: {_short(error)}") from error
    finally:
        engine.dispose()


def _engine(db: str, write: bool) -> sa.Engine:
    if "://" not in db:
        return _sqlite(db, write)
    url = sa.make_url(db)
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, poolclass=sa.NullPool)
    if not url.database or url.database == ":memory:":
        raise ValueError("what is in memory is gone at once")
    return _sqlite(url.database, write)


def _sqlite(name: str, write: bool) -> sa.Engine:
    path = Path(name)
    if "\0" in name or not path.name:
        raise ValueError("it is no file name")
    if path.exists() and not path.is_file():
        raise LeaderboardError(f"the leaderboard {name} is not a plain file; name another one with --db")
    if not write and not path.exists():
        raise LeaderboardError(
            f"there is no leaderboard {name} yet; `racer leaderboard add REPLAY --driver NAME` makes it"
        )
    if write and not path.parent.is_dir():
        raise LeaderboardError(
            f"cannot make the leaderboard {name}: the folder {path.parent} does not exist; make it first"
        )
    mode = "rwc" if write else "rw"  # rw falls back to reading alone
    uri = f"{path.absolute().as_uri()}?mode={mode}"

    def connect() -> sqlite3.Connection:
        # Transactions are begun below: by itself Python's module would begin one only at the first change.
        return sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None)

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.NullPool)
    sa.event.listen(engine, "begin", _begin_writing if write else _begin_reading)
    return engine


def _begin_writing(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_reading(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _prepare(connection: sa.Connection, metadata: sa.MetaData, schema: int, shown: str, write: bool) -> None:
    """Make the tables of a new database; refuse one that they are not at home in."""
    present = set(sa.inspect(connection).get_table_names())
    ours = set(metadata.tables) | {_schema.name}
    if write and not present & ours:
        metadata.create_all(connection)
        _schema.create(connection)
        connection.execute(sa.insert(_schema).values(version=schema))
        return
    if not present & ours:
        raise LeaderboardError(f"{shown} holds no leaderboard; `racer leaderboard add REPLAY --driver NAME` begins one")
    if not ours <= present:
        raise LeaderboardError(
            f"the leaderboard {shown} lacks {', '.join(sorted(ours - present))}; name another one with --db"
        )
    version = connection.execute(sa.select(sa.func.max(_schema.c.version))).scalar()
    if not isinstance(version, int) or version < schema:
        raise LeaderboardError(f"the leaderboard {shown} is of no known version ({version!r}); name another with --db")
    if version > schema:
        raise LeaderboardError(
            f"the leaderboard {shown} was made by a later racer (version {version}); update racer to use it"
        )


def _reason(error: Any) -> str:
    """Say what a database's own error means."""
    code = getattr(error, "sqlite_errorcode", None)
    advice = SQLITE_ADVICE.get(code & 0xFF) if isinstance(code, int) else None
    return advice or _short(error)


def _short(error: Any) -> str:
    """An error's text in one line, short enough to read and free of what would act on a terminal."""
    line = " ".join(str(error).split())[:SHOWN]
    return "".join(character if character.isprintable() else "?" for character in line)
