"""The leaderboard: what gets on it, how it ranks, and what many users or a spoiled database do to it."""

import csv
import dataclasses
import io
import json
import multiprocessing
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from drives import CAR, altered, drive, otherwise, ring

from racer import __version__
from racer.errors import LeaderboardError, ReplayError
from racer.leaderboard import AlreadyEnteredError, add, add_all, as_records, database, standings
from racer.leaderboard.board import SCHEMA, metadata
from racer.leaderboard.names import clean_name
from racer.leaderboard.storage import opened
from racer.replay import save_replay
from racer.sim import CARS, physics_version
from racer.track import load_track, save_track, track_from_arrays


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A learner's folder of their own, so that no test touches another's board."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RACER_DB", raising=False)
    return tmp_path


@pytest.fixture(scope="module")
def replay():
    return drive(ring(), laps=2)


@pytest.fixture(scope="module")
def quick():
    return drive(ring(), laps=2, speed=2.4)


# What gets on the board


def test_a_drive_gets_on_the_board(replay, folder):
    save_replay(replay, folder / "drive.replay")
    entry = add(folder / "drive.replay", " Ada  Lovelace ")
    assert (folder / "leaderboard.sqlite").is_file()
    assert entry.driver == "Ada Lovelace"
    assert (entry.track, entry.direction, entry.car) == ("test-ring", "forward", "deepracer")
    assert entry.best_lap_ms == round(1000.0 * replay.laps[1].time_s)
    assert entry.laps == 2
    assert entry.mean_speed_mps == pytest.approx(4.0 * np.pi / replay.laps[1].time_s, rel=0.03)
    rows = replay.steps[replay.steps["lap"] == 2]
    assert entry.mean_speed_mps == pytest.approx(rows["speed"].mean())
    assert entry.track_digest == replay.track.digest
    (row,) = standings("test-ring")
    assert (row.rank, row.attempts, row.entry) == (1, 1, entry)


def test_the_same_drive_does_not_count_twice(replay):
    entry = add(replay, "Ada")
    copies = [
        replay,
        altered(replay, driver="Mallory"),
        dataclasses.replace(replay, created="2030-01-02T03:04:05+00:00"),
        dataclasses.replace(replay, seed=99),
        dataclasses.replace(replay, engine="0.0.9"),
        altered(replay, reward="another"),
        drive(ring(), laps=3),  # the same two laps, and one more that is no better
    ]
    assert copies[-1].laps[2].time_s >= replay.laps[1].time_s
    for name in ("Ada", "Grace"):
        for copy in copies:
            with pytest.raises(AlreadyEnteredError, match=r"entered by Ada at 20.*another drive") as caught:
                add(copy, name)
            assert caught.value.entry == entry
    assert [row.attempts for row in standings()] == [1]


def test_what_was_driven_decides_not_what_the_replay_says(replay):
    entry = add(dataclasses.replace(replay, engine="99.0", physics="mine", arithmetic="mine"), "Ada")
    assert (entry.engine, entry.physics) == (__version__, physics_version().motion)


def test_several_at_once_and_each_for_itself(replay, folder):
    save_replay(altered(otherwise(replay, 1), driver="Grace"), folder / "grace.replay")
    (folder / "broken.replay").write_bytes(b"{}")
    outcomes = add_all([replay, folder / "grace.replay", folder / "broken.replay", replay, folder / "missing.replay"])
    assert [type(outcome).__name__ for outcome in outcomes] == [
        "Entry",
        "Entry",
        "ReplayError",
        "AlreadyEnteredError",
        "ReplayError",
    ]
    assert {row.entry.driver for row in standings()} == {"test driver", "Grace"}
    assert [str(error) for error in add_all([folder / "missing.replay"], "Ada", "none.sqlite")]
    assert not (folder / "none.sqlite").exists()
    assert [outcome.driver for outcome in add_all([otherwise(replay, 2), otherwise(replay, 3)], "Ada")] == [
        "Ada",
        "Ada",
    ]


def test_a_race_of_several_cars_is_no_time_trial(replay):
    two = dataclasses.replace(replay, drives=replay.drives * 2)
    with pytest.raises(LeaderboardError, match="2 cars raced; a board takes one car alone"):
        add(two, "Ada")


