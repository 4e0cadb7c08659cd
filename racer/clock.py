"""Simulated time for learners' files: `time` and `datetime` whose clock is the race's.

Rewards that time their steps with `time.time()` were written for a simulator that ran at about real time; here a
minute of driving takes milliseconds. Everything else in the two modules stays as it is.
"""

from __future__ import annotations

import datetime
import time
import types
from collections.abc import Callable
from typing import Any

EPOCH_S = 1_600_000_000.0
"""Unix time at which simulated clocks start; fixed, so that the same seed sees the same times."""


def simulated_modules(now: Callable[[], float]) -> dict[str, types.ModuleType]:
    """Stand-ins for `time` and `datetime`.

    Args:
        now: the simulated time, s since the clock's start.
    """
    ours = types.ModuleType("time", time.__doc__)
    ours.__dict__.update({k: v for k, v in vars(time).items() if not k.startswith("__")})
    for name in ("perf_counter", "monotonic", "process_time", "thread_time"):
        setattr(ours, name, now)
        setattr(ours, f"{name}_ns", lambda: int(now() * 1e9))
    ours.time = lambda: EPOCH_S + now()  # type: ignore[attr-defined]
    ours.time_ns = lambda: int((EPOCH_S + now()) * 1e9)  # type: ignore[attr-defined]
    ours.sleep = lambda seconds: None  # type: ignore[attr-defined]  # the simulator does not wait for a reward
    for name in ("localtime", "gmtime"):
        setattr(ours, name, lambda seconds=None, real=getattr(time, name): real(EPOCH_S + now() if seconds is None else seconds))

    class SimulatedDatetime(datetime.datetime):
        """`datetime.datetime` on the simulated clock."""

        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return cls.fromtimestamp(EPOCH_S + now(), tz)

        @classmethod
        def utcnow(cls) -> Any:
            return cls.fromtimestamp(EPOCH_S + now(), datetime.timezone.utc).replace(tzinfo=None)

        @classmethod
        def today(cls) -> Any:
            return cls.now()

    dates = types.ModuleType("datetime", datetime.__doc__)
    dates.__dict__.update({k: v for k, v in vars(datetime).items() if not k.startswith("__")})
    dates.datetime = SimulatedDatetime  # type: ignore[attr-defined]
    return {"time": ours, "datetime": dates}
