"""Tournaments: drivers meet in heats of two, everybody with everybody or until they have lost twice.

Invariant: the drivers, the rules and the seed decide it. Two who meet change places on the grid from heat to heat.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from racer.errors import AgentError
from racer.racing.heat import Contestant, run_heat, unique_names
from racer.racing.heat_result import HeatResult, Placing
from racer.racing.tournament_result import Bracket, Match, Rank, Tournament, TournamentResult

__all__ = ["run_tournament"]

MOST_ENTRIES = 16


def run_tournament(
    tournament: Tournament,
    contestants: Sequence[Contestant],
    on_heat: Callable[[HeatResult], None] | None = None,
) -> TournamentResult:
    """Hold a tournament.

    In a league the ranking goes by heats won, then by the fastest lap; with double elimination by how late a driver
    lost its second match, then by heats won. Where two are equal, whoever was seeded higher comes first. A match goes
    to whoever wins more of its heats; if both win as many, to whoever needed less time for all of them together, or
    came farther if one of the two did not finish.

    Args:
        tournament: how.
        contestants: two to sixteen.
        on_heat: called with each heat's result.

    Raises:
        AgentError: there are too many drivers or too few, or they drive different cars.
        RulesError: the race cannot start.
    """
    if not 2 <= len(contestants) <= MOST_ENTRIES:
        raise AgentError(f"there are {len(contestants)} drivers; a tournament has from 2 to {MOST_ENTRIES}")
    names = unique_names([one.name for one in contestants])
    named = [dataclasses.replace(one, name=name) for one, name in zip(contestants, names, strict=True)]
    run = _Run(tournament, on_heat)
    entries = run.seeded(named)
    if tournament.kind == "round-robin":
        run.league(entries)
        order, size = run.league_order(entries), 0
    else:
        order, size = run.eliminate(entries)
    ranking = tuple(run.rank(place, one, entries.index(one) + 1) for place, one in enumerate(order, start=1))
    return TournamentResult(tournament, tuple(one.name for one in entries), ranking, tuple(run.matches), size)


class _Run:
    """A tournament that is being held."""

    def __init__(self, tournament: Tournament, on_heat: Callable[[HeatResult], None] | None) -> None:
        self._tournament, self._on_heat, self._heats = tournament, on_heat, 0
        self.matches: list[Match] = []

    def _race(self, *contestants: Contestant) -> HeatResult:
        heat = self._tournament.heat
        result = run_heat(dataclasses.replace(heat, seed=heat.seed + self._heats), contestants)
        self._heats += 1
        if self._on_heat is not None:
            self._on_heat(result)
        return result

    def seeded(self, contestants: list[Contestant]) -> list[Contestant]:
        """The drivers, the first seed first."""
        seeding = self._tournament.seeding
        if seeding == "named":
            return contestants
        if seeding == "random":
            order = np.random.default_rng(self._tournament.heat.seed).permutation(len(contestants))
            return [contestants[place] for place in order.tolist()]
        alone = [self._race(one).placings[0] for one in contestants]
        return [contestants[place] for place in sorted(range(len(alone)), key=lambda place: _form(alone[place]))]

    def meet(self, bracket: Bracket, round: int, slot: int, one: Contestant, other: Contestant) -> Match:
        """Let two drivers meet; the one seeded higher is named first."""
        heats = [self._race(*((one, other) if k % 2 == 0 else (other, one))) for k in range(self._tournament.rounds)]
        wins = tuple(sum(heat.winner == who.name for heat in heats) for who in (one, other))
        forms = [_total_form([_placing(heat, who.name) for heat in heats]) for who in (one, other)]
        is_first = wins[0] > wins[1] or (wins[0] == wins[1] and forms[0] <= forms[1])
        winner = one.name if is_first else other.name
        match = Match(bracket, round, slot, (one.name, other.name), (wins[0], wins[1]), winner, tuple(heats))
        self.matches.append(match)
        return match

    def league(self, entries: list[Contestant]) -> None:
        """Everybody meets everybody, in rounds in which everybody meets one at most (the circle method)."""
        circle: list[Contestant | None] = [*entries, *([None] if len(entries) % 2 else [])]
        for number in range(1, len(circle)):
            pairs = zip(circle[: len(circle) // 2], reversed(circle[len(circle) // 2 :]), strict=True)
            for slot, (one, other) in enumerate(pairs):
                if one is not None and other is not None:
                    first, second = sorted((one, other), key=entries.index)
                    self.meet("league", number, slot, first, second)
            circle = [circle[0], circle[-1], *circle[1:-1]]

    def league_order(self, entries: list[Contestant]) -> list[Contestant]:
        """The drivers, the best one first."""

        def key(one: Contestant) -> tuple[int, float]:
            rank = self.rank(0, one, 0)
            return -rank.heats_won, float("inf") if rank.best_lap_s is None else rank.best_lap_s

        return sorted(entries, key=key)

    def eliminate(self, entries: list[Contestant]) -> tuple[list[Contestant], int]:
        """Who has lost two matches is out; the order in the end, the best one first, and the size of the bracket."""
        out: list[Contestant] = []  # who is out, the last one first

        def play(bracket: Bracket, number: int, pairs: list[tuple[Entry, Entry]]) -> tuple[list[Entry], list[Entry]]:
            won: list[Entry] = []
            lost: list[Entry] = []
            for slot, pair in enumerate(pairs):
                one, other = sorted(pair, key=lambda who: len(entries) if who is None else entries.index(who))
                if one is None or other is None:  # a bye
                    won.append(one)
                    lost.append(None)
                    continue
                match = self.meet(bracket, number, slot, one, other)
                won.append(one if match.winner == one.name else other)
                lost.append(other if match.winner == one.name else one)
            if bracket == "losers":
                out[:0] = sorted((who for who in lost if who is not None), key=entries.index)
            return won, lost

        size = 1 << (len(entries) - 1).bit_length()
        field: list[Entry] = [entries[seed] if seed < len(entries) else None for seed in _drawn(size)]
        winners, losers = play("winners", 1, _pairs(field))
        number, below = 1, 0
        while len(winners) > 1:
            below += 1
            losers, _ = play("losers", below, _pairs(losers))
            number += 1
            winners, dropped = play("winners", number, _pairs(winners))
            below += 1
            losers, _ = play("losers", below, list(zip(losers, reversed(dropped), strict=True)))
        first, second = winners[0], losers[0]
        assert first is not None and second is not None
        match = self.meet("final", 1, 0, first, second)
        if match.winner == second.name:  # both have lost once now
            match = self.meet("final", 2, 0, first, second)
        champion, runner_up = (first, second) if match.winner == first.name else (second, first)
        return [champion, runner_up, *out], size

    def rank(self, position: int, one: Contestant, seed: int) -> Rank:
        """What a driver did in all of its matches."""
        own = [match for match in self.matches if one.name in match.drivers]
        placings = [_placing(heat, one.name) for match in own for heat in match.heats]
        return Rank(
            position=position,
            driver=one.name,
            seed=seed,
            matches=len(own),
            won=sum(match.winner == one.name for match in own),
            heats=len(placings),
            heats_won=sum(placing.position == 1 for placing in placings),
            best_lap_s=min(
                (placing.best_lap_s for placing in placings if placing.best_lap_s is not None), default=None
            ),
            crashes=sum(placing.crashes for placing in placings),
            retired=sum(placing.end == "retired" for placing in placings),
        )


Entry = Contestant | None  # None where a bracket has a place too many


def _drawn(size: int) -> list[int]:
    """Seeds, from 0, in the order of a bracket in which the best two can only meet in the end."""
    order = [0]
    while len(order) < size:
        order = [seed for low in order for seed in (low, 2 * len(order) - 1 - low)]
    return order


def _pairs(field: list[Entry]) -> list[tuple[Entry, Entry]]:
    return list(zip(field[::2], field[1::2], strict=True))


def _placing(heat: HeatResult, name: str) -> Placing:
    return next(placing for placing in heat.placings if placing.driver == name)


def _form(placing: Placing) -> tuple[float, float]:
    """What two placings are compared by, the smaller the better."""
    return -placing.raced, float("inf") if placing.time_s is None else placing.time_s


def _total_form(placings: list[Placing]) -> tuple[float, float]:
    forms = [_form(placing) for placing in placings]
    return sum(form[0] for form in forms), sum(form[1] for form in forms)