def test_a_replay_that_does_not_hold_is_refused(replay, folder):
    steps = replay.steps.copy()
    steps["speed_command"][20:] += 0.01
    faster = (dataclasses.replace(replay.laps[0], time_s=replay.laps[0].time_s - 0.02), replay.laps[1])
    for cheat, word in [
        (altered(replay, steps=steps), "driving it again gives"),
        (altered(replay, laps=faster), "time of its lap 1"),
    ]:
        with pytest.raises(LeaderboardError, match=rf"^this replay was refused: .*{word}"):
            add(cheat, "Mallory")
    assert not (folder / "leaderboard.sqlite").exists()


def test_another_car_is_refused(replay):
    strong = dataclasses.replace(replay, car=dataclasses.replace(CAR, grip=8.0))
    with pytest.raises(LeaderboardError, match=r"the grip of its car is 8\.0, but that of racer's deepracer is"):
        add(strong, "Mallory")
    kart = dataclasses.replace(replay, car=dataclasses.replace(CAR, name="kart"))
    with pytest.raises(LeaderboardError, match=r"its car 'kart' is none that racer ships \(deepracer, "):
        add(kart, "Mallory")


def test_no_complete_lap_no_entry():
    with pytest.raises(LeaderboardError, match="no complete lap"):
        add(drive(ring(), laps=1, leave_in_lap=1), "Ada")


def test_the_file_must_be_a_replay(folder):
    (folder / "drive.replay").write_bytes(b"not really")
    with pytest.raises(ReplayError, match=r"drive\.replay"):
        add(folder / "drive.replay", "Ada")


def test_a_name_on_the_shelf_means_the_road_on_the_shelf(folder):
    (folder / "tracks").mkdir()
    save_track(ring(radius=2.0), folder / "tracks" / "oval.csv")
    honest = load_track("oval")
    smaller = ring(radius=1.5)
    forged = track_from_arrays("oval", smaller.center, smaller.inner, smaller.outer)
    add(drive(honest), "Ada")
    add(drive(honest.reverse()), "Ada")
    with pytest.raises(LeaderboardError, match=r"its track 'oval' is not the road of that name here .*oval\.csv"):
        add(drive(forged), "Mallory")
    with pytest.raises(LeaderboardError, match="not the road of that name"):
        add(drive(dataclasses.replace(honest.reverse(), reversed=False)), "Mallory")
    assert [(row.rank, row.entry.direction) for row in standings("oval")] == [(1, "forward"), (1, "reverse")]
    (row,) = standings(honest.reverse())
    assert row.entry.direction == "reverse"


def test_roads_of_one_name_never_share_a_board(replay):
    smaller = ring(radius=1.5)
    add(replay, "Ada")
    add(drive(smaller), "Grace")
    rows = standings("test-ring")
    assert [row.rank for row in rows] == [1, 1]
    assert len({row.entry.track_digest for row in rows}) == 2
    assert [row.entry.driver for row in standings(smaller)] == ["Grace"]
    assert standings("another") == []


def test_cars_never_share_a_board(replay):
    """The same road, the same driver, two cars: two boards, and neither is a try on the other."""
    slow = drive(ring(), laps=2, car=CARS["deepracer-v4"])
    assert replay.car.name == "deepracer"
    entries = [add(replay, "Ada"), add(slow, "Ada")]
    assert entries[0].track_digest == entries[1].track_digest
    rows = standings("test-ring")
    assert [(row.rank, row.attempts, row.entry.car) for row in rows] == [(1, 1, "deepracer"), (1, 1, "deepracer-v4")]
    assert len({row.entry.car_digest for row in rows}) == 2
    assert [record["car"] for record in as_records(rows)] == ["deepracer", "deepracer-v4"]


def test_a_trailing_blank_makes_no_other_board(replay):
    """Nor do needless blanks, ways to compose a letter, or characters that cannot be seen."""
    for number, name in enumerate(("test-ring ", " test-ring", "test-ring\ufe0f")):
        track = dataclasses.replace(replay.track, name=name)
        add(dataclasses.replace(otherwise(replay, number), track=track), "Ada")
    assert {(row.entry.track, row.attempts) for row in standings()} == {("test-ring", 3)}
    with pytest.raises(LeaderboardError, match="cannot be seen"):
        add(dataclasses.replace(replay, track=dataclasses.replace(replay.track, name="test\u2800ring")), "Ada")


