"""The learner's reward function: loading it, giving every car its own, and saying clearly what went wrong.

A reward file is read once and run once for each car, so that module globals, classes and tables belong to one
car and outlive its episodes, as each worker of the original has them. Nothing a function does to its `params`
reaches the simulator or another car, its clock is the simulated one, and it cannot stop racer other than by a
`RewardError`. Code that sets out to do harm can: `os._exit` is one line of Python.
"""

from __future__ import annotations

import inspect
import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from operator import call
from pathlib import Path
from typing import Any, NoReturn, TextIO

import numpy as np
from numpy.typing import NDArray

from racer import shelf
from racer.errors import RewardError
from racer.reward.module import Instance, Source
from racer.reward.params import KEYS, Params, params_at
from racer.reward.redirect import Aside
from racer.reward.watchdog import RewardTimeout, Watchdog
from racer.shelf import explain, read_source, shown

__all__ = ["KEYS", "LIMIT", "RewardFunction", "VectorReward", "load_reward", "params_at"]

LIMIT = 1e5
"""Greatest absolute value of a reward; beyond it DeepRacer stops the job."""

PATIENCE_S = 5.0
"""Wall clock that one call may take, as in DeepRacer's own validation, s."""

SHOWN = ("steps", "progress", "x", "y", "heading", "speed", "steering_angle", "closest_waypoints")
"""Keys of `params` that an error message tells."""

Function = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True)
class RewardFunction:
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


def load_reward(source: str | Path | Function | RewardFunction) -> RewardFunction:
    """Read a reward function, without running it.

    Args:
        source: a name on the shelf, a path, or any callable that takes `params`. A file gives every car a
            module of its own; a callable is shared by all cars, and so is its state.

    Raises:
        ShelfError: no such name or file.
        RewardError: the file cannot be read or parsed, or defines no `reward_function`.
    """
    if isinstance(source, RewardFunction):
        return source
    if callable(source):
        return RewardFunction(getattr(source, "__name__", type(source).__name__), function=source)
    path = shelf.resolve("reward_functions", source)
    return RewardFunction(path.stem, path, read_source(path, RewardError, "reward_function"))


