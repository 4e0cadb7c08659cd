"""Replays as entries: driven again, by a board's rules, before anything that they say counts."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from racer.errors import LeaderboardError, RulesError
from racer.leaderboard.records import lap_times
from racer.leaderboard.shipped import car_digest, check_car, check_track
from racer.leaderboard.terms import Proof, Terms, course_of
from racer.racing import Rulebook, Score, check_replay, score, trials_of
from racer.replay import Lap, Replay, commands_of, verify

__all__ = ["prove_drive", "verified"]


def verified(replay: Replay, where: str, terms: Terms) -> Replay:
    """A replay that holds, with the laps as they came out here.

    Raises:
        LeaderboardError: it does not, is no time trial, has not enough laps, or was driven by other rules, on another
            track or with another car.
    """
    if replay.imported:  # before all else: nothing that could be mended
        raise LeaderboardError(f"{where} was refused: {verify(replay).reason}")
    if len(replay.drives) != 1:
        raise LeaderboardError(f"{where} was refused: {len(replay.drives)} cars raced; a board takes one car alone")
    if replay.traffic is not None:
        raise LeaderboardError(f"{where} was refused: it is a race {replay.traffic.name}; a board takes time trials")
    check_car(replay.car, where)
    check_track(replay.track, course_of(replay.track).track, where)
    _check_terms(replay, where, terms)
    _scored(replay, where, terms)  # as it says itself: what is hopeless is not driven
    verdict = verify(replay)
    if not verdict.ok:
        raise LeaderboardError(f"{where} was refused: {verdict.reason}")
    return dataclasses.replace(replay, drives=(dataclasses.replace(replay.drives[0], laps=verdict.laps),))


def _check_terms(replay: Replay, where: str, terms: Terms) -> None:
    """Refuse a race of another track or car, or by other rules."""
    if terms.rulebook is None:
        return
    if len(terms.courses) > 1:
        raise LeaderboardError(
            f"{where} was refused: this board is driven on {len(terms.courses)} tracks, which a replay cannot; enter a "
            "model, as `racer export` makes it"
        )
    course = terms.courses[0]
    if replay.track.digest != course.track_digest:
        raise LeaderboardError(f"{where} was refused: it was driven on {course_of(replay.track)}, not on {course}")
    if car_digest(replay.car) != terms.car_digest:
        other = (
            "whose constants are others than when this board was made; make a new one"
            if replay.car.name == terms.rulebook.car
            else f"not with {terms.rulebook.car}"
        )
        raise LeaderboardError(f"{where} was refused: it was driven with the car {replay.car.name}, {other}")
    try:
        check_replay(terms.rulebook, replay)
    except RulesError as error:
        raise LeaderboardError(f"{where} was refused: {error}") from error


def prove_drive(replay: Replay, where: str, terms: Terms) -> Proof:
    """Score a race that was driven here.

    Raises:
        LeaderboardError: it has not enough laps to be ranked.
    """
    counted, times = _scored(replay, where, terms)
    chosen = np.isin(replay.steps["lap"], [lap.index for lap in counted])
    return Proof(
        kind="replay",
        driver=replay.driver,
        tracks=(replay.track,),
        car=replay.car,
        **times,
        lap_times=lap_times(trials_of(replay)),
        mean_speed_mps=float(np.mean(replay.steps["speed"][chosen])),
        commands_digest=replay.lap_digest(counted[-1]),
        data=commands_of(replay),
    )


def _scored(replay: Replay, where: str, terms: Terms) -> tuple[list[Lap], dict[str, Any]]:
    """The laps that give the official time, and all times by their names in `Proof`."""
    trials = trials_of(replay)
    if terms.rulebook is None:
        clean = [lap for lap in replay.laps if lap.complete and not lap.resets]
        if not clean:
            kind = "complete lap without a penalty" if replay.completed_laps else "complete lap"
            raise LeaderboardError(f"{where} has no {kind}, so it cannot be ranked; train longer, then evaluate again")
        best = min(clean, key=lambda lap: lap.time_s)
        time_ms = round(1000.0 * best.time_s)
        return [best], {
            "time_ms": time_ms,
            "best_lap_ms": time_ms,
            "average_ms": None,
            "total_ms": None,
            "laps": len(clean),
        }
    return scored_by(terms.rulebook, trials, where)


def scored_by(rulebook: Rulebook, trials: list[list[Lap]], where: str) -> tuple[list[Lap], dict[str, Any]]:
    """The laps that give the official time by a rulebook, and all times by their names in `Proof`.

    Raises:
        LeaderboardError: not enough laps were completed, or there were too many trials.
    """
    timing, times = rulebook.timing, dict[str, Score]()
    try:
        for method in ("best-lap", "average-laps", "total-time"):
            laps = min(timing.laps, rulebook.race.laps)
            other = dataclasses.replace(rulebook, timing=dataclasses.replace(timing, method=method, laps=laps))
            times[method] = score(other, trials)
        official = score(rulebook, trials)
    except RulesError as error:
        raise LeaderboardError(f"{where} was refused: {error}") from error
    if official.time_s is None:
        raise LeaderboardError(
            f"{where} has {official.completed_laps} complete laps, which is not enough for {timing.method}, so it "
            "cannot be ranked; train longer, then evaluate again"
        )
    counted = trials[official.trial - 1][rulebook.warm_up_laps :][official.first_lap - 1 :][: official.laps]
    best, average, total = (None if one.time_s is None else round(1000.0 * one.time_s) for one in times.values())
    return counted, {
        "time_ms": round(1000.0 * official.time_s),
        "best_lap_ms": best,
        "average_ms": average,
        "total_ms": total,
        "laps": official.completed_laps,
    }
