"""The car: its dimensions, its actuators and its motion, for itself alone.

A car is data (`Car`); `move` is the only place where it moves, below the limit and in a spin alike as the public logs
of the real simulator show. `docs/fidelity.md` has the figures.
"""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from math import cos, exp, pi, sin, sqrt
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from racer.sim.compiled import inlined, lean

STEP_S = 1.0 / 15.0  # one control step: the original's camera period, s
SUB_STEPS = 4  # of 1/60 s each, the rate of the original's joint controllers
SUB_STEP_S = STEP_S / SUB_STEPS
ROLLING = 1.0  # m/s: wheels that turn much faster answer to the angle at which they slip, slower ones to how fast


@dataclass(frozen=True)
class Car:
    """Constants of one type of car. Lengths from the model's origin, about midway between the axles.

    Attributes:
        name: how it is called on the command line.
        length, width: collision rectangle, centred on the origin, m.
        front_axle, rear_axle: position along the car, m.
        wheel_offset_front, wheel_offset_rear: wheel centres' distance from the middle, m.
        front_point: the point that DeepRacer's `x`, `y` and progress speak of, m ahead of the origin.
        max_steering: the actuator's stop, rad.
        min_speed, max_speed: the actuator's limits, m/s.
        speed_gain, speed_offset: the wheels turn as fast as the commanded speed times the gain plus the offset, m/s.
        speed_lag: time constant of the speed while the wheels hold, s: what the wheels push with is their slip along
            the road over this, for the mass that they carry.
        dead_time: from a command to its first effect, s; less than a control step.
        steering_lag: time constant of the steering, s.
        front_stiffness, rear_stiffness: an axle's sideways force per radian of slip while that is small, for the mass
            that it carries, m/s2.
        grip, rear_grip: what the force of the front and of the rear wheels tends to as they slide, along and across
            them alike, for the mass that they carry, m/s2.
        gyration: radius of gyration about the vertical, m.

    Raises:
        ValueError: a constant is not a number within its `RANGES`, or the least speed is above the greatest.
    """

    name: str
    length: float = 0.32352
    width: float = 0.1961
    front_axle: float = 0.082311
    rear_axle: float = -0.081663
    wheel_offset_front: float = 0.079601
    wheel_offset_rear: float = 0.08105
    front_point: float = 0.14
    max_steering: float = 30.0 * pi / 180.0
    min_speed: float = 0.1
    max_speed: float = 4.0
    speed_gain: float = 0.966
    speed_offset: float = 0.06
    speed_lag: float = 0.0717
    dead_time: float = 0.0124
    steering_lag: float = 0.001
    front_stiffness: float = 38.6
    rear_stiffness: float = 178.0
    grip: float = 3.75
    rear_grip: float = 3.27
    gyration: float = 0.1114

    def __post_init__(self) -> None:
        """Refuse what could not drive."""
        for constant, (least, most) in RANGES.items():
            value = getattr(self, constant)
            if isinstance(value, bool) or not isinstance(value, float | int) or not least <= value <= most:
                shown = f"{value:g}" if isinstance(value, float) else repr(value)
                raise ValueError(f"{constant} is {shown}; it must be a number from {least:g} to {most:g}")
        if self.min_speed > self.max_speed:
            raise ValueError(f"min_speed is {self.min_speed:g}, above the max_speed of {self.max_speed:g}")

    def wheelbase(self, speed: float) -> float:
        """Of the kinematic car that turns as tightly with little steering at a steady speed (m/s), m.

        It is longer than the distance of the axles: wheels of one speed scrub in a bend and push the car straight on.
        """
        axles = self.front_axle - self.rear_axle
        scrub = 0.5 * (self.wheel_offset_front**2 + self.wheel_offset_rear**2) / self.speed_lag
        on_front, on_rear = scrub - self.rear_axle * speed, self.front_axle * speed - scrub
        slip = sqrt(speed * speed + ROLLING * ROLLING)
        return axles + 2.0 * slip / axles * (on_front / self.front_stiffness - on_rear / self.rear_stiffness)

    @property
    def constants(self) -> Any:
        """The numbers alone, as the kernels take them."""
        return CarConstants(**{constant: float(getattr(self, constant)) for constant in RANGES})


