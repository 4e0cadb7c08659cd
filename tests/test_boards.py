"""Boards with rules, on SQLite and PostgreSQL: who may enter what, models, copies, cleaning up, driving again."""

import dataclasses
import datetime
import json

import numpy as np
import pytest
import sqlalchemy as sa
from drives import altered, drive, otherwise, ring

from racer.errors import LeaderboardError, RacerError
from racer.leaderboard import (
    AlreadyEnteredError,
    Board,
    Entry,
    add,
    as_markdown,
    as_records,
    close,
    history,
    laps_as_records,
    remove,
    rename,
    rename_driver,
    restore,
    standings,
)
from racer.racing import Linear, Model, Network, NetworkInput, Rulebook, rulebook_from_json, save_model
from racer.sim import CARS, DEFAULT
from racer.track import load_track, save_track


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """A folder with a track of one's own on its shelf."""
    folder = tmp_path_factory.mktemp("club")
    (folder / "tracks").mkdir()
    save_track(ring(), folder / "tracks" / "test-ring.csv")
    return folder


@pytest.fixture(autouse=True)
def folder(shelf, monkeypatch, db):
    monkeypatch.chdir(shelf)
    monkeypatch.setenv("RACER_DB", db)
    return shelf


@pytest.fixture(scope="module")
def replay(shelf):
    return drive(load_track(shelf / "tracks" / "test-ring.csv"), laps=3)


def rules(**sections) -> Rulebook:
    return rulebook_from_json({"title": "Ring cup", "tracks": "test-ring", "resets": {"most": 0}, **sections})


def model(name="Ada", gain=1.1, speed=-0.6) -> Model:
    """Steers at the centre line 0.9 m ahead, at a constant speed: one layer, written by hand."""
    weight = np.zeros((2, 30), np.float32)
    weight[0, 15] = gain
    layer = Linear(weight=weight, bias=np.array([0, speed], np.float32), activation="none")
    network = Network((NetworkInput("state", (30,)),), (layer,), "clip")
    return Model(name, "deepracer", ("state",), DEFAULT, network)


def connected(db):
    """The database behind racer's back; its connections close with it."""
    url = db.replace("postgresql:", "postgresql+psycopg:") if "://" in db else f"sqlite:///{db}"
    return sa.create_engine(url, poolclass=sa.NullPool)


def refused(outcomes, *words):
    (error,) = outcomes
    assert isinstance(error, RacerError), error
    assert str(error).isprintable() and len(str(error)) < 500
    for word in words:
        assert word in str(error)


# Rules


def test_the_official_time_is_by_the_timing_method(replay):
    times = [lap.time_s for lap in replay.laps]
    laps = [round(1000.0 * time_s) for time_s in times]
    for method, time_s in [
        ("best-lap", min(times)),
        ("average-laps", min((times[0] + times[1]) / 2, (times[1] + times[2]) / 2)),
        ("total-time", sum(times)),
    ]:
        board = Board.create(f"by {method}", rules(timing={"method": method, "laps": 2}))
        (entry,) = board.submit([replay], "Ada", team="Blue")
        assert isinstance(entry, Entry), entry
        assert (entry.time_ms, entry.best_lap_ms, entry.laps) == (round(1000.0 * time_s), min(laps), 3)
        assert entry.average_ms == pytest.approx(np.mean(laps[1:]), abs=1)
        assert entry.total_ms == pytest.approx(sum(laps), abs=2)
        assert [lap["time_ms"] for lap in entry.lap_times] == laps
        assert (entry.kind, entry.driver, entry.team, entry.board) == ("replay", "Ada", "Blue", f"by {method}")
        (row,) = board.standings()
        assert row.entry == entry
    tables = standings("test-ring")
    assert [record["time_s"] * 1000 for record in as_records(tables)] == [entry.time_ms for entry in map(_only, tables)]


def _only(table):
    return table.rows[0].entry


def test_what_was_driven_otherwise_than_the_rules_say_is_refused(replay):
    board = Board.create("Ring cup", rules(timing={"method": "total-time"}))
    refused(board.submit([drive(replay.track.reverse(), laps=3)]), "driven on test-ring (reverse), not on test-ring")
    refused(board.submit([drive(ring(radius=1.8, name="other"), laps=3)]), "driven on other, not on test-ring")
    refused(
        board.submit([drive(replay.track, laps=3, car=CARS["deepracer-v4"])]), "car deepracer-v4, not with deepracer"
    )
    soft = dataclasses.replace(replay, rules=dataclasses.replace(replay.rules, penalty_s=1.0))
    refused(board.submit([soft]), "driven by other rules: its penalty_s is 1.0")
    refused(board.submit([drive(replay.track, laps=2)]), "has 2 complete laps, which is not enough for total-time")
    refused(board.submit([drive(replay.track, laps=3, leave_in_lap=2)]), "was refused: 2 trials were driven")
    assert board.standings() == ()
    both = Board.create("Both ways", rules(direction="both"))
    refused(both.submit([replay]), "driven on 2 tracks, which a replay cannot; enter a model")


