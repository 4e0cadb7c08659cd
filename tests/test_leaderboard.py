"""The leaderboard, on SQLite and on PostgreSQL: what gets on it, how it ranks, and what many users do to it."""

import csv
import dataclasses
import io
import itertools
import json
import multiprocessing
import random
import time

import numpy as np
import pytest
import sqlalchemy as sa
from drives import CAR, altered, drive, otherwise, ring
from hypothesis import HealthCheck, given, settings, strategies as st

from racer import __version__
from racer.errors import LeaderboardError, ReplayError
from racer.leaderboard import AlreadyEnteredError, Board, add, add_all, as_records, standings
from racer.replay import save_replay
from racer.sim import CARS, Boxes, Traffic, physics_version
from racer.track import load_track, save_track, track_from_arrays


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, db):
    """A learner's folder of their own, so that no test touches another's board."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RACER_DB", db)
    return tmp_path


@pytest.fixture(scope="module")
def replay():
    return drive(ring(), laps=2)


@pytest.fixture(scope="module")
def quick():
    return drive(ring(), laps=2, speed=2.4)


def rows(*arguments, **options):
    """All rows of all boards, each with its board."""
    return [(table.board, row) for table in standings(*arguments, **options) for row in table.rows]


def empty(db):
    """Whether nothing is in a database."""
    try:
        return not Board.all(db)
    except LeaderboardError as error:
        return "no leaderboard" in str(error)


# What gets on the board


def test_a_drive_gets_on_the_board(replay, folder):
    save_replay(replay, folder / "drive.replay")
    entry = add(folder / "drive.replay", " Ada  Lovelace ")
    assert entry.driver == "Ada Lovelace"
    assert entry.best_lap_ms == round(1000.0 * replay.laps[1].time_s)
    assert entry.laps == 2
    assert entry.mean_speed_mps == pytest.approx(4.0 * np.pi / replay.laps[1].time_s, rel=0.03)
    second = replay.steps[replay.steps["lap"] == 2]
    assert entry.mean_speed_mps == pytest.approx(second["speed"].mean())
    (table,) = standings("test-ring")
    board = table.board
    assert [vars(course) for course in board.courses] == [
        {"track": "test-ring", "direction": "forward", "track_digest": replay.track.digest}
    ]
    assert (board.name, board.car, board.open_to_all, board.state) == ("test-ring", "deepracer", True, "open")
    assert (table.physics, table.current) == (physics_version().motion, True)
    (row,) = table.rows
    assert (row.rank, row.attempts, row.entry) == (1, 1, entry)
    assert board.entries("Ada Lovelace") == [entry] and board.standings() == table.rows


def test_the_same_drive_does_not_count_twice(replay):
    entry = add(replay, "Ada")
    copies = [
        replay,
        altered(replay, driver="Mallory"),
        dataclasses.replace(replay, created="2030-01-02T03:04:05+00:00"),
        dataclasses.replace(replay, seed=99),
        dataclasses.replace(replay, engine="0.0.9"),
        altered(replay, reward="another"),
        drive(ring(), laps=3, leave_in_lap=3),  # the same two laps, and one more that counts for nothing
    ]
    assert [lap.complete for lap in copies[-1].laps] == [True, True, False]
    for name in ("Ada", "Grace"):
        for copy in copies:
            with pytest.raises(AlreadyEnteredError, match=r"entered by Ada at 20.*another drive") as caught:
                add(copy, name)
            assert caught.value.entry == entry
    assert [row.attempts for _, row in rows()] == [1]


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
    assert {row.entry.driver for _, row in rows()} == {"test driver", "Grace"}
    assert [outcome.driver for outcome in add_all([otherwise(replay, 2), otherwise(replay, 3)], "Ada")] == [
        "Ada",
        "Ada",
    ]


def test_a_race_of_several_cars_is_no_time_trial(replay):
    two = dataclasses.replace(replay, drives=replay.drives * 2)
    with pytest.raises(LeaderboardError, match="2 cars raced; a board takes one car alone"):
        add(two, "Ada")
    among = dataclasses.replace(replay, traffic=Traffic(Boxes(1)))
    with pytest.raises(LeaderboardError, match="it is a race object-avoidance; a board takes time trials"):
        add(among, "Ada")


def test_a_replay_that_does_not_hold_is_refused(replay, db):
    steps = replay.steps.copy()
    steps["speed_command"][20:] += 0.01
    faster = (dataclasses.replace(replay.laps[0], time_s=replay.laps[0].time_s - 0.02), replay.laps[1])
    for cheat, word in [
        (altered(replay, steps=steps), "driving it again gives"),
        (altered(replay, laps=faster), "time of its lap 1"),
    ]:
        with pytest.raises(LeaderboardError, match=rf"^this replay was refused: .*{word}"):
            add(cheat, "Mallory")
    assert empty(db)


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
    assert [(row.rank, board.courses[0].direction) for board, row in rows("oval")] == [(1, "forward"), (1, "reverse")]
    ((board, _),) = rows(honest.reverse())
    assert (board.courses[0].direction, board.name) == ("reverse", "oval (reverse)")


def test_roads_of_one_name_never_share_a_board(replay):
    smaller = ring(radius=1.5)
    add(replay, "Ada")
    add(drive(smaller), "Grace")
    found = rows("test-ring")
    assert [row.rank for _, row in found] == [1, 1]
    assert len({board.courses[0].track_digest for board, _ in found}) == len({board.name for board, _ in found}) == 2
    assert [row.entry.driver for _, row in rows(smaller)] == ["Grace"]
    assert standings("another") == []


def test_cars_never_share_a_board(replay):
    """The same road, the same driver, two cars: two boards, and neither is a try on the other."""
    slow = drive(ring(), laps=2, car=CARS["deepracer-v4"])
    assert replay.car.name == "deepracer"
    entries = [add(replay, "Ada"), add(slow, "Ada")]
    found = rows("test-ring")
    assert [(row.rank, row.attempts, board.car) for board, row in found] == [
        (1, 1, "deepracer"),
        (1, 1, "deepracer-v4"),
    ]
    assert [board.id for board, _ in found] == [entry.board_id for entry in entries]
    assert len({board.courses for board, _ in found}) == 1
    assert len({board.car_digest for board, _ in found}) == 2
    assert [record["car"] for record in as_records(standings())] == ["deepracer", "deepracer-v4"]


def test_a_trailing_blank_makes_no_other_board(replay):
    """Nor do needless blanks, ways to compose a letter, or characters that cannot be seen."""
    for number, name in enumerate(("test-ring ", " test-ring", "test-ring\ufe0f")):
        track = dataclasses.replace(replay.track, name=name)
        add(dataclasses.replace(otherwise(replay, number), track=track), "Ada")
    assert [(board.courses[0].track, row.attempts) for board, row in rows()] == [("test-ring", 3)]
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
    assert {board.courses[0].track for board, _ in rows()} == {"secret.csv", "../x"}


def test_what_could_not_be_shown_is_not_stored(replay, db):
    track = dataclasses.replace(replay.track, name="a\x1b[2Jb")
    with pytest.raises(
        LeaderboardError, match=r"the track's name 'a\\x1b\[2Jb' holds a character that cannot be printed"
    ):
        add(dataclasses.replace(replay, track=track), "Ada")
    assert empty(db)


# How it ranks


def fill(db, replay, *entries):
    """Put (driver, time in ms) on a board as they are, without a drive each."""
    entry = add(replay, "template", db)
    url = db if "://" in db else f"sqlite:///{db}"
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    metadata = sa.MetaData()
    with engine.begin() as connection:
        metadata.reflect(connection)
        table, drivers, drives = (metadata.tables[f"racer_{name}"] for name in ("entries", "drivers", "drives"))
        template = dict(connection.execute(sa.select(table)).mappings().one())
        for each in (drives, table, drivers):
            connection.execute(sa.delete(each))
        names = sorted({driver for driver, _ in entries})
        connection.execute(sa.insert(drivers), [{"id": 1000 + k, "name": name} for k, name in enumerate(names)])
        fastest = {
            name: min((time_ms, k) for k, (driver, time_ms) in enumerate(entries) if driver == name) for name in names
        }
        connection.execute(
            sa.insert(table),
            [
                template
                | {"id": 1000 + k, "driver_id": 1000 + names.index(driver), "time_ms": time_ms, "best_lap_ms": time_ms}
                | {"commands_digest": f"{k:064x}", "best": fastest[driver] == (time_ms, k)}
                for k, (driver, time_ms) in enumerate(entries)
            ],
        )
    engine.dispose()
    return Board.find(entry.board, db)


def test_ties_share_a_rank_and_each_driver_has_one_row(db, replay):
    tries = [("d", 9000), ("a", 8001), ("b", 8000), ("a", 8000), ("c", 8001), ("a", 9500), ("b", 8000)]
    board = fill(db, replay, *tries)
    found = [
        (row.rank, row.entry.driver, row.entry.time_ms, row.attempts, row.gap_ms, row.interval_ms)
        for row in board.standings()
    ]
    assert found == [
        (1, "b", 8000, 2, 0, 0),
        (1, "a", 8000, 3, 0, 0),
        (3, "c", 8001, 1, 1, 1),
        (4, "d", 9000, 1, 1000, 999),
    ]
    assert board.standings(limit=2) == board.standings()[:2]
    assert [entry.time_ms for entry in board.entries("a")] == [8001, 8000, 9500]
    assert [(one.driver, one.first_ms, one.best_ms, one.gain_ms, one.attempts) for one in board.progress()] == [
        ("a", 8001, 8000, 1, 3),
        ("b", 8000, 8000, 0, 2),
        ("c", 8001, 8001, 0, 1),
        ("d", 9000, 9000, 0, 1),
    ]


NUMBERS = itertools.count()


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(5000, 5010)), min_size=1, max_size=30))
def test_ranks_are_those_of_a_plain_count(replay, tries):
    """Against ranks counted as a teacher would: one more than how many drivers were strictly faster."""
    board = fill(f"rank-{next(NUMBERS)}.sqlite", replay, *tries)
    best = {driver: min(time for name, time in tries if name == driver) for driver, _ in tries}
    leader = min(best.values())
    for row in board.standings():
        mine = best[row.entry.driver]
        faster = [time for time in best.values() if time < mine]
        assert (row.entry.time_ms, row.rank, row.gap_ms) == (mine, 1 + len(faster), mine - leader)
        assert row.interval_ms == (mine - max(faster) if faster else 0)
        assert row.attempts == sum(name == row.entry.driver for name, _ in tries)
    assert len(board.standings()) == len(best)


def test_the_quicker_drive_counts(replay, quick):
    assert quick.best_lap_s < replay.best_lap_s
    add(quick, "Ada")
    add(replay, "Ada")
    add(replay := otherwise(replay, 5), "Grace")
    found = [row for _, row in rows()]
    assert [(row.rank, row.entry.driver, row.attempts) for row in found] == [(1, "Ada", 2), (2, "Grace", 1)]
    assert found[0].entry.best_lap_ms == round(1000.0 * quick.best_lap_s)
    assert found[1].gap_ms == found[1].interval_ms == found[1].entry.time_ms - found[0].entry.time_ms > 0


def test_records_fit_tables_json_and_csv(replay):
    add(replay, 'Ada, "the first"')
    records = as_records(standings())
    assert json.loads(json.dumps(records)) == records
    assert list(records[0])[:11] == [
        "rank",
        "driver",
        "best_lap_s",
        "percent_of_mark",
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


# Many at once

fork = pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")


def enter_many(replay, name, tries, go, outcomes=None):
    go.wait(300)
    for k in range(tries):
        add(otherwise(replay, 1000 * int(name[1:]) + k + 1), name)
    if outcomes is not None:
        (outcome,) = add_all([replay], name)
        outcomes.put(type(outcome).__name__)


@pytest.mark.slow
@fork
def test_processes_lose_and_double_nothing(replay):
    """All at once make the database, too; and all enter the same drive, which counts once."""
    context = multiprocessing.get_context("fork")
    go, outcomes = context.Event(), context.Queue()
    workers = [context.Process(target=enter_many, args=(replay, f"p{k}", 5, go, outcomes)) for k in range(6)]
    for worker in workers:
        worker.start()
    go.set()
    told = sorted(outcomes.get(timeout=300) for _ in workers)
    for worker in workers:
        worker.join(300)
    assert [worker.exitcode for worker in workers] == [0] * 6
    assert told == ["AlreadyEnteredError"] * 5 + ["Entry"]
    (board,) = Board.all()
    entries = board.entries()
    assert len({entry.commands_digest for entry in entries}) == len(entries) == 31
    assert sorted(row.attempts for _, row in rows()) == [5] * 5 + [6]


@fork
def test_a_writer_that_is_killed_leaves_the_board_whole(replay):
    add(replay, "Ada")
    context = multiprocessing.get_context("fork")
    go = context.Event()
    go.set()
    delays = random.Random(0)
    for attempt in range(2):
        name = f"p{attempt + 1}"
        worker = context.Process(target=enter_many, args=(replay, name, 1000, go))
        worker.start()
        while worker.is_alive() and name not in {row.entry.driver for _, row in rows()}:
            time.sleep(0.02)
        time.sleep(delays.uniform(0.0, 0.1))  # now it is at it
        worker.kill()
        worker.join(20)
        assert name in {row.entry.driver for _, row in rows()}
    (board,) = Board.all()
    assert all(outcome.time_ms is not None for outcome in board.reverify(everything=True)), "every entry is whole"
    add(otherwise(replay, 1), "Ada")
