"""Opponents by name: runs, models, and agents that need no training, as they drive in a learner's race."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from racer.env import HeadToHead, HeadToHeadVector, Opponent, TimeTrialVector
from racer.errors import AgentError
from racer.racing import load_agent, load_model
from racer.shelf import DEFAULTS
from racer.track import load_track
from racer.training.export import driver_of
from racer.training.folder import on_shelf
from racer.training.pool import SELF
from racer.training.run import Run, find_run

__all__ = ["YARDSTICK", "head_to_head", "head_to_head_vector", "opponent", "opponents_of"]

YARDSTICK = "pure_pursuit"
"""Whom a run that trains against itself is evaluated against, so that its evaluations can be compared."""


def opponents_of(run: Run, pool: Opponent | None = None) -> tuple[Opponent, ...]:
    """The opponents that a run trains against, on its first track; of agents only those of the shelf.

    Args:
        run: whose.
        pool: who stands for its own earlier drivers; by default, `YARDSTICK` does.

    Raises:
        RacerError: as `opponent`, or an agent is on no shelf.
    """
    track, names = run.track(), run.config.opponents
    return tuple(
        pool if pool is not None and name == SELF else opponent(YARDSTICK if name == SELF else name, track, run.folder)
        for name in names
    )


def opponent(name: str, track: Any = DEFAULTS["tracks"], trained_in: Path | None = None) -> Opponent:
    """The opponent that a name means.

    Args:
        name: of a run, a model's file, or an agent that needs no training.
        track: that is raced on.
        trained_in: the run whose own files name it: then an agent is to be on the shelf, as nothing that lies in a run
            is executed.

    Raises:
        RacerError: there is none of the name, it is broken, or it has learned nothing yet.
    """
    if Path(name).suffix == ".model":
        model = load_model(name)
        return Opponent(model, model.actions, model.sensors)
    run = find_run(name)
    if run is not None:
        conditions = run.conditions()
        return Opponent(driver_of(run), conditions.actions, conditions.sensors)
    file = load_agent(name if trained_in is None else on_shelf("agents", name, trained_in))
    driver = file.make(TimeTrialVector(1, load_track(track), None, sensors=file.sensors()))
    if callable(getattr(driver, "learn", None)):
        raise AgentError(f"{name} is a recipe that has learned nothing yet, and no opponent; name a run of it")
    return Opponent(driver, file.actions(), file.sensors())


def head_to_head(
    track: Any = DEFAULTS["tracks"], *given: Any, opponents: Sequence[str | Opponent] = (), **options: Any
) -> HeadToHead:
    """Make `racer.env.HeadToHead` with opponents by name, as `gymnasium.make("racer/HeadToHead-v0")` does.

    Raises:
        RacerError: as `opponent`, or the track or the reward cannot be used.
        ValueError: another argument makes no sense.
    """
    return HeadToHead(track, *given, opponents=_named(opponents, track), **options)


def head_to_head_vector(
    num_envs: int = 1,
    track: Any = DEFAULTS["tracks"],
    *given: Any,
    opponents: Sequence[str | Opponent] = (),
    **options: Any,
) -> HeadToHeadVector:
    """Make `racer.env.HeadToHeadVector` with opponents by name.

    Raises:
        RacerError: as `opponent`, or the track or the reward cannot be used.
        ValueError: another argument makes no sense.
    """
    return HeadToHeadVector(num_envs, track, *given, opponents=_named(opponents, track), **options)


def _named(opponents: Sequence[str | Opponent], track: Any) -> list[Opponent]:
    return [one if isinstance(one, Opponent) else opponent(one, track) for one in opponents]
