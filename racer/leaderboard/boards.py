"""Boards as the database holds them: found, made, and read without trust."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from racer.errors import LeaderboardError, RacerError
from racer.leaderboard.records import Course, checked, now
from racer.leaderboard.shipped import car_digest
from racer.leaderboard.tables import boards, courses
from racer.leaderboard.terms import Proof, Terms, course_of
from racer.racing import Rulebook, rulebook_as_json, rulebook_from_json

__all__ = ["BoardRecord", "found", "made", "of_rules", "only", "open_board"]

STATES = ("open", "closed", "removed")


@dataclass(frozen=True)
class BoardRecord:
    """A board of a leaderboard.

    Attributes:
        db: the database that it is in, see `database`.
        id, name: of the board.
        open_to_all: whether it takes the best lap of any race; such a board is made for whoever drives there first.
        rulebook: its rules.
        courses: the tracks that it is driven on.
        digest: of the competition, see `racer.racing.board_digest`.
        car, car_digest: with which it is driven.
        state: `"open"`, `"closed"` or `"removed"`.
        opens, closes: when it takes entries, ISO 8601, UTC; None for always.
        created: when it was made.
    """

    db: str
    id: int
    name: str
    open_to_all: bool
    rulebook: Rulebook
    courses: tuple[Course, ...]
    digest: str
    car: str
    car_digest: str
    state: str
    opens: str | None
    closes: str | None
    created: str

    @property
    def terms(self) -> Terms:
        """What an entry has to keep to."""
        return Terms() if self.open_to_all else Terms(self.rulebook, self.courses, self.car_digest)

    def check_open(self, kind: str, where: str) -> None:
        """Refuse an entry for a board that takes none now, or none of this kind.

        Raises:
            LeaderboardError: it does not.
        """
        moment = datetime.now(UTC)
        if self.state != "open":
            raise LeaderboardError(
                f"{where} was refused: the board {self.name} is {self.state}; `racer leaderboard restore` opens it"
            )
        if self.opens is not None and moment < datetime.fromisoformat(self.opens):
            raise LeaderboardError(f"{where} was refused: the board {self.name} opens at {self.opens}")
        if self.closes is not None and moment >= datetime.fromisoformat(self.closes):
            raise LeaderboardError(f"{where} was refused: the board {self.name} closed at {self.closes}")
        if kind and kind not in self.rulebook.entries.kinds:
            kinds = " and ".join(self.rulebook.entries.kinds)
            raise LeaderboardError(f"{where} was refused: it is a {kind}, and the board {self.name} takes {kinds}s")


FIELDS = [field.name for field in dataclasses.fields(BoardRecord) if field.name not in ("db", "rulebook", "courses")]


def found(connection: sa.Connection, db: str, *conditions: sa.ColumnElement[bool]) -> list[BoardRecord]:
    """The boards that conditions hold for, in the order of their making."""
    query = sa.select(boards).where(*conditions).order_by(boards.c.id)
    records = []
    for row in connection.execute(query).mappings().all():
        places = sa.select(courses).where(courses.c.board_id == row["id"]).order_by(courses.c.place)
        records.append(_board(db, row, connection.execute(places).mappings().all()))
    return records


def only(connection: sa.Connection, db: str, name: str) -> BoardRecord:
    """The board of a name, or of a number such as `"#3"`.

    Raises:
        LeaderboardError: there is none.
    """
    number = name[1:] if name.startswith("#") and name[1:].isdecimal() and len(name) < 12 else ""
    matching = boards.c.id == int(number) if number else boards.c.name == name
    if board := found(connection, db, matching):
        return board[0]
    from racer.shelf import did_you_mean

    known = [str(one) for one in connection.execute(sa.select(boards.c.name).limit(1000)).scalars()]
    hint = did_you_mean(name, known) or " `racer leaderboard boards` lists them."
    raise LeaderboardError(f"there is no board {name!r}.{hint}")


def open_board(connection: sa.Connection, db: str, proof: Proof) -> BoardRecord:
    """The board that is open to all on the track and with the car of a proof; made if it is missing."""
    course, car = course_of(proof.tracks[0]), car_digest(proof.car)
    here = sa.select(courses.c.board_id).where(
        *(courses.c[name] == getattr(course, name) for name in ("track", "direction", "track_digest"))
    )
    same = found(connection, db, boards.c.open_to_all, boards.c.car_digest == car, boards.c.id.in_(here))
    if same:
        return same[0]
    way = "" if proof.car.name == "deepracer" else f", {proof.car.name[:15]}"
    name = f"{course.track[:35]}{str(course)[len(course.track) :]}{way}"
    if found(connection, db, boards.c.name == name):
        name += f" #{course.track_digest[:6]}{car[:6]}"
    values = {"name": name, "open_to_all": True, "digest": course.track_digest, "opens": None, "closes": None}
    return made(connection, db, {**values, **of_rules(OPEN, car), "car": proof.car.name}, [course])


OPEN = Rulebook(title="Open to all: the best lap without a penalty, of any race")
"""The rules of boards without rules of their own; their tracks and cars are not in them."""


def of_rules(rulebook: Rulebook, car: str) -> dict[str, Any]:
    """What the row of a new board says of its rules and its car, whose digest is given."""
    rules = json.dumps(rulebook_as_json(rulebook), sort_keys=True, separators=(",", ":"))
    return {"rules": rules, "car": rulebook.car, "car_digest": car, "state": "open", "created": now()}


def made(connection: sa.Connection, db: str, values: dict[str, Any], where: Sequence[Course]) -> BoardRecord:
    """Make a board of the values of its row and its tracks."""
    (board_id,) = connection.execute(sa.insert(boards).values(values)).inserted_primary_key or (0,)
    for place, course in enumerate(where):
        values = {"track": course.track, "direction": course.direction, "track_digest": course.track_digest}
        connection.execute(sa.insert(courses).values(board_id=board_id, place=place, **values))
    return only(connection, db, f"#{board_id}")


def _board(db: str, row: Mapping[Any, Any], places: Sequence[Mapping[Any, Any]]) -> BoardRecord:
    """Build a board from its rows; others can write there.

    Raises:
        LeaderboardError: it is damaged.
    """
    whose = f"board {row['id']!a:.20}"
    for name, value in row.items():
        checked(boards.c[name], value, whose)
    for place in places:
        for name, value in place.items():
            checked(courses.c[name], value, whose)
    values = {name: row[name] for name in FIELDS}
    tracks = tuple(Course(*(place[name] for name in ("track", "direction", "track_digest"))) for place in places)
    try:
        rulebook = rulebook_from_json(json.loads(row["rules"]))
        sound = row["state"] in STATES and bool(tracks)
        for moment in (row["opens"], row["closes"]):
            sound = sound and (moment is None or datetime.fromisoformat(moment).tzinfo is not None)
    except (RacerError, ValueError, RecursionError) as error:
        raise LeaderboardError(f"the leaderboard's {whose} is damaged: its rules do not hold: {error}"[:300]) from error
    if not sound:
        raise LeaderboardError(f"the leaderboard's {whose} is damaged; remove it")
    return BoardRecord(db=db, rulebook=rulebook, courses=tracks, **values)
