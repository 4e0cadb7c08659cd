"""What is said when a reward function fails: file, line, statement and values, and for which car in which step.

Invariant: asking learners' objects for their texts runs learners' code, so the functions here that do so are called
only under the watchdog; `careful` ones do without.
"""

from __future__ import annotations

import dis
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from racer.reward.module import StopEscaped
from racer.reward.params import KEYS, Params
from racer.reward.watchdog import PATIENCE_VARIABLE, RewardTimeout, patience_s
from racer.shelf import did_you_mean, explain, shown

LIMIT = 1e5
"""Greatest absolute value of a reward; beyond it DeepRacer stops the job."""

SHOWN = ("steps", "progress", "x", "y", "heading", "speed", "steering_angle", "closest_waypoints")
"""Keys of `params` that an error message shows."""


def is_interrupt(wrong: BaseException) -> bool:
    """Whether an exception is Ctrl-C, and not one of the same kind that the learner's code raises itself."""
    trace = wrong.__traceback__
    if not isinstance(wrong, KeyboardInterrupt) or trace is None:
        return isinstance(wrong, KeyboardInterrupt)
    while trace.tb_next is not None:
        trace = trace.tb_next
    steps = dis.get_instructions(trace.tb_frame.f_code)
    return not any(step.offset == trace.tb_lasti and step.opname == "RAISE_VARARGS" for step in steps)


def explained(wrong: BaseException, path: Path | None, careful: bool = False) -> str:
    """What a call raised, and where.

    Args:
        wrong: what it raised.
        path: the learner's file, if it is one.
        careful: run none of the learner's code for the message.
    """
    hint = ""
    if isinstance(wrong, StopEscaped):
        wrong = wrong.__context__ or wrong
    if isinstance(wrong, StopIteration):
        hint = " (next(...) found nothing; give it a default: next(..., None))"
    if isinstance(wrong, RewardTimeout):
        where = f" at {wrong.args[0]}" if wrong.args else ""
        limit = (
            f"no answer within {patience_s():g} s{where} (the environment variable {PATIENCE_VARIABLE} sets the limit)"
        )
        wrong, careful = TimeoutError(limit).with_traceback(wrong.__traceback__), False
    if isinstance(wrong, KeyError) and wrong.args and type(wrong.args[0]) is str and wrong.args[0] not in KEYS:
        hint = did_you_mean(wrong.args[0], KEYS)
    return explain(wrong, path, hint, careful)


def refused(place: str, answer: Any, careful: bool = False) -> str:
    """Why an answer is no reward."""
    kind = "" if isinstance(answer, int | float | np.number) else f", a {type(answer).__name__}"
    if answer is None:
        kind = ": one of its ways ends without a 'return'"
    text = f"<{type(answer).__name__}>" if careful else shown(answer)
    must = f"a reward must be a finite number from {-LIMIT:g} to {LIMIT:g}"
    return f"{place}: reward_function returned {text}{kind}; {must}"


def unsuitable(function: Callable[..., Any], place: str) -> str | None:
    """Why a function cannot be called with `params` alone, if it cannot."""
    place = f"{place}: reward_function"
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return f"{place} is asynchronous, so a call gives no number; write 'def', not 'async def'"
    if inspect.isgeneratorfunction(function):
        return f"{place} is a generator, so a call gives no number; write 'return', not 'yield'"
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of something written in C; calling it will tell
        return None
    try:
        signature.bind({})
    except TypeError as wrong:
        return f"{place}{signature} cannot be called with params alone: {wrong}"
    return None


def for_car(params: Params, i: int) -> str:
    """For which car, and what it was given."""
    given = params.of(i)
    return f"\n    for car {i}, given " + ", ".join(
        f"{key} = {given[key]:.6g}" if isinstance(given[key], float) else f"{key} = {given[key]}" for key in SHOWN
    )


def defined_at(function: Callable[..., Any], path: Path | None) -> str:
    """The file and the line that a function is defined at, as far as is known."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is not None and (path is None or code.co_filename == str(path)):
        return f"{code.co_filename}, line {code.co_firstlineno}"
    return str(path) if path is not None else str(getattr(function, "__name__", type(function).__name__))
