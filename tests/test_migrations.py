"""Databases of earlier racers: the schema that stood before boards, made here with SQL of its own, becomes today's."""

import sqlite3

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from drives import drive, otherwise, ring

from racer.errors import LeaderboardError
from racer.leaderboard import Board, add, as_records, standings
from racer.leaderboard.tables import REVISION, metadata
from racer.replay import Replay
from racer.sim import physics_version

SCHEMA_2 = [
    """CREATE TABLE racer_entries (
	id INTEGER NOT NULL, 
	driver VARCHAR(40) NOT NULL, 
	track VARCHAR(200) NOT NULL, 
	direction VARCHAR(8) NOT NULL, 
	track_digest VARCHAR(64) NOT NULL, 
	car VARCHAR(200) NOT NULL, 
	car_digest VARCHAR(64) NOT NULL, 
	physics VARCHAR(64) NOT NULL, 
	engine VARCHAR(200) NOT NULL, 
	best_lap_ms INTEGER NOT NULL, 
	laps INTEGER NOT NULL, 
	mean_speed_mps FLOAT NOT NULL, 
	submitted VARCHAR(32) NOT NULL, 
	replay_digest VARCHAR(64) NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (replay_digest)
)""",  # noqa: W291 (word for word as SQLAlchemy wrote it)
    "CREATE INDEX racer_entries_board ON racer_entries (track, track_digest, best_lap_ms)",
    "CREATE TABLE racer_schema (\n\tversion INTEGER NOT NULL, \n\tPRIMARY KEY (version)\n)",
    "INSERT INTO racer_schema VALUES (2)",
]

HARBOR = ("harbor", "forward", "a" * 64, "deepracer", "c" * 64)
OLD, OLDER = "0123456789abcdef", "fedcba9876543210"
ENTRIES = [
    ("Ada", *HARBOR, OLD, "0.1.0", 9000, 2, 1.5, "2026-01-01T00:00:00+00:00", "1" * 64),
    ("Ada", *HARBOR, OLD, "0.1.0", 8500, 3, 1.6, "2026-01-02T00:00:00+00:00", "2" * 64),
    ("Ada", *HARBOR, OLDER, "0.0.9", 8000, 3, 1.7, "2025-12-31T00:00:00+00:00", "3" * 64),
    ("O'Brien; --", *HARBOR, OLD, "0.1.0", 8500, 1, 1.6, "2026-01-03T00:00:00+00:00", "4" * 64),
    (
        "Ada",
        "harbor",
        "reverse",
        "b" * 64,
        *HARBOR[3:],
        OLD,
        "0.1.0",
        9999,
        1,
        1.4,
        "2026-01-04T00:00:00+00:00",
        "5" * 64,
    ),
    (
        "Zoë",
        "harbor",
        "forward",
        "d" * 64,
        *HARBOR[3:],
        OLD,
        "0.1.0",
        7000,
        1,
        1.4,
        "2026-01-05T00:00:00+00:00",
        "6" * 64,
    ),
    ("Zoë", *HARBOR[:3], "deepracer-v4", "e" * 64, OLD, "0.1.0", 7001, 1, 1.4, "2026-01-06T00:00:00+00:00", "7" * 64),
]


@pytest.fixture(scope="module")
def replay() -> Replay:
    return drive(ring(), laps=2)


def connected(db: str) -> sa.Engine:
    return sa.create_engine(db.replace("postgresql:", "postgresql+psycopg:") if "://" in db else f"sqlite:///{db}")


@pytest.fixture
def old(db: str) -> str:
    """A database as the racer before boards left it."""
    engine = connected(db)
    with engine.begin() as connection:
        for statement in SCHEMA_2:
            # PostgreSQL counts the numbers itself, as SQLite does of its own accord.
            postgres = connection.dialect.name == "postgresql"
            connection.exec_driver_sql(statement.replace("id INTEGER", "id SERIAL") if postgres else statement)
        columns = "driver, track, direction, track_digest, car, car_digest, physics, engine, best_lap_ms, laps, "
        columns += "mean_speed_mps, submitted, replay_digest"
        marks = ", ".join(f":v{k}" for k in range(13))
        insert = sa.text(f"INSERT INTO racer_entries ({columns}) VALUES ({marks})")
        connection.execute(insert, [{f"v{k}": value for k, value in enumerate(entry)} for entry in ENTRIES])
    engine.dispose()
    return db


