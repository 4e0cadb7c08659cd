"""The environments of a training: the cars that train, and those that a driver is evaluated with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from racer.env import ConcatVectorEnv, Opponent, TimeTrialVector
from racer.errors import AgentError, RunError
from racer.racing import AgentFile, Heat
from racer.reward import VectorReward
from racer.sim import OFF, RANDOM, RANDOMIZATIONS, Randomization, TrackSampler
from racer.track import Track
from racer.training.config import RunConfig
from racer.training.rivals import opponents_of
from racer.training.run import Run

__all__ = ["LAPS", "cars_of", "evaluation_env", "evaluation_tracks", "heat_of", "shares", "training_env"]

LAPS = 3  # of each car in an evaluation, and of the best driver in the end
EVALUATED = 8  # cars in each evaluation: one undisturbed, the others with noise on their actions, and randomised ...
LEAST_EVALUATED = 3  # ... on each track, where there are several
EVALUATED_RANDOM = 6  # random tracks in each evaluation, if such are trained on
ENDS = 0.5  # share of what is randomised that is at an end of its range
SLOWEST = 0.5  # m/s: a car slower than this does not finish its laps in an evaluation


def training_env(
    run: Run, rewards: Callable[[int], VectorReward], cars: int, pool: Opponent | None = None, steps: int = 0
) -> TimeTrialVector | ConcatVectorEnv:
    """The cars that train, part by part: see `shares`.

    Args:
        run: whose.
        rewards: gives the reward function at work on a number of cars.
        cars: how many, in all.
        pool: its own earlier drivers, where it trains against itself.
        steps: that all of them have driven before.
    """
    config = run.config
    tracks: list[Track | TrackSampler] = [*run.training_tracks()]
    if RANDOM in config.tracks:
        tracks.append(replace(run.random, steps_before=steps // cars))
    how: Any = {"actions": config.actions, "sensors": config.sensors, "randomization": _randomization(config)}
    how |= {"traffic": config.traffic, "opponents": opponents_of(run, pool)}
    parts = []
    numbers = shares(cars, config.track_names, bool(config.both_directions))
    for number, track in zip(numbers, tracks, strict=True):
        paid = rewards(number * (1 + len(config.opponents)))
        parts.append(TimeTrialVector(number, track, paid, run.car, config.starts, **how))
    return parts[0] if len(parts) == 1 else ConcatVectorEnv(parts)


def evaluation_tracks(run: Run) -> list[Track]:
    """The tracks that drivers are evaluated on, in the directions trained, with unseen random ones."""
    unseen = run.random.unseen(EVALUATED_RANDOM) if RANDOM in run.config.tracks else ()
    return [*run.training_tracks(), *unseen]


def evaluation_env(run: Run, rewards: Callable[[int], VectorReward] | None = None) -> TimeTrialVector | ConcatVectorEnv:
    """The cars that a driver is evaluated with, on every one of `evaluation_tracks`.

    Args:
        run: whose.
        rewards: gives the reward function at work on a number of cars; nobody learns from it. None: laps earn nothing.
    """
    tracks = evaluation_tracks(run)
    config = run.config
    varies = _randomization(config)
    # Who trains with variation is chosen by how well it copes with it; one car tells the lap time as simulated.
    cars = [(max(LEAST_EVALUATED, EVALUATED // len(tracks)), OFF)] if varies == OFF else [(1, OFF), (EVALUATED, varies)]
    how: Any = {"actions": config.actions, "sensors": config.sensors, "traffic": config.traffic}
    how["opponents"] = opponents_of(run)
    parts = []
    for track in tracks:
        for number, level in cars:
            paid = rewards and rewards(number * (1 + len(config.opponents)))
            limit = track.length / SLOWEST * LAPS
            parts.append(TimeTrialVector(number, track, paid, run.car, "line", LAPS, limit, randomization=level, **how))
    return parts[0] if len(parts) == 1 else ConcatVectorEnv(parts)


def _randomization(config: RunConfig) -> Randomization:
    level = RANDOMIZATIONS[config.randomize or "off"]
    return OFF if level == OFF else replace(level, ends=ENDS)


def heat_of(run: Run) -> Heat | None:
    """The race with traffic that the drivers of a run train for, on its first track; None for a time trial."""
    traffic, track = run.config.traffic, run.track()
    if traffic is None:
        return None
    return Heat(track, LAPS, traffic, seed=run.config.seed, lap_limit_s=track.length / SLOWEST)


def cars_of(recipe: AgentFile) -> int:
    """How many cars a recipe trains with.

    Raises:
        AgentError: it does not learn, or does not say so.
    """
    kind = recipe.load()
    if not callable(getattr(kind, "learn", None)):
        raise AgentError(f"{recipe.path}: this agent does not learn; evaluate it with 'racer evaluate {recipe.name}'")
    for method in ("state_dict", "load_state_dict"):
        if not callable(getattr(kind, method, None)):
            raise AgentError(f"{recipe.path}: Agent lacks {method}(), so what it learns could not be kept")
    count = getattr(kind, "num_envs", None)
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise AgentError(f"{recipe.path}: Agent.num_envs is {count!r}; it must be the number of cars to train with")
    return count


def shares(cars: int, tracks: Sequence[str], both_directions: bool) -> list[int]:
    """How many cars drive on each track, in each direction of it; half of all on random ones, which come last.

    Raises:
        RunError: there are too few.
    """
    fixed = (2 if both_directions else 1) * sum(track != RANDOM for track in tracks)
    parts = [1.0] * fixed + [float(max(1, fixed))] * (RANDOM in tracks)
    ends = np.ceil(np.cumsum(parts) / sum(parts) * cars - 1e-9).astype(int)
    found = np.diff(ends, prepend=0)
    if min(found) < 1:
        raise RunError(f"the agent trains {cars} cars, too few to share out among {len(parts)} tracks and directions")
    return [int(share) for share in found]