class VectorReward:
    """One reward function at work on a batch of cars, each with an instance of its own.

    Attributes:
        reward: whose instances these are.
    """

    def __init__(
        self, reward: RewardFunction, count: int, stdout: TextIO | None = None, exit_when_stuck: bool = False
    ) -> None:
        """Make the instances.

        Args:
            reward: what to run.
            count: number of cars.
            stdout: where it prints to, stderr included; None for the usual place.
            exit_when_stuck: end the whole process, with a message, if the function hangs where Python cannot
                interrupt it. For the command line; never in somebody's notebook.

        Raises:
            RewardError: the file raises or hangs while it is loaded, or its `reward_function` cannot be
                called with `params`.
        """
        self.reward = reward
        self._watchdog = Watchdog(PATIENCE_S, exit_when_stuck)
        self._aside = Aside(stdout)
        self._clock = _Clock([[0.0]] * count)
        self._functions: list[Function] = []
        if reward.function is not None:
            self._functions = [reward.function] * count
        else:
            self._load(count)
        if count:
            self._check_signature(self._functions[0])

    def __getstate__(self) -> NoReturn:
        """Refuse to be copied: what a function remembers lives in a module, of which there is no copy.

        Raises:
            TypeError: always.
        """
        raise TypeError(
            f"an environment with the reward function {self.reward.name} cannot be copied; make another one, "
            "or one without a reward function"
        )

    def __call__(self, params: Params, out: NDArray[np.float64], held: NDArray[np.bool_] | None = None) -> None:
        """Reward every car.

        Args:
            params: described just now.
            out: (n,), filled with the rewards.
            held: (n,), cars that are held for a penalty: they get 0, and their functions are not called.

        Raises:
            RewardError: the function raises, hangs, or returns something that is no number within `LIMIT`.
        """
        if len(params.floats) != len(self._functions):
            raise ValueError(f"there are {len(params.floats)} cars and {len(self._functions)} instances of the reward")
        if held is not None and held.any():
            out[held] = 0.0
            for i in np.flatnonzero(~held).tolist():
                out[i : i + 1] = self._python(params, i, i + 1)
        else:
            out[:] = self._python(params, 0, len(self._functions))

    def _python(self, params: Params, first: int, last: int) -> NDArray[np.float64]:
        """The rewards of the cars from `first` to the one before `last`."""
        cars = slice(first, last)
        floats = params.floats[cars].tolist()
        functions = self._functions[cars]
        self._clock.floats, self._clock.first = floats, first
        rows = params.rows(cars, floats)
        answers: list[Any] = []
        values: list[float] = []

        def work() -> None:
            # No loop of Python's: it would cost a sixth more. What came before an error stays in the lists.
            answers.extend(map(call, functions, rows))
            try:
                values.extend(map(float, answers))
            except (TypeError, ValueError, OverflowError):
                values.extend(_number(answer) for answer in answers[len(values) :])

        try:
            with self._aside:
                self._watchdog.watch(work, answers.__len__)
        except BaseException as wrong:
            i = len(answers) if len(answers) < len(floats) else len(values)
            if isinstance(wrong, RewardTimeout) and wrong.args:  # swallowed, so that other cars have answered since
                i = wrong.args[1]
            raise self._explained(wrong, _when(params, first + i)) from wrong
        rewards = np.array(values)
        if not rewards.dot(rewards) <= LIMIT * LIMIT:  # the sum of squares is the quickest to be had
            fine = np.abs(rewards) <= LIMIT
            i = int(np.argmin(fine))
            if not fine[i]:
                raise self._refused(first + i, answers[i], _when(params, first + i))
        return rewards

    def _load(self, count: int) -> None:
        path = self.reward.path
        assert path is not None
        source = Source(path, self.reward.text, RewardError)
        registered: list[str] = []
        weakref.finalize(self, _unregister, registered)

        def work() -> None:
            for i in range(count):
                instance = Instance(source, i, self._clock.of(i), registered)
                function = getattr(instance.module, "reward_function", None)
                if not callable(function):
                    what = f"is {shown(function)}, not a function" if function is not None else "is never defined"
                    raise RewardError(f"{path}: reward_function {what}; racer calls it with params")
                self._functions.append(function)

        try:
            with self._aside:
                self._watchdog.watch(work, self._functions.__len__)
        except BaseException as wrong:
            raise self._explained(wrong, "\n    while the file was loaded") from wrong

    def _check_signature(self, function: Function) -> None:
        place = f"{self._place(function)}: reward_function"
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise RewardError(f"{place} is asynchronous, so a call gives no number; write 'def', not 'async def'")
        if inspect.isgeneratorfunction(function):
            raise RewardError(f"{place} is a generator, so a call gives no number; write 'return', not 'yield'")
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError):  # of something written in C; calling it will tell
            return
        try:
            signature.bind({})
        except TypeError as wrong:
            raise RewardError(f"{place}{signature} cannot be called with params alone: {wrong}") from wrong

    def _explained(self, wrong: BaseException, when: str) -> BaseException:
        if isinstance(wrong, RewardError | KeyboardInterrupt):
            return wrong
        if isinstance(wrong, RewardTimeout):
            where = f" at {wrong.args[0]}" if wrong.args else ""
            late = TimeoutError(f"no answer within {PATIENCE_S:g} s{where}")
            wrong = late.with_traceback(wrong.__traceback__)
        hint = ""
        if isinstance(wrong, KeyError) and wrong.args and isinstance(wrong.args[0], str):
            hint = shelf.did_you_mean(wrong.args[0], KEYS) if wrong.args[0] not in KEYS else ""
        path = self.reward.path
        if path is None and (code := getattr(self._functions[0], "__code__", None)) is not None:
            path = Path(code.co_filename)
        return RewardError(explain(wrong, path, hint) + when)

    def _refused(self, i: int, answer: Any, when: str) -> RewardError:
        kind = "" if isinstance(answer, int | float | np.number) else f", a {type(answer).__name__}"
        if answer is None:
            kind = ": one of its ways ends without a 'return'"
        returned = f"{self._place(self._functions[i])}: reward_function returned {shown(answer)}{kind}"
        must = f"a reward must be a finite number from {-LIMIT:g} to {LIMIT:g}"
        return RewardError(f"{returned}; {must}{when}")

    def _place(self, function: Function) -> str:
        """The file and the line that a function is defined at, as far as is known."""
        code = getattr(inspect.unwrap(function), "__code__", None)
        path = self.reward.path
        if code is not None and (path is None or code.co_filename == str(path)):
            return f"{code.co_filename}, line {code.co_firstlineno}"
        return str(path or self.reward.name)


class _Clock:
    """The race time of every car; it knows nothing of the `VectorReward`, so that this can be let go."""

    def __init__(self, floats: list[list[float]]) -> None:
        self.floats = floats  # as `Params` has them, from car `first` on: the last column is the time
        self.first = 0

    def of(self, i: int) -> Callable[[], float]:
        return lambda: self.floats[i - self.first][-1]


def _number(answer: Any) -> float:
    """What `float` makes of an answer, or NaN. Arrays of one element pass, as with the original's NumPy."""
    try:
        return float(answer.item() if isinstance(answer, np.ndarray) and answer.size == 1 else answer)
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def _ask(function: Function, asked: Params, answers: list[float | None]) -> None:
    """What a function that keeps no state answers to each of `asked`; None for an exception."""
    for i in range(len(asked.floats)):
        try:
            answers.append(float(function(asked.of(i))))
        except Exception:
            answers.append(None)


def _when(params: Params, i: int) -> str:
    given = params.of(i)
    return f"\n    for car {i}, given " + ", ".join(
        f"{key} = {given[key]:.6g}" if isinstance(given[key], float) else f"{key} = {given[key]}" for key in SHOWN
    )


def _unregister(names: list[str]) -> None:
    for name in names:
        sys.modules.pop(name, None)
