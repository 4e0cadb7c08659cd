"""Boards, drivers and teams: each board of schema 2, which had one table of best laps, becomes one with a name.

Its entries keep their times and their physics. What was driven was not kept then, so they cannot be driven again.
"""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = None  # schema 2 was made without Alembic
branch_labels = None
depends_on = None

OPEN_RULES = {
    "format": "racer rules",
    "version": 1,
    "title": "Open to all: the best lap without a penalty, of any race",
}


def text(name: str, limit: int, **options: Any) -> sa.Column[Any]:
    """A column of texts."""
    return sa.Column(name, sa.String(limit), **{"nullable": False, **options})


def number(name: str, table: str = "", **options: Any) -> sa.Column[Any]:
    """A column of whole numbers; those of another table's rows if one is named."""
    foreign = [sa.ForeignKey(f"{table}.id")] if table else []
    return sa.Column(name, sa.Integer, *foreign, **{"nullable": False, **options})


def upgrade() -> None:
    """Make the tables of schema 3, and move what schema 2 holds into them."""
    op.execute("CREATE TABLE racer_old AS SELECT * FROM racer_entries")
    op.drop_table("racer_entries")
    op.drop_table("racer_schema")
    _move(*_tables())
    op.drop_table("racer_old")


def _tables() -> tuple[sa.Table, sa.Table]:
    """Make the tables; gives those of the boards and of their tracks."""
    op.create_table("racer_teams", number("id", primary_key=True), text("name", 40, unique=True))
    team = number("team_id", "racer_teams", nullable=True)
    op.create_table("racer_drivers", number("id", primary_key=True), text("name", 40, unique=True), team)
    boards = op.create_table(
        "racer_boards",
        number("id", primary_key=True),
        text("name", 80, unique=True),
        sa.Column("open_to_all", sa.Boolean, nullable=False),
        sa.Column("rules", sa.Text, nullable=False),
        text("digest", 64),
        text("car", 200),
        text("car_digest", 64),
        text("state", 8),
        text("opens", 32, nullable=True),
        text("closes", 32, nullable=True),
        text("created", 32),
    )
    courses = op.create_table(
        "racer_courses",
        number("board_id", "racer_boards", primary_key=True),
        number("place", primary_key=True, autoincrement=False),
        text("track", 200),
        text("direction", 8),
        text("track_digest", 64),
    )
    op.create_table(
        "racer_roads",
        text("digest", 64, primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "racer_entries",
        number("id", primary_key=True),
        number("board_id", "racer_boards"),
        number("driver_id", "racer_drivers"),
        text("kind", 8),
        sa.Column("removed", sa.Boolean, nullable=False),
        sa.Column("best", sa.Boolean, nullable=False),
        text("physics", 64),
        text("engine", 200),
        number("time_ms"),
        number("best_lap_ms"),
        number("average_ms", nullable=True),
        number("total_ms", nullable=True),
        number("laps"),
        sa.Column("lap_times", sa.Text, nullable=False),
        sa.Column("mean_speed_mps", sa.Float, nullable=False),
        text("submitted", 32),
        text("commands_digest", 64),
    )
    op.create_table(
        "racer_drives",
        number("entry_id", "racer_entries", primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("seeds", sa.Text),
    )
    op.create_table(
        "racer_audit",
        number("id", primary_key=True),
        text("moment", 32),
        text("who", 40),
        text("action", 16),
        text("subject", 200),
        text("note", 400),
    )
    op.create_index("racer_entries_rank", "racer_entries", ["board_id", "physics", "best", "time_ms", "id"])
    of_driver = ["board_id", "driver_id", "physics", "removed", "time_ms"]
    op.create_index("racer_entries_driver", "racer_entries", of_driver)
    op.create_index("racer_entries_commands", "racer_entries", ["board_id", "commands_digest"])
    op.create_index("racer_courses_track", "racer_courses", ["track"])
    return boards, courses


BOARD = ("track", "direction", "track_digest", "car", "car_digest")

MOVE_ENTRIES = f"""
    INSERT INTO racer_entries (board_id, driver_id, kind, removed, best, physics, engine, time_ms, best_lap_ms, laps,
        lap_times, mean_speed_mps, submitted, commands_digest)
    SELECT :board_id, racer_drivers.id, 'replay', 1 = 0, 1 = 0, physics, engine, best_lap_ms, best_lap_ms, laps,
        '[]', mean_speed_mps, submitted, replay_digest
    FROM racer_old JOIN racer_drivers ON racer_drivers.name = racer_old.driver
    WHERE {" AND ".join(f"racer_old.{column} = :{column}" for column in BOARD)} ORDER BY racer_old.id
"""
MARK_BEST = """
    UPDATE racer_entries SET best = (id = (
        SELECT other.id FROM racer_entries AS other WHERE other.board_id = racer_entries.board_id
        AND other.driver_id = racer_entries.driver_id AND other.physics = racer_entries.physics
        ORDER BY other.time_ms, other.id LIMIT 1))
"""


def _move(boards: sa.Table, courses: sa.Table) -> None:
    connection = op.get_bind()
    op.execute("INSERT INTO racer_drivers (name) SELECT DISTINCT driver FROM racer_old ORDER BY driver")
    columns, names = ", ".join(BOARD), set[str]()
    found = sa.text(f"SELECT {columns}, min(submitted) FROM racer_old GROUP BY {columns} ORDER BY min(id)")
    for *values, created in connection.execute(found).all():
        board = dict(zip(BOARD, values, strict=True))
        where = {column: board[column] for column in ("track", "direction", "track_digest")}
        made = sa.insert(boards).values(
            name=_name(board, names),
            open_to_all=True,
            rules=json.dumps(OPEN_RULES, sort_keys=True, separators=(",", ":")),
            digest=board["track_digest"],
            car=board["car"],
            car_digest=board["car_digest"],
            state="open",
            created=created,
        )
        (board_id,) = connection.execute(made).inserted_primary_key or (0,)
        connection.execute(sa.insert(courses).values(board_id=board_id, place=0, **where))
        connection.execute(sa.text(MOVE_ENTRIES), {"board_id": board_id, **board})
    op.execute(MARK_BEST)


def _name(board: dict[str, str], taken: set[str]) -> str:
    """A name for a board: its track's, with what sets it apart from boards that read alike."""
    way = "" if board["direction"] == "forward" else f" ({board['direction']})"
    car = "" if board["car"] == "deepracer" else f", {board['car'][:15]}"
    name = f"{board['track'][:35]}{way}{car}"
    if name in taken:
        name += f" #{board['track_digest'][:6]}{board['car_digest'][:6]}"
    taken.add(name)
    return name
