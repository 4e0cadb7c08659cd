"""Entries driven again long after: when physics has changed, or to see whether a database still tells the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from racer.errors import LeaderboardError, RacerError
from racer.leaderboard.audit import note
from racer.leaderboard.boards import BoardRecord
from racer.leaderboard.entering import measured, physics_here, road, settle
from racer.leaderboard.proof import Proof, prove_drive
from racer.leaderboard.ranking import entries_on
from racer.leaderboard.records import Entry
from racer.leaderboard.shipped import car_digest
from racer.leaderboard.storage import opened
from racer.leaderboard.tables import drives, entries
from racer.replay import Replay, replay_from_commands

__all__ = ["Outcome", "drive_of", "reverify"]

CHUNK = 500  # entries whose drives are in memory at once


@dataclass(frozen=True)
class Outcome:
    """What became of an entry that was driven again.

    Attributes:
        entry: as it was before.
        time_ms: its official time with this racer's physics; None if it does not hold.
        reason: why it does not hold.
    """

    entry: Entry
    time_ms: int | None
    reason: str = ""


def drive_of(connection: sa.Connection, board: BoardRecord, entry: Entry) -> Replay:
    """A replay's entry as a race, driven again here.

    Raises:
        LeaderboardError: what was driven is not kept, or the board's car is another here.
        ReplayError: it cannot be driven here.
    """
    from racer.sim import CARS

    data = connection.execute(sa.select(drives.c.data).where(drives.c.entry_id == entry.id)).scalar()
    if data is None:
        raise LeaderboardError("what was driven was not kept by the racer that let it in")
    car = CARS.get(board.car)
    if car is None or car_digest(car) != board.car_digest:
        raise LeaderboardError(f"the car {board.car} is another one in this racer")
    course = board.courses[0]
    track = road(connection, course.track_digest, course.track, course.direction == "reverse")
    return replay_from_commands(bytes(data), track, car)


def reverify(board: BoardRecord, everything: bool, who: str | None) -> list[Outcome]:
    """See `racer.leaderboard.Board.reverify`."""
    here, outcomes = [entries.c.board_id == board.id, ~entries.c.removed], []
    if not everything:
        here.append(entries.c.physics != physics_here())
    with opened(board.db, write=False) as connection:
        waiting = list(entries_on(connection, *here))
    for first in range(0, len(waiting), CHUNK):
        some = waiting[first : first + CHUNK]
        with opened(board.db, write=False) as connection:
            found = list(_proven(connection, board, some))
        with opened(board.db, write=True) as connection:
            for entry, proof in found:
                if isinstance(proof, Proof):
                    _update(connection, entry, proof)
                    outcomes.append(Outcome(entry, proof.time_ms))
                else:
                    outcomes.append(Outcome(entry, None, str(proof)))
            held = sum(isinstance(proof, Proof) for _, proof in found)
            text = f"{held} of {len(found)} entries hold with physics {physics_here()}"
            note(connection, who, "reverify", f"board {board.name}", text)
    return outcomes


def _proven(
    connection: sa.Connection, board: BoardRecord, some: list[Entry]
) -> Iterator[tuple[Entry, Proof | RacerError]]:
    for entry in some:
        try:
            replay = drive_of(connection, board, entry)
            yield entry, prove_drive(replay, f"entry {entry.id}", board.terms)
        except RacerError as error:
            yield entry, error


def _update(connection: sa.Connection, entry: Entry, proof: Proof) -> None:
    """Store what an entry came to, unless it was changed meanwhile."""
    same = (entries.c.id == entry.id, entries.c.physics == entry.physics)
    connection.execute(sa.update(entries).where(*same).values(measured(proof)))
    place = sa.select(entries.c.board_id, entries.c.driver_id).where(entries.c.id == entry.id)
    for board_id, driver_id in connection.execute(place).all():
        settle(connection, board_id, driver_id)