RANGES = MappingProxyType(
    {
        "length": (0.05, 2.0),
        "width": (0.05, 2.0),
        "front_axle": (0.04, 1.0),
        "rear_axle": (-1.0, -0.04),
        "wheel_offset_front": (0.02, 1.0),
        "wheel_offset_rear": (0.02, 1.0),
        "front_point": (-1.0, 1.0),
        "max_steering": (0.05, 1.2),
        "min_speed": (0.0, 10.0),
        "max_speed": (0.1, 10.0),
        "speed_gain": (0.5, 2.0),
        "speed_offset": (0.0, 0.5),
        "speed_lag": (0.001, 5.0),
        "dead_time": (0.0, STEP_S),
        "steering_lag": (0.0001, 5.0),
        "front_stiffness": (1.0, 5000.0),
        "rear_stiffness": (1.0, 5000.0),
        "grip": (0.5, 50.0),
        "rear_grip": (0.5, 50.0),
        "gyration": (0.04, 1.0),
    }
)
"""Least and greatest value of each constant of a car: `move` is tried within them."""

# The kernels cannot take a record with text in it.
CarConstants = namedtuple("CarConstants", list(RANGES))  # type: ignore[misc]

CARS = MappingProxyType(
    {
        "deepracer": Car("deepracer"),
        "deepracer-v4": Car(
            "deepracer-v4",
            speed_gain=1.0,
            speed_lag=0.115,
            dead_time=0.0,
            steering_lag=0.465,
            front_stiffness=41.5,
            rear_stiffness=419.0,
            grip=3.58,
            gyration=0.06,
        ),
    }
)
"""Every car by its name, the default first. Dimensions of both: the public robot description (axles, wheels,
collision rectangle, limits of steering and speed). The other constants: least squares on logged steps, with the cost
of `benchmarks/calibrate.py`; `docs/fidelity.md` has the scores, and how far halves of the logs agree.

`deepracer`: the console's physics of 2025. Fitted to 17,994 steps of console evaluations in November 2025, in 113
stretches of which 14 end in a spin. Its steering follows at once: the least lag is the best.

`deepracer-v4`: the physics of 2021 and 2022 (model version 4), with its slow steering. Fitted to 4,520 steps, hardly
any of them beyond the limit; so its rear grip is the other car's.

The offset of the speed, of both: the logs of 2022, in which cars drive 1.12 times the commanded speed at 0.5 m/s, 1.05
times at 1 m/s, as commanded at 2.5 m/s. Fitted to 2025 alone it would be 0.13 m/s, with a gain of 0.93 that would keep
a car from the 4 m/s of the league's best laps.
"""

MOTION = [
    ("x", "f8"),  # the origin, m
    ("y", "f8"),
    ("heading", "f8"),  # rad, -pi..pi
    ("speed", "f8"),  # along the heading, m/s; below 0 after a spin
    ("lateral_speed", "f8"),  # of the origin to its left, m/s
    ("yaw_rate", "f8"),  # rad/s
    ("steering_angle", "f8"),  # of the front wheels, rad
    ("steering_command", "f8"),  # the last one given, rad; in force for the dead time of the next
    ("speed_command", "f8"),  # m/s
]
"""Fields of a car's motion: all that its next move depends on besides the next command."""


# Rows of what `move` works on: the fields of `MOTION`, and what its loops hand on to each other.
X, Y, HEADING, SPEED, SIDEWAYS, YAW_RATE, DELTA, STEERING, WANTED = range(len(MOTION))
OLD_STEERING, OLD_WANTED, COSINE, SINE, EAST, NORTH = range(len(MOTION), len(MOTION) + 6)
ROWS = NORTH + 1

AT_ONCE = 128  # cars that are moved together: what is worked on then stays in the processor's cache


