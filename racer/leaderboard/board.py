"""Boards for scripts: races under rules, on tracks and with a car, and who was how fast there.

Invariant: every entry was driven again before it counted, and entries compete only if the rules, the digests of roads
and car, and the physics are the same, whatever they are called. It proves that a lap can be driven, not who drove it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from racer.errors import LeaderboardError, RacerError
from racer.leaderboard import tables
from racer.leaderboard.audit import note
from racer.leaderboard.boards import BoardRecord, found, made, of_rules, only
from racer.leaderboard.entering import keep_road, physics_here, store
from racer.leaderboard.names import board_name, clean_name
from racer.leaderboard.proof import prove_all
from racer.leaderboard.ranking import Progress, TeamRow, entries_on, progress, rank_teams, ranked
from racer.leaderboard.records import Entry, Row
from racer.leaderboard.reverifying import Outcome, reverify
from racer.leaderboard.shipped import car_digest
from racer.leaderboard.storage import PATIENCE_S, database, opened
from racer.leaderboard.tables import boards, entries
from racer.leaderboard.terms import Proof, course_of, where
from racer.racing import Rulebook, board_digest, load_rulebook
from racer.replay import Replay

__all__ = ["MOST", "Board"]

MOST = 200_000  # entries that are read at once


@dataclass(frozen=True)
class Board(BoardRecord):
    """A board of a leaderboard, to enter races on and to read; it is looked up in its database at each call.

    `db` is always a path (SQLite) or a database URL; see `racer.leaderboard.database`. Besides what each method names,
    every one raises a `LeaderboardError` where the database cannot be used; then nothing was changed.
    """

    @classmethod
    def create(
        cls, name: str, rules: str | Path | Rulebook = "league", *, db: str | Path | None = None, who: str | None = None
    ) -> Board:
        """Make a board; the database too, if it is missing.

        Args:
            name: 1 to 80 characters.
            rules: a rulebook, its name on the shelf `rules/` or its file; it names tracks and car.
            db: the database.
            who: makes it, for the record; by default the user of this computer.

        Raises:
            RulesError, ShelfError, TrackError: the rulebook or a track is missing or makes no sense.
            LeaderboardError: there is such a board.
        """
        from racer.sim import CARS

        rulebook = load_rulebook(rules)
        _ = rulebook.rules  # raises where such races cannot be driven
        tracks, moments = rulebook.courses(), (rulebook.entries.opens, rulebook.entries.closes)
        opens, closes = (None if one is None else one.isoformat(timespec="seconds") for one in moments)
        values = {
            "name": board_name(name, tables.BOARD_LIMIT),
            "open_to_all": False,
            "digest": board_digest(rulebook),
            "opens": opens,
            "closes": closes,
            **of_rules(rulebook, car_digest(CARS[rulebook.car])),
        }
        with opened(database(db), write=True) as connection:
            if found(connection, database(db), boards.c.name == values["name"]):
                raise LeaderboardError(f"there is a board {values['name']!r} already; choose another name")
            board = made(connection, database(db), values, [course_of(track) for track in tracks])
            for track in tracks:
                keep_road(connection, track)
            note(connection, who, "create", f"board {board.name}", f"by the rules {rulebook.title}")
        return cls(**vars(board))

    @classmethod
    def find(cls, name: str, db: str | Path | None = None) -> Board:
        """The board of a name, or of a number such as `"#3"`.

        Raises:
            LeaderboardError: there is none.
        """
        with opened(database(db), write=False) as connection:
            return cls(**vars(only(connection, database(db), name)))

    @classmethod
    def all(cls, db: str | Path | None = None, *, removed: bool = False) -> list[Board]:
        """All boards, in the order of their making; those that were removed only if asked for."""
        shown = sa.true() if removed else boards.c.state != "removed"
        with opened(database(db), write=False) as connection:
            return [cls(**vars(board)) for board in found(connection, database(db), shown)]

    def submit(
        self,
        files: Sequence[Replay | str | Path],
        driver: str | None = None,
        *,
        team: str | None = None,
        patience_s: float = PATIENCE_S,
    ) -> list[Entry | RacerError]:
        """Drive files again by the board's rules, then enter those that hold in one transaction.

        Args:
            files: races, or files of races or models.
            driver: whose they are, 1 to 40 printable characters; by default as each file says. The same name again is
                another try of that driver.
            team: whom the drivers drive for from now on.
            patience_s: how long to wait while other processes write to the database.

        Returns:
            For each file what was stored, or why it was not.
        """
        team = None if team is None else clean_name(team, "team's", tables.NAME_LIMIT)
        proofs = prove_all(files, driver, self.terms, lambda name: self.check_open("", name))
        if not any(isinstance(proof, Proof) for proof in proofs):
            return [proof for proof in proofs if not isinstance(proof, Proof)]
        with opened(self.db, write=True, patience_s=patience_s) as connection:
            board = only(connection, self.db, f"#{self.id}")
            return [
                store(connection, board, proof, where(given), team) if isinstance(proof, Proof) else proof
                for given, proof in zip(files, proofs, strict=True)
            ]

    def standings(self, limit: int = MOST, physics: str | None = None) -> tuple[Row, ...]:
        """The table: each driver's best entry, the fastest first.

        Args:
            limit: how many drivers at most.
            physics: with which they were driven; by default this racer's.
        """
        with opened(self.db, write=False) as connection:
            return ranked(connection, self.id, physics_here() if physics is None else physics, limit)

    def entries(self, driver: str | None = None) -> list[Entry]:
        """All entries with this racer's physics, oldest first: of everybody, or one driver's history.

        Raises:
            LeaderboardError: there is no such driver on the board.
        """
        here = [entries.c.board_id == self.id, entries.c.physics == physics_here(), ~entries.c.removed]
        if driver is not None:
            here.append(tables.drivers.c.name == driver)
        with opened(self.db, write=False) as connection:
            history = list(entries_on(connection, *here))
        if driver is not None and not history:
            raise LeaderboardError(f"no driver {driver!r} is on the board {self.name}")
        return history

    def teams(self) -> list[TeamRow]:
        """The board of teams: the mean of their drivers' best times, the fastest first."""
        return rank_teams(self.standings())

    def progress(self) -> list[Progress]:
        """How far each driver has come, the one who gained most first."""
        return progress(self.entries())

    def reverify(self, *, everything: bool = False, who: str | None = None) -> list[Outcome]:
        """Drive entries of another physics again; those that hold rank with this one from now on, the others stay.

        Args:
            everything: entries of this racer's physics, too: whether the database still says what was driven.
            who: asks for it, for the record.

        Returns:
            What became of each of them.
        """
        return reverify(self, everything, who)
