"""Leaderboards in SQLite files: which one is meant, names in it, and files that are spoiled, hostile or in use."""

import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import pytest
from drives import drive, otherwise, ring

from racer.errors import LeaderboardError
from racer.leaderboard import Board, add, add_all, as_records, database, standings
from racer.leaderboard.names import clean_name
from racer.leaderboard.storage import opened
from racer.replay import save_replay


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A learner's folder of their own, so that no test touches another's board."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RACER_DB", raising=False)
    return tmp_path


@pytest.fixture(scope="module")
def replay():
    return drive(ring(), laps=2)


def attempts(db):
    """How often each driver has tried, board after board."""
    return [row.attempts for table in standings(db=db) for row in table.rows]


def edited(db, statement, *values):
    with sqlite3.connect(db) as connection:
        connection.execute(statement, values)
    connection.close()


# Where it is


def test_which_database(replay, folder, monkeypatch):
    assert database() == "leaderboard.sqlite"
    monkeypatch.setenv("RACER_DB", "club.sqlite")
    assert database() == "club.sqlite"
    assert database("mine.sqlite") == "mine.sqlite"
    add(replay, "Ada")
    add(replay, "Ada", folder / "odd name ?#%.sqlite")
    add(replay, "Ada", f"sqlite:///{folder}/by-url.sqlite")
    names = {path.name for path in folder.iterdir()}
    assert names == {"club.sqlite", "odd name ?#%.sqlite", "by-url.sqlite"}
    assert attempts(folder / "odd name ?#%.sqlite") == attempts("by-url.sqlite") == [1]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("x" * 41, "41 characters; 40 fit"),
        ("a\nb", "cannot be printed"),
        ("\x1b[31mred", "cannot be printed"),
        ("tab\tbed", "cannot be printed"),
        ("right\u202eleft", "cannot be printed"),
        ("half \ud800", "cannot be printed"),
        ("null\0", "cannot be printed"),
        ("\u3164", "cannot be seen"),
        ("\u2800", "cannot be seen"),
        ("Ada\u3164", "cannot be seen"),
        ("A\u115fda", "cannot be seen"),
        ("Ada\U000e0101", "cannot be seen"),
        ("\u0301", "cannot be seen"),
        ("Ada\u034f", "cannot be seen"),
        ("\ufe0f", "empty"),
        ("Ada\u200b", "cannot be printed"),
    ],
)
def test_names_that_are_none(replay, text, word):
    with pytest.raises(LeaderboardError, match=word) as caught:
        add(replay, text)
    assert str(caught.value).isprintable()


def test_names_of_all_people():
    def kept(name):
        return clean_name(name, "driver's", 40)

    for name in ("Ada", "Zoë", "李小龙", "O'Brien; DROP TABLE racer_entries;--", "🏎 team 7", "x" * 40, "प्रिया", "7"):
        assert kept(name) == name
    assert kept("Zoe\u0308") == "Zoë"
    assert kept("  Ada   L ") == "Ada L"
    assert kept("🏎\ufe0f team") == "🏎 team", "the same to the eye"


# Databases that are no good


def both_refuse(replay, db, *words):
    """Assert that reading and writing are refused, with one clear message each."""
    for action in (lambda: standings(db=db), lambda: add(replay, "Ada", db)):
        with pytest.raises(LeaderboardError) as caught:
            action()
        message = str(caught.value)
        assert message.isprintable() and len(message) < 700
        for word in words:
            assert word in message


def test_reading_makes_nothing(folder):
    with pytest.raises(LeaderboardError, match=r"no leaderboard missing\.sqlite yet; `racer leaderboard add"):
        standings(db="missing.sqlite")
    (folder / "empty.sqlite").touch()
    with pytest.raises(LeaderboardError, match=r"empty\.sqlite holds no leaderboard"):
        standings(db="empty.sqlite")
    assert [path.name for path in folder.iterdir()] == ["empty.sqlite"]
    assert (folder / "empty.sqlite").stat().st_size == 0


def test_an_empty_file_becomes_a_board(replay, folder):
    (folder / "empty.sqlite").touch()
    add(replay, "Ada", "empty.sqlite")
    assert len(standings(db="empty.sqlite")) == 1


