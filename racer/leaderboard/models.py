"""Models as entries: driven by racer itself, several times, from seeds that nobody knows before, with noise."""

from __future__ import annotations

import dataclasses
import json
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

from racer.errors import LeaderboardError
from racer.leaderboard.records import lap_times
from racer.leaderboard.terms import Proof, Terms, course_of
from racer.racing import Model, Rulebook, score

if TYPE_CHECKING:
    from racer.racing import RaceResult

__all__ = ["prove_model"]

SEED_BITS = 62


def prove_model(model: Model, where: str, terms: Terms, seeds: Sequence[int] | None = None) -> Proof:
    """Let a model race by a board's rules.

    Args:
        model: whose weights are data.
        where: what its file is called in messages.
        terms: of the board.
        seeds: of the races; by default new ones.

    Raises:
        LeaderboardError: the board has no rules, or the model was not classified in most races.
        RacerError: the rules do not allow its sensors, or a track of theirs is missing here.
    """
    from racer.racing import races_by_rules
    from racer.sim import CARS

    rulebook = terms.rulebook
    if rulebook is None:
        raise LeaderboardError(
            f"{where} is a model, which races on a board with rules: name one with --board, or make one with "
            "`racer leaderboard create`"
        )
    tracks = rulebook.courses()
    for track, course in zip(tracks, terms.courses, strict=True):
        if track.digest != course.track_digest:
            raise LeaderboardError(f"{where} cannot race here: {course_of(track)} is another road than the board's")
    numbers = [secrets.randbits(SEED_BITS) for _ in range(rulebook.race.seeds)] if seeds is None else list(seeds)
    races = races_by_rules(lambda _: model, rulebook, model.conditions(), numbers, name=model.name)
    ranked = sorted(races, key=lambda race: (race.time_s is None, race.time_s))
    middle = ranked[len(ranked) // 2]
    if middle.time_s is None:
        missed = sum(race.time_s is None for race in races)
        raise LeaderboardError(
            f"{where} was refused: the model was not classified in {missed} of {len(races)} races, which begin a "
            "little beside the line and with noise in what it observes; train it longer"
        )
    counted = [lap for course in middle.courses for trial in course.trials for lap in trial.laps if lap.number > 0]
    complete = [lap for lap in counted if lap.complete]
    speed = middle.as_json()["laps"]["mean_speed_mps"]
    return Proof(
        kind="model",
        driver=model.name,
        tracks=tuple(tracks),
        car=CARS[rulebook.car],
        time_ms=round(1000.0 * middle.time_s),
        best_lap_ms=round(1000.0 * min(lap.time_s for lap in complete)),
        average_ms=_total(rulebook, "average-laps", middle),
        total_ms=_total(rulebook, "total-time", middle),
        laps=len(complete),
        lap_times=lap_times([list(trial.laps) for course in middle.courses for trial in course.trials]),
        mean_speed_mps=float(speed or 0.0),
        commands_digest=model.digest,
        data=model.as_bytes(),
        seeds=json.dumps(numbers),
    )


def _total(rulebook: Rulebook, method: str, race: RaceResult) -> int | None:
    """The time by another timing method, summed over all tracks, ms."""
    laps = min(rulebook.timing.laps, rulebook.race.laps)
    other = dataclasses.replace(rulebook, timing=dataclasses.replace(rulebook.timing, method=method, laps=laps))
    times = [score(other, [trial.laps for trial in course.trials]).time_s for course in race.courses]
    return None if None in times else round(1000.0 * sum(time for time in times if time is not None))