@lean
def move(cars: Any, car: Any, now: NDArray[np.float64]) -> None:
    """Find the motion of cars after one control step with a new command (clipped by the actuators).

    The command before stays in force for the dead time. The wheels turn as fast as commanded, at once; the steering
    follows its command with a lag.

    Four wheels of one speed `U`, of which the front ones are turned, carry a quarter of the mass each. Where a wheel
    touches the ground it slides by `x` along and by `y` across itself: its place's velocity, less U along it. Along and
    across, each for itself (the friction pyramid of the Open Dynamics Engine), the ground pushes it with

        F(s) = -C s / sqrt(1 + (C s / G)^2),

    for the mass that it carries. G is the axle's grip; C is 1 / speed_lag along, and the axle's stiffness over
    sqrt(U^2 + `ROLLING`^2) across. The two
    wheels of an axle push as its middle does, and what sets them apart in a bend, by `e w` along the car on each side,
    turns the car back with `e^2 F'(s) w`. For velocities `v` along the car, `u` to its left and the yaw rate `w`,
    with the axles' pushes summed in the car's frame and the radius of gyration `k`,

        v' = sum of pushes along + u w,   u' = sum of pushes to the left - v w,   k^2 w' = sum of moments.

    So a car understeers while its wheels hold, as they scrub. Where the drive asks for more than the grip, they scrub
    no more and the front ones pull to the inside: the tail comes round.

    A sub-step takes `C / sqrt(...)` as it is, turns v and u by the yaw, and solves for the new v, u, w. Friction can
    then neither overshoot nor blow up, however stiff the tyres are.

    Args:
        cars: (k,) records with the fields of `MOTION`; `take` then writes the new motion into them.
        car: their constants.
        now: (`ROWS`, k or more). The rows `STEERING` (rad) and `WANTED` (m/s) hold the commands; the first rows are
            filled with the new motion, in the order of `MOTION`.
    """
    a, b, inertia = car.front_axle, -car.rear_axle, car.gyration * car.gyration
    side_front, side_rear = car.wheel_offset_front**2, car.wheel_offset_rear**2
    steering_share = 1.0 - exp(-SUB_STEP_S / car.steering_lag)
    waiting = car.dead_time / SUB_STEP_S
    along = 0.5 * SUB_STEP_S / car.speed_lag
    across_front, across_rear = 0.5 * SUB_STEP_S * car.front_stiffness, 0.5 * SUB_STEP_S * car.rear_stiffness
    slip_along_front, slip_across_front = 1.0 / (car.speed_lag * car.grip), car.front_stiffness / car.grip
    slip_along_rear, slip_across_rear = 1.0 / (car.speed_lag * car.rear_grip), car.rear_stiffness / car.rear_grip
    count = len(cars)
    for i in range(count):
        state = cars[i]
        now[X, i], now[Y, i], now[HEADING, i] = state.x, state.y, state.heading
        now[SPEED, i], now[SIDEWAYS, i], now[YAW_RATE, i] = state.speed, state.lateral_speed, state.yaw_rate
        now[DELTA, i] = state.steering_angle
        now[OLD_STEERING, i], now[OLD_WANTED, i] = state.steering_command, state.speed_command
        now[STEERING, i] = min(car.max_steering, max(-car.max_steering, now[STEERING, i]))
        now[WANTED, i] = min(car.max_speed, max(car.min_speed, now[WANTED, i]))
        now[EAST, i], now[NORTH, i] = cos(state.heading), sin(state.heading)
    for k in range(SUB_STEPS):
        new = min(1.0, max(0.0, k + 1 - waiting))
        # Short loops over all cars: the compiler computes several cars at once in those without cos and sin.
        for i in range(count):
            old = now[OLD_STEERING, i]
            now[DELTA, i] += (old + new * (now[STEERING, i] - old) - now[DELTA, i]) * steering_share
        for i in range(count):
            now[COSINE, i], now[SINE, i] = cos(now[DELTA, i]), sin(now[DELTA, i])
        for i in range(count):
            v, u, w, c, s = now[SPEED, i], now[SIDEWAYS, i], now[YAW_RATE, i], now[COSINE, i], now[SINE, i]
            wanted = now[OLD_WANTED, i] + new * (now[WANTED, i] - now[OLD_WANTED, i])
            wheels = car.speed_gain * wanted + car.speed_offset
            rolling = wheels * wheels + ROLLING * ROLLING
            front, rear = u + a * w, u - b * w

            slip = slip_along_front * (wheels - v * c - front * s)
            hold_x = 1.0 / sqrt(1.0 + slip * slip)
            slip = slip_across_front * (front * c - v * s)
            hold_y = 1.0 / sqrt(rolling + slip * slip)
            x, y = along * hold_x, across_front * hold_y
            scrub = side_front * (x * hold_x * hold_x * c * c + y * rolling * hold_y * hold_y * s * s)
            slip = slip_along_rear * (wheels - v)
            hold_x = 1.0 / sqrt(1.0 + slip * slip)
            slip = slip_across_rear * rear
            hold_y = 1.0 / sqrt(rolling + slip * slip)
            rear_x, rear_y = along * hold_x, across_rear * hold_y
            scrub += side_rear * rear_x * hold_x * hold_x

            # Symmetric equations in v, u, w; by elimination.
            xx, xy, yy = x * c * c + y * s * s, (x - y) * c * s, x * s * s + y * c * c
            vv, vu, vw = 1.0 + xx + rear_x, xy, a * xy
            uu, uw, ww = 1.0 + yy + rear_y, a * yy - b * rear_y, inertia + a * a * yy + b * b * rear_y + scrub
            half = 0.5 * w * SUB_STEP_S
            turn = 1.0 / (1.0 + half * half)
            cosine, sine = 2.0 * turn - 1.0, 2.0 * half * turn
            for_v = cosine * v + sine * u + (x * c + rear_x) * wheels
            for_u = cosine * u - sine * v + x * s * wheels
            for_w = inertia * w + a * x * s * wheels
            once = 1.0 / vv
            by_u, by_w = vu * once, vw * once
            uu, uw, ww = uu - by_u * vu, uw - by_u * vw, ww - by_w * vw
            for_u, for_w = for_u - by_u * for_v, for_w - by_w * for_v
            share = uw / uu
            w = (for_w - share * for_u) / (ww - share * uw)
            u = for_u / uu - share * w
            before = v
            v = for_v * once - by_u * u - by_w * w
            middle = 0.5 * (before + v)
            now[SPEED, i], now[SIDEWAYS, i], now[YAW_RATE, i] = v, u, w

            # The way leads where the car faces midway.
            half = 0.5 * w * SUB_STEP_S
            turn = 1.0 / (1.0 + half * half)
            east, north = now[EAST, i] - half * now[NORTH, i], now[NORTH, i] + half * now[EAST, i]
            step = sqrt(turn) * SUB_STEP_S
            now[X, i] += (middle * east - u * north) * step
            now[Y, i] += (middle * north + u * east) * step
            now[EAST, i] = 2.0 * turn * east - now[EAST, i]
            now[NORTH, i] = 2.0 * turn * north - now[NORTH, i]
            now[HEADING, i] += w * SUB_STEP_S
    for i in range(count):
        if now[HEADING, i] > pi:
            now[HEADING, i] -= 2.0 * pi
        elif now[HEADING, i] <= -pi:
            now[HEADING, i] += 2.0 * pi