def test_nothing_is_lost(old: str) -> None:
    tables = standings(db=old)
    found = {
        (
            row.entry.driver,
            *(course.track, course.direction, course.track_digest),
            *(table.board.car, table.board.car_digest, table.physics),
            *(row.entry.engine, row.entry.time_ms, row.entry.laps, row.entry.mean_speed_mps),
            *(row.entry.submitted, row.entry.commands_digest),
        )
        for table in tables
        for row in table.rows
        for course in table.board.courses
    }
    assert found == set(ENTRIES) - {ENTRIES[0]}, "Ada's slower try is on the board, but not in the table"
    ranks = [(row.rank, row.entry.driver, row.attempts) for row in tables[0].rows]
    assert ranks == [(1, "Ada", 2), (1, "O'Brien; --", 1)]
    assert {row.entry.best_lap_ms - row.entry.time_ms for table in tables for row in table.rows} == {0}
    assert not any(table.current for table in tables), "the physics is none of today's"
    assert [(table.board.name, table.board.created[:10]) for table in tables] == [
        ("harbor", "2025-12-31"),
        ("harbor", "2025-12-31"),
        ("harbor (reverse)", "2026-01-04"),
        ("harbor #ddddddcccccc", "2026-01-05"),
        ("harbor, deepracer-v4", "2026-01-06"),
    ]
    assert len(as_records(tables)) == 6


def test_it_is_the_schema_that_new_databases_have(old: str) -> None:
    standings(db=old)
    engine = connected(old)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "racer_version"})
        assert context.get_current_revision() == REVISION
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_life_goes_on(old: str, replay: Replay) -> None:
    """New entries come beside the old ones, on the same road as before on the same board."""
    add(replay, "Ada", old)
    add(otherwise(replay, 1), "Newton", old)
    (table,) = standings("test-ring", db=old)
    assert [row.entry.driver for row in table.rows] == ["Ada", "Newton"]
    assert len(Board.all(old)) == 5
    (outcome, *_) = Board.find("harbor", old).reverify()
    assert outcome.time_ms is None and "was not kept" in outcome.reason


def test_a_drive_that_was_entered_before_is_known(db: str, replay: Replay) -> None:
    entry = add(replay, "Ada", db)
    course = standings(db=db)[0].board
    row = ("Ada", "test-ring", "forward", replay.track.digest, "deepracer", course.car_digest, physics_version().motion)
    row += ("0.1.0", entry.time_ms, 2, 1.0, "2026-01-01T00:00:00+00:00", entry.commands_digest)
    engine = connected(db)
    with engine.begin() as connection:
        metadata.drop_all(connection)
    with engine.begin() as connection:
        for statement in SCHEMA_2:
            connection.exec_driver_sql(statement)
        marks = ", ".join(f":v{k}" for k in range(13))
        connection.execute(
            sa.text(f"INSERT INTO racer_entries VALUES (1, {marks})"), {f"v{k}": value for k, value in enumerate(row)}
        )
    engine.dispose()
    with pytest.raises(LeaderboardError, match="on the board already, entered by Ada at 2026-01-01"):
        add(replay, "Mallory", db)
    assert len(Board.all(db)) == 1, "it is the board that schema 2 had"


def test_an_altered_one_is_refused_and_left_alone(tmp_path) -> None:
    path = tmp_path / "old.sqlite"
    for spoil, words in [
        ("ALTER TABLE racer_entries ADD COLUMN note TEXT", "altered"),
        ("CREATE TRIGGER t AFTER DELETE ON racer_entries BEGIN SELECT RAISE(ABORT, 'no'); END", "altered"),
        ("UPDATE racer_schema SET version = 1", "did not keep cars apart"),
        ("UPDATE racer_schema SET version = 7", "no known version"),
        ("DROP TABLE racer_schema", "lacks racer_schema"),
    ]:
        path.unlink(missing_ok=True)
        with sqlite3.connect(path) as connection:
            for statement in [*SCHEMA_2, spoil]:
                connection.execute(statement)
        connection.close()
        before = path.read_bytes()
        for write in (False, True):
            with pytest.raises(LeaderboardError, match=words):
                Board.create("x", db=path) if write else Board.all(path)
        assert path.read_bytes() == before


def test_a_migration_that_fails_changes_nothing(tmp_path) -> None:
    path = tmp_path / "old.sqlite"
    with sqlite3.connect(path) as connection:
        for statement in SCHEMA_2:
            connection.execute(statement)
        marks = ", ".join("?" * 14)
        for number, entry in enumerate(ENTRIES):
            connection.execute(f"INSERT INTO racer_entries VALUES ({marks})", (number, *entry))
        connection.execute("CREATE VIEW racer_old AS SELECT 1")  # in the way of the migration
    connection.close()
    before = path.read_bytes()
    with pytest.raises(LeaderboardError, match="cannot be used"):
        Board.all(path)
    assert path.read_bytes() == before
