"""Entries driven again long after: when physics has changed, or to see whether a database still tells the truth."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from racer.errors import LeaderboardError, RacerError
from racer.leaderboard.audit import note
from racer.leaderboard.boards import BoardRecord
from racer.leaderboard.entering import measured, physics_here, road, settle
from racer.leaderboard.ranking import entries_on
from racer.leaderboard.records import Entry
from racer.leaderboard.replays import prove_drive
from racer.leaderboard.shipped import car_digest
from racer.leaderboard.storage import opened
from racer.leaderboard.tables import drives, entries
from racer.leaderboard.terms import Proof
from racer.replay import Replay, replay_from_commands

if TYPE_CHECKING:
    from racer.sim import Car
    from racer.track import Track

__all__ = ["Outcome", "drive_of", "kept", "reverify"]

CHUNK = 100  # entries whose drives are in memory at once


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


@dataclass(frozen=True)
class Kept:
    """What is kept of an entry: the commands or the model, the seeds of its races, and the first track of its board."""

    data: bytes
    seeds: str | None
    track: Track


def kept(connection: sa.Connection, board: BoardRecord, some: Sequence[Entry]) -> dict[int, Kept]:
    """What is kept of entries, by their numbers; earlier racers kept nothing.

    Raises:
        LeaderboardError: the track of the board was altered.
    """
    query = sa.select(drives).where(drives.c.entry_id.in_([entry.id for entry in some]))
    rows = connection.execute(query).all()
    if not rows:
        return {}
    course = board.courses[0]
    track = road(connection, course.track_digest, course.track, course.direction == "reverse")
    return {row.entry_id: Kept(bytes(row.data), row.seeds, track) for row in rows}


def drive_of(board: BoardRecord, entry: Entry, kept: Kept | None) -> Replay:
    """An entry's drive as a race, driven again here; a model's without noise.

    Raises:
        LeaderboardError: what was driven is not kept, or the board's car is another here.
        RacerError: it cannot be driven here.
    """
    kept, car = _known(kept), _car(board)
    if entry.kind == "replay":
        return replay_from_commands(kept.data, kept.track, car)
    from racer.racing import drive, model_from_bytes

    model = model_from_bytes(kept.data, f"entry {entry.id}")
    conditions = dataclasses.replace(model.conditions(), car=car, penalty_s=board.rulebook.rules.penalty_s)
    return drive(model, kept.track, board.rulebook.race.laps, conditions, name=entry.driver, reward_function=None)


def _known(kept: Kept | None) -> Kept:
    if kept is None:
        raise LeaderboardError("what was driven was not kept by the racer that let it in")
    return kept


def _car(board: BoardRecord) -> Car:
    from racer.sim import CARS

    car = CARS.get(board.car)
    if car is None or car_digest(car) != board.car_digest:
        raise LeaderboardError(f"the car {board.car} is another one in this racer")
    return car


def _proven(board: BoardRecord, entry: Entry, kept: Kept | None) -> Proof | RacerError:
    try:
        return _prove_anew(board, entry, kept)
    except RacerError as error:
        return error


def _prove_anew(board: BoardRecord, entry: Entry, kept: Kept | None) -> Proof:
    where, kept = f"entry {entry.id}", _known(kept)
    if entry.kind == "replay":
        return prove_drive(drive_of(board, entry, kept), where, board.terms)
    from racer.leaderboard.models import prove_model
    from racer.racing import model_from_bytes

    _car(board)
    try:
        numbers = [int(seed) for seed in json.loads(kept.seeds or "")]
    except (ValueError, TypeError) as error:
        raise LeaderboardError(f"{where} is damaged: its seeds are {kept.seeds!a:.60}") from error
    return prove_model(model_from_bytes(kept.data, where), where, board.terms, numbers)


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
            known = kept(connection, board, some)
        found = [(entry, _proven(board, entry, known.get(entry.id))) for entry in some]
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


def _update(connection: sa.Connection, entry: Entry, proof: Proof) -> None:
    """Store what an entry came to, unless it was changed meanwhile."""
    same = (entries.c.id == entry.id, entries.c.physics == entry.physics)
    connection.execute(sa.update(entries).where(*same).values(measured(proof)))
    place = sa.select(entries.c.board_id, entries.c.driver_id).where(entries.c.id == entry.id)
    for board_id, driver_id in connection.execute(place).all():
        settle(connection, board_id, driver_id)
