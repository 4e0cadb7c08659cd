"""The learner's reward function: loading it, giving every car its own, and saying clearly what went wrong.

A reward file is read once and executed once for each car, so that module globals, classes and tables belong to one
car and outlive its episodes, as each worker of the original has them. Nothing a function does to its `params` reaches
the simulator or another car, its clock is the simulated one, and it cannot stop racer other than by a `RewardError`.
"""

from __future__ import annotations

import builtins
import contextlib
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from racer import shelf
from racer.blame import explain, read_source
from racer.clock import simulated_modules
from racer.errors import RewardError
from racer.params import KEYS, Params, params_at
from racer.watchdog import Stuck, Watchdog

__all__ = ["KEYS", "LIMIT", "Reward", "Rewards", "load_reward", "params_at"]

LIMIT = 1e5
"""Greatest absolute value of a reward; beyond it DeepRacer stops the job."""

PATIENCE_S = 5.0
"""Wall clock that one call may take, as in DeepRacer's own validation, s."""

Function = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True)
class Reward:
    """A reward function as the learner wrote it.

    Attributes:
        name: of the file without its suffix, or of the callable.
        path: the file; None for a callable.
        text: the file's source; empty for a callable.
        function: the callable; None for a file.
    """

    name: str
    path: Path | None = None
    text: str = ""
    function: Function | None = None


def load_reward(source: str | Path | Function | Reward) -> Reward:
    """Read a reward function, without running it.

    Args:
        source: a name on the shelf, a path, or any callable that takes `params`. A file gives every car a module of
            its own; a callable is shared by all cars, and so is its state.

    Raises:
        ShelfError: no such name or file.
        RewardError: the file cannot be read or parsed, or defines no `reward_function`.
    """
    if isinstance(source, Reward):
        return source
    if callable(source):
        return Reward(getattr(source, "__name__", type(source).__name__), function=source)
    path = shelf.resolve("reward_functions", source)
    return Reward(path.stem, path, read_source(path, RewardError, "reward_function"))


class Rewards:
    """One reward function at work on a batch of cars, each with an instance of its own.

    Attributes:
        reward: whose instances these are.
    """

    def __init__(self, reward: Reward, count: int, stdout: TextIO | None = None, exit_when_stuck: bool = False) -> None:
        """Make the instances.

        Args:
            reward: what to run.
            count: number of cars.
            stdout: where its prints go; None for the usual place.
            exit_when_stuck: end the whole process, with a message, if the function hangs where Python cannot
                interrupt it. For the command line; never in somebody's notebook.

        Raises:
            RewardError: the file raises or hangs while it is loaded.
        """
        self.reward = reward
        self._stdout = stdout
        self._watchdog = Watchdog(PATIENCE_S, exit_when_stuck)
        self._now = [0.0] * count
        self._functions: list[Function] = []
        with self._guarded():
            for i in range(count):
                self._functions.append(reward.function or self._instance(i))
                self._watchdog.beat += 1

    def __call__(self, params: Params, out: NDArray[np.float64]) -> None:
        """Reward every car.

        Args:
            params: described just now.
            out: (n,), filled with the rewards.

        Raises:
            RewardError: the function raises, hangs, or returns something that is no number within `LIMIT`.
        """
        floats = params.floats.tolist()
        self._now = [row[-1] for row in floats]
        rows = zip(self._functions, floats, params.waypoints.tolist(), params.flags.tolist(), strict=True)
        build, watchdog = params.build, self._watchdog
        values: list[float] = []
        with self._guarded(params, values):
            for function, row, waypoints, flags in rows:
                watchdog.beat += 1
                value = function(build(row, waypoints, flags))
                try:
                    values.append(float(value))
                except (TypeError, ValueError, OverflowError):
                    raise self._refused(params, len(values), value) from None
        out[:] = values
        fine = np.abs(out) <= LIMIT
        if not fine.all():
            i = int(np.argmin(fine))
            raise self._refused(params, i, values[i])

    def _refused(self, params: Params, i: int, value: Any) -> RewardError:
        place = self.reward.path or self.reward.name
        kind = "" if isinstance(value, int | float | np.number) else f", a {type(value).__name__}"
        return RewardError(
            f"{place}: reward_function returned {value!r:.60}{kind}; a reward must be a finite number from "
            f"{-LIMIT:g} to {LIMIT:g}{self._when(params, i)}"
        )

    def _when(self, params: Params | None, i: int) -> str:
        if params is None:
            return "\n    while the file was loaded"
        given = params.of(i)
        shown = ("steps", "progress", "x", "y", "heading", "speed", "steering_angle", "closest_waypoints")
        return f"\n    for car {i}, given " + ", ".join(
            f"{key} = {given[key]:.6g}" if isinstance(given[key], float) else f"{key} = {given[key]}" for key in shown
        )

    @contextlib.contextmanager
    def _guarded(self, params: Params | None = None, values: list[float] | None = None) -> Iterator[None]:
        quiet = contextlib.redirect_stdout(self._stdout) if self._stdout is not None else contextlib.nullcontext()
        try:
            with quiet, self._watchdog:
                yield
        except RewardError:
            raise
        except (Exception, SystemExit, Stuck) as wrong:
            i = len(values or ())
            if isinstance(wrong, Stuck):
                wrong = TimeoutError(f"no answer within {PATIENCE_S:g} s").with_traceback(wrong.__traceback__)
            said = explain(wrong, self.reward.path, params and params.of(i))
            raise RewardError(said + self._when(params, i)) from wrong

    def _instance(self, i: int) -> Function:
        reward = self.reward
        module = types.ModuleType(f"racer_reward_{reward.name}_{i}")
        module.__file__ = str(reward.path)
        module.__dict__["__builtins__"] = self._builtins(i)
        exec(compile(reward.text, str(reward.path), "exec"), module.__dict__)
        function = module.__dict__.get("reward_function")
        if not callable(function):
            raise RewardError(f"{reward.path}: 'reward_function' is {function!r:.60}, not a function of params")
        return function  # type: ignore[no-any-return]

    def _builtins(self, i: int) -> dict[str, Any]:
        """The builtins of car i's module: imports find its clock and the files beside it; nobody answers `input`."""
        simulated = simulated_modules(lambda: self._now[i])
        folder = str(self.reward.path.parent) if self.reward.path else ""

        def import_(name: str, *rest: Any) -> Any:
            if name in simulated:
                return simulated[name]
            sys.path.append(folder)
            try:
                return builtins.__import__(name, *rest)
            finally:
                sys.path.remove(folder)

        def input_(prompt: object = "") -> str:
            raise RuntimeError("a reward function cannot ask for input")

        return {**vars(builtins), "__import__": import_, "input": input_}