def test_boards_of_one_name_or_none():
    Board.create("Ring cup", rules())
    with pytest.raises(LeaderboardError, match="there is a board 'Ring cup' already"):
        Board.create(" Ring  cup ", rules())
    with pytest.raises(LeaderboardError, match=r"there is no board 'Ring cap'. Did you mean 'Ring cup'\?"):
        Board.find("Ring cap")
    assert Board.find("#1").name == "Ring cup"
    assert [board.name for board in Board.all()] == ["Ring cup"]


def test_a_board_takes_so_many_of_those_kinds_at_those_times(replay, tmp_path):
    entries = {"most_per_driver": 2, "kinds": ["replay"]}
    board = Board.create("Ring cup", rules(entries=entries))
    assert [type(one).__name__ for one in board.submit([otherwise(replay, k) for k in range(3)], "Ada")] == [
        "Entry",
        "Entry",
        "LeaderboardError",
    ]
    refused(board.submit([otherwise(replay, 4)], "Ada"), "Ada has made 2 entries, and the rules of Ring cup allow 2")
    assert len(board.submit([otherwise(replay, 4)], "Grace")) == 1
    save_model(model(), tmp_path / "ada.model")
    refused(board.submit([tmp_path / "ada.model"]), "it is a model, and the board Ring cup takes replays")
    today = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    later = Board.create("Later", rules(entries={"opens": (today + day).isoformat()}))
    refused(later.submit([replay]), "the board Later opens at")
    over = Board.create("Over", rules(entries={"closes": (today - day).isoformat()}))
    refused(over.submit([replay]), "the board Over closed at")
    now = Board.create("Now", rules(entries={"opens": (today - day).isoformat(), "closes": (today + day).isoformat()}))
    assert isinstance(now.submit([replay])[0], Entry)


# Copies


def test_the_same_drive_is_whose_it_was_first(replay):
    strict = Board.create("Strict", rules())
    loose = Board.create("Loose", rules(entries={"allow_copies": True}))
    assert [type(board.submit([replay], "Ada")[0]) for board in (strict, loose)] == [Entry, Entry]
    copies = [altered(replay, driver="Eve"), dataclasses.replace(replay, created="2030-01-02T03:04:05+00:00", seed=7)]
    for copy in copies:
        refused(strict.submit([copy], "Eve"), "on the board already, entered by Ada")
        assert isinstance(strict.submit([copy], "Eve")[0], AlreadyEnteredError)
    (copied,) = loose.submit([copies[0]], "Eve")
    assert isinstance(copied, Entry) and copied.copy_of == "Ada"
    refused(loose.submit([copies[1]], "Eve"), "on the board already, entered by Eve")
    assert [(row.rank, row.entry.driver, row.entry.copy_of) for row in loose.standings()] == [
        (1, "Ada", None),
        (1, "Eve", "Ada"),
    ]
    assert "Eve (as Ada)" in as_markdown(standings(board="Loose"))
    longer = drive(replay.track, laps=4)
    refused(strict.submit([longer], "Eve"), "already")
    assert len(strict.entries()) == 1, "laps behind those that count make no other drive"


# Models


def test_a_model_is_driven_by_racer_itself(tmp_path):
    board = Board.create("Ring cup", rules(timing={"method": "total-time"}))
    save_model(model(), tmp_path / "ada.model")
    (entry,) = board.submit([tmp_path / "ada.model"])
    assert isinstance(entry, Entry), entry
    assert (entry.kind, entry.driver, entry.laps, entry.copy_of) == ("model", "Ada", 3, None)
    assert entry.time_ms == entry.total_ms == pytest.approx(sum(lap["time_ms"] for lap in entry.lap_times), abs=2)
    assert entry.mean_speed_mps == pytest.approx(0.5 + 0.4 * 1.75, rel=0.1)
    save_model(model("Eve"), tmp_path / "eve.model")
    refused(board.submit([tmp_path / "eve.model"]), "on the board already, entered by Ada")
    save_model(model("Eve", speed=-0.5), tmp_path / "eve.model", overwrite=True)
    save_model(model("Slow", gain=0.0), tmp_path / "slow.model")
    outcomes = board.submit([tmp_path / "eve.model", tmp_path / "slow.model"])
    assert isinstance(outcomes[0], Entry) and outcomes[0].time_ms < entry.time_ms
    assert "was not classified in 5 of 5 races" in str(outcomes[1])
    assert [row.entry.driver for row in board.standings()] == ["Eve", "Ada"]
    assert [outcome.time_ms for outcome in board.reverify(everything=True)] == [entry.time_ms, outcomes[0].time_ms]
    with pytest.raises(LeaderboardError, match="is a model, which races on a board with rules"):
        add(tmp_path / "ada.model")


