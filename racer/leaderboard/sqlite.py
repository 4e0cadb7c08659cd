"""SQLite files of strangers: opened with care, and compared with ours before anything in them is used.

A database can hold more than rows: triggers, views and computed columns run when it is read or written. So what it
says about racer's tables must be, word for word, what racer writes; how long and how large anything may get is limited;
and Ctrl-C ends whatever is going on.
"""

import random
import sqlite3
import time
from functools import cache
from pathlib import Path
from shlex import quote

import sqlalchemy as sa

from racer.errors import LeaderboardError
from racer.shelf import LIMITS

__all__ = ["File", "check_schema"]

LIMIT = LIMITS["leaderboard"]
MOST_BYTES_OF_A_VALUE = 20 * 2**20  # of a model; texts have 20,000
TICK = 10_000  # instructions of SQLite's between two looks at the clock and at Ctrl-C
PATIENT_TICKS = {False: 5_000, True: 20_000}  # of a reader and a writer: several times what the largest board takes
KINDS = ("table", "index", "view", "trigger")
POLL_S = (0.005, 0.1)  # s, least and most between two tries to get a locked database: at random, so that all get a turn

ADVICE = {
    sqlite3.SQLITE_BUSY: "other processes have kept it locked all the time; try again",
    sqlite3.SQLITE_LOCKED: "other processes have kept it locked all the time; try again",
    sqlite3.SQLITE_NOTADB: "it is no SQLite database; name another file with --db",
    sqlite3.SQLITE_CORRUPT: "it is damaged; put a copy of it back, or name another file with --db",
    sqlite3.SQLITE_READONLY: "it is read-only; change its permissions, or name another file with --db",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; is the folder there, and may you write in it?",
    sqlite3.SQLITE_PERM: "no permission; change its permissions, or name another file with --db",
    sqlite3.SQLITE_FULL: "the disk is full; free some space and try again",
    sqlite3.SQLITE_IOERR: "the disk failed to read or write it; try again, or name another file with --db",
    sqlite3.SQLITE_TOOBIG: f"it holds a value above {MOST_BYTES_OF_A_VALUE // 2**20} MiB; name another file with --db",
    sqlite3.SQLITE_INTERRUPT: "it keeps the computer busy without an end; name another file with --db",
}
"""What to say of SQLite's errors, by their code."""

CEILINGS = {
    sqlite3.SQLITE_LIMIT_LENGTH: MOST_BYTES_OF_A_VALUE,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 100,
}


class Clock:
    """What SQLite asks now and then whether to go on; while it asks, Python notices Ctrl-C."""

    def __init__(self, write: bool) -> None:
        """Begin to count."""
        self._ticks, self._most = 0, PATIENT_TICKS[write]

    def __call__(self) -> bool:
        """Whether to stop."""
        self._ticks += 1
        return self.ran_out

    @property
    def ran_out(self) -> bool:
        """Whether SQLite was asked to stop; if it stopped by itself, Ctrl-C was what stopped it."""
        return self._ticks > self._most


class File:
    """A SQLite file.

    Attributes:
        engine: whose transactions wait for other processes.
    """

    def __init__(self, name: str, write: bool, patience_s: float) -> None:
        """Look at the file, and open it with the first transaction.

        Args:
            name: of the file.
            write: whether to change it; it is made if it is missing. A writer has the database for itself.
            patience_s: how long to wait while others use it.

        Raises:
            LeaderboardError: the file is missing, no plain file or too large.
            ValueError: it is no file name.
        """
        self._clock = Clock(write)
        uri = _checked_uri(name, write)

        def connect() -> sqlite3.Connection:
            # Transactions are begun below: by itself Python's module would begin one only at the first change. It
            # would also wait for locks inside SQLite, where Ctrl-C does not reach and the last come are served first.
            connection = sqlite3.connect(uri, uri=True, timeout=0.0, isolation_level=None)
            for limit, most in CEILINGS.items():
                connection.setlimit(limit, most)
            connection.set_progress_handler(self._clock, TICK)
            return connection

        def begin(connection: sa.Connection) -> None:
            raw = connection.connection.driver_connection
            assert isinstance(raw, sqlite3.Connection)
            _begin(raw, write, patience_s)

        self.engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.NullPool)
        sa.event.listen(self.engine, "begin", begin)

    def advice(self, error: BaseException | None) -> str | None:
        """What an error of SQLite's means and what to do; None if it is no such error, or a rare one.

        Raises:
            KeyboardInterrupt: Ctrl-C has ended a statement.
        """
        code = getattr(error, "sqlite_errorcode", None)
        if not isinstance(code, int):
            return None
        if code & 0xFF == sqlite3.SQLITE_INTERRUPT and not self._clock.ran_out:
            raise KeyboardInterrupt from error
        return ADVICE.get(code & 0xFF)