def test_places_where_no_database_can_be(replay, folder):
    both_refuse(replay, str(folder), "not a plain file")
    with pytest.raises(LeaderboardError, match="the folder nowhere does not exist"):
        add(replay, "Ada", "nowhere/board.sqlite")
    for db, word in [
        ("nul\0.sqlite", "is no database"),
        ("", "is no database"),
        ("sqlite://", "what is in memory"),
        ("sqlite:///:memory:", "what is in memory"),
        ("://", "is no database"),
        ("postgresql://user:secret@host:port/x", "is no database"),
        ("nosuchkind://host/name", "a leaderboard is kept in a SQLite file, or in PostgreSQL"),
        ("oracle+nosuch://host/name", "a leaderboard is kept in a SQLite file, or in PostgreSQL"),
        ("postgresql+nosuch://host/name", "cannot reach this kind"),
    ]:
        if db:
            both_refuse(replay, db, word)
        else:
            with pytest.raises(LeaderboardError, match=word):
                standings(db="")


@pytest.mark.parametrize(
    "db",
    [
        "nosuchkind://ada:secret@host/name",
        "postgresql+nosuch://ada:secret@host/name",
        "postgresql://ada:secret@host:port/name",
        "postgresql://ada:sec/ret:secret@host/name",
        "postgresql://ada:s@secret@host/name",
        "postgresql://host/name?user=ada&password=secret",
        "nosuchkind://ada:secret@",
        "sqlite://ada:secret@/board.sqlite",
    ],
)
def test_a_password_is_not_shown(db):
    with pytest.raises(LeaderboardError) as caught:
        standings(db=db)
    assert "secret" not in str(caught.value)


def test_files_that_are_no_databases(replay, folder):
    (folder / "text.sqlite").write_text("rank,driver\n1,Ada\n" * 200)
    both_refuse(replay, "text.sqlite", "no SQLite database", "--db")
    save_replay(replay, folder / "drive.replay")
    both_refuse(replay, "drive.replay", "no SQLite database")
    assert (folder / "text.sqlite").read_text().startswith("rank,driver")


