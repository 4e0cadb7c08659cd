"""Who drives: what a name on the command line means, be it a run, a model, or an agent that needs no training."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from racer.cli import console, inputs
from racer.errors import AgentError

if TYPE_CHECKING:
    from racer.racing import AgentFile, Driver, RaceConditions
    from racer.track import Track
    from racer.training import Run

__all__ = ["Entrant", "entrant", "note_blind"]


@dataclass(frozen=True)
class Entrant:
    """A driver, and what it drives with.

    Attributes:
        name: of it.
        driver_on: gives it for a track.
        conditions: its actions, its sensors and the seed.
        run: whose best driver it is, if it is one's.
    """

    name: str
    driver_on: "Callable[[Track], Driver]"
    conditions: "RaceConditions"
    run: "Run | None" = None


def entrant(name: str, agent: str | None, reward: str | None, seed: int, penalty_s: float | None = None) -> Entrant:
    """The driver of a name.

    Args:
        name: of a run, a model's file, or an agent that needs no training.
        agent, reward: the run's files, where the user names them.
        seed, penalty_s: of the race.

    Raises:
        RacerError: there is none of the name, or it is broken.
    """
    if inputs.kind(Path(name)) == "model" or (Path(name).suffix == ".model" and Path(name).is_file()):
        from racer.racing import load_model

        model = load_model(name)
        return Entrant(model.name, lambda course: model, model.conditions(seed, penalty_s))
    inputs.expect("a run, a model or an agent", name, "run", "model", "agent")
    from racer.racing import RaceConditions
    from racer.training import driver_of, find_run

    run = find_run(name, agent, reward)
    if run is not None:
        return Entrant(run.name, partial(driver_of, run), run.conditions(seed, penalty_s), run)
    file = _agent(name)
    conditions = RaceConditions(sensors=file.sensors(), seed=seed, penalty_s=penalty_s)
    return Entrant(file.name, lambda course: _ready(file, course, seed), conditions)


def note_blind(found: list[Entrant]) -> None:
    """Say which of the drivers do not see what is on the track beside them."""
    from racer.sensors import State, make_sensors

    blind = [
        one.name
        for one in found
        if all(isinstance(sensor, State) and not sensor.objects for sensor in make_sensors(one.conditions.sensors))
    ]
    if blind:
        names = escape(", ".join(dict.fromkeys(blind)))
        console.note(
            f"[yellow]Blind to boxes and other cars:[/yellow] {names}, as trained for time trials. "
            "To train a driver that sees them: --sensors state:objects=3, a camera or a LIDAR."
        )


def _agent(name: str) -> "AgentFile":
    """The agent of a name that is no run's.

    Raises:
        AgentError: there is none, or it is broken.
    """
    from racer.racing import load_agent
    from racer.shelf import did_you_mean, names
    from racer.training import run_names

    try:
        return load_agent(name)
    except ValueError as error:
        if name in names("agents") or Path(name).exists():
            raise
        known = [*run_names(), *names("agents")]
        hint = did_you_mean(name, known)
        raise AgentError(
            f"there is no run and no agent {name!r}.{hint} `racer list runs` and `racer list agents` list them."
        ) from error


def _ready(agent: "AgentFile", course: "Track", seed: int) -> "Driver":
    """An agent that needs no training, ready to drive.

    Raises:
        AgentError: it needs training.
    """
    from racer.env import TimeTrialVector

    made = agent.make(TimeTrialVector(1, course, None, sensors=agent.sensors()), seed)
    if callable(getattr(made, "learn", None)):
        raise AgentError(
            f"{agent.name} is a recipe that has learned nothing yet; train it with "
            f"`racer train --agent {agent.name} --name NAME`, then `racer evaluate NAME`"
        )
    return made
