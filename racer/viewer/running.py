"""The running order: who leads, and how far the others are behind.

The one invariant: when everybody has finished, it is the order of `racer.racing.heat_result`; the viewer lies below
racing, so that it finds it by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from racer.viewer.playback import Timeline

__all__ = ["RunningOrder", "Standing"]

State = Literal["going", "held", "finished", "retired", "stopped"]


@dataclass(frozen=True)
class Standing:
    """How a car stands in a race at an instant.

    Attributes:
        place: 1 for the first.
        state: whether it is still going, is held for a penalty, has finished, retired, or was stopped by the end of
            the race.
        gap_s: behind the first car, at the place where it is, s; None for the first, and for who is out.
    """

    place: int
    state: State
    gap_s: float | None


class RunningOrder:
    """Orders cars.

    Args:
        timelines: Of all cars.
        race: Whether they drive one race; else each has a race of its own.
        ghosts: How many of the last ones are ghosts beside that race; they are listed after all others.
    """

    def __init__(self, timelines: Sequence[Timeline], race: bool, ghosts: int = 0) -> None:
        """Look at nothing yet."""
        self._timelines, self._race, self._rivals = timelines, race, len(timelines) - ghosts

    def cars(self, time_s: float) -> list[int]:
        """All cars, the one that has raced farthest first; in a race those who retired last."""
        keys = [
            (self._race and car >= self._rivals, *self._key(timeline, time_s))
            for car, timeline in enumerate(self._timelines)
        ]
        return sorted(range(len(keys)), key=keys.__getitem__)

    def standings(self, time_s: float) -> list[Standing]:
        """How each car stands in a race, in the order of the cars."""
        order = self.cars(time_s)
        leader = self._timelines[order[0]]
        found = []
        for car, timeline in enumerate(self._timelines):
            state, gap_s = self._state(timeline, time_s), None
            if car != order[0] and car < self._rivals and state not in ("retired", "stopped"):
                now_s = min(time_s, timeline.finish_s or timeline.end_s)
                gap_s = max(now_s - leader.reached(timeline.raced(time_s)), 0.0)
            found.append(Standing(order.index(car) + 1, state, gap_s))
        return found

    def _key(self, timeline: Timeline, time_s: float) -> tuple[bool, float, float]:
        raced = timeline.raced(time_s)
        if not self._race:
            return False, -raced, 0.0
        return self._state(timeline, time_s) == "retired", -raced, timeline.reached(raced)

    def _state(self, timeline: Timeline, time_s: float) -> State:
        if timeline.finish_s is not None and time_s >= timeline.finish_s:
            return "finished"
        if time_s >= timeline.end_s:
            return "retired" if timeline.replay.drives[0].retired else "stopped"
        return "held" if timeline.moment(time_s).held else "going"
