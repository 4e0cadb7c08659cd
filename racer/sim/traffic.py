"""Traffic: what a race has beside the learner's car, as a frozen record. Boxes, bot cars, and rivals who collide.

The kernels that place it, move it and find collisions are in `racer/sim/things.py` and `racer/sim/meeting.py`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from math import ceil, isfinite
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

__all__ = ["LANES", "MOST_THINGS", "Bots", "Boxes", "Place", "Traffic", "traffic_as_json", "traffic_from_json"]

Lane = Literal["inner", "outer"]
Grid = Literal["staggered", "pairs"]

LANES: tuple[Lane, ...] = get_args(Lane)
GRIDS: tuple[Grid, ...] = get_args(Grid)
MOST_THINGS = 200  # in a race; how many fit on a track is less on most
FIRST_M = 2.0  # from the line to the first box or bot car of a row of them, and
LAST_M = 1.0  # from the last one to the end of the lap, as in DeepRacer
MOST_SPEED = 10.0  # m/s


class TrafficConstants(NamedTuple):
    """What kernels are given of a `Traffic`."""

    places: NDArray[np.float64]
    are_bots: bool
    as_cars: bool
    drawn: bool
    gap: float
    speed: float
    changes: bool
    change_least: float
    change_most: float
    change_over: float
    stop_steps: int
    in_pairs: bool
    grid_gap: float
    drawn_grid: bool


@dataclass(frozen=True)
class Place:
    """Where a box stands; DeepRacer's OBJECT_POSITIONS are pairs of the same.

    Attributes:
        share: of a lap from the start line, in the driving direction, from 0 to below 1.
        lane: `"inner"` or `"outer"`: halfway between the centre line and that border.
    """

    share: float
    lane: Lane = "inner"

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: one of them makes no sense.
        """
        _check("the share of a lap at which a box stands", self.share, 0.0, 1.0)
        if self.share == 1.0:
            raise ValueError("the share of a lap at which a box stands is 1; it must be below, as 0 is the same place")
        _choose("the lane of a box", self.lane, LANES)


@dataclass(frozen=True)
class Boxes:
    """Boxes on the track, for object avoidance.

    Attributes:
        count: how many; not needed with `places`.
        places: where they stand, if they do at fixed places; None: evenly along the lap from 2 m behind the line to 1 m
            before it, in the inner and the outer lane in turn.
        drawn: whether they stand at other places in each episode, in either lane.
        gap_m: the least distance along the line between two of them that are drawn or spread.
        as_cars: whether they are parked cars; else boxes of 0.5 m x 0.4 m.
    """

    count: int = 6
    places: tuple[Place, ...] | None = None
    drawn: bool = False
    gap_m: float = 2.0
    as_cars: bool = False

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: one of them makes no sense.
        """
        if self.places is not None:
            if self.drawn:
                raise ValueError("boxes stand at given places, or at drawn ones; leave out places, or drawn")
            object.__setattr__(self, "places", tuple(self.places))
            object.__setattr__(self, "count", len(self.places))
        _count("boxes", self.count)
        _check("the gap between two boxes", self.gap_m, 0.0, 100.0, "m")


@dataclass(frozen=True)
class Bots:
    """Bot cars, for head-to-bot races: they drive along lanes at one speed, whatever is in their way.

    Attributes:
        count: how many.
        speed: along the centre line, m/s.
        drawn: whether each episode has them at other places, in either lane; else the first starts 2 m ahead of where
            the race starts, the others `gap_m` further on each, in the inner and the outer lane in turn.
        gap_m: the (least) distance along the line between two of them.
        lane_changes: whether they change lanes.
        change_after_s: s from one change to the next: drawn between these two.
        change_over_m: m of centre line that a change takes.
        stop_s: for so long all bots stop after one of them has run into a car that is ahead of it, s; DeepRacer's
            PENALTY_SECONDS.
    """

    count: int = 3
    speed: float = 0.2
    drawn: bool = False
    gap_m: float = 2.0
    lane_changes: bool = False
    change_after_s: tuple[float, float] = (3.0, 5.0)
    change_over_m: float = 1.0
    stop_s: float = 5.0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: one of them makes no sense.
        """
        _count("bot cars", self.count)
        _check("the speed of bot cars", self.speed, 0.0, MOST_SPEED, "m/s")
        _check("the gap between two bot cars", self.gap_m, 0.5, 100.0, "m")
        _check("the length of a lane change", self.change_over_m, 0.1, 100.0, "m")
        _check("the time that bot cars stop", self.stop_s, 0.0, 60.0, "s")
        object.__setattr__(self, "change_after_s", tuple(self.change_after_s))
        least, most = self.change_after_s
        for bound in (least, most):
            _check("the time between lane changes", bound, 0.1, 1000.0, "s")
        if least > most:
            raise ValueError(f"the time between lane changes is {least:g} to {most:g} s; the lower bound comes first")


