"""What a tournament is, and what came of it, as records."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, get_args

from racer.errors import RulesError
from racer.racing.heat import Heat
from racer.racing.heat_result import HeatResult
from racer.racing.results import rounded

__all__ = ["KINDS", "SEEDINGS", "Bracket", "Match", "Rank", "Tournament", "TournamentResult"]

Kind = Literal["round-robin", "double-elimination"]
Seeding = Literal["qualifying", "named", "random"]
Bracket = Literal["league", "winners", "losers", "final"]

KINDS: tuple[Kind, ...] = get_args(Kind)
SEEDINGS: tuple[Seeding, ...] = get_args(Seeding)
MOST_ROUNDS = 99
FORMAT, VERSION = "racer tournament result", 1


@dataclass(frozen=True)
class Tournament:
    """How a tournament is held.

    Attributes:
        heat: what each heat is raced for; its seed is the first one's, and goes up by one from heat to heat.
        kind: `"round-robin"`: everybody meets everybody. `"double-elimination"`: who has lost two matches is out.
        rounds: heats of each match.
        seeding: who is drawn against whom: by `"qualifying"` laps alone on the track, as `"named"`, or `"random"`.
    """

    heat: Heat
    kind: Kind = "round-robin"
    rounds: int = 2
    seeding: Seeding = "qualifying"

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            RulesError: one of them makes no sense.
        """
        for what, value, among in (("kind", self.kind, KINDS), ("seeding", self.seeding, SEEDINGS)):
            if value not in among:
                raise RulesError(f"the {what} of a tournament is {value!r:.40}; it must be one of {', '.join(among)}")
        if isinstance(self.rounds, bool) or not isinstance(self.rounds, int) or not 1 <= self.rounds <= MOST_ROUNDS:
            raise RulesError(f"a match has {self.rounds!r:.40} rounds; it must be from 1 to {MOST_ROUNDS}")

    def most_heats(self, entries: int) -> int:
        """How many heats it has at most, qualifying included."""
        matches = entries * (entries - 1) // 2 if self.kind == "round-robin" else 2 * entries - 1
        return matches * self.rounds + (entries if self.seeding == "qualifying" else 0)


@dataclass(frozen=True)
class Match:
    """Two drivers who met.

    Attributes:
        bracket: of which part it is: `"league"`, where everybody meets everybody, else `"winners"`, of those who have
            lost no match, `"losers"`, of those who have lost one, or `"final"`.
        round: of that part, from 1.
        slot: which match of that round, from 0 at the top.
        drivers: their names; the first of them started in front in the first heat.
        wins: heats that each of them won.
        winner: name of the one who goes on.
        heats: the results.
    """

    bracket: Bracket
    round: int
    slot: int
    drivers: tuple[str, str]
    wins: tuple[int, int]
    winner: str
    heats: tuple[HeatResult, ...]

    @property
    def loser(self) -> str:
        """Name of the other one."""
        return self.drivers[1] if self.winner == self.drivers[0] else self.drivers[0]


@dataclass(frozen=True)
class Rank:
    """How a driver came off.

    Attributes:
        position: from 1.
        driver: whose.
        seed: place that it was seeded at, from 1.
        matches, won: how many it had, and won.
        heats, heats_won: the same of heats.
        best_lap_s: its fastest lap in them, s; None without a complete one.
        crashes: that it is to blame for.
        retired: in how many heats it gave up.
    """

    position: int
    driver: str
    seed: int
    matches: int
    won: int
    heats: int
    heats_won: int
    best_lap_s: float | None
    crashes: int
    retired: int


@dataclass(frozen=True)
class TournamentResult:
    """A tournament that was held.

    Attributes:
        tournament: how.
        seeded: names of the drivers, the first seed first.
        ranking: the winner first.
        matches: in the order in which they were raced.
        entries: power of two that the brackets were drawn for; 0 in a league.
    """

    tournament: Tournament
    seeded: tuple[str, ...]
    ranking: tuple[Rank, ...]
    matches: tuple[Match, ...]
    entries: int = 0

    @property
    def winner(self) -> str:
        """Who won."""
        return self.ranking[0].driver

    def as_json(self) -> dict[str, Any]:
        """As `racer tournament --json` prints it: times in s."""
        heat = self.tournament.heat
        return {
            "format": FORMAT,
            "version": VERSION,
            "kind": self.tournament.kind,
            "rounds": self.tournament.rounds,
            "seeding": self.tournament.seeding,
            "seeded": list(self.seeded),
            "track": heat.track.name,
            "laps": heat.laps,
            "seed": heat.seed,
            "ranking": [dataclasses.asdict(rank) | {"best_lap_s": rounded(rank.best_lap_s)} for rank in self.ranking],
            "matches": [_match(match) for match in self.matches],
        }


def _match(match: Match) -> dict[str, Any]:
    return {
        "bracket": match.bracket,
        "round": match.round,
        "drivers": list(match.drivers),
        "wins": list(match.wins),
        "winner": match.winner,
        "heats": [heat.as_json() for heat in match.heats],
    }
