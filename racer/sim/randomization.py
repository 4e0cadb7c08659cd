"""Randomisation: how much each episode differs from the next, so that a driver copes with conditions that change.

What is drawn depends on the car's seed, episode and step alone: a car in a batch meets what it meets alone. Everything
is off by default, and then costs nothing.
"""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass, fields
from math import ceil, pi, sqrt
from types import MappingProxyType
from typing import Any

import numpy as np

from racer.sim.car import RANGES, ROLLING, STEP_S
from racer.sim.compiled import inlined, kernel
from racer.sim.draws import BATTERY, FRICTION, LAG, MASS, OFFSET, RATE, THROTTLE, TRIM, TURN, varied
from racer.sim.projection import at_row
from racer.sim.road import Road
from racer.sim.start import place

MOST = MappingProxyType(
    {
        "light": 0.9,
        "contrast": 0.9,
        "colours": 127.0,
        "texture": 127.0,
        "field_of_view": 0.4,
        "pitch": 0.4,
        "height_m": 0.1,
        "blur": 0.3,
        "pixel_noise": 127.0,
        "lidar_noise_m": 1.0,
        "state_noise": 1.0,
        "dropped": 0.9,
        "delay": 15.0,
        "friction": 0.9,
        "mass": 0.9,
        "lag": 0.9,
        "trim": 0.3,
        "battery": 0.9,
        "throttle": 1.0,
        "rate": 0.8,
        "start_offset_m": 1.0,
        "start_heading": pi / 2.0,
        "ends": 0.9,
    }
)
"""The greatest value of each field; the least is 0."""

LEAST_GRIP = RANGES["grip"][0]  # m/s2
USUAL_MPS = 1.5  # of cars that leave the simulator
WHEELS_M = 0.15  # a car is not put down nearer to the border than this


@dataclass(frozen=True)
class Randomization:
    """What is randomised, and how widely: changes are drawn uniformly from minus to plus a value; 0 turns them off.

    Attributes:
        light: brightness of an episode's pictures, as a share.
        contrast: how far their greys are from the middle one, as a share.
        colours: greys of ground, lines, road, dashes, sky and boxes, each for itself, in levels of 0..255.
        texture: brightness of large patches of a picture at every step, in levels: reflections, shadows, carpet.
        field_of_view, pitch: of an episode's camera, rad.
        height_m: of its lens, m.
        blur: share that each pixel takes from each of its neighbours, drawn from 0 to this.
        pixel_noise: standard deviation of every pixel at every step, in levels.
        lidar_noise_m: standard deviation of every beam at every step, m (the original's is 0.01).
        state_noise: standard deviation of every entry of the state at every step.
        dropped: share of the steps at which there is no new observation.
        delay: steps by which an episode's observations come late, a whole number from 0 to this.
        friction: grip of an episode's car, as a share.
        mass: of an episode's car, as a share: the heavier, the weaker is its drive, and the softer its tyres.
        lag: of its drive and its steering, and its dead time, as a share.
        trim: angle by which its wheels stand beside the commanded one, rad.
        battery: its speed at a command, as a share.
        throttle: how far its speed follows the physical car's throttle, drawn from 0 (the command) to this. That car
            has no speed control: its software makes a throttle of a speed, by a parabola through 80 % at half the
            greatest speed of the action space.
        rate: how much shorter than 1/15 s its control steps are, as a share, drawn from 0 to this: 0.5 is 15 to 30
            pictures a second. Speeds count in steps of 1/15 s all the same, also those that a reward sees.
        start_offset_m: where an episode starts beside the centre line, m, but never so far that a wheel is off.
        start_heading: to which side the car faces there, rad.
        ends: share of what stays the same all through an episode that is at an end of its range, as often at either.
            Who learns much at the ends copes with more of what lies beyond them.

    Raises:
        ValueError: a value is not a number between 0 and that of `MOST`.
    """

    light: float = 0.0
    contrast: float = 0.0
    colours: float = 0.0
    texture: float = 0.0
    field_of_view: float = 0.0
    pitch: float = 0.0
    height_m: float = 0.0
    blur: float = 0.0
    pixel_noise: float = 0.0
    lidar_noise_m: float = 0.0
    state_noise: float = 0.0
    dropped: float = 0.0
    delay: int = 0
    friction: float = 0.0
    mass: float = 0.0
    lag: float = 0.0
    trim: float = 0.0
    battery: float = 0.0
    throttle: float = 0.0
    rate: float = 0.0
    start_offset_m: float = 0.0
    start_heading: float = 0.0
    ends: float = 0.0

    def __post_init__(self) -> None:
        """Refuse values that cannot be drawn."""
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
        return any((self.light, self.contrast, self.colours, self.field_of_view, self.pitch, self.height_m))

    def times(self, factor: float) -> Randomization:
        """With ranges that are as much wider, as far as `MOST` allows; delays in whole steps, rounded up."""
        wider = {name: min(most, factor * getattr(self, name)) for name, most in MOST.items()}
        return Randomization(**{**wider, "delay": ceil(wider["delay"]), "ends": self.ends})


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
"""A first choice for drivers that are to cope with more than one car, camera and room."""

