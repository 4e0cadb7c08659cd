"""The leaderboard of who has never heard of boards: enter a race, and see who was faster there.

Each track, direction and car has a board that is open to all, made by the first entry; it ranks the best lap without a
penalty of any race.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from racer.errors import RacerError
from racer.leaderboard.board import MOST, Board
from racer.leaderboard.boards import found, open_board
from racer.leaderboard.entering import physics_here, store
from racer.leaderboard.names import clean_name
from racer.leaderboard.proof import prove_all
from racer.leaderboard.ranking import ranked
from racer.leaderboard.records import Entry, Row
from racer.leaderboard.storage import PATIENCE_S, database, opened
from racer.leaderboard.tables import NAME_LIMIT, boards, courses, entries
from racer.leaderboard.terms import Proof, Terms, where
from racer.replay import Replay
from racer.track import Track

__all__ = ["Standings", "add", "add_all", "standings"]


@dataclass(frozen=True)
class Standings:
    """The table of a board, of the entries that were driven with one physics.

    Attributes:
        board: which one.
        physics: with which they were driven.
        current: whether that is this racer's; others are kept, and `racer leaderboard reverify` drives them again.
        rows: each driver's best entry, the fastest first.
    """

    board: Board
    physics: str
    current: bool
    rows: tuple[Row, ...]


def add(replay: Replay | str | Path, driver: str | None = None, db: str | Path | None = None) -> Entry:
    """Verify a replay and enter it on the board that is open to all on its track with its car.

    Args:
        replay: A race, or the file that holds it.
        driver: Who drove: 1 to 40 printable characters; by default as the replay says. The same name again is another
            try of that driver.
        db: A path (SQLite) or a database URL; see `database`.

    Returns:
        What was stored.

    Raises:
        ReplayError: The file is no replay.
        AlreadyEnteredError: This drive is on the board.
        LeaderboardError: The replay does not hold, has no complete lap, or was driven with another car or on
            another road than here; the name is no name; or the database cannot be used.
    """
    (outcome,) = add_all([replay], driver, db)
    if isinstance(outcome, RacerError):
        raise outcome
    return outcome


def add_all(
    replays: Sequence[Replay | str | Path],
    driver: str | None = None,
    db: str | Path | None = None,
    *,
    team: str | None = None,
    patience_s: float = PATIENCE_S,
) -> list[Entry | RacerError]:
    """Verify several replays, then enter those that hold in one transaction.

    Args:
        replays, driver, db: As for `add`; the driver is the same for all, or as each replay says.
        team: Whom the drivers drive for from now on.
        patience_s: How long to wait while other processes write to the database.

    Returns:
        For each replay what was stored, or why it was not: one of the errors that `add` raises for a replay.

    Raises:
        LeaderboardError: The database cannot be used; nothing was stored.
    """
    team = None if team is None else clean_name(team, "team's", NAME_LIMIT)
    proofs = prove_all(replays, driver, Terms())
    if not any(isinstance(proof, Proof) for proof in proofs):
        return [proof for proof in proofs if not isinstance(proof, Proof)]
    with opened(database(db), write=True, patience_s=patience_s) as connection:
        return [
            store(connection, open_board(connection, database(db), proof), proof, where(replay), team)
            if isinstance(proof, Proof)
            else proof
            for replay, proof in zip(replays, proofs, strict=True)
        ]


def standings(
    track: str | Track | None = None, db: str | Path | None = None, *, board: str | None = None, limit: int = MOST
) -> list[Standings]:
    """Give the tables of boards, one for each physics that entries were driven with, this racer's first.

    Args:
        track: A track's name, or the track itself for exactly its road and direction; None for all.
        db: A path (SQLite) or a database URL; see `database`.
        board: Only this one, by its name or its number.
        limit: How many drivers of each at most.

    Raises:
        LeaderboardError: There is no leaderboard there, it cannot be read, or has no such board.
    """
    conditions = [boards.c.state != "removed"]
    if track is not None:
        road = courses.c.track_digest == track.digest if isinstance(track, Track) else courses.c.track == track
        conditions.append(boards.c.id.in_(sa.select(courses.c.board_id).where(road)))
    if board is not None:
        conditions = [boards.c.id == Board.find(board, db).id]
    tables = []
    with opened(database(db), write=False) as connection:
        for one in found(connection, database(db), *conditions):
            driven = sa.select(entries.c.physics).where(entries.c.board_id == one.id, entries.c.best).distinct()
            for physics in sorted(
                connection.execute(driven).scalars(), key=lambda name: (name != physics_here(), name)
            ):
                rows = ranked(connection, one.id, physics, limit)
                tables.append(Standings(Board(**vars(one)), physics, physics == physics_here(), rows))
    return tables