def test_a_truncated_database(replay, folder):
    add(replay, "Ada", "board.sqlite")
    whole = (folder / "board.sqlite").read_bytes()
    for length in (50, 100, 1000, 4096, len(whole) // 2, len(whole) - 4096):
        (folder / "board.sqlite").write_bytes(whole[:length])
        both_refuse(otherwise(replay, 2), "board.sqlite")


def test_a_database_with_flipped_bytes(replay, folder):
    add(replay, "Ada", "board.sqlite")
    whole = (folder / "board.sqlite").read_bytes()
    numbers = random.Random(1)
    for _ in range(150):
        content = bytearray(whole)
        for _ in range(numbers.randint(1, 30)):
            content[numbers.randrange(len(content))] = numbers.randrange(256)
        (folder / "board.sqlite").write_bytes(content)
        try:
            as_records(standings(db="board.sqlite"))
        except LeaderboardError as error:
            assert str(error).isprintable()


def test_a_locked_database_is_named_when_patience_ends(replay):
    add(replay, "Ada", "board.sqlite")
    blocker = sqlite3.connect("board.sqlite", isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    with pytest.raises(LeaderboardError, match=r"board\.sqlite cannot be used: .*locked all the time; try again"):
        add_all([otherwise(replay, 3)], "Ada", "board.sqlite", patience_s=0.2)
    blocker.execute("ROLLBACK")
    blocker.close()
    add(otherwise(replay, 3), "Ada", "board.sqlite")


def test_a_locked_database_is_waited_for(replay):
    add(replay, "Ada", "board.sqlite")
    blocker = sqlite3.connect("board.sqlite", isolation_level=None, check_same_thread=False)
    blocker.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(0.5, lambda: blocker.execute("ROLLBACK"))
    release.start()
    add(otherwise(replay, 3), "Ada", "board.sqlite")
    assert not blocker.in_transaction
    assert attempts("board.sqlite") == [2]
    release.join()
    blocker.close()


def test_a_read_only_database_can_be_read(replay, folder):
    add(replay, "Ada", "board.sqlite")
    content = bytearray((folder / "board.sqlite").read_bytes())
    content[18] = 3  # a later version's write format: SQLite must read it and write nothing
    (folder / "board.sqlite").write_bytes(content)
    assert len(standings(db="board.sqlite")) == 1
    with pytest.raises(LeaderboardError, match=r"board\.sqlite cannot be used: it is read-only"):
        add(otherwise(replay, 3), "Ada", "board.sqlite")


def test_schemas_of_other_times(replay):
    add(replay, "Ada", "board.sqlite")
    edited("board.sqlite", "UPDATE racer_version SET version_num = '9999'")
    both_refuse(otherwise(replay, 2), "board.sqlite", "later racer", "update racer")
    edited("board.sqlite", "UPDATE racer_version SET version_num = 'new'")
    both_refuse(otherwise(replay, 2), "board.sqlite", "no known version")
    edited("board.sqlite", "DELETE FROM racer_version")
    both_refuse(otherwise(replay, 2), "board.sqlite", "no known version")
    edited("board.sqlite", "DROP TABLE racer_version")
    both_refuse(otherwise(replay, 2), "board.sqlite", "lacks racer_schema")
    edited("board.sqlite", "CREATE TABLE racer_schema (version INTEGER)")
    edited("board.sqlite", "INSERT INTO racer_schema VALUES (2)")
    both_refuse(otherwise(replay, 2), "board.sqlite", "altered", "racer_schema")
    edited("board.sqlite", "DROP TABLE racer_schema")
    edited("board.sqlite", "CREATE TABLE racer_version (version_num TEXT)")
    both_refuse(otherwise(replay, 2), "board.sqlite", "altered", "racer_version")


def test_a_database_of_others_is_shared_not_harmed(replay):
    edited("shared.sqlite", "CREATE TABLE pupils (name TEXT)")
    edited("shared.sqlite", "INSERT INTO pupils VALUES ('Ada')")
    add(replay, "Ada", "shared.sqlite")
    with sqlite3.connect("shared.sqlite") as connection:
        assert connection.execute("SELECT * FROM pupils").fetchall() == [("Ada",)]
    connection.close()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("racer_drivers.name", "\x1b[2Jgone"),
        ("racer_drivers.name", b"bytes"),
        ("racer_courses.track", "a\nb"),
        ("racer_boards.name", "\x1b[2Jgone"),
        ("racer_boards.rules", "{}}"),
        ("racer_boards.rules", '{"car": "tank"}'),
        ("racer_boards.state", "broken"),
        ("racer_boards.opens", "tomorrow"),
        ("racer_entries.best_lap_ms", "fast"),
        ("racer_entries.time_ms", -5),
        ("racer_entries.mean_speed_mps", float("inf")),
        ("racer_entries.mean_speed_mps", "quick"),
        ("racer_entries.submitted", "\u202e"),
        ("racer_entries.laps", 1.5),
        ("racer_entries.lap_times", "[1"),
        ("racer_entries.lap_times", "{}"),
    ],
)
def test_rows_that_others_spoiled(replay, column, value):
    add(replay, "Ada", "board.sqlite")
    table, _, column = column.partition(".")
    edited("board.sqlite", f"UPDATE {table} SET {column} = ?", value)
    with pytest.raises(LeaderboardError, match=r"^the leaderboard's (entry|board) 1 is damaged") as caught:
        standings(db="board.sqlite")
    assert str(caught.value).isprintable()


def test_text_that_is_none(replay):
    add(replay, "Ada", "board.sqlite")
    edited("board.sqlite", "UPDATE racer_drivers SET name = CAST(x'ff80' AS TEXT)")
    with pytest.raises(LeaderboardError, match=r"board\.sqlite cannot be used"):
        standings(db="board.sqlite")


def test_hostile_text_is_only_text(replay):
    hostile = "x'); DROP TABLE racer_entries; --"
    add(replay, hostile)
    assert standings(hostile) == []
    assert [row.entry.driver for table in standings() for row in table.rows] == [hostile]
    assert len(Board.find("test-ring").entries(hostile)) == 1


# Hostile SQLite files

ENDLESS = "CREATE VIEW endless AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"

