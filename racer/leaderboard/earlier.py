"""Databases that earlier racers made: recognised, checked, and brought up to date by Alembic."""

from pathlib import Path

import sqlalchemy as sa

from racer.errors import LeaderboardError
from racer.leaderboard.sqlite import check_schema

__all__ = ["check", "is_earlier", "metadata", "upgrade"]

FIRST = 2  # the oldest schema that is brought up to date; 1 did not keep cars and physics apart

metadata = sa.MetaData()
"""The tables of schema 2."""

sa.Table("racer_schema", metadata, sa.Column("version", sa.Integer, primary_key=True, autoincrement=False))
_only_version = sa.MetaData()
metadata.tables["racer_schema"].to_metadata(_only_version)
_entries = sa.Table(
    "racer_entries",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    *(
        sa.Column(name, kind, nullable=False, unique=name == "replay_digest" or None)
        for name, kind in (
            ("driver", sa.String(40)),
            ("track", sa.String(200)),
            ("direction", sa.String(8)),
            ("track_digest", sa.String(64)),
            ("car", sa.String(200)),
            ("car_digest", sa.String(64)),
            ("physics", sa.String(64)),
            ("engine", sa.String(200)),
            ("best_lap_ms", sa.Integer()),
            ("laps", sa.Integer()),
            ("mean_speed_mps", sa.Float()),
            ("submitted", sa.String(32)),
            ("replay_digest", sa.String(64)),
        )
    ),
)
sa.Index("racer_entries_board", _entries.c.track, _entries.c.track_digest, _entries.c.best_lap_ms)


def is_earlier(present: set[str]) -> bool:
    """Whether tables of these names are of a racer before migrations."""
    return "racer_version" not in present and bool(present & set(metadata.tables))


def check(connection: sa.Connection, present: set[str], shown: str) -> None:
    """Refuse what is not word for word the newest schema before migrations.

    Raises:
        LeaderboardError: it is an older one, or was altered.
    """
    if missing := set(metadata.tables) - present:
        raise LeaderboardError(f"the leaderboard {shown} lacks {', '.join(sorted(missing))}; name another with --db")
    check_schema(connection, _only_version, shown)
    version = connection.execute(sa.text("SELECT max(version) FROM racer_schema")).scalar()
    if not isinstance(version, int) or not 1 <= version <= FIRST:
        raise LeaderboardError(
            f"the leaderboard {shown} is of no known version ({version!a:.40}); name another with --db"
        )
    if version < FIRST:
        raise LeaderboardError(
            f"the leaderboard {shown} was made by an earlier racer (version {version}), which did not keep cars apart; "
            "keep it as it is, and begin another one with --db"
        )
    check_schema(connection, metadata, shown)


def upgrade(connection: sa.Connection) -> None:
    """Bring a database up to date, within the transaction that its connection is in."""
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    command.upgrade(config, "head")
