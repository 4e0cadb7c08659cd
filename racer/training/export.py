"""A run's driver as a model: data that drives without the recipe that trained it."""

from __future__ import annotations

from racer.errors import ModelError
from racer.racing import Model
from racer.sim import DEFAULT
from racer.training.run import Run

__all__ = ["model_of"]


def model_of(run: Run) -> Model:
    """The best driver of a run as a model.

    Raises:
        RunError: nothing was learned yet.
        AgentError: the recipe or the file is damaged, or they do not fit each other.
        ModelError: the recipe's drivers cannot be exported.
    """
    driver = run.driver()
    network = getattr(driver, "policy_network", None)
    if not callable(network):
        raise ModelError(
            f"{run.config.agent} cannot be exported: its Agent has no policy_network(), a `racer.racing.Network`"
        )
    config = run.config
    return Model(run.name, config.car, config.sensors or (), config.actions or DEFAULT, network())