def test_seeds_are_new_for_each_entry(tmp_path, db):
    """The same weights under other noise: nobody can choose seeds that suit them."""
    of_board = rules(entries={"allow_copies": True}, timing={"method": "total-time"})
    board = Board.create("Ring cup", of_board)
    for name in ("Ada", "Eve", "Grace"):
        save_model(model(name), tmp_path / f"{name}.model")
    entries = board.submit([tmp_path / f"{name}.model" for name in ("Ada", "Eve", "Grace")])
    assert len({entry.commands_digest for entry in entries}) == 1
    assert len({str(entry.lap_times) for entry in entries}) > 1, "the times of all laps: one alone may well be the same"
    with connected(db).connect() as connection:
        kept = connection.execute(sa.text("SELECT seeds FROM racer_drives")).scalars().all()
    seeds = [seed for one in kept for seed in json.loads(one)]
    assert len(set(seeds)) == len(seeds) == 3 * of_board.race.seeds


def test_a_model_races_on_several_tracks(tmp_path):
    both = Board.create("Both ways", rules(direction="both", timing={"method": "best-lap"}))
    save_model(model(), tmp_path / "ada.model")
    (entry,) = both.submit([tmp_path / "ada.model"], "Grace")
    assert isinstance(entry, Entry) and entry.driver == "Grace" and entry.laps == 6
    assert entry.best_lap_ms < entry.time_ms < 3 * entry.best_lap_ms, "the sum of the best laps of both"


# Physics


def moved(db, **values):
    """Change every entry behind racer's back."""
    assignments = ", ".join(f"{name} = :{name}" for name in values)
    with connected(db).begin() as connection:
        connection.execute(sa.text(f"UPDATE racer_entries SET {assignments}"), values)


def test_entries_of_an_earlier_physics_are_kept_marked_and_driven_again(replay, db):
    entry = add(replay, "Ada")
    moved(db, physics="0123456789abcdef", time_ms=1, engine="0.0.1")
    (old,) = standings()
    assert (old.current, old.physics, old.rows[0].entry.time_ms) == (False, "0123456789abcdef", 1)
    assert old.board.standings() == ()
    add(otherwise(replay, 1), "Grace")
    new, old = standings()
    assert [[row.entry.driver for row in table.rows] for table in (new, old)] == [["Grace"], ["Ada"]]
    assert "driven with an earlier physics" in as_markdown([old])
    (outcome,) = new.board.reverify(who="Ms Frizzle")
    assert (outcome.entry.time_ms, outcome.time_ms) == (1, entry.time_ms)
    (table,) = standings()
    assert table.current and [row.entry.driver for row in table.rows] == ["Ada", "Grace"]
    assert table.rows[0].entry.engine == entry.engine and new.board.reverify() == []
    assert [(one.who, one.action) for one in history()] == [("Ms Frizzle", "reverify")]


def test_what_does_not_hold_any_more_stays(replay, db):
    entry = add(replay, "Ada")
    moved(db, physics="0123456789abcdef")
    board = Board.find(entry.board)
    with connected(db).begin() as connection:
        data = bytes(connection.execute(sa.text("SELECT data FROM racer_drives")).scalar())
        connection.execute(sa.text("UPDATE racer_drives SET data = :data"), {"data": data[:-40]})
    (outcome,) = board.reverify()
    assert outcome.time_ms is None and "damaged" in outcome.reason
    (table,) = standings()
    assert not table.current and table.rows[0].entry.time_ms == entry.time_ms


def test_a_database_that_lies_is_found_out(replay, db):
    entry = add(replay, "Ada")
    moved(db, time_ms=1000, best_lap_ms=1000)
    board = Board.find(entry.board)
    assert board.standings()[0].entry.time_ms == 1000
    board.reverify(everything=True)
    assert board.standings()[0].entry == entry


