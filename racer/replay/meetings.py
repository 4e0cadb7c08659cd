"""What a race has beside its drives, in a replay file: its traffic, where that was, and who ran into what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from racer.replay.record import NO_THINGS, THING_DTYPE, Crash
from racer.replay.tensors import DamagedError
from racer.replay.values import array_of, value_of
from racer.sim import Traffic, traffic_as_json, traffic_from_json

if TYPE_CHECKING:
    from racer.replay.record import Replay

__all__ = ["THING_ARRAYS", "Meetings", "meetings_from_file", "meetings_to_file"]

MOST_CRASHES = 10_000  # in a race
THING_ARRAYS = tuple(f"things.{name}" for name in THING_DTYPE.names or ())
Meetings = tuple[Traffic | None, NDArray[np.void], tuple[Crash, ...]]


def meetings_to_file(replay: Replay) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Give (header, arrays) of it."""
    header = {
        "traffic": traffic_as_json(replay.traffic),
        "crashes": [[crash.step, crash.car, crash.into] for crash in replay.crashes],
    }
    if replay.things.size == 0:
        return header, {}
    return header, {f"things.{name}": replay.things[name] for name in THING_DTYPE.names or ()}


def meetings_from_file(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], steps: Sequence[int]) -> Meetings:
    """The traffic of a race, where it was, and the crashes.

    Args:
        header, arrays: of the file.
        steps: how many each car drove.

    Raises:
        DamagedError: they are none, or do not fit each other.
    """
    try:
        traffic = traffic_from_json(header["traffic"])
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise DamagedError(f"its header has no proper 'traffic': {error!s:.100}") from error
    things, count = NO_THINGS, 0 if traffic is None else traffic.count
    if count:
        columns = {name: array_of(arrays, f"things.{name}", THING_DTYPE[name], 2) for name in THING_DTYPE.names or ()}
        rows = 1 if traffic is not None and traffic.bots is None else max(steps)
        things = np.zeros((rows, count), THING_DTYPE)
        for name, column in columns.items():
            if column.shape != things.shape:
                raise DamagedError(f"its array 'things.{name}' is {column.shape}, not {things.shape}")
            things[name] = column
        things.flags.writeable = False
    elif any(name in arrays for name in THING_ARRAYS):
        raise DamagedError("it has places of boxes or bot cars, but none of these")
    given = value_of(header, "crashes", list)
    if len(given) > MOST_CRASHES:
        raise DamagedError(f"it has {len(given)} crashes; a race has {MOST_CRASHES:,} at most")
    return traffic, things, tuple(_crash(one, count, steps) for one in given)


def _crash(given: Any, things: int, steps: Sequence[int]) -> Crash:
    whole = isinstance(given, list) and len(given) == 3 and all(type(number) is int for number in given)
    if whole:
        step, car, into = given
        if 0 <= car < len(steps) and 0 <= step < steps[car] and 0 <= into < things + len(steps):
            return Crash(step, car, into)
    raise DamagedError(f"one of its crashes is {given!a:.60}, which cannot be")
