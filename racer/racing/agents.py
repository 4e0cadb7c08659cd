"""Agents from the shelf: files that define `class Agent`, loaded by path under a private module name.

An `Agent(env, seed)` has `act(observation)`; one that learns also has `num_envs`, `learn(report)`, `state_dict()` and
`load_state_dict(state)`, as `agents/ppo.py` shows. What it learned is data, arrays by name, and is kept in the
safetensors format: loading it runs no code.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from racer import shelf
from racer.env import ConcatVectorEnv, TimeTrialVector
from racer.errors import AgentError
from racer.racing.hyperparameters import Hyperparameters, checked_hyperparameters, hyperparameters_of
from racer.racing.module import run_agent
from racer.replay import DamagedError, pack, unpack
from racer.sensors import name_of
from racer.shelf import explain, read_bytes, read_source, write_atomically
from racer.sim import DEFAULT, ActionSpace

State = dict[str, NDArray[Any]]
Report = Callable[[int, Mapping[str, float]], float]


@runtime_checkable
class Driver(Protocol):
    """Whoever can drive."""

    def act(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        """Actions (..., 2) for observations (..., k)."""
        ...


@runtime_checkable
class Learner(Driver, Protocol):
    """A driver that learns."""

    num_envs: int

    def learn(self, report: Report) -> None:
        """Learn; call `report(steps, metrics)` between updates, until it returns 1 or more."""
        ...

    def state_dict(self) -> State:
        """Everything learned, and everything that learning goes on from."""
        ...

    def load_state_dict(self, state: State) -> None:
        """Go on from `state_dict()`."""
        ...


_LOADED: dict[tuple[Path, str], type[Any]] = {}
"""The classes of agent files that this process has run, by path and source."""


@dataclass(frozen=True)
class AgentFile:
    """A file on the agents' shelf, read but not run.

    Attributes:
        name: of the file without its suffix.
        path: the file.
        text: its source.
    """

    name: str
    path: Path
    text: str

    @property
    def digest(self) -> str:
        """SHA-256 of the source."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def load(self) -> type[Any]:
        """Run the file, once in a process, and return its class `Agent`.

        Raises:
            AgentError: it raises, or its `Agent` cannot act.
        """
        path = self.path.absolute()
        if (path, self.text) in _LOADED:
            return _LOADED[path, self.text]
        try:
            module = run_agent(f"racer_agent_{self.name}_{self.digest[:8]}", path, self.text)
        except AgentError:
            raise
        except (Exception, SystemExit) as wrong:
            raise AgentError(explain(wrong, path)) from wrong
        agent = getattr(module, "Agent", None)
        if not isinstance(agent, type) or not callable(getattr(agent, "act", None)):
            raise AgentError(f"{self.path}: its Agent must be a class with a method act(observation)")
        _LOADED[path, self.text] = agent
        return agent

    def sensors(self) -> tuple[str, ...]:
        """What its driver observes if nothing else is asked for: the first of `Agent.sensors`, or the state.

        Raises:
            AgentError: as `load`.
        """
        return tuple(getattr(self.load(), "sensors", ()))[:1] or ("state",)

    def actions(self) -> ActionSpace:
        """What its driver does if nothing else is asked for: `Agent.actions`, or the car's whole range.

        Raises:
            AgentError: as `load`.
        """
        found = getattr(self.load(), "actions", None)
        return found if isinstance(found, ActionSpace) else DEFAULT

    def randomize(self) -> str:
        """How much its training is randomised if nothing else is asked for: `Agent.randomize`, or not at all.

        Raises:
            AgentError: as `load`.
        """
        return str(getattr(self.load(), "randomize", "off"))

    def make(
        self,
        env: TimeTrialVector | ConcatVectorEnv,
        seed: int = 0,
        hyperparameters: Hyperparameters | None = None,
        device: str = "auto",
    ) -> Driver:
        """Make the driver.

        Args:
            env: for its spaces; a learner drives in it.
            seed: random seed of the driver.
            hyperparameters: instead of its own, by name; they become keyword arguments of its class.
            device: where it calculates, `auto`, `cpu` or `cuda`; given only to a driver that takes it.

        Raises:
            AgentError: the file or the class raises, or takes no such hyperparameter, sensor or device.
        """
        agent, chosen = self.load(), dict(hyperparameters or {})
        self._check_sensors(agent, env)
        own = hyperparameters_of(agent)
        if own is not None:
            chosen = checked_hyperparameters(chosen, own, str(self.path))
        if "device" in inspect.signature(agent).parameters:
            chosen["device"] = device
        elif device == "cuda":
            raise AgentError(f"{self.path}: its Agent takes no device; leave out --device")
        try:
            return cast(Driver, agent(env, seed, **chosen))
        except AgentError:
            raise
        except (Exception, SystemExit) as wrong:
            raise AgentError(explain(wrong, self.path.absolute())) from wrong

    def _check_sensors(self, agent: type[Any], env: TimeTrialVector | ConcatVectorEnv) -> None:
        """Refuse sensors that an agent does not know, if it says which it knows."""
        specs = getattr(agent, "sensors", None)
        if specs is None:
            return
        known = list(dict.fromkeys(name_of(spec) for spec in specs))
        unknown = [name for name in getattr(env.single_observation_space, "spaces", ["state"]) if name not in known]
        if unknown:
            raise AgentError(
                f"{self.path}: this agent cannot drive by {', '.join(unknown)}, only by {', '.join(known)}; "
                f"add --sensors {specs[0]}, or choose another --agent"
            )


