"""The rules of a race: where a car starts, how far it goes, what ends its episode, and what only costs it time."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass, fields
from functools import cached_property
from math import ceil
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

StartName = Literal["random", "rotate", "line"]

STARTS: tuple[StartName, ...] = get_args(StartName)


@dataclass(frozen=True)
class Rotation:
    """Starts that move on along the track, as DeepRacer trains; `"rotate"` is short for the default.

    Attributes:
        advance: share of a lap by which the start moves on with each episode; ROUND_ROBIN_ADVANCE_DIST.
        offset: share of a lap at which the first episode starts; START_POSITION_OFFSET.
    """

    advance: float = 0.05
    offset: float = 0.0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: one of them is no share of a lap.
        """
        for name, value in (("advance", self.advance), ("offset", self.offset)):
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
                raise ValueError(f"{name} of the starts is {value!r}; it must be from 0 to 1, of a lap")


Start = StartName | Rotation

STATUS = ("in_progress", "lap_complete", "crashed", "off_track", "immobilized", "time_up", "reversed", "pause")
"""Names of an episode's status, by its number; DeepRacer's codes, its order of precedence."""

IN_PROGRESS, LAP_COMPLETE, CRASHED, OFF_TRACK, IMMOBILIZED, TIME_UP, REVERSED, PAUSE = range(len(STATUS))

MISTAKES = (CRASHED, OFF_TRACK, IMMOBILIZED, REVERSED)
"""After which a car is put back, where the rules say so."""

FOR_GOOD = 2**40  # steps for which a car is held that has left its race
MOST_PENALTY_S = 60.0
MOST_RESETS = 10**9  # more than there are steps in any episode
_WHOLE = (
    ("laps", 1, 1000),
    ("immobilized_steps", 1, 10**6),
    ("reversed_steps", 1, 10**6),
    ("resets", 0, MOST_RESETS),
)


@dataclass(frozen=True)
class Rules:
    """What a race asks of every car.

    Attributes:
        start: `"line"`: on the start line. `"random"`: drawn along the track, one in five on the line (a car
            that never starts there in training may never learn to). `"rotate"`, or a `Rotation`: further on
            each episode.
        laps: that complete an episode, the first from a standing start, the others flying.
        time_limit_s: of an episode, s of simulated time; DeepRacer's default.
        still_m: m; a car whose origin moves no more than this in each of `immobilized_steps` is immobilized.
        immobilized_steps: steps in a row without moving that are a mistake.
        reversed_steps: steps in a row with falling progress that are a mistake (DeepRacer's NUMBER_OF_REVERSE_COUNTS).
        resets: how often a car is put back in an episode, DeepRacer's NUMBER_OF_RESETS; its next mistake ends the
            episode. None: however often. Without a penalty it is not put back at all.
        penalty_s: None: leaving the track, driving backwards and standing still end the episode, as in training.
            Else, as in races with resets, the car is put back on the nearer lane, at rest, and held there for so many
            s of the race's time (one step at least; for standing still, one step). After a crash with a box it is put
            1 m behind that, in the other lane; after one with a car it is held where it is.
        crash_penalty_s: for how long it is held after a crash; None: as long as for leaving the track.
    """

    start: Start = "random"
    laps: int = 1
    time_limit_s: float = 180.0
    still_m: float = 0.0003
    immobilized_steps: int = 15
    reversed_steps: int = 15
    resets: int | None = None
    penalty_s: float | None = None
    crash_penalty_s: float | None = None

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: one of them makes no sense.
        """
        if not isinstance(self.start, Rotation) and self.start not in STARTS:
            raise ValueError(f"start is {self.start!r}; it must be one of {', '.join(STARTS)}")
        for name, least, most in _WHOLE:
            number = getattr(self, name)
            if number is None and name == "resets":
                continue
            if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
                raise ValueError(f"{name} is {number!r}; it must be a whole number from {least} to {most}")
        still = self.still_m
        if isinstance(still, bool) or not isinstance(still, int | float) or not 0.0 <= still <= 1.0:
            raise ValueError(f"still_m is {still!r}; it must be from 0 to 1 m")
        limit = self.time_limit_s
        if isinstance(limit, bool) or not isinstance(limit, int | float) or not 0.0 < limit <= 1e6:
            raise ValueError(f"time_limit_s is {self.time_limit_s!r}; it must be above 0 s and at most 1e6 s")
        for name in ("penalty_s", "crash_penalty_s"):
            penalty = 0.0 if getattr(self, name) is None else getattr(self, name)
            good = isinstance(penalty, int | float) and not isinstance(penalty, bool)
            if not good or not 0.0 <= penalty <= MOST_PENALTY_S:
                raise ValueError(f"{name} is {penalty!r}; it must be None, or from 0 to {MOST_PENALTY_S:g} s")

    @cached_property
    def ends(self) -> NDArray[np.bool_]:
        """Whether a status ends the episode, by its number, whatever the resets; see `resets_end`."""
        on = [IN_PROGRESS, PAUSE] if self.penalty_s is None else [IN_PROGRESS, PAUSE, *MISTAKES]
        return ~np.isin(np.arange(len(STATUS)), on)

    @property
    def resets_end(self) -> bool:
        """Whether there is a last reset: a mistake after which the car is not held has ended its episode."""
        return self.penalty_s is not None and self.resets is not None

    @property
    def constants(self) -> Any:
        """The numbers alone, as the kernels take them."""
        from racer.sim.car import STEP_S  # brings Numba, which who reads a replay does not wait for

        rotation = self.start if isinstance(self.start, Rotation) else Rotation()
        start = STARTS.index("rotate" if isinstance(self.start, Rotation) else self.start)
        crash_s = self.penalty_s if self.crash_penalty_s is None else self.crash_penalty_s
        held, after_crash = (
            0 if self.penalty_s is None or penalty_s is None else max(1, ceil(penalty_s / STEP_S - 1e-9))
            for penalty_s in (self.penalty_s, crash_s)
        )
        others = [MOST_RESETS if name == "resets" and self.resets is None else getattr(self, name) for name in _PLAIN]
        return RuleConstants(*[start, float(rotation.advance), float(rotation.offset), *others, held, after_crash])


# The kernels cannot take a record with text in it.
_PLAIN = [field.name for field in fields(Rules)[1:-2]]
RuleConstants = namedtuple(  # type: ignore[misc]
    "RuleConstants", ["start", "advance", "offset", *_PLAIN, "penalty_steps", "crash_steps"]
)