def test_a_blank_does_not_hide_a_forged_road(folder):
    (folder / "tracks").mkdir()
    save_track(ring(radius=2.0), folder / "tracks" / "oval.csv")
    smaller = ring(radius=1.5)
    with pytest.raises(LeaderboardError, match="its track 'oval' is not the road of that name here"):
        add(drive(track_from_arrays("oval ", smaller.center, smaller.inner, smaller.outer)), "Mallory")


def test_a_track_named_like_a_path_opens_nothing(replay, folder):
    (folder / "secret.csv").write_text("not a track")
    add(dataclasses.replace(replay, track=dataclasses.replace(replay.track, name="secret.csv")), "Ada")
    add(dataclasses.replace(otherwise(replay, 1), track=dataclasses.replace(replay.track, name="../x")), "Ada")
    assert {row.entry.track for row in standings()} == {"secret.csv", "../x"}


def test_what_could_not_be_shown_is_not_stored(replay, folder):
    track = dataclasses.replace(replay.track, name="a\x1b[2Jb")
    with pytest.raises(
        LeaderboardError, match=r"the track's name 'a\\x1b\[2Jb' holds a character that cannot be printed"
    ):
        add(dataclasses.replace(replay, track=track), "Ada")
    assert not (folder / "leaderboard.sqlite").exists()


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


# How it ranks


def fill(db, *entries):
    """Put (driver, best lap in ms) on a board as they are, without a drive each."""
    add(drive(ring(), laps=1), "template", db)
    with sqlite3.connect(db) as connection:
        connection.row_factory = sqlite3.Row
        template = dict(connection.execute("SELECT * FROM racer_entries").fetchone())
        connection.execute("DELETE FROM racer_entries")
        for number, (driver, lap) in enumerate(entries):
            values = template | {
                "id": number,
                "driver": driver,
                "best_lap_ms": lap,
                "replay_digest": f"{number:064x}",
            }
            marks = ", ".join("?" * len(values))
            connection.execute(f"INSERT INTO racer_entries VALUES ({marks})", list(values.values()))
    connection.close()


def test_ties_share_a_rank_and_each_driver_has_one_row():
    fill(
        "board.sqlite",
        ("d", 9000),
        ("a", 8001),
        ("b", 8000),
        ("a", 8000),
        ("c", 8001),
        ("a", 9500),
        ("b", 8000),
    )
    rows = standings(db="board.sqlite")
    assert [(row.rank, row.entry.driver, row.entry.best_lap_ms, row.attempts) for row in rows] == [
        (1, "b", 8000, 2),
        (1, "a", 8000, 3),
        (3, "c", 8001, 1),
        (4, "d", 9000, 1),
    ]


def test_the_quicker_drive_counts(replay, quick):
    assert quick.best_lap_s < replay.best_lap_s
    add(quick, "Ada")
    add(replay, "Ada")
    add(replay := otherwise(replay, 5), "Grace")
    rows = standings()
    assert [(row.rank, row.entry.driver, row.attempts) for row in rows] == [(1, "Ada", 2), (2, "Grace", 1)]
    assert rows[0].entry.best_lap_ms == round(1000.0 * quick.best_lap_s)


def test_records_fit_tables_json_and_csv(replay):
    add(replay, 'Ada, "the first"')
    records = as_records(standings())
    assert json.loads(json.dumps(records)) == records
    assert list(records[0])[:10] == [
        "rank",
        "driver",
        "best_lap_s",
        "laps",
        "mean_speed_mps",
        "track",
        "direction",
        "car",
        "engine",
        "attempts",
    ]
    assert records[0]["best_lap_s"] == round(replay.best_lap_s, 3)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(records[0]))
    writer.writeheader()
    writer.writerows(records)
    (row,) = csv.DictReader(io.StringIO(text.getvalue()))
    assert row["driver"] == 'Ada, "the first"'


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
    assert standings(db=folder / "odd name ?#%.sqlite") == standings(db="by-url.sqlite") != []


# Many at once


def enter_many(replay, name, tries, go):
    go.wait(300)
    for k in range(tries):
        add(otherwise(replay, 1000 * int(name[1:]) + k), name, "club.sqlite")


