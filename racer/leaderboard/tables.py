"""The tables of the leaderboard's database, and which version of them this is.

Names and times are texts, so that they read the same in every database: times are ISO 8601, UTC. What ranks (`entries`)
lies apart from what was driven (`drives`), which is large and seldom read.
"""

from __future__ import annotations

import math
from typing import Any

import sqlalchemy as sa

__all__ = [
    "NAME_LIMIT",
    "REVISION",
    "TRACK_LIMIT",
    "audit",
    "boards",
    "courses",
    "drivers",
    "drives",
    "entries",
    "is_sound",
    "metadata",
    "roads",
    "teams",
    "versions",
]

NAME_LIMIT = 40  # characters of a driver's, a team's or a teacher's name
BOARD_LIMIT = 80  # of a board's
TRACK_LIMIT = 200  # of a track's
TEXT_LIMIT = 20_000  # of rules and lap times, as JSON
REVISION = "0003"  # the newest of `migrations/versions`; 1 and 2 had no boards

metadata = sa.MetaData()


def _name(name: str = "name", limit: int = NAME_LIMIT, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.String(limit), nullable=False, **options)


def _belongs_to(name: str, table: str, **options: Any) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, sa.ForeignKey(f"{table}.id"), **{"nullable": False, **options})


versions = sa.Table(
    "racer_version",  # as Alembic makes it
    metadata,
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="racer_version_pkc"),
)
teams = sa.Table("racer_teams", metadata, sa.Column("id", sa.Integer, primary_key=True), _name(unique=True))
drivers = sa.Table(
    "racer_drivers",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    _name(unique=True),
    _belongs_to("team_id", "racer_teams", nullable=True),
)
boards = sa.Table(
    "racer_boards",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    _name(limit=BOARD_LIMIT, unique=True),
    sa.Column(
        "open_to_all", sa.Boolean, nullable=False
    ),  # made for whoever drove there first, without rules of its own
    sa.Column("rules", sa.Text, nullable=False),  # canonical JSON
    _name("digest", 64),  # of the competition, see `racer.racing.board_digest`
    _name("car", TRACK_LIMIT),
    _name("car_digest", 64),
    _name("state", 8),  # open, closed or removed
    sa.Column("opens", sa.String(32)),
    sa.Column("closes", sa.String(32)),
    _name("created", 32),
)
courses = sa.Table(
    "racer_courses",  # which tracks a board is driven on, in order
    metadata,
    _belongs_to("board_id", "racer_boards", primary_key=True),
    sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
    _name("track", TRACK_LIMIT),
    _name("direction", 8),
    _name("track_digest", 64),
)
roads = sa.Table(
    "racer_roads",  # the lines of a track, once for all boards
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
)
entries = sa.Table(
    "racer_entries",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    _belongs_to("board_id", "racer_boards"),
    _belongs_to("driver_id", "racer_drivers"),
    _name("kind", 8),  # replay or model
    sa.Column("removed", sa.Boolean, nullable=False),
    sa.Column("best", sa.Boolean, nullable=False),  # the driver's best one here with this physics; never a removed one
    _name("physics", 64),
    _name("engine", TRACK_LIMIT),
    sa.Column("time_ms", sa.Integer, nullable=False),  # the official one, by the board's timing method
    sa.Column("best_lap_ms", sa.Integer, nullable=False),
    sa.Column("average_ms", sa.Integer),  # of the best consecutive laps
    sa.Column("total_ms", sa.Integer),
    sa.Column("laps", sa.Integer, nullable=False),  # that count
    sa.Column("lap_times", sa.Text, nullable=False),  # JSON
    sa.Column("mean_speed_mps", sa.Float, nullable=False),
    _name("submitted", 32),
    _name("commands_digest", 64),
)
drives = sa.Table(
    "racer_drives",  # what is run to prove an entry: commands, or a model
    metadata,
    _belongs_to("entry_id", "racer_entries", primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Column("seeds", sa.Text),  # of a model's races, JSON
)
audit = sa.Table(
    "racer_audit",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    _name("moment", 32),
    _name("who"),
    _name("action", 16),
    _name("subject", TRACK_LIMIT),
    sa.Column("note", sa.String(400), nullable=False),
)
sa.Index("racer_entries_rank", *(entries.c[name] for name in ("board_id", "physics", "best", "time_ms", "id")))
sa.Index(
    "racer_entries_driver", *(entries.c[name] for name in ("board_id", "driver_id", "physics", "removed", "time_ms"))
)
sa.Index("racer_entries_commands", entries.c.board_id, entries.c.commands_digest)
sa.Index("racer_courses_track", courses.c.track)


def is_sound(column: sa.Column[object], value: object) -> bool:
    """Whether a value is what racer writes there; others can write too, and SQLite keeps any type in any column."""
    kind = column.type
    if value is None:
        return bool(column.nullable)
    if isinstance(kind, sa.LargeBinary):
        return isinstance(value, bytes)
    if isinstance(value, str):
        limit = (kind.length if isinstance(kind, sa.String) else 0) or TEXT_LIMIT
        return isinstance(kind, sa.String) and len(value) <= limit and value.isprintable()
    return isinstance(value, int | float) and isinstance(value, kind.python_type) and 0 <= value < math.inf