@inlined
def take(state: Any, now: NDArray[np.float64], i: int) -> None:
    """Write the motion that `move` found in column i into a car's record."""
    state.x, state.y, state.heading, state.speed = now[X, i], now[Y, i], now[HEADING, i], now[SPEED, i]
    state.lateral_speed, state.yaw_rate, state.steering_angle = now[SIDEWAYS, i], now[YAW_RATE, i], now[DELTA, i]
    state.steering_command, state.speed_command = now[STEERING, i], now[WANTED, i]


def drive(
    commands: ArrayLike,
    car: Car = CARS["deepracer"],
    pose: tuple[float, float, float] = (0.0, 0.0, 0.0),
    speed: float = 0.0,
) -> NDArray[np.void]:
    """Drive a car open loop, without a track.

    Args:
        commands: (k, 2), one row a control step of 1/15 s: steering angle (rad, left positive), speed (m/s).
        car: which car.
        pose: origin `x, y` (m) and heading (rad) at the start.
        speed: at the start, m/s; the command before the first row is taken to have held it, wheels straight.

    Returns:
        (k + 1,) structured array with the fields of `MOTION`: row i is the motion before command i acts.

    Raises:
        ValueError: `commands` is not a finite (k, 2) array.
    """
    rows = np.asarray(commands, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != 2 or not np.isfinite(rows).all():
        raise ValueError(f"commands must be a finite (k, 2) array of steering (rad) and speed (m/s), not {rows.shape}")
    motion = np.zeros(len(rows) + 1, dtype=MOTION)
    motion[0]["x"], motion[0]["y"], motion[0]["heading"] = pose
    motion[0]["speed"], motion[0]["speed_command"] = speed, (speed - car.speed_offset) / car.speed_gain
    _drive(motion, rows, car.constants, np.empty((ROWS, 1)))
    return motion


@lean
def _drive(motion: Any, commands: Any, car: Any, now: Any) -> None:
    for k in range(len(commands)):
        now[STEERING, 0], now[WANTED, 0] = commands[k]
        move(motion[k : k + 1], car, now)
        take(motion[k + 1], now, 0)