def _checked_uri(name: str, write: bool) -> str:
    """The file as SQLite is given it."""
    path = Path(name)
    if "\0" in name or not path.name:
        raise ValueError("it is no file name")
    if path.exists() and not path.is_file():
        raise LeaderboardError(f"the leaderboard {name} is not a plain file; name another one with --db")
    if path.exists() and path.stat().st_size > LIMIT:
        raise LeaderboardError(
            f"the leaderboard {name} is larger than {LIMIT // 2**20} MiB; name another one with --db"
        )
    if not write and not path.exists():
        raise LeaderboardError(
            f"there is no leaderboard {name} yet; "
            f"`racer leaderboard add REPLAY --driver NAME --db {quote(str(name))}` makes it"
        )
    if write and not path.parent.is_dir():
        raise LeaderboardError(
            f"cannot make the leaderboard {name}: the folder {path.parent} does not exist; make it first"
        )
    return f"{path.absolute().as_uri()}?mode={'rwc' if write else 'rw'}"  # rw falls back to reading alone


def _begin(connection: sqlite3.Connection, write: bool, patience_s: float) -> None:
    """Begin a transaction and get its lock, waiting for other processes, at random times so that all get a turn."""
    until = time.monotonic() + patience_s
    while True:
        try:
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA cell_size_check = ON")
            connection.execute("BEGIN EXCLUSIVE" if write else "BEGIN")
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()  # a reader gets its lock here
            return
        except sqlite3.OperationalError as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            if time.monotonic() > until:
                raise
        time.sleep(random.uniform(*POLL_S))


def check_schema(connection: sa.Connection, metadata: sa.MetaData, shown: str) -> None:
    """Refuse a SQLite database in which racer's tables are not word for word as racer makes them.

    Raises:
        LeaderboardError: a table differs, or a trigger, view, index or column was added to it.
    """
    if connection.dialect.name != "sqlite":
        return
    if odd := sorted(_objects(connection, metadata) ^ _expected(metadata), key=str):
        kind = odd[0][0] if odd[0][0] in KINDS else "object"
        raise LeaderboardError(
            f"the leaderboard {shown} was altered: its {kind} {odd[0][1]!a:.60} is not as racer makes it; "
            "name another one with --db"
        )


@cache
def _expected(metadata: sa.MetaData) -> frozenset[tuple[str, str, str | None]]:
    """What a new database says it has of some tables."""
    scratch = sa.create_engine("sqlite://")
    with scratch.begin() as empty:
        metadata.create_all(empty)
        expected = _objects(empty, metadata)
    scratch.dispose()
    return expected


def _objects(connection: sa.Connection, metadata: sa.MetaData) -> frozenset[tuple[str, str, str | None]]:
    """What a database says it has of some tables, and on them: (kind, name, text) each."""
    names = {name.lower() for name in metadata.tables}
    found = connection.exec_driver_sql("SELECT type, name, tbl_name, sql FROM sqlite_master")
    return frozenset(
        (str(kind), str(name), None if sql is None else str(sql))
        for kind, name, table, sql in found
        if {str(name).lower(), str(table).lower()} & names
    )
