"""The state sensor: where a car is on the track and what lies ahead, a small vector scaled to about -1..1."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, sin
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from racer.errors import SensorError
from racer.sim import FOR_GOOD, CarConstants, Road, World, at_row, distance, inlined, lean, ring_gap

AHEAD_M = np.array([0.3, 0.6, 0.9, 1.3, 1.7, 2.2, 2.8, 3.5, 4.3, 5.2])
"""How far ahead along the centre line it looks, m. At 4 m/s a car needs some 3 m to brake for a bend."""

SPEED_SCALE = 4.0  # m/s
LATERAL_SCALE = 1.0  # m/s
YAW_RATE_SCALE = 3.0  # rad/s
BOUND = 10.0  # of every entry, however far from the track a car is

ENTRIES = (
    "speed / 4 m/s",
    "sideways speed of the origin / 1 m/s, to the left positive",
    "yaw rate / 3 rad/s",
    "angle of the front wheels / 30 degrees",
    "last commanded steering / 30 degrees",
    "last commanded speed / 4 m/s",
    "front point's offset from the centre line / half the track's width, left positive",
    "half the track's width, m",
    "sine of the heading less that of the centre line",
    "cosine of the same",
    *(f"centre line {m:g} m ahead, {way}, / {m:g} m" for m in AHEAD_M for way in ("forwards", "to the left")),
)
"""Meaning of each entry; the points ahead are seen from the front point in the car's frame."""

OBJECT_ENTRIES = (
    "from the front point to its middle along the centre line / 5 m",
    "the same across it, to the left, / half the track's width",
    "its speed less the car's / 4 m/s",
    "its width / 0.5 m",
)
"""Meaning of the entries of each of the nearest objects ahead: boxes, bot cars, other cars. What is beside the car is
ahead of it until it is passed. Where there is none within 5 m, they are 1, 0, 0, 0."""

SEEN_M = 5.0  # how far ahead an object is seen
BESIDE_M = 0.6  # how far behind the front point the middle of an object is that is not yet passed, m
WIDTH_SCALE = 0.5  # m
MOST_OBJECTS = 20
GONE = FOR_GOOD // 2  # steps of a penalty: a car that is held for longer has left its race


