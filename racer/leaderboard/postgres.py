"""PostgreSQL: one writer at a time, as with a file, and no wait without an end.

A server that is gone, slow or full differs from a wrong address in what it, or the system, says.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from typing import Any

import sqlalchemy as sa

__all__ = ["WRITER", "Server"]

CONNECT_S = 10  # to wait for a server that does not answer
WRITER = 0x7261636572  # number of the lock that a writer holds: "racer"

ADVICE = {
    "08": "the connection to its server broke; try again, nothing is entered twice",
    "28": "its server does not let this user in; check name and password in the URL",
    "3D": "its server has no such database; make it with `createdb`, or name another one with --db",
    "3F": "its server lets this user see no tables; ask who runs it for the right to make and write tables",
    "42501": "its server does not let this user do that; ask who runs it for the right to make and write tables",
    "25006": "it is read-only; write to the main server",
    "53": "its server has no room left (disk, memory or connections); free some and try again",
    "55P03": "other processes have kept it locked all the time; try again",
    "57014": "its server took too long; try again",
    "57P": "its server is starting, stopping or was stopped; try again, nothing is entered twice",
    "58": "its server's disk failed; ask who runs it",
    "XX": "its server finds it damaged; ask who runs it",
}
"""What to say of PostgreSQL's errors, by the first characters of their SQLSTATE."""


class Server:
    """A database of a PostgreSQL server.

    Attributes:
        engine: whose transactions wait for other writers, and end when the server does not answer.
    """

    def __init__(self, url: sa.URL, write: bool, patience_s: float) -> None:
        """Prepare to connect.

        Args:
            url: of the database.
            write: whether to change it. A writer has the database for itself.
            patience_s: how long to wait while others write, and for any answer.

        Raises:
            ImportError: racer's extra `postgres` is not installed.
        """
        if url.drivername == "postgresql":  # SQLAlchemy's own choice is the old driver
            url = url.set(drivername="postgresql+psycopg")
        if "connect_timeout" not in url.query:
            url = url.update_query_dict({"connect_timeout": str(CONNECT_S)})
        self.engine = sa.create_engine(url, poolclass=sa.NullPool)
        self._gave_up = False
        milliseconds = max(1, round(1000 * patience_s))

        def begin(connection: sa.Connection) -> None:
            if not write:
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {milliseconds}")
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {milliseconds + 1000}")
            if write:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER})")

        def watch(raw: Any, _: Any) -> None:
            timer = threading.Timer(2.0 * patience_s + 2.0, self._hang_up, [raw])
            timer.daemon = True
            timer.start()
            timers[id(raw)] = timer

        def stop(raw: Any, _: Any) -> None:
            if timer := timers.pop(id(raw), None):
                timer.cancel()

        timers: dict[int, threading.Timer] = {}
        sa.event.listen(self.engine, "connect", watch)
        sa.event.listen(self.engine, "close", stop)
        sa.event.listen(self.engine, "begin", begin)

    def _hang_up(self, raw: Any) -> None:
        """End the wait for a server that has stopped answering, and that no time limit of its own reaches."""
        self._gave_up = True
        with contextlib.suppress(Exception), socket.socket(fileno=os.dup(raw.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)

    def advice(self, error: BaseException | None) -> str | None:
        """What an error means and what to do; None if it is a rare one."""
        if self._gave_up:
            return "its server does not answer; try again, nothing is entered twice"
        state = getattr(error, "sqlstate", None)
        if isinstance(state, str):
            for begin in (state, state[:3], state[:2]):
                if begin in ADVICE:
                    return ADVICE[begin]
            return None
        text = " ".join(str(error).split())[:160]
        return f"its server cannot be reached ({text}); is it running, and is the URL right?"