def test_eight_processes_lose_nothing(replay):
    context = multiprocessing.get_context("spawn")
    go = context.Event()
    workers = [context.Process(target=enter_many, args=(replay, f"p{k}", 10, go)) for k in range(8)]
    for worker in workers:
        worker.start()
    go.set()  # all at once make the database, too
    for worker in workers:
        worker.join(300)
    assert [worker.exitcode for worker in workers] == [0] * 8
    rows = standings(db="club.sqlite")
    assert {row.entry.driver: row.attempts for row in rows} == {f"p{k}": 10 for k in range(8)}


def enter_once(replay, name, go, outcomes):
    go.wait(300)
    try:
        add(replay, name, "club.sqlite")
        outcomes.put("entered")
    except AlreadyEnteredError:
        outcomes.put("already")


def test_the_same_replay_from_many_counts_once(replay):
    context = multiprocessing.get_context("spawn")
    go, outcomes = context.Event(), context.Queue()
    workers = [context.Process(target=enter_once, args=(replay, f"p{k}", go, outcomes)) for k in range(6)]
    for worker in workers:
        worker.start()
    go.set()
    told = sorted(outcomes.get(timeout=300) for _ in workers)
    for worker in workers:
        worker.join(300)
    assert told == ["already"] * 5 + ["entered"]


def test_a_writer_that_is_killed_leaves_the_board_whole(replay):
    add(replay, "Ada", "club.sqlite")
    context = multiprocessing.get_context("spawn")
    go = context.Event()
    go.set()
    delays = random.Random(0)
    for attempt in range(3):
        name = f"p{attempt + 1}"
        worker = context.Process(target=enter_many, args=(replay, name, 1000, go))
        worker.start()
        while worker.is_alive() and name not in {row.entry.driver for row in standings(db="club.sqlite")}:
            time.sleep(0.02)
        time.sleep(delays.uniform(0.0, 0.1))  # now it is at it
        worker.kill()
        worker.join(20)
        assert name in {row.entry.driver for row in standings(db="club.sqlite")}
    with sqlite3.connect("club.sqlite") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    add(otherwise(replay, 1), "Ada", "club.sqlite")


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
        ("nosuchkind://host/name", "cannot reach this kind"),
        ("postgresql://ada@host/name", "run pip install 'racer[postgres]'"),
        ("postgresql+psycopg://ada@host/name", "run pip install 'racer[postgres]'"),
        ("oracle+nosuch://host/name", "cannot reach this kind"),
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
    assert [row.attempts for row in standings(db="board.sqlite")] == [2]
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


def edited(db, statement, *values):
    with sqlite3.connect(db) as connection:
        connection.execute(statement, values)
    connection.close()


def test_schemas_of_other_times(replay):
    add(replay, "Ada", "board.sqlite")
    edited("board.sqlite", "UPDATE racer_schema SET version = 3")
    both_refuse(otherwise(replay, 2), "board.sqlite", "later racer", "update racer")
    edited("board.sqlite", "UPDATE racer_schema SET version = 1")
    both_refuse(otherwise(replay, 2), "board.sqlite", "an earlier racer", "--db")
    edited("board.sqlite", "UPDATE racer_schema SET version = 0")
    both_refuse(otherwise(replay, 2), "board.sqlite", "no known version")
    edited("board.sqlite", "DELETE FROM racer_schema")
    both_refuse(otherwise(replay, 2), "board.sqlite", "no known version")
    edited("board.sqlite", "DROP TABLE racer_schema")
    both_refuse(otherwise(replay, 2), "board.sqlite", "lacks racer_schema")
    edited("board.sqlite", "DROP TABLE racer_entries")
    edited("board.sqlite", "CREATE TABLE racer_entries (id INTEGER, note TEXT)")
    edited("board.sqlite", "CREATE TABLE racer_schema (version INTEGER)")
    edited("board.sqlite", "INSERT INTO racer_schema VALUES (2)")
    both_refuse(otherwise(replay, 2), "board.sqlite", "altered", "racer_schema")


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
        ("driver", "\x1b[2Jgone"),
        ("driver", b"bytes"),
        ("track", "a\nb"),
        ("best_lap_ms", "fast"),
        ("best_lap_ms", -5),
        ("mean_speed_mps", float("inf")),
        ("mean_speed_mps", "quick"),
        ("submitted", "\u202e"),
        ("laps", 1.5),
    ],
)
def test_rows_that_others_spoiled(replay, column, value):
    add(replay, "Ada", "board.sqlite")
    edited("board.sqlite", f"UPDATE racer_entries SET {column} = ?", value)
    with pytest.raises(LeaderboardError, match=f"entry 1 is damaged: its {column} is") as caught:
        standings(db="board.sqlite")
    assert str(caught.value).isprintable()


