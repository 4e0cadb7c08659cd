"""Servers and disks that fail: one clear message, nothing lost, and the leaderboard is whole afterwards."""

import contextlib
import multiprocessing
import sqlite3
import subprocess
import sys
import threading

import pytest
from drives import drive, otherwise, ring

from racer.errors import LeaderboardError
from racer.leaderboard import Board, add, add_all, standings
from racer.leaderboard.postgres import WRITER
from racer.replay import save_replay

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")


@pytest.fixture(scope="module")
def replay():
    return drive(ring(), laps=2)


@pytest.fixture
def server(postgres):
    """A server with a leaderboard of one entry, as it was afterwards."""
    postgres.clear()
    yield postgres
    postgres.freeze(False)
    with contextlib.suppress(subprocess.CalledProcessError):
        postgres.start()


def connected(server):
    import psycopg

    return psycopg.connect(server.url, autocommit=True)


def fails(replay, db, *words, patience_s=120.0):
    """Assert that entering fails with one clear message."""
    with pytest.raises(LeaderboardError) as caught:
        for outcome in add_all([otherwise(replay, 77)], "Eve", db, patience_s=patience_s):
            raise AssertionError(outcome)
    message = str(caught.value)
    assert message.isprintable() and len(message) < 500, message
    for word in words:
        assert word in message
    return message


def drivers(db):
    return sorted(row.entry.driver for table in standings(db=db) for row in table.rows)


# PostgreSQL


@pytest.mark.slow
def test_a_server_that_is_gone(replay, server):
    add(replay, "Ada", server.url)
    server.kill()
    fails(replay, server.url, "its server cannot be reached", "is it running")
    with pytest.raises(LeaderboardError, match="cannot be reached"):
        standings(db=server.url)
    server.start()
    assert drivers(server.url) == ["Ada"]
    add(otherwise(replay, 1), "Grace", server.url)
    fails(replay, server.url.replace("/postgres?", "/nowhere?"), "cannot be reached", "nowhere")


def enter_many(replay, db, outcomes):
    for k in range(1, 1000):
        try:
            add(otherwise(replay, k), f"p{k}", db)
        except LeaderboardError as error:
            outcomes.put(str(error))
            return
        outcomes.put(k)


@pytest.mark.slow
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
def test_a_server_that_is_killed_in_the_middle_of_an_add(replay, server):
    """What was told to be entered is there afterwards, and nothing half."""
    add(replay, "Ada", server.url)
    context = multiprocessing.get_context("fork")
    outcomes = context.Queue()
    worker = context.Process(target=enter_many, args=(replay, server.url, outcomes))
    worker.start()
    told = [outcomes.get(timeout=120) for _ in range(3)]
    server.kill()
    while not isinstance(told[-1], str):
        told.append(outcomes.get(timeout=120))
    worker.join(60)
    assert "cannot be used: " in told[-1] and told[-1].isprintable()
    server.start()
    board = Board.find("test-ring", server.url)
    entries = board.entries()
    assert {entry.driver for entry in entries} >= {"Ada", *(f"p{k}" for k in told[:-1])}
    assert len(entries) <= len(told) + 1, "at most the one whose answer was lost is there, too"
    assert all(outcome.time_ms for outcome in board.reverify(everything=True))
    add(otherwise(replay, 5000), "Grace", server.url)


@pytest.mark.slow
def test_a_server_that_does_not_answer(replay, server):
    add(replay, "Ada", server.url)
    slow = server.url + "&connect_timeout=2"
    server.freeze(True)
    try:
        fails(replay, slow, "cannot be reached", patience_s=1.0)
    finally:
        server.freeze(False)
    assert drivers(server.url) == ["Ada"]


@pytest.mark.slow
def test_a_server_that_stops_answering_in_the_middle(replay, server):
    """Nothing that the server does ends this wait: racer hangs up by itself."""
    add(replay, "Ada", server.url)
    with connected(server) as other:
        other.execute(f"SELECT pg_advisory_lock({WRITER})")
        freezing = threading.Timer(0.7, server.freeze, [True])
        freezing.start()
        try:
            fails(replay, server.url + "&connect_timeout=1", "does not answer; try again", patience_s=1.5)
        finally:
            freezing.join()
            server.freeze(False)
    assert drivers(server.url) == ["Ada"]


