"""Beginning a run: a new one, one that goes on, or a new one with the weights of an old one.

Invariant: names are resolved here, once; the run that comes out carries the recipe and the reward that were read. What
does not fit together is refused before there is a folder.
"""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import Any

from racer import __version__
from racer.env import RACE_SENSORS, TimeTrialVector
from racer.errors import AgentError, RunError
from racer.racing import AgentFile, Learner, State, load_agent, restore
from racer.reward import RewardFunction, load_reward
from racer.shelf import DEFAULTS
from racer.sim import DEFAULT, RANDOM
from racer.track import Track, load_track
from racer.training.config import SECONDS, RunConfig
from racer.training.environments import cars_of, shares
from racer.training.folder import RUNS, free_name, locked
from racer.training.pool import SELF
from racer.training.rivals import YARDSTICK, opponent
from racer.training.run import Run, create_run, digest, open_run, write_config

__all__ = ["resume", "start", "warm_start"]


def start(
    config: RunConfig,
    name: str | None = None,
    weights: Run | None = None,
    *,
    recipe: AgentFile | None = None,
    reward: RewardFunction | None = None,
) -> Run:
    """Make a new run, without training yet.

    Args:
        config: what is asked for.
        name: of the run below `runs/`, or a path; by default made of the track and the reward.
        weights: a run whose best driver the new one begins with; it stays as it is.
        recipe, reward: what `config` names, if it was read already.

    Raises:
        RacerError: an input cannot be used, the weights do not fit, or the run exists.
    """
    old = weights.config if weights is not None else None
    # What the old run's folder names, the user has not named: the run judges it.
    if recipe is None:
        recipe = weights.agent() if weights and old and old.agent == config.agent else load_agent(config.agent)
    if reward is None:
        reward = weights.reward() if weights and old and old.reward == config.reward else load_reward(config.reward)
    tracks = [load_track(track) for track in config.fixed]
    names = config.track_names
    both = len(names) > 1 if config.both_directions is None else config.both_directions
    if config.traffic is not None:
        try:
            for track in tracks:
                config.traffic.check_room(track.length, track.name)
        except ValueError as wrong:
            raise RunError(str(wrong)) from wrong
    shares(cars_of(recipe), names, both)
    blind = config.traffic is not None and config.sensors == ("state",)
    if weights is not None and old is not None and old.traffic is None and blind:
        raise RunError(
            f"{weights.name} learned to drive alone, by a state that tells of no boxes and no other cars; "
            "begin a new run, without --from"
        )
    config = dataclasses.replace(
        config,
        tracks=names,
        reward=str(config.reward),
        agent=str(config.agent),
        seconds=SECONDS if config.steps is None and config.seconds is None else config.seconds,
        sensors=_sensors(config, recipe),
        actions=config.actions or recipe.actions(),
        randomize=config.randomize or recipe.randomize(),
        both_directions=both,
        logs=config.logs and bool(tracks) and not config.opponents,
        reward_digest=digest(reward.text),
        agent_digest=recipe.digest,
        engine=__version__,
    )
    state = _tried(config, recipe, tracks[0] if tracks else RANDOM, weights)
    stem = f"{len(names)}-tracks" if len(names) > 1 else tracks[0].name if tracks else RANDOM
    for one in (YARDSTICK if one == SELF else one for one in config.opponents):
        opponent(one, tracks[0] if tracks else load_track(DEFAULTS["tracks"]), RUNS)
    path = Path(name or free_name(f"{stem}-{reward.name}"))
    folder = path if len(path.parts) > 1 else RUNS / path
    run = Run(folder, config, recipe, reward)
    create_run(run, tracks)
    if state is not None:
        run.save(run.initial, state, {"steps": 0, "seconds": 0.0})
    return run


def _sensors(config: RunConfig, recipe: AgentFile) -> tuple[str, ...]:
    """What the driver observes: in a race that has traffic, a recipe's state tells of the objects ahead."""
    if config.sensors is not None:
        return config.sensors
    objects = {} if config.traffic is None else dict.fromkeys(("state",), *RACE_SENSORS)
    return tuple(objects.get(spec, spec) for spec in recipe.sensors())