@dataclass(frozen=True)
class State:
    """The sensor; `racer.env.TimeTrial` documents its entries, and `racer.env.ObjectAvoidance` those of objects.

    Attributes:
        objects: how many of the nearest objects ahead it observes, each by `OBJECT_ENTRIES`, after the other entries.

    Raises:
        SensorError: the number makes no sense.
    """

    objects: int = 0

    name: ClassVar[str] = "state"
    low: ClassVar[float] = -BOUND
    high: ClassVar[float] = BOUND
    dtype: ClassVar[type[np.generic]] = np.float32

    def __post_init__(self) -> None:
        """Check the number."""
        if isinstance(self.objects, bool) or not isinstance(self.objects, int) or not 0 <= self.objects <= MOST_OBJECTS:
            raise SensorError(
                f"the state observes {self.objects!r:.30} objects; it must be a whole number from 0 to {MOST_OBJECTS}"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one car's observation."""
        return (len(ENTRIES) + len(OBJECT_ENTRIES) * self.objects,)

    def observe(self, world: World, out: NDArray[np.float32]) -> None:
        """Fill `out` (n, m, *shape) with what the cars (n, m) of `world` observe."""
        work = np.empty((3, len(ENTRIES)))
        _observe(world.cars, tuple(world.road), tuple(world.constants), work, out)
        if self.objects:
            nearest = np.empty((self.objects, len(OBJECT_ENTRIES)))
            length, width = float(world.road.s[-1]), world.car.width
            _observe_objects(world.cars, world.things, world.road.half_width, length, width, nearest, out)


@lean
def _observe(cars: Any, lines: Any, constants: Any, work: Any, out: NDArray[np.float32]) -> None:
    # Numba takes plain tuples from Python three times as fast as named ones.
    road = Road(*lines)
    car: Any = CarConstants(*constants)
    center, half_width, line = road.center, road.half_width, road.ahead
    count = line.shape[0] - 1
    # All entries are divided in one loop, and all places: then the compiler does several divisions at once.
    seen, scale, places = work[0], work[1], work[2]
    scale[:6] = SPEED_SCALE, LATERAL_SCALE, YAW_RATE_SCALE, car.max_steering, car.max_steering, SPEED_SCALE
    for n in range(AHEAD_M.shape[0]):
        scale[10 + 2 * n] = scale[11 + 2 * n] = AHEAD_M[n]
    for i in range(cars.shape[0]):
        for j in range(cars.shape[1]):
            state = cars[i, j]
            c, s = cos(state.heading), sin(state.heading)
            k = state.segment
            dx, dy = center[k + 1, 0] - center[k, 0], center[k + 1, 1] - center[k, 1]
            half = at_row(half_width, k, state.share)
            seen[0], seen[1], seen[2] = state.speed, state.lateral_speed, state.yaw_rate
            seen[3], seen[4], seen[5] = state.steering_angle, state.steering_command, state.speed_command
            seen[6], scale[6] = state.offset, half
            seen[7], scale[7] = half, 1.0
            seen[8], seen[9] = s * dx - c * dy, c * dx + s * dy
            scale[8] = scale[9] = distance(dx, dy)
            x, y = state.front_x, state.front_y
            for n in range(AHEAD_M.shape[0]):
                places[n] = (state.s + AHEAD_M[n]) / road.ahead_spacing
            for n in range(AHEAD_M.shape[0]):
                whole = int(places[n])
                share = places[n] - whole
                if whole >= count:
                    whole %= count
                px = line[whole, 0] + share * (line[whole + 1, 0] - line[whole, 0]) - x
                py = line[whole, 1] + share * (line[whole + 1, 1] - line[whole, 1]) - y
                seen[10 + 2 * n], seen[11 + 2 * n] = c * px + s * py, c * py - s * px
            for n in range(len(seen)):
                out[i, j, n] = min(BOUND, max(-BOUND, float(np.float32(seen[n] / scale[n]))))


@lean
def _observe_objects(
    cars: Any, things: Any, half_width: Any, length: float, width: float, nearest: Any, out: Any
) -> None:
    """Fill the entries of objects, which come last.

    Args:
        cars, things, out: (n, m), (n, b) and (n, m, entries).
        half_width: of the road.
        length: of the track, m.
        width: of a car, m.
        nearest: (k, 4) to work on: the entries of each of the nearest objects, not yet scaled.
    """
    first = out.shape[2] - nearest.size
    for i in range(cars.shape[0]):
        for j in range(cars.shape[1]):
            state = cars[i, j]
            half = at_row(half_width, state.segment, state.share)
            for k in range(len(nearest)):
                nearest[k, 0] = SEEN_M
                nearest[k, 1] = nearest[k, 2] = nearest[k, 3] = 0.0
            for b in range(things.shape[1]):
                one = things[i, b]
                gap = ring_gap(one.s - state.s, length)
                _insert(nearest, gap, one.offset - state.offset, one.speed - state.speed, one.width)
            for k in range(cars.shape[1]):
                other = cars[i, k]
                if k != j and other.held < GONE:
                    gap = ring_gap(other.s - state.s, length)
                    _insert(nearest, gap, other.offset - state.offset, other.speed - state.speed, width)
            at = first
            for k in range(len(nearest)):
                out[i, j, at] = np.float32(nearest[k, 0] / SEEN_M)
                out[i, j, at + 1] = np.float32(min(BOUND, max(-BOUND, nearest[k, 1] / half)))
                out[i, j, at + 2] = np.float32(nearest[k, 2] / SPEED_SCALE)
                out[i, j, at + 3] = np.float32(nearest[k, 3] / WIDTH_SCALE)
                at += 4


@inlined
def _insert(nearest: Any, gap: float, across: float, faster: float, width: float) -> None:
    """Put an object in its place among the nearest, if it is one of them and not passed yet."""
    if -BESIDE_M < gap < nearest[-1, 0]:
        k = len(nearest) - 1
        while k > 0 and nearest[k - 1, 0] > gap:
            for n in range(nearest.shape[1]):
                nearest[k, n] = nearest[k - 1, n]
            k -= 1
        nearest[k, 0], nearest[k, 1], nearest[k, 2], nearest[k, 3] = gap, across, faster, width
