"""The rules of a race: where a car starts, how far it goes, and what ends its episode."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

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

STATUS = ("in_progress", "lap_complete", "crashed", "off_track", "immobilized", "time_up", "reversed")
"""Names of an episode's status, by its number; DeepRacer's codes, its order of precedence."""

IN_PROGRESS, LAP_COMPLETE, CRASHED, OFF_TRACK, IMMOBILIZED, TIME_UP, REVERSED = range(len(STATUS))


@dataclass(frozen=True)
class Rules:
    """What a race asks of every car.

    Attributes:
        start: `"line"`: on the start line. `"random"`: drawn along the track, one in five on the line (a car
            that never starts there in training may never learn to). `"rotate"`, or a `Rotation`: further on
            each episode.
        laps: that complete an episode, the first from a standing start, the others flying.
        time_limit_s: of an episode, s of simulated time; DeepRacer's default.
        still_m: m; a car whose origin moves no more than this in each of `patience` steps is immobilized.
        patience: steps in a row without moving, or with falling progress (reversed), that end an episode
            (DeepRacer's NUMBER_OF_REVERSE_COUNTS).
    """

    start: Start = "random"
    laps: int = 1
    time_limit_s: float = 180.0
    still_m: float = 0.0003
    patience: int = 15

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: one of them makes no sense.
        """
        if not isinstance(self.start, Rotation) and self.start not in STARTS:
            raise ValueError(f"start is {self.start!r}; it must be one of {', '.join(STARTS)}")
        if isinstance(self.laps, bool) or not isinstance(self.laps, int) or not 1 <= self.laps <= 1000:
            raise ValueError(f"laps is {self.laps!r}; it must be a whole number from 1 to 1000")
        if not 0.0 < self.time_limit_s <= 1e6:
            raise ValueError(f"time_limit_s is {self.time_limit_s!r}; it must be above 0 s and at most 1e6 s")

    @property
    def constants(self) -> Any:
        """The numbers alone, as the kernels take them."""
        rotation = self.start if isinstance(self.start, Rotation) else Rotation()
        start = STARTS.index("rotate" if isinstance(self.start, Rotation) else self.start)
        others = [getattr(self, name) for name in _NUMBERS[3:]]
        return RuleConstants(*[start, float(rotation.advance), float(rotation.offset), *others])


# The kernels cannot take a record with text in it.
_NUMBERS = ["start", "advance", "offset", *(field.name for field in fields(Rules)[1:])]
RuleConstants = namedtuple("RuleConstants", _NUMBERS)  # type: ignore[misc]
