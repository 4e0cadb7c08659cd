"""A run of a model that was trained elsewhere: it drives, is evaluated, and is trained on like one of racer's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from racer.env import TimeTrialVector
from racer.errors import AgentError
from racer.racing import Model, load_agent
from racer.sim import DEFAULT
from racer.training.config import RunConfig
from racer.training.run import Run
from racer.training.start import start

__all__ = ["adopt"]


def adopt(model: Model, config: RunConfig, name: str | None = None) -> Run:
    """Make a run whose best driver is a model, as if a recipe had learned it.

    What the recipe learns beside the network, such as the value of a state, it still has to learn.

    Args:
        model: what was trained elsewhere.
        config: the tracks, the reward and the recipe of the run; sensors, actions and hyperparameters become the
            model's.
        name: of the run, as for `start`.

    Raises:
        RacerError: an input cannot be used, the run exists, or the recipe cannot make a network like the model's.
    """
    recipe = load_agent(config.agent)
    like = getattr(recipe.load(), "hyperparameters_like", None)
    if like is None:
        raise AgentError(f"{recipe.path} cannot load the network of a model; use the recipe clipped_ppo")
    chosen = {**config.hyperparameters, **like(model.network)}
    own = replace(config, sensors=model.sensors, actions=model.actions, car=model.car, hyperparameters=chosen)
    run = start(own, name)
    env = TimeTrialVector(
        1, run.track(), None, run.car, actions=run.config.actions or DEFAULT, sensors=run.config.sensors or ()
    )
    learner: Any = recipe.make(env, run.config.seed, run.config.hyperparameters, "cpu")
    learner.load_network(model.network)
    state = learner.state_dict()
    notes = {"steps": 0, "seconds": 0.0}
    run.save(run.checkpoint, state, notes)
    run.save(run.best, state, notes, learner.policy_network())  # it scales pictures in its own way
    return run
