"""Simulated time for learners' files: `time` and `datetime` whose clock is the race's.

Rewards that time their steps with `time.time()` were written for a simulator that ran at about real time;
here a minute of driving takes milliseconds. Invariant: what these modules tell depends on the race alone, and
never goes back. Everything else in them stays as it is.
"""

from __future__ import annotations

import datetime
import time
import types
from collections.abc import Callable
from typing import Any

EPOCH_S = 1_600_000_000.0
"""Unix time at which simulated clocks start; fixed, so that the same seed sees the same times."""

_ELAPSED = ("perf_counter", "monotonic", "process_time", "thread_time")


def simulated_modules(race_time: Callable[[], float]) -> dict[str, types.ModuleType]:
    """Stand-ins for `time` and `datetime`.

    Args:
        race_time: s since the race's start. It may begin anew; the clocks then go on from where they were.
    """
    now = _forwards(race_time)
    return {"time": _time(now), "datetime": _datetime(now)}


def _forwards(race_time: Callable[[], float]) -> Callable[[], float]:
    """A clock that never goes back, though the race that it follows may be seeded anew."""
    before = added = 0.0

    def now() -> float:
        nonlocal before, added
        elapsed = race_time()
        if elapsed < before:
            added += before
        before = elapsed
        return elapsed + added

    return now


def _time(now: Callable[[], float]) -> types.ModuleType:
    ours = _copy(time)
    for name in _ELAPSED:
        ours[name] = now
        ours[f"{name}_ns"] = lambda: int(now() * 1e9)

    def at(seconds: float | None) -> float:
        return EPOCH_S + now() if seconds is None else seconds

    def since(clock: int) -> float:
        return at(None) if clock == getattr(time, "CLOCK_REALTIME", 0) else now()

    ours["time"] = lambda: EPOCH_S + now()
    ours["time_ns"] = lambda: int((EPOCH_S + now()) * 1e9)
    ours["sleep"] = lambda seconds: None  # the simulator does not wait for a reward, and no time passes
    ours["clock_gettime"] = since
    ours["clock_gettime_ns"] = lambda clock: int(since(clock) * 1e9)
    ours["localtime"] = lambda seconds=None: time.localtime(at(seconds))
    ours["gmtime"] = lambda seconds=None: time.gmtime(at(seconds))
    ours["ctime"] = lambda seconds=None: time.ctime(at(seconds))
    ours["asctime"] = lambda t=None: time.asctime(time.localtime(at(None)) if t is None else t)
    ours["strftime"] = lambda form, t=None: time.strftime(form, time.localtime(at(None)) if t is None else t)
    return _module("time", ours)


def _datetime(now: Callable[[], float]) -> types.ModuleType:
    class OfTheRealKind(type):
        """Takes what the library makes for an instance: `isinstance(moment, datetime.date)`."""

        def __instancecheck__(cls, thing: object) -> bool:
            return isinstance(thing, cls.__mro__[1])

        def __subclasscheck__(cls, kind: type) -> bool:
            return issubclass(kind, cls.__mro__[1])

    class SimulatedDatetime(datetime.datetime, metaclass=OfTheRealKind):
        """`datetime.datetime` on the simulated clock."""

        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return cls.fromtimestamp(EPOCH_S + now(), tz)

        @classmethod
        def utcnow(cls) -> Any:
            return cls.fromtimestamp(EPOCH_S + now(), datetime.UTC).replace(tzinfo=None)

        @classmethod
        def today(cls) -> Any:
            return cls.now()

    class SimulatedDate(datetime.date, metaclass=OfTheRealKind):
        """`datetime.date` on the simulated clock."""

        @classmethod
        def today(cls) -> Any:
            return cls.fromtimestamp(EPOCH_S + now())

    ours = _copy(datetime)
    for kind in (SimulatedDatetime, SimulatedDate):
        kind.__name__ = kind.__qualname__ = kind.__mro__[1].__name__
        kind.__module__ = "datetime"
    return _module("datetime", ours | {"datetime": SimulatedDatetime, "date": SimulatedDate})


def _copy(module: types.ModuleType) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if not name.startswith("__")}


def _module(name: str, content: dict[str, Any]) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__dict__.update(content)
    return module
