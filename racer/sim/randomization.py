"""Randomisation: how much each episode differs from the next, so that what is learned holds where things differ, too.

What is drawn depends on the car's seed, episode and step alone: a car in a batch meets what it meets alone. Everything
is off by default, and then costs nothing.
"""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass, fields
from math import cos, log, pi, sqrt
from types import MappingProxyType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from racer.sim.car import CARS, RANGES, ROWS, STEP_S, Car, CarConstants
from racer.sim.kernel import kernel, lean
from racer.sim.road import Road, at_row
from racer.sim.rules import Rules
from racer.sim.world import AT_ONCE, World, drive_cars, place, uniform
from racer.track import Track

MOST = MappingProxyType(
    {
        "light": 0.9,
        "colours": 127.0,
        "field_of_view": 0.4,
        "pitch": 0.4,
        "height_m": 0.1,
        "pixel_noise": 127.0,
        "lidar_noise_m": 1.0,
        "state_noise": 1.0,
        "dropped": 0.9,
        "delay": 15.0,
        "friction": 0.9,
        "mass": 0.9,
        "lag": 0.9,
        "start_offset_m": 1.0,
        "start_heading": pi / 2.0,
    }
)
"""The greatest value of each field; the least is 0."""

LEAST_GRIP = RANGES["grip"][0]  # m/s2
WHEELS_M = 0.15  # a car is not put down nearer to the border than this

# Draws below `EPISODE` are the simulation's own; those of an episode come before those of its steps.
EPISODE, DRAWS = 1 << 20, 64
STEP, STEP_DRAWS, CARS_AT_MOST = 1 << 30, 1 << 12, 1 << 8
FRICTION, MASS, LAG, ASIDE, TURN, DELAY = range(6)
PICTURE = 16  # the first draw of an episode's camera
LOST, BEAMS, ENTRIES, PIXELS = 0, 16, 1024, 2048  # the first draws of a step


@dataclass(frozen=True)
class Randomization:
    """What is drawn anew, and how widely: changes are drawn evenly from minus to plus a value; 0 turns them off.

    Attributes:
        light: brightness of an episode's pictures, as a share.
        colours: greys of ground, lines, road, dashes, sky and boxes, each for itself, in levels of 0..255.
        field_of_view, pitch: of an episode's camera, rad.
        height_m: of its lens, m.
        pixel_noise: standard deviation of every pixel at every step, in levels.
        lidar_noise_m: standard deviation of every beam at every step, m (the original's is 0.01).
        state_noise: standard deviation of every entry of the state at every step.
        dropped: share of the steps at which nothing new is perceived.
        delay: steps by which an episode's perceptions come late, a whole number from 0 to this.
        friction: grip of an episode's car, as a share.
        mass: of an episode's car, as a share: the heavier, the weaker is its drive, and the softer its tyres.
        lag: of its drive and its steering, and its dead time, as a share.
        start_offset_m: where an episode starts beside the centre line, m, but never so far that a wheel is off.
        start_heading: to which side the car faces there, rad.

    Raises:
        ValueError: a value is not a number between 0 and that of `MOST`.
    """

    light: float = 0.0
    colours: float = 0.0
    field_of_view: float = 0.0
    pitch: float = 0.0
    height_m: float = 0.0
    pixel_noise: float = 0.0
    lidar_noise_m: float = 0.0
    state_noise: float = 0.0
    dropped: float = 0.0
    delay: int = 0
    friction: float = 0.0
    mass: float = 0.0
    lag: float = 0.0
    start_offset_m: float = 0.0
    start_heading: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        for name, most in MOST.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= most:
                raise ValueError(f"{name} of a randomization is {value!r}; it must be a number from 0 to {most:.4g}")
        if self.delay != int(self.delay):
            raise ValueError(f"delay of a randomization is {self.delay}; it must be a whole number of steps")

    @property
    def constants(self) -> Any:
        """The numbers alone, as the kernels take them."""
        return Ranges(*(float(getattr(self, field.name)) for field in fields(self)))

    @property
    def of_the_picture(self) -> bool:
        """Whether cameras differ from episode to episode."""
        return any((self.light, self.colours, self.field_of_view, self.pitch, self.height_m))


Ranges = namedtuple("Ranges", [field.name for field in fields(Randomization)])  # type: ignore[misc]

OFF = Randomization()

SIM_TO_REAL = Randomization(
    light=0.3,
    colours=25.0,
    field_of_view=0.05,
    pitch=0.05,
    height_m=0.01,
    pixel_noise=4.0,
    lidar_noise_m=0.01,
    state_noise=0.02,
    dropped=0.05,
    delay=1,
    friction=0.2,
    mass=0.15,
    lag=0.3,
    start_offset_m=0.15,
    start_heading=0.2,
)
"""A start for whoever wants to drive a real car."""

