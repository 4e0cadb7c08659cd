"""Who is where on a board: read from the database with one query each, and ranked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa

from racer.leaderboard.records import Entry, Row, entry_of
from racer.leaderboard.tables import boards, drivers, entries, teams

__all__ = ["Progress", "TeamRow", "entries_on", "progress", "rank_teams", "ranked"]


@dataclass(frozen=True)
class TeamRow:
    """One line of a board of teams: a team's rank, the mean of its drivers' best times, and how many drivers it has."""

    rank: int
    team: str
    time_ms: float
    best_ms: int
    drivers: int


@dataclass(frozen=True)
class Progress:
    """How far a driver has come: the first official time, the best one, and how many entries it took."""

    driver: str
    first_ms: int
    best_ms: int
    attempts: int

    @property
    def gain_ms(self) -> int:
        """By how much the best time is faster than the first."""
        return self.first_ms - self.best_ms


@cache
def _query() -> sa.Select[Any]:
    """Entries with their drivers and teams, and who entered the very same before."""
    first, owner = entries.alias("first"), drivers.alias("owner")
    same = (first.c.board_id == entries.c.board_id) & (first.c.commands_digest == entries.c.commands_digest)
    copy_of = (
        sa.select(owner.c.name)
        .join_from(first, owner, first.c.driver_id == owner.c.id)
        .where(same, first.c.id < entries.c.id, first.c.driver_id != entries.c.driver_id)
        .order_by(first.c.id)
        .limit(1)
        .scalar_subquery()
    )
    names = {"board": boards.c.name, "driver": drivers.c.name, "team": teams.c.name, "copy_of": copy_of}
    columns = [*entries.c, *(column.label(name) for name, column in names.items())]
    return sa.select(*columns).select_from(entries.join(boards).join(drivers).outerjoin(teams))


def entries_on(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> Iterator[Entry]:
    """Entries, oldest first."""
    return map(entry_of, connection.execute(_query().where(*conditions).order_by(entries.c.id)).mappings())


def ranked(connection: sa.Connection, board_id: int, physics: str, limit: int) -> tuple[Row, ...]:
    """The first drivers of a board, each with the best entry that was driven with a physics."""
    other = entries.alias("other")
    attempts = (
        sa.select(sa.func.count())
        .select_from(other)
        .where(*(other.c[name] == entries.c[name] for name in ("board_id", "driver_id", "physics")), ~other.c.removed)
        .scalar_subquery()
    )
    here = (entries.c.board_id == board_id, entries.c.physics == physics, entries.c.best)
    query = _query().add_columns(attempts.label("attempts")).where(*here)
    found = connection.execute(query.order_by(entries.c.time_ms, entries.c.id).limit(limit)).mappings()
    return tuple(_rows((entry_of(row), int(row["attempts"])) for row in found))


def _rows(found: Iterable[tuple[Entry, int]]) -> Iterator[Row]:
    """Rank entries that are sorted by time: the same rank for the same time."""
    leader = before = rank = 0
    ahead: int | None = None  # the time of the driver who is next faster
    for place, (entry, attempts) in enumerate(found, 1):
        if place == 1:
            leader = before = entry.time_ms
        if place == 1 or entry.time_ms > before:
            rank, ahead, before = place, before, entry.time_ms
        assert ahead is not None
        yield Row(rank, entry, attempts, entry.time_ms - leader, entry.time_ms - ahead)


def rank_teams(rows: Sequence[Row]) -> list[TeamRow]:
    """Rank teams by the mean of their drivers' best times; drivers without a team do not count."""
    members: dict[str, list[int]] = {}
    for row in rows:
        if row.entry.team is not None:
            members.setdefault(row.entry.team, []).append(row.entry.time_ms)
    means = sorted((sum(times) / len(times), team) for team, times in members.items())
    return [
        TeamRow(1 + sum(other < mean for other, _ in means), team, mean, min(members[team]), len(members[team]))
        for mean, team in means
    ]


def progress(history: Iterable[Entry]) -> list[Progress]:
    """How far each driver has come, the one who gained most first; `history` is sorted by age."""
    times: dict[str, list[int]] = {}
    for entry in history:
        times.setdefault(entry.driver, []).append(entry.time_ms)
    found = [Progress(driver, own[0], min(own), len(own)) for driver, own in times.items()]
    return sorted(found, key=lambda one: (-one.gain_ms, one.best_ms, one.driver))