@dataclass(frozen=True)
class Traffic:
    """What a race has beside the learner's car.

    A world with traffic lets its cars collide: with boxes, with bot cars, and, where a race has several cars, with
    each other. A world without has none of this, and its cars are alone, each a ghost to the others.

    Attributes:
        boxes: None: there are none.
        bots: None: there are none. A race has boxes or bot cars, not both: bot cars avoid nothing.
        grid: how several cars start: `"staggered"`, as in DeepRacer, each `grid_gap_m` behind the one before it, in the
            outer and the inner lane in turn; `"pairs"`: two abreast, pairs so far apart.
        grid_gap_m: m.
        drawn_grid: whether the places on the grid are drawn in each episode; else car 0 has the first.
    """

    boxes: Boxes | None = None
    bots: Bots | None = None
    grid: Grid = "staggered"
    grid_gap_m: float = 0.75
    drawn_grid: bool = False

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: one of them makes no sense.
        """
        if not isinstance(self.boxes, Boxes | None) or not isinstance(self.bots, Bots | None):
            raise ValueError("boxes and bots of a race are `racer.sim.Boxes` and `racer.sim.Bots`, or None")
        if self.boxes is not None and self.bots is not None:
            raise ValueError("a race has boxes or bot cars, not both: bot cars would drive through boxes")
        _choose("the grid", self.grid, GRIDS)
        _check("the gap between two places of the grid", self.grid_gap_m, 0.5, 10.0, "m")

    @property
    def count(self) -> int:
        """How many boxes or bot cars there are."""
        one = self.boxes or self.bots
        return 0 if one is None else one.count

    @property
    def name(self) -> str:
        """What kind of race it makes."""
        return "object-avoidance" if self.boxes else "head-to-bot" if self.bots else "head-to-head"

    def check_room(self, length: float, name: str) -> None:
        """Refuse what does not fit on a track.

        Args:
            length: of the track, m.
            name: of the track.

        Raises:
            ValueError: boxes or bot cars would stand closer together than their gap.
        """
        one = self.boxes or self.bots
        if one is None or one.count == 0 or (self.boxes is not None and self.boxes.places is not None):
            return
        room = length - FIRST_M - LAST_M
        needed = (one.count - 1) * one.gap_m
        if needed > room:
            what = "boxes" if self.boxes is not None else "bot cars"
            most = int(room / one.gap_m) + 1 if one.gap_m > 0.0 else MOST_THINGS
            raise ValueError(
                f"{one.count} {what}, {one.gap_m:g} m apart, need {needed:g} m of track; {name} has room for "
                f"{max(0, room):.1f} m. At most {most} fit, or more with a smaller gap"
            )

    @property
    def constants(self) -> TrafficConstants:
        """The numbers alone, as the kernels take them; `places` are (share, 1 for the inner and -1 for the outer)."""
        from racer.sim.car import STEP_S  # brings Numba, which who reads a replay does not wait for

        boxes, bots = self.boxes or Boxes(0), self.bots or Bots(0)
        one = self.boxes or bots
        places = () if boxes.places is None else boxes.places
        table = np.array([(p.share, 1.0 if p.lane == "inner" else -1.0) for p in places], np.float64).reshape(-1, 2)
        return TrafficConstants(
            places=table,
            are_bots=self.bots is not None,
            as_cars=self.bots is not None or boxes.as_cars,
            drawn=one.drawn,
            gap=float(one.gap_m),
            speed=float(bots.speed),
            changes=bots.lane_changes,
            change_least=float(bots.change_after_s[0]),
            change_most=float(bots.change_after_s[1]),
            change_over=float(bots.change_over_m),
            stop_steps=max(1, ceil(bots.stop_s / STEP_S - 1e-9)),
            in_pairs=self.grid == "pairs",
            grid_gap=float(self.grid_gap_m),
            drawn_grid=self.drawn_grid,
        )


def traffic_as_json(traffic: Traffic | None) -> dict[str, Any] | None:
    """What a race has, as JSON holds it: its fields by name, for `traffic_from_json`."""
    return None if traffic is None else asdict(traffic)


def traffic_from_json(data: Any) -> Traffic | None:
    """The traffic that `traffic_as_json` wrote.

    Raises:
        ValueError: the data is none.
    """
    if data is None:
        return None
    try:
        given = dict(data)
        boxes, bots = given.pop("boxes", None), given.pop("bots", None)
        traffic = Traffic(boxes=_boxes(boxes), bots=None if bots is None else Bots(**bots))
        return replace(traffic, **given)
    except (TypeError, KeyError) as error:
        raise ValueError(f"{data!r:.60} is no traffic of a race: {error}") from None


def _boxes(data: Any) -> Boxes | None:
    if data is None:
        return None
    data = dict(data)
    places = data.get("places")
    return Boxes(**{**data, "places": None if places is None else tuple(Place(**place) for place in places)})


def _check(what: str, value: Any, least: float, most: float, unit: str = "") -> None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and least <= value <= most
    if not good:
        raise ValueError(f"{what} is {value!r:.60}; it must be a number from {least:g} to {most:g} {unit}".rstrip())


def _count(what: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_THINGS:
        raise ValueError(f"there are {value!r:.60} {what}; it must be a whole number from 0 to {MOST_THINGS}")


def _choose(what: str, value: Any, among: tuple[str, ...]) -> None:
    if value not in among:
        raise ValueError(f"{what} is {value!r:.60}; it must be one of {', '.join(among)}")