HOSTILE = {
    "endless trigger": [
        ENDLESS,
        "CREATE TRIGGER t AFTER INSERT ON racer_entries BEGIN SELECT count(*) FROM endless; END",
    ],
    "trigger before": [
        ENDLESS,
        "CREATE TRIGGER t BEFORE INSERT ON RACER_ENTRIES BEGIN INSERT INTO racer_version SELECT * FROM endless; END",
    ],
    "renaming trigger": [
        "CREATE TRIGGER t AFTER INSERT ON racer_entries BEGIN UPDATE racer_entries SET time_ms = 1; END"
    ],
    "raising trigger": ["CREATE TRIGGER t AFTER INSERT ON racer_entries BEGIN SELECT RAISE(ABORT, 'no'); END"],
    "generated column": ["ALTER TABLE racer_entries ADD COLUMN big TEXT AS (hex(zeroblob(1000000000)))"],
    "column": ["ALTER TABLE racer_entries ADD COLUMN note TEXT"],
    "index": ["CREATE INDEX i ON racer_entries (hex(zeroblob(1000000)))"],
    "no index": ["DROP INDEX racer_entries_rank"],
    "view": [
        "ALTER TABLE racer_entries RENAME TO mine",
        "CREATE VIEW racer_entries AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT mine.* FROM mine, n",
    ],
    "version is a view": [
        "DROP TABLE racer_version",
        "CREATE VIEW racer_version AS WITH RECURSIVE n(version_num) AS (SELECT 2 UNION ALL SELECT version_num FROM n) "
        "SELECT version_num FROM n",
    ],
    "trigger on the version": ["CREATE TRIGGER t AFTER INSERT ON racer_version BEGIN DELETE FROM racer_entries; END"],
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_database_that_was_altered_is_refused_before_it_is_used(replay, kind):
    add(replay, "Ada", "board.sqlite")
    for statement in HOSTILE[kind]:
        edited("board.sqlite", statement)
    both_refuse(otherwise(replay, 3), "board.sqlite", "altered", "--db")


def test_others_triggers_and_views_on_their_own_tables_do_no_harm(replay):
    add(replay, "Ada", "board.sqlite")
    edited("board.sqlite", "CREATE TABLE pupils (name TEXT)")
    edited("board.sqlite", ENDLESS)
    edited("board.sqlite", "CREATE TRIGGER t AFTER INSERT ON pupils BEGIN SELECT count(*) FROM endless; END")
    add(otherwise(replay, 3), "Ada", "board.sqlite")
    assert attempts("board.sqlite") == [2]


def test_values_longer_than_any_name_are_refused(replay):
    add(replay, "Ada", "board.sqlite")
    edited("board.sqlite", "UPDATE racer_drivers SET name = ?", "x" * 60_000)
    with pytest.raises(LeaderboardError, match="entry 1 is damaged: its driver is"):
        standings(db="board.sqlite")
    edited("board.sqlite", "UPDATE racer_drivers SET name = hex(zeroblob(15000000))")
    with pytest.raises(LeaderboardError, match="cannot be used: it holds a value above 20 MiB"):
        standings(db="board.sqlite")


def test_a_database_too_large_is_not_opened(folder):
    with (folder / "board.sqlite").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(LeaderboardError, match="larger than 4096 MiB"):
        standings(db="board.sqlite")


COUNT_WITHOUT_END = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def test_what_keeps_the_database_busy_without_an_end_is_stopped(replay):
    add(replay, "Ada", "board.sqlite")
    with (
        pytest.raises(LeaderboardError, match="cannot be used: it keeps the computer busy without an end"),
        opened("board.sqlite", write=False) as connection,
    ):
        connection.exec_driver_sql(COUNT_WITHOUT_END)


WAITS = {
    "for a lock": "from racer.leaderboard import standings\ndef wait():\n    standings(db='board.sqlite')",
    "for an answer": (
        "from racer.leaderboard.storage import opened\n"
        "def wait():\n    with opened('other.sqlite', write=False) as connection:\n"
        f"        connection.exec_driver_sql({COUNT_WITHOUT_END!r})"
    ),
}


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")
@pytest.mark.parametrize("why", WAITS)
def test_ctrl_c_ends_every_wait(replay, why):
    add(replay, "Ada", "board.sqlite")
    add(replay, "Ada", "other.sqlite")
    blocker = sqlite3.connect("board.sqlite", isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    patient = "print('waiting', flush=True)\ntry:\n    wait()\nexcept KeyboardInterrupt:\n    print('interrupted')"
    script = f"{WAITS[why]}\n{patient}"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as waiting:
        assert waiting.stdout.readline() == "waiting\n"
        time.sleep(0.2)  # by now it waits
        waiting.send_signal(signal.SIGINT)
        assert waiting.communicate(timeout=60)[0] == "interrupted\n"
    blocker.close()