def test_text_that_is_none(replay):
    add(replay, "Ada", "board.sqlite")
    edited("board.sqlite", "UPDATE racer_entries SET driver = CAST(x'ff80' AS TEXT)")
    with pytest.raises(LeaderboardError, match=r"board\.sqlite cannot be used"):
        standings(db="board.sqlite")


def test_hostile_text_is_only_text(replay):
    hostile = "x'); DROP TABLE racer_entries; --"
    add(replay, hostile)
    assert standings(hostile) == []
    assert [row.entry.driver for row in standings()] == [hostile]


# Hostile SQLite files

ENDLESS = "CREATE VIEW endless AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"

HOSTILE = {
    "endless trigger": [
        ENDLESS,
        "CREATE TRIGGER t AFTER INSERT ON racer_entries BEGIN SELECT count(*) FROM endless; END",
    ],
    "trigger before": [
        ENDLESS,
        "CREATE TRIGGER t BEFORE INSERT ON RACER_ENTRIES BEGIN INSERT INTO racer_schema SELECT * FROM endless; END",
    ],
    "renaming trigger": [
        "CREATE TRIGGER t AFTER INSERT ON racer_entries BEGIN UPDATE racer_entries SET driver = 'Mallory'; END"
    ],
    "raising trigger": ["CREATE TRIGGER t AFTER INSERT ON racer_entries BEGIN SELECT RAISE(ABORT, 'no'); END"],
    "generated column": ["ALTER TABLE racer_entries ADD COLUMN big TEXT AS (hex(zeroblob(1000000000)))"],
    "column": ["ALTER TABLE racer_entries ADD COLUMN note TEXT"],
    "index": ["CREATE INDEX i ON racer_entries (hex(zeroblob(1000000)))"],
    "no index": ["DROP INDEX racer_entries_board"],
    "view": [
        "ALTER TABLE racer_entries RENAME TO mine",
        "CREATE VIEW racer_entries AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT mine.* FROM mine, n",
    ],
    "schema is a view": [
        "DROP TABLE racer_schema",
        "CREATE VIEW racer_schema AS WITH RECURSIVE n(version) AS (SELECT 2 UNION ALL SELECT version FROM n) "
        "SELECT version FROM n",
    ],
    "trigger on the version": ["CREATE TRIGGER t AFTER INSERT ON racer_schema BEGIN DELETE FROM racer_entries; END"],
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
    assert [row.attempts for row in standings(db="board.sqlite")] == [2]


def test_values_longer_than_any_name_are_refused(replay):
    add(replay, "Ada", "board.sqlite")
    edited("board.sqlite", "UPDATE racer_entries SET driver = ?", "x" * 60_000)
    with pytest.raises(LeaderboardError, match="entry 1 is damaged: its driver is"):
        standings(db="board.sqlite")
    edited("board.sqlite", "UPDATE racer_entries SET driver = hex(zeroblob(10000000))")
    with pytest.raises(LeaderboardError, match="cannot be used: it holds a value above 100,000 bytes"):
        standings(db="board.sqlite")


def test_a_database_too_large_is_not_opened(folder):
    with (folder / "board.sqlite").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(LeaderboardError, match="larger than 64 MiB"):
        standings(db="board.sqlite")


COUNT_WITHOUT_END = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def test_what_keeps_the_database_busy_without_an_end_is_stopped(replay):
    add(replay, "Ada", "board.sqlite")
    with (
        pytest.raises(LeaderboardError, match="cannot be used: it keeps the computer busy without an end"),
        opened("board.sqlite", metadata, SCHEMA, write=False) as connection,
    ):
        connection.exec_driver_sql(COUNT_WITHOUT_END)


WAITS = {
    "for a lock": "from racer.leaderboard import standings\ndef wait():\n    standings(db='board.sqlite')",
    "for an answer": (
        "from racer.leaderboard.board import SCHEMA, metadata\nfrom racer.leaderboard.storage import opened\n"
        "def wait():\n    with opened('other.sqlite', metadata, SCHEMA, write=False) as connection:\n"
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