NAMES: tuple[str, ...] = CarConstants._fields
KIND = np.dtype([(name, "f8") for name in NAMES])
"""Constants of one car, where cars differ."""


class VariedWorld(World):
    """A world whose cars, starts and sensors differ from episode to episode."""

    def __init__(
        self,
        track: Track,
        races: int = 1,
        cars: int = 1,
        car: Car = CARS["deepracer"],
        rules: Rules | None = None,
        threads: int = 1,
        randomization: Randomization = SIM_TO_REAL,
    ) -> None:
        """Make the world; the arguments are those of `World` and what differs."""
        super().__init__(track, races, cars, car, rules, threads)
        self.randomization = randomization
        self.kinds: NDArray[np.void] = np.zeros((races, cars), KIND)

    def reset(self, which: NDArray[np.bool_] | None = None) -> None:
        """As `World.reset`, with new cars."""
        super().reset(which)
        if which is None:
            which = np.ones(len(self.cars), dtype=np.bool_)
        self.kinds[which] = np.array(tuple(self.constants), KIND)
        _vary(self.cars, which, self.road, self.constants, self.randomization.constants, self.kinds)

    def lend(self, part: World, which: NDArray[np.bool_] | NDArray[np.intp]) -> None:
        """As `World.lend`, with their cars' differences."""
        super().lend(part, which)
        cast(VariedWorld, part).kinds = self.kinds[which]

    def take_back(self, part: World, which: NDArray[np.intp]) -> None:
        """As `World.take_back`, with their cars' differences."""
        super().take_back(part, which)
        self.kinds[which] = cast(VariedWorld, part).kinds

    def _drive(self, races: slice, commands: NDArray[np.float64], rewards: NDArray[np.float64]) -> None:
        kinds, cars = self.kinds[races], self.cars[races]
        motion = np.empty((ROWS, AT_ONCE))
        _drive_each(cars, commands[races], rewards[races], self.road, kinds, self._rules, motion)


def randomization_of(world: World) -> Randomization:
    """How the episodes of a world differ."""
    return getattr(world, "randomization", OFF)


@kernel
def spread(state: Any, car: int, draw: int) -> float:
    """A number in [-1, 1) that stays the same all through an episode; `car` is its number in the race."""
    return 2.0 * uniform(state.seed, state.episode, EPISODE + DRAWS * car + draw) - 1.0


@kernel
def chance(state: Any, car: int, draw: int) -> float:
    """A number in [0, 1) that is another one at each step; `draw` is below `STEP_DRAWS`."""
    return uniform(state.seed, state.episode, STEP + STEP_DRAWS * (CARS_AT_MOST * state.steps + car) + draw)


@kernel
def gauss(state: Any, car: int, draw: int) -> float:
    """A number of mean 0 and standard deviation 1 at each step; it takes the draws `draw` and `draw + 1`."""
    return sqrt(-2.0 * log(1.0 - chance(state, car, draw))) * cos(2.0 * pi * chance(state, car, draw + 1))


@kernel
def _vary(cars: Any, which: Any, road: Road, car: Any, ranges: Any, kinds: Any) -> None:
    for i in range(cars.shape[0]):
        if which[i]:
            for j in range(cars.shape[1]):
                state, kind = cars[i, j], kinds[i, j]
                mass, lag = 1.0 + ranges.mass * spread(state, j, MASS), 1.0 + ranges.lag * spread(state, j, LAG)
                friction = 1.0 + ranges.friction * spread(state, j, FRICTION)
                kind.grip = max(LEAST_GRIP, kind.grip * friction)
                kind.rear_grip = max(LEAST_GRIP, kind.rear_grip * friction)
                kind.acceleration, kind.deceleration = kind.acceleration / mass, kind.deceleration / mass
                kind.front_stiffness, kind.rear_stiffness = kind.front_stiffness / mass, kind.rear_stiffness / mass
                kind.speed_lag, kind.steering_lag = kind.speed_lag * mass * lag, kind.steering_lag * lag
                kind.dead_time = min(STEP_S, kind.dead_time * lag)
                if ranges.start_offset_m > 0.0 or ranges.start_heading > 0.0:
                    room = max(0.0, at_row(road.half_width, state.segment, state.share) - WHEELS_M)
                    aside = min(room, max(-room, ranges.start_offset_m * spread(state, j, ASIDE)))
                    place(state, state.start_s, road, car, aside, ranges.start_heading * spread(state, j, TURN))


@lean
def _drive_each(cars: Any, commands: Any, rewards: Any, road: Road, kinds: Any, rules: Any, motion: Any) -> None:
    for i in range(cars.shape[0]):
        for j in range(cars.shape[1]):
            here = (slice(i, i + 1), slice(j, j + 1))
            drive_cars(cars[here], commands[here], rewards[here], road, kinds[i, j], rules, motion)