def test_a_locked_server_is_waited_for_and_named(replay, server):
    add(replay, "Ada", server.url)
    with connected(server) as other:
        other.execute("BEGIN")
        other.execute(f"SELECT pg_advisory_xact_lock({WRITER})")
        fails(replay, server.url, "locked all the time; try again", patience_s=0.3)
        assert drivers(server.url) == ["Ada"], "readers do not wait for writers"
        release = threading.Timer(0.5, other.execute, ["ROLLBACK"])
        release.start()
        add(otherwise(replay, 1), "Grace", server.url)
        release.join()
    assert drivers(server.url) == ["Ada", "Grace"]


def test_a_server_that_lets_nobody_write(replay, server):
    add(replay, "Ada", server.url)
    with connected(server) as other:
        other.execute("ALTER DATABASE postgres SET default_transaction_read_only = on")
        try:
            fails(replay, server.url, "it is read-only; write to the main server")
            assert drivers(server.url) == ["Ada"]
        finally:
            other.execute("SET default_transaction_read_only = off")
            other.execute("ALTER DATABASE postgres RESET default_transaction_read_only")
        other.execute("DROP ROLE IF EXISTS guest")
        other.execute("CREATE ROLE guest LOGIN")
        other.execute("GRANT USAGE ON SCHEMA public TO guest")
    fails(replay, server.url.replace("racer@", "guest@"), "does not let this user do that")
    assert drivers(server.url) == ["Ada"]


def test_a_server_whose_disk_is_full(replay, server):
    """The server says so by its own code; here a trigger says it."""
    add(replay, "Ada", server.url)
    with connected(server) as other:
        other.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$"
        )
        other.execute("CREATE TRIGGER full_disk BEFORE INSERT ON racer_drives EXECUTE FUNCTION full_disk()")
    fails(replay, server.url, "no room left")
    assert drivers(server.url) == ["Ada"] and Board.find("test-ring", server.url).entries() != []
    with connected(server) as other:
        other.execute("DROP TRIGGER full_disk ON racer_drives")
        other.execute("DROP FUNCTION full_disk")
    add(otherwise(replay, 77), "Eve", server.url)


# SQLite


FULL = """
import resource, sys
from racer.leaderboard import add_all
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
try:
    print(add_all(sys.argv[2:], "Eve", "board.sqlite"))
except Exception as error:
    print(type(error).__name__, error)
"""


def test_a_disk_that_is_full(replay, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    add(replay, "Ada", "board.sqlite")
    for k in range(3):
        save_replay(otherwise(replay, k + 1), f"{k}.replay")
    before = (tmp_path / "board.sqlite").read_bytes()
    files = [f"{k}.replay" for k in range(3)]
    words = [sys.executable, "-c", FULL, str(len(before) + 4096), *files]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert done.stdout.startswith("LeaderboardError the leaderboard board.sqlite cannot be used: the disk"), done
    assert len(done.stdout.splitlines()) == 1
    assert drivers("board.sqlite") == ["Ada"]
    assert (tmp_path / "board.sqlite").read_bytes() == before
    assert len(add_all(files, "Eve", "board.sqlite")) == 3


def test_a_file_that_goes_while_it_is_used(replay, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    add(replay, "Ada", "board.sqlite")
    board = Board.find("test-ring", "board.sqlite")
    (tmp_path / "board.sqlite").unlink()
    for action in (board.standings, board.entries, lambda: board.submit([otherwise(replay, 1)])):
        with pytest.raises(LeaderboardError):
            action()
    assert not list(tmp_path.glob("*-journal"))


def test_a_journal_that_a_crash_left_is_rolled_back(replay, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    add(replay, "Ada", "board.sqlite")
    script = (
        "import os, sqlite3\nc = sqlite3.connect('board.sqlite', isolation_level=None)\n"
        "c.execute('PRAGMA cache_size = 1')\nc.execute('BEGIN EXCLUSIVE')\n"
        "c.execute('UPDATE racer_entries SET time_ms = 1')\n"
        "c.execute('UPDATE racer_drives SET data = zeroblob(500000)')\nos._exit(9)"
    )
    subprocess.run([sys.executable, "-c", script], timeout=60)
    assert (tmp_path / "board.sqlite-journal").exists(), "it died in the middle of a write"
    (table,) = standings(db="board.sqlite")
    assert table.rows[0].entry.time_ms > 1
    with sqlite3.connect("board.sqlite") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