def _tried(config: RunConfig, recipe: AgentFile, track: Track | str, weights: Run | None) -> State | None:
    """Make the learner for two cars, which are as good as hundreds to see what does not fit; returns its weights."""
    for what in ("sensors", "actions"):
        new = getattr(config, what)
        if weights is not None and (old := getattr(weights.config, what)) != new:
            raise RunError(f"{weights.name} learned with the {what} {old!r:.100}, which cannot become {new!r:.100}")
    how: Any = {"actions": config.actions or DEFAULT, "sensors": config.sensors or (), "traffic": config.traffic}
    env = TimeTrialVector(2, track, None, config.car, **how)
    learner = recipe.make(env, config.seed, config.hyperparameters, config.device)
    if SELF in config.opponents and not callable(getattr(learner, "policy_network", None)):
        raise AgentError(
            f"{config.agent} cannot race against itself: its Agent has no policy_network(), a `racer.racing.Network`"
        )
    if weights is None:
        return None
    path = weights.best if weights.best.exists() else weights.checkpoint
    if not path.exists():
        raise RunError(f"{weights.folder} holds no trained driver yet, so there is nothing to begin with")
    assert isinstance(learner, Learner)
    state = weights.load(path)[0]
    warm_start(learner, state, path)
    return state


def warm_start(learner: Learner, state: State, path: Path) -> None:
    """Let a learner begin with what another training has learned.

    A learner with a method `warm_start(state)` chooses what it takes, such as the networks without the counters.

    Raises:
        AgentError: the state does not fit.
    """
    own = getattr(learner, "warm_start", None)
    if own is None:
        restore(learner, state, path)
        return
    try:
        own(state)
    except Exception as wrong:
        first = (str(wrong).strip().splitlines() or [type(wrong).__name__])[0]
        raise AgentError(f"{path} does not fit this agent: {first}") from wrong


def resume(
    folder: Path,
    *,
    steps: int | None = None,
    seconds: float | None = None,
    more_steps: int | None = None,
    more_seconds: float | None = None,
    agent: str | Path | None = None,
    reward: str | Path | None = None,
    logs: bool | None = None,
) -> Run:
    """Open a run to go on with it.

    Args:
        folder: the run's.
        steps, seconds: a new budget in all, what was trained before included; by default the old one.
        more_steps, more_seconds: a new budget beyond what was trained before; one of the four at most.
        agent: the recipe's file, if it is not on the shelf.
        reward: the reward function to go on with, if it is not on the shelf or no longer what it was.
        logs: whether to keep DeepRacer's logs, too; by default as before.

    Raises:
        RunError: the run is damaged, has used up its budget, its reward has changed, or another process trains in it.
    """
    if sum(given is not None for given in (steps, seconds, more_steps, more_seconds)) > 1:
        raise RunError("a training has a budget of steps or of seconds, in all or in addition: one of them")
    run = open_run(folder, agent, reward)
    with locked(folder):
        done: dict[str, Any] = {"steps": 0, "seconds": 0.0}
        if run.checkpoint.exists():
            done = run.load(run.checkpoint)[1]
        if more_steps is not None:
            steps = done["steps"] + max(0, more_steps)
        if more_seconds is not None:
            seconds = done["seconds"] + max(0.0, more_seconds)
        config = run.config.with_budget(steps, seconds)
        if agent is not None:
            config = dataclasses.replace(config, agent=str(agent), agent_digest=run.agent().digest)
        if run.reward_function is not None and reward is not None:
            kept = (folder / "reward.py.txt").resolve()
            lost = Path(reward).resolve() == kept
            name = config.reward if lost else str(reward)
            config = dataclasses.replace(config, reward=name, reward_digest=digest(run.reward_function.text))
        if logs is not None:
            config = dataclasses.replace(config, logs=logs and bool(config.fixed))
        run = dataclasses.replace(run, config=config, recipe=run.agent(), reward_function=run.reward())
        if config.used(done["steps"], done["seconds"]) >= 1.0:
            trained = f"{done['seconds']:.0f} s" if config.steps is None else f"{done['steps']:,} steps"
            more = "--more-seconds 60" if config.steps is None else "--more-steps 500000"
            raise RunError(
                f"{run.name} has used up its budget: it was trained for {trained}, and {config.budget} is all it has. "
                f"Go on with: racer train --name {shlex.quote(run.name)} --resume {more}"
            )
        write_config(run)
    return run
