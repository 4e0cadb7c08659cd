"""A run's driver as a model: data that drives without the recipe that trained it."""

from __future__ import annotations

from racer.errors import AgentError, ModelError, RunError
from racer.racing import Driver, Model, Network, load_state, network_from_json
from racer.shelf import parse_json
from racer.sim import DEFAULT
from racer.track import Track
from racer.training.run import NETWORK, Run

__all__ = ["driver_of", "model_of"]


def driver_of(run: Run, track: Track | None = None) -> Driver:
    """The best driver of a run; where the shelf's recipe is another one than it learned with, as it was kept as data.

    Args:
        run: whose.
        track: any; the run's own by default.

    Raises:
        RunError: nothing was learned yet, or its file is damaged.
        AgentError: the recipe or the file is damaged; or they do not fit each other, and the user has named the recipe
            or nothing was kept as data.
    """
    try:
        return run.driver(track)
    except AgentError:
        run.agent().load()  # a recipe that is damaged says so
        network = _kept(run) if run.recipe is None else None
        if network is None:
            raise
        return network


def model_of(run: Run) -> Model:
    """The best driver of a run as a model; a network that was kept as data needs neither the recipe nor PyTorch.

    Raises:
        RunError: nothing was learned yet, or its file is damaged.
        AgentError: the recipe or the file is damaged, or they do not fit each other.
        ModelError: the recipe's drivers cannot be exported.
    """
    config, network = run.config, _kept(run)
    if network is None:  # trained by an older racer, or not evaluated yet: its recipe knows
        policy_network = getattr(run.driver(), "policy_network", None)
        if not callable(policy_network):
            raise ModelError(
                f"{config.agent} cannot be exported: its Agent has no policy_network(), a `racer.racing.Network`"
            )
        network = policy_network()
    return Model(run.name, config.car, config.sensors or (), config.actions or DEFAULT, network)


def _kept(run: Run) -> Network | None:
    """What the best driver decides by, if it was kept as data beside what its recipe learned."""
    if not run.best.exists():
        return None
    run.load(run.best)  # checks that it is this run's
    state, notes = load_state(run.best)
    if "network" not in notes:
        return None
    arrays = {name.removeprefix(NETWORK): values for name, values in state.items() if name.startswith(NETWORK)}
    try:
        return network_from_json(parse_json(notes["network"], "its network", RunError), arrays)
    except (RunError, ValueError) as wrong:
        raise RunError(f"{run.best} holds a damaged network: {wrong}") from wrong
