"""Proof of an entry: what a stranger's file comes to when racer drives it itself, by a board's rules.

Invariant: nothing in a file is believed. Times come from driving again; names are cleaned; what cannot be driven, or
was driven otherwise than the rules say, is refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from racer.errors import RacerError, ReplayError
from racer.leaderboard.names import clean_name
from racer.leaderboard.replays import prove_drive, verified
from racer.leaderboard.tables import NAME_LIMIT
from racer.leaderboard.terms import Proof, Terms, where
from racer.replay import Replay, load_replay
from racer.shelf import open_plain

__all__ = ["prove", "prove_all"]

HEAD_BYTES = 70_000  # of a file, in which its kind is said


def prove(given: Replay | str | Path, driver: str | None, terms: Terms) -> Proof:
    """Drive a file again, by a board's rules.

    Args:
        given: a race, or the file of one or of a model.
        driver: whose it is; by default as the file says.
        terms: what it has to keep to.

    Raises:
        ReplayError: the file is neither a replay nor a model.
        ModelError: it is no sound model.
        LeaderboardError: it does not hold, has not enough laps, or was driven by other rules, on another track or with
            another car.
    """
    if not isinstance(given, Replay) and _is_model(given):
        from racer.leaderboard.models import prove_model  # brings the environment, which replays do not wait for
        from racer.racing import load_model

        model = load_model(given)
        name = clean_name(model.name if driver is None else driver, "driver's", NAME_LIMIT)
        proof = prove_model(model, where(given), terms)
    else:
        replay = given if isinstance(given, Replay) else load_replay(given)
        name = clean_name(replay.driver if driver is None else driver, "driver's", NAME_LIMIT)
        proof = prove_drive(verified(replay, where(given), terms), where(given), terms)
    return dataclasses.replace(proof, driver=name)


def prove_all(
    files: Sequence[Replay | str | Path],
    driver: str | None,
    terms: Terms,
    check: Callable[[str], None] = lambda where: None,
) -> list[Proof | RacerError]:
    """The proof of each file, or why there is none.

    Args:
        files, driver, terms: as for `prove`.
        check: called before with what each file is called; may raise a `RacerError`, too.
    """
    outcomes: list[Proof | RacerError] = []
    for given in files:
        try:
            check(where(given))
            outcomes.append(prove(given, driver, terms))
        except RacerError as error:
            outcomes.append(error)
    return outcomes


def _is_model(path: str | Path) -> bool:
    """Whether a file says by its name or in its first bytes that it is a model."""
    if not Path(path).is_file() or Path(path).suffix == ".model":
        return Path(path).is_file()
    with open_plain(path, ReplayError) as file:
        return b'"racer-model"' in file.read(HEAD_BYTES)
