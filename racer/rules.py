"""The rules of a race: where a car starts, how far it goes, and what ends its episode."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

Start = Literal["random", "rotate", "line"]

STARTS: tuple[Start, ...] = get_args(Start)

STATUS = ("in_progress", "lap_complete", "crashed", "off_track", "immobilized", "time_up", "reversed")
"""Names of an episode's status, by its number; DeepRacer's codes, its order of precedence."""

IN_PROGRESS, LAP_COMPLETE, CRASHED, OFF_TRACK, IMMOBILIZED, TIME_UP, REVERSED = range(len(STATUS))


@dataclass(frozen=True)
class Rules:
    """What a race asks of every car.

    Attributes:
        start: `"line"`: on the start line. `"random"`: drawn along the track, one in five on the line (a car that never
            starts there in training may never learn to). `"rotate"`: as DeepRacer trains, `rotation` of a lap
            further on each episode.
        laps: that complete an episode, the first from a standing start, the others flying.
        time_limit_s: of an episode, s of simulated time; DeepRacer's default.
        rotation: share of a lap by which `"rotate"` moves on; DeepRacer's ROUND_ROBIN_ADVANCE_DIST.
        still_m: m; a car whose origin moves no more than this in each of `patience` steps is immobilized.
        patience: steps in a row without moving, or with falling progress (reversed), that end an episode
            (DeepRacer's NUMBER_OF_REVERSE_COUNTS).
    """

    start: Start = "random"
    laps: int = 1
    time_limit_s: float = 180.0
    rotation: float = 0.05
    still_m: float = 0.0003
    patience: int = 15

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: one of them makes no sense.
        """
        if self.start not in STARTS:
            raise ValueError(f"start is {self.start!r}; it must be one of {', '.join(STARTS)}")
        if isinstance(self.laps, bool) or not isinstance(self.laps, int) or not 1 <= self.laps <= 1000:
            raise ValueError(f"laps is {self.laps!r}; it must be a whole number from 1 to 1000")
        if not 0.0 < self.time_limit_s <= 1e6:
            raise ValueError(f"time_limit_s is {self.time_limit_s!r}; it must be above 0 s and at most 1e6 s")

    @property
    def constants(self) -> Any:
        """The numbers alone, as the kernels take them."""
        return RuleConstants(STARTS.index(self.start), *(getattr(self, f.name) for f in fields(self)[1:]))


# The kernels cannot take a record with text in it.
RuleConstants = namedtuple("RuleConstants", [field.name for field in fields(Rules)])  # type: ignore[misc]
