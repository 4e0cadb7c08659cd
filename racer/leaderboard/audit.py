"""Who did what to a leaderboard, and when: written down with every change that is not an entry."""

from __future__ import annotations

import getpass
from dataclasses import dataclass

import sqlalchemy as sa

from racer.leaderboard.names import clean_name
from racer.leaderboard.records import checked, now
from racer.leaderboard.tables import NAME_LIMIT, audit

__all__ = ["Action", "actions", "note", "somebody"]

MOST = 10_000  # that are read


@dataclass(frozen=True)
class Action:
    """One change: when (ISO 8601, UTC) who did what to which board, driver or entry, and what else there is to say."""

    moment: str
    who: str
    action: str
    subject: str
    note: str


def somebody(who: str | None = None) -> str:
    """Who is at work: as they say, else this computer's user.

    Raises:
        LeaderboardError: the name is none.
    """
    if who is None:
        try:
            who = getpass.getuser()
        except (OSError, KeyError, ImportError):
            who = "unknown"
        who = "".join(letter for letter in who if letter.isprintable())[:NAME_LIMIT]
    return clean_name(who, "user's", NAME_LIMIT)


def note(connection: sa.Connection, who: str | None, action: str, subject: str, text: str = "") -> None:
    """Write down a change, in the transaction that makes it."""
    values = {"who": somebody(who), "action": action, "subject": subject[:200], "note": text[:400]}
    connection.execute(sa.insert(audit).values(moment=now(), **values))


def actions(connection: sa.Connection) -> list[Action]:
    """The newest changes, oldest first.

    Raises:
        LeaderboardError: one of them is damaged.
    """
    rows = connection.execute(sa.select(audit).order_by(audit.c.id.desc()).limit(MOST)).mappings().all()
    for row in rows:
        for name, value in row.items():
            checked(audit.c[name], value, f"note {row['id']!a:.20}")
    return [Action(*(row[name] for name in Action.__dataclass_fields__)) for row in reversed(rows)]