def failure(driver: object, wrong: BaseException) -> AgentError:
    """What to raise where a driver raised `wrong`: the line of its own file, even if a library gave up."""
    file = getattr(sys.modules.get(type(driver).__module__), "__file__", None)
    return AgentError(explain(wrong, Path(file) if file else None))


def load_agent(name_or_path: str | Path) -> AgentFile:
    """Read an agent file, without running it.

    Raises:
        ShelfError: no such name or file.
        AgentError: it cannot be read, is no Python, or defines no `Agent`.
    """
    path = shelf.resolve("agents", name_or_path)
    return AgentFile(path.stem, path, read_source(path, AgentError, "Agent")[0])


def recipe_for(sensors: tuple[str, ...], algorithm: str | None = None, rules: bool = False) -> str:
    """Name of the recipe shipped with racer that fits best: of all that take the sensors, the most specialised one.

    Args:
        sensors: what is observed, as `racer.sensors.make_sensors` takes it.
        algorithm: one of DeepRacer's; by default that of the default recipe.
        rules: whether it shall train by DeepRacer's rules, if there is such a recipe.

    Raises:
        AgentError: a shipped file cannot be used.
    """
    usual = shelf.DEFAULTS["agents"]
    folder = shelf.shipped_folder("agents")
    kinds = {path.stem: load_agent(path).load() for path in sorted(folder.glob("*.py"))}
    algorithm = algorithm or kinds[usual].deepracer_algorithm
    fitting = {}
    for name, kind in kinds.items():
        known = {name_of(spec) for spec in getattr(kind, "sensors", ())}
        if getattr(kind, "deepracer_algorithm", "") == algorithm and known.issuperset(map(name_of, sensors)):
            fitting[name] = (getattr(kind, "deepracer_rules", False) is not rules, len(known))
    return min(fitting, key=fitting.__getitem__, default=usual)


def save_state(path: Path, state: State, notes: Mapping[str, str]) -> None:
    """Write what an agent learned.

    Raises:
        AgentError: a number in it is not finite: the training has diverged.
        FileError: the file cannot be written; the old one is untouched.
    """
    broken = [name for name, values in state.items() if values.dtype.kind == "f" and not np.isfinite(values).all()]
    if broken:
        raise AgentError(
            f"the training has diverged: {broken[0]} holds numbers that are not finite; what was saved before is kept"
        )
    write_atomically(path, pack(notes, state))


def load_state(path: Path) -> tuple[State, dict[str, str]]:
    """Read what an agent learned: the arrays, and the notes kept with them.

    Raises:
        AgentError: the file is missing, damaged, or holds numbers that are not finite.
    """
    try:
        notes, state = unpack(read_bytes(path, AgentError))
    except DamagedError as wrong:
        raise AgentError(f"{path} is damaged or no model of racer's: {wrong}") from wrong
    return state, notes


def restore(agent: Driver, state: State, path: Path) -> None:
    """Give an agent what it learned before.

    Raises:
        AgentError: the arrays do not fit this agent.
    """
    if not isinstance(agent, Learner):
        raise AgentError(f"{path} holds what an agent learned, but {type(agent).__module__} does not learn")
    try:
        agent.load_state_dict(state)
    except Exception as wrong:
        first = (str(wrong).strip().splitlines() or [type(wrong).__name__])[0]
        raise AgentError(f"{path} does not fit this agent: {first}; was the recipe changed since?") from wrong