# Cleaning up


def test_what_a_teacher_removes_can_be_restored(replay):
    board = Board.create("5b", rules(), who="Ms Frizzle")
    mine = board.submit([otherwise(replay, k) for k in range(2)], "Ada")
    board.submit([otherwise(replay, 5)], "Eve")
    assert remove(entry=mine[0].id, who="Ms Frizzle") == 1
    numbers = [(row.entry.driver, row.entry.id) for row in board.standings()]
    assert numbers == [("Ada", mine[1].id), ("Eve", mine[1].id + 1)]
    assert remove("5b", driver="Ada") == 1
    assert [row.entry.driver for row in board.standings()] == ["Eve"]
    with pytest.raises(LeaderboardError, match="driver Ada on 5b is removed already"):
        remove("5b", driver="Ada")
    refused(board.submit([otherwise(replay, 1)], "Ada"), "was taken off it; `racer leaderboard restore --entry")
    assert restore("5b", driver="Ada", who="Mr Ruhle") == 2
    assert board.standings()[0].entry == mine[0] and board.standings()[0].attempts == 2
    for wrong in ({"entry": 99}, {"driver": "Nobody"}):
        with pytest.raises(LeaderboardError, match="there is no"):
            remove("5b", **wrong)
    with pytest.raises(LeaderboardError, match="say what to remove"):
        remove()
    assert [(one.who, one.action, one.subject) for one in history()][:2] == [
        ("Ms Frizzle", "create", "board 5b"),
        ("Ms Frizzle", "remove", "entry 1"),
    ]
    assert history()[-1].who == "Mr Ruhle" and all(one.moment[:4].isdecimal() for one in history())


def test_boards_are_closed_removed_and_taken_back(replay):
    board = Board.create("5b", rules())
    board.submit([replay], "Ada")
    close("5b")
    refused(board.submit([otherwise(replay, 1)], "Ada"), "the board 5b is closed")
    assert [table.board.state for table in standings(board="5b")] == ["closed"]
    with pytest.raises(LeaderboardError, match="is closed already"):
        close("#1")
    assert remove("5b") == 0
    assert Board.all() == [] and standings() == [] and len(Board.all(removed=True)) == 1
    restore("5b")
    assert isinstance(board.submit([otherwise(replay, 1)], "Ada")[0], Entry)
    rename("5b", "6b")
    rename_driver("Ada", "Ada L")
    assert [(row.entry.board, row.entry.driver) for row in Board.find("6b").standings()] == [("6b", "Ada L")]
    Board.create("5b", rules())
    for wrong in (lambda: rename("5b", "6b"), lambda: rename_driver("Nobody", "X"), lambda: rename("nowhere", "7b")):
        with pytest.raises(LeaderboardError, match="there is"):
            wrong()
    assert [one.action for one in history()] == ["create", "close", "remove", "restore", "rename", "rename", "create"]


def test_an_open_board_that_was_removed_takes_nothing(replay):
    add(replay, "Ada")
    remove("test-ring")
    with pytest.raises(LeaderboardError, match="the board test-ring is removed"):
        add(otherwise(replay, 1), "Ada")
    restore("test-ring")
    add(otherwise(replay, 1), "Ada")


# Teams, laps, records


def test_teams_rank_by_the_mean_of_their_drivers(replay):
    board = Board.create("5b", rules())
    for k, (driver, team, speed) in enumerate(
        [("a", "Red", 2.0), ("b", "Red", 2.4), ("c", "Blue", 2.3), ("d", None, 2.5)]
    ):
        outcome = board.submit([otherwise(drive(replay.track, laps=3, speed=speed), k)], driver, team=team)
        assert isinstance(outcome[0], Entry), outcome
    times = {row.entry.driver: row.entry.time_ms for row in board.standings()}
    red = (times["a"] + times["b"]) / 2
    assert [(row.rank, row.team, row.time_ms, row.best_ms, row.drivers) for row in board.teams()] == [
        (1, "Blue", times["c"], times["c"], 1),
        (2, "Red", red, times["b"], 2),
    ]


def test_every_lap_as_a_record(replay):
    board = Board.create("5b", rules())
    board.submit([replay], "Ada")
    records = laps_as_records(board, board.entries())
    assert [(one["driver"], one["lap"], one["time_s"], one["complete"]) for one in records] == [
        ("Ada", lap.index, round(lap.time_s, 3), True) for lap in replay.laps
    ]
    assert json.loads(json.dumps(records)) == records
