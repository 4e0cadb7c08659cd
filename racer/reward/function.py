"""The learner's reward function: loading it, giving every car its own, and saying clearly what went wrong.

A reward file is read once and run once for each car, so that module globals, classes and tables belong to one
car and outlive its episodes, as each worker of the original has them. Nothing a function does to its `params`
reaches the simulator or another car, its clock is the simulated one, and it cannot stop racer other than by a
`RewardError`. Code that sets out to do harm can: `os._exit` is one line of Python.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from operator import call
from pathlib import Path
from types import CodeType
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from racer import shelf
from racer.errors import RewardError
from racer.reward.messages import LIMIT, defined_at, explained, for_car, is_interrupt, refused, unsuitable
from racer.reward.module import FUNCTION, StopEscaped, UserCode, UserModule
from racer.reward.params import Params
from racer.reward.sandbox import Sandbox, TextStream, changes_the_process
from racer.reward.watchdog import RewardTimeout, Watchdog, patience_s
from racer.shelf import parse_source, read_source, shown

__all__ = ["LIMIT", "RewardFunction", "VectorReward", "load_reward", "reward_from_text"]

Function = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True, eq=False)
class RewardFunction:
    """A reward function as the learner wrote it.

    Attributes:
        name: of the file without its suffix, or of the callable.
        path: the file; None for a callable.
        text: the file's source; empty for a callable.
        code: the file's source, compiled; None for a callable.
        function: the callable; None for a file.
    """

    name: str
    path: Path | None = None
    text: str = ""
    code: UserCode | None = None
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
    text, tree = read_source(path, RewardError, FUNCTION)
    return RewardFunction(path.stem, path, text, UserCode(path, text, tree, RewardError))


def reward_from_text(text: str, path: Path) -> RewardFunction:
    """A reward function of a source that was read before, or written by a program.

    Args:
        text: the source.
        path: where it lies, or might: messages name it, and modules beside it are imported.

    Raises:
        RewardError: it is no Python.
    """
    return RewardFunction(
        path.stem, path, text, UserCode(path, text, parse_source(path, text, RewardError), RewardError)
    )


class VectorReward:
    """One reward function at work on a batch of cars, each with a module of its own.

    A call may take 5 s, or what the environment variable `RACER_REWARD_TIMEOUT` says.

    Attributes:
        reward: the function.
    """

    def __init__(self, reward: RewardFunction, count: int, stdout: TextStream | None = None) -> None:
        """Run the file once for each car.

        Args:
            reward: what to run.
            count: number of cars.
            stdout: where it prints to, stderr included; None for the usual place.

        Raises:
            RewardError: the file raises or hangs while it is loaded, or its `reward_function` cannot be
                called with `params`.
        """
        self.reward = reward
        self._watchdog = Watchdog(patience_s())
        self._sandbox = Sandbox(stdout)
        self._clock = _Clock([[0.0]] * count)
        self._functions: list[Function] = []
        self._place = reward.name
        self._load(count)
        self._sandbox.thorough = reward.code is not None and changes_the_process(reward.code.text)

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
            edges = np.flatnonzero(np.diff(held, prepend=True, append=True)).tolist()
            for first, last in zip(edges[::2], edges[1::2], strict=True):  # neighbours are called together
                out[first:last] = self._rewards(params, first, last)
        else:
            out[:] = self._rewards(params, 0, len(self._functions))

    def _rewards(self, params: Params, first: int, last: int) -> NDArray[np.float64]:
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
            try:  # noqa: SIM105 (a context would cost more than all the rest of it)
                values.extend(map(float, answers))
            except (TypeError, ValueError, OverflowError):
                pass
            if len(values) < len(answers):
                for answer in answers[len(values) :]:
                    values.append(_number(answer))

        try:
            with self._sandbox:
                self._watchdog.watch(work, answers.__len__)
        except BaseException as wrong:
            i = len(answers) if len(answers) < len(floats) else len(values)
            if isinstance(wrong, RewardTimeout) and wrong.args:  # swallowed, so that other cars have answered since
                i = wrong.args[1]
            raise self._error(wrong, for_car(params, first + i)) from wrong
        rewards = np.array(values)
        if not rewards.dot(rewards) <= LIMIT * LIMIT:  # the sum of squares is the quickest to be had
            fine = np.abs(rewards) <= LIMIT
            i = int(np.argmin(fine))
            if not fine[i]:
                said = self._said(lambda careful: refused(self._place, answers[i], careful))
                raise RewardError(said + for_car(params, first + i))
        return rewards

    def _load(self, count: int) -> None:
        given, code = self.reward.function, self.reward.code
        registered: list[str] = []
        weakref.finalize(self, _unregister, registered)

        def work() -> None:
            for i in range(count):
                function: Any = given
                if code is not None:
                    module = UserModule(code, i, self._clock.of(i), registered).module
                    function = getattr(module, FUNCTION, None)
                    if not callable(function):
                        what = f"is {shown(function)}, not a function" if function is not None else "is never defined"
                        raise RewardError(f"{self.reward.path}: {FUNCTION} {what}; racer calls it with params")
                if i == 0:
                    self._place = defined_at(function, self.reward.path)
                    if (problem := unsuitable(function, self._place)) is not None:
                        raise RewardError(problem)
                self._functions.append(function if _is_prepared(function, self.reward.path) else _guarded(function))

        try:
            with self._sandbox:
                self._watchdog.watch(work, self._functions.__len__)
        except BaseException as wrong:
            raise self._error(wrong, "\n    while the file was loaded") from wrong

    def _error(self, wrong: BaseException, when: str) -> BaseException:
        """What to raise for what the learner's code raised."""
        if isinstance(wrong, RewardError) or is_interrupt(wrong):
            return wrong
        path = self.reward.path
        if path is None and isinstance(code := getattr(self.reward.function, "__code__", None), CodeType):
            path = Path(code.co_filename)
        return RewardError(self._said(lambda careful: explained(wrong, path, careful)) + when)

    def _said(self, say: Callable[[bool], str]) -> str:
        """What `say(False)` says; if that fails or hangs, what `say(True)` says, which runs no code of learners."""
        try:
            with self._sandbox:
                return self._watchdog.watch(lambda: say(False), int)
        except BaseException as worse:
            if is_interrupt(worse):
                raise
            return say(True)


class _Clock:
    """The race time of every car; it knows nothing of the `VectorReward`, so that this can be let go."""

    def __init__(self, floats: list[list[float]]) -> None:
        self.floats = floats  # as `Params` has them, from car `first` on: the last column is the time
        self.first = 0

    def of(self, i: int) -> Callable[[], float]:
        return lambda: self.floats[i - self.first][-1]


def _is_prepared(function: Function, path: Path | None) -> bool:
    """Whether a function is one that `UserCode` has compiled, so that no `StopIteration` leaves it."""
    code = getattr(function, "__code__", None)
    return isinstance(code, CodeType) and code.co_name == FUNCTION and code.co_filename == str(path)


def _guarded(function: Function) -> Function:
    """A function that raises something else where the given one lets a `StopIteration` out."""

    def guarded(params: dict[str, Any]) -> Any:
        try:
            return function(params)
        except StopIteration as stop:
            raise StopEscaped from stop

    guarded.__wrapped__ = function  # type: ignore[attr-defined]
    return guarded


def _number(answer: Any) -> float:
    """What `float` makes of an answer, or NaN. Arrays of one element pass, as with the original's NumPy."""
    try:
        return float(answer.item() if isinstance(answer, np.ndarray) and answer.size == 1 else answer)
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def _unregister(names: list[str]) -> None:
    for name in names:
        sys.modules.pop(name, None)