REAL_CAR = Randomization(
    light=0.4,
    contrast=0.3,
    colours=40.0,
    texture=20.0,
    field_of_view=0.08,
    pitch=0.05,
    height_m=0.015,
    blur=0.2,
    pixel_noise=8.0,
    lidar_noise_m=0.01,
    state_noise=0.02,
    dropped=0.1,
    delay=1,
    friction=0.25,
    mass=0.15,
    lag=0.3,
    trim=0.04,
    battery=0.2,
    throttle=1.0,
    rate=0.5,
    start_offset_m=0.15,
    start_heading=0.25,
)
"""What a physical car, its camera and the rooms that it drives in may have different; `docs/real-car.md` says why."""

RANDOMIZATIONS = MappingProxyType({"off": OFF, "some": SIM_TO_REAL, "car": REAL_CAR})
"""How much a training may be randomised, by name."""

CAR_CONSTANTS = np.dtype([(constant, "f8") for constant in (*RANGES, "trim", "throttle")])
"""The constants of one car, for tables of cars that differ: its own, and `Randomization`'s trim (rad) and throttle."""

SQUARE, LINE = 2.0 * 1.0 - 4.0 * 0.8, 4.0 * 0.8 - 1.0
"""The throttle at the share x of the greatest speed is `SQUARE` x^2 + `LINE` x, and at most 1, says the car's software
(`deepracer_navigation_node.py`)."""


@inlined
def throttled(speed: float, top_speed: float, weight: float) -> float:
    """The speed (m/s) that a car is driven at whose software makes a throttle of the commanded one.

    Args:
        speed: commanded.
        top_speed: the greatest of the action space.
        weight: from 0, the command itself, to 1, the throttle's share of the greatest speed.
    """
    share = min(1.0, max(0.0, speed / top_speed))
    return speed + weight * (top_speed * min(1.0, SQUARE * share * share + LINE * share) - speed)


@kernel
def randomise(cars: Any, which: Any, road: Road, car: Any, ranges: Any, table: Any) -> None:
    """Draw each car's constants and its place at the start, for episodes that have just begun.

    Args:
        cars: (n, m) of `CAR_STATE`, put down at the start.
        which: (n,), true for the races whose cars are drawn.
        road: where they are.
        car: the constants that the draws vary.
        ranges: how widely; `Randomization.constants`.
        table: (n, m) of `CAR_CONSTANTS`, holding `car`; filled.
    """
    for i in range(cars.shape[0]):
        if which[i]:
            for j in range(cars.shape[1]):
                state, own = cars[i, j], table[i, j]
                mass = 1.0 + ranges.mass * varied(ranges, state, j, MASS)
                lag = 1.0 + ranges.lag * varied(ranges, state, j, LAG)
                friction = 1.0 + ranges.friction * varied(ranges, state, j, FRICTION)
                own.grip = max(LEAST_GRIP, own.grip * friction)
                own.rear_grip = max(LEAST_GRIP, own.rear_grip * friction)
                own.front_stiffness, own.rear_stiffness = own.front_stiffness / mass, own.rear_stiffness / mass
                own.speed_lag, own.steering_lag = own.speed_lag * mass * lag, own.steering_lag * lag
                own.dead_time = min(STEP_S, own.dead_time * lag)
                own.speed_gain *= 1.0 + ranges.battery * varied(ranges, state, j, BATTERY)
                own.trim = ranges.trim * varied(ranges, state, j, TRIM)
                own.throttle = 0.5 * ranges.throttle * (1.0 + varied(ranges, state, j, THROTTLE))
                _slow_down(own, 1.0 - 0.5 * ranges.rate * (1.0 + varied(ranges, state, j, RATE)))
                if ranges.start_offset_m > 0.0 or ranges.start_heading > 0.0:
                    room = max(0.0, at_row(road.half_width, state.segment, state.share) - WHEELS_M)
                    offset = min(room, max(-room, ranges.start_offset_m * varied(ranges, state, j, OFFSET)))
                    turn = ranges.start_heading * varied(ranges, state, j, TURN)
                    place(state, state.start_s, road, car, offset, turn)


@inlined
def _slow_down(own: Any, share: float) -> None:
    """Let a control step be a shorter time: only `share` of what happens in 1/15 s happens in it.

    All times are as much longer for the car, its speeds as much smaller, its accelerations by the square. The speed at
    which its tyres begin to roll cannot change: they are as stiff as makes it the same way at `USUAL_MPS`.
    """
    stiffness = share * sqrt((share * USUAL_MPS) ** 2 + ROLLING**2) / sqrt(USUAL_MPS**2 + ROLLING**2)
    own.speed_gain, own.speed_offset = own.speed_gain * share, own.speed_offset * share
    own.front_stiffness, own.rear_stiffness = own.front_stiffness * stiffness, own.rear_stiffness * stiffness
    own.grip, own.rear_grip = own.grip * share * share, own.rear_grip * share * share
    own.speed_lag, own.steering_lag = own.speed_lag / share, own.steering_lag / share
    own.dead_time = min(STEP_S, own.dead_time / share)
