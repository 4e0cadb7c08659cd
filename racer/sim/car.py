"""The car: its dimensions, its actuators and its motion, for itself alone.

A car is data (`Car`); `move` is the only place where it moves. Below the limit it follows the public logs of
the real simulator; beyond it the tyres slide: the car runs wide or spins. `docs/fidelity.md` has the figures.
"""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from math import cos, exp, pi, sin, sqrt, tan
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from racer.sim.compiled import inlined, lean

STEP_S = 1.0 / 15.0  # one control step: the original's camera period, s
SUB_STEPS = 4  # of 1/60 s each, the rate of the original's joint controllers
SUB_STEP_S = STEP_S / SUB_STEPS
CREEP = 0.01  # m/s, the least rolling speed that slip is measured against: a standing wheel has slip too


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
        speed_gain: steady speed over commanded speed.
        speed_lag: time constant of the drive, s.
        acceleration, deceleration: the drive's limits, m/s2.
        dead_time: from a command to its first effect, s; less than a control step.
        steering_lag: time constant of the steering, s.
        wheelbase: effective, at walking pace, m. It is longer than the distance of the axles: four wheels of
            one speed, the front ones of one angle, scrub in a bend and push the car straight on.
        front_stiffness, rear_stiffness: an axle's sideways force per radian of slip while that is small, for
            the mass that it carries, m/s2.
        grip, rear_grip: what the sideways force of the front and of the rear axle tends to as the axle slides, for
            the mass that it carries, wheels straight, m/s2. Turned wheels hold less; a steady bend takes some 60 %.

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
    speed_gain: float = 1.022
    speed_lag: float = 0.175
    acceleration: float = 2.87
    deceleration: float = 3.90
    dead_time: float = 0.0133
    steering_lag: float = 0.065
    wheelbase: float = 0.252
    front_stiffness: float = 23.9
    rear_stiffness: float = 83.0
    grip: float = 6.5
    rear_grip: float = 4.4

    def __post_init__(self) -> None:
        """Refuse what could not drive."""
        for constant, (least, most) in RANGES.items():
            value = getattr(self, constant)
            if isinstance(value, bool) or not isinstance(value, float | int) or not least <= value <= most:
                shown = f"{value:g}" if isinstance(value, float) else repr(value)
                raise ValueError(f"{constant} is {shown}; it must be a number from {least:g} to {most:g}")
        if self.min_speed > self.max_speed:
            raise ValueError(f"min_speed is {self.min_speed:g}, above the max_speed of {self.max_speed:g}")

    @property
    def understeer(self) -> float:
        """Growth of the effective wheelbase with the square of the speed, far below the limit, s2/m."""
        axles = self.front_axle - self.rear_axle
        return self.wheelbase / axles * (1.0 / self.front_stiffness - 1.0 / self.rear_stiffness)

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
        "speed_lag": (0.001, 5.0),
        "acceleration": (0.1, 50.0),
        "deceleration": (0.1, 50.0),
        "dead_time": (0.0, STEP_S),
        "steering_lag": (0.001, 5.0),
        "wheelbase": (0.08, 3.0),
        "front_stiffness": (1.0, 1000.0),
        "rear_stiffness": (1.0, 1000.0),
        "grip": (0.5, 50.0),
        "rear_grip": (0.5, 50.0),
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
            speed_gain=1.038,
            speed_lag=0.1625,
            acceleration=3.17,
            deceleration=3.60,
            dead_time=0.0,
            steering_lag=0.456,
            wheelbase=0.229,
            front_stiffness=58.8,
            rear_stiffness=150.0,
            grip=3.94,
            rear_grip=4.4,
        ),
    }
)
"""Every car by its name, the default first. Dimensions of both: the public robot description (axles, wheels,
collision rectangle, limits of steering and speed).

`deepracer`: the console's physics of 2025. Gain, lag and limits of the drive and the dead time: fitted to
47,821 logged steps of console evaluations on 11 tracks in November 2025 (dead time 0.080 s counted from the
row before the command: less one control step). Wheelbase, front stiffness and the loss of grip by steering:
least squares on the steady curvatures at 30 degrees in these logs (2.17, 1.82, 1.10 1/m at 0.63, 0.95, 1.5
m/s) and on their fit at 5 to 20 degrees. Rear stiffness: the origin's sideways motion per radian of yaw (0.065,
0.047, 0.008 m at about 0.9, 1.6, 2.5 m/s). Steering lag: the yaw rate's answer to a step of the steering (0.20,
0.60, 0.78, 0.86, 0.91 after 1 to 5 steps), of which the lag is one part and the car's inertia the other. Grip of
both axles: chosen, between what these logs demand and the league's best laps; `docs/fidelity.md` defends it.

`deepracer-v4`: the physics of 2021 and 2022 (model version 4), with its slow steering. Fitted to 4,520 logged
steps (`benchmarks/calibrate.py`); rear stiffness from the sideways motion as above (0.080, 0.073, 0.04 m), rear
grip as the other car's.
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
OLD_STEERING, OLD_WANTED, FRONT, REAR, TANGENT, MIDDLE = range(len(MOTION), len(MOTION) + 6)
ROWS = MIDDLE + 1


@lean
def move(cars: Any, car: Any, now: NDArray[np.float64]) -> None:
    """Find the motion of cars after one control step with a new command (clipped by the actuators).

    The command before stays in force for the dead time. The drive follows its command with a lag and limited
    acceleration, the steering with a lag.

    A single-track car (Rajamani 2012, ch. 2) whose mass sits over its axles (yaw inertia m a b), so that each
    axle is pushed sideways by its own tyres alone: with `v` along the car, `p` and `q` the sideways speeds of
    the front and the rear axle, `u` that of the origin, and the yaw rate `w = (p - q) / (a + b)`,

        p' = F - v w,   q' = R - v w,   v' = drive + w u - F t b / (a + b),
        F = -C slip / sqrt(v^2 + (C slip / G)^2),   slip = p - v t,   t = tan(delta) (a + b) / wheelbase,

    and R alike with the slip q. C is the axle's stiffness; G its grip, in front times cos(delta)^6. Wheels
    that slide sideways push less: the drive's acceleration is multiplied by v / sqrt(...), the mean of both
    axles.

    A sub-step takes `C / sqrt(...)` as it is and solves for the new p and q, which can neither overshoot nor
    blow up, however stiff the tyres are at low speed; at a crawl it is the kinematic model of that wheelbase.

    Args:
        cars: (k,) records with the fields of `MOTION`; `take` then writes the new motion into them.
        car: their constants.
        now: (`ROWS`, k or more). The rows `STEERING` (rad) and `WANTED` (m/s) hold the commands; the first rows are
            filled with the new motion, in the order of `MOTION`.
    """
    a, b = car.front_axle, -car.rear_axle
    on_front, on_rear, per_axles = b / (a + b), a / (a + b), 1.0 / (a + b)
    speed_share = 1.0 - exp(-SUB_STEP_S / car.speed_lag)
    steering_share = 1.0 - exp(-SUB_STEP_S / car.steering_lag)
    waiting = car.dead_time / SUB_STEP_S
    most, least = car.acceleration * SUB_STEP_S, -car.deceleration * SUB_STEP_S
    stiff_front, stiff_rear = car.front_stiffness / car.grip, car.rear_stiffness / car.rear_grip
    geared = (a + b) / car.wheelbase
    count = len(cars)
    for i in range(count):
        state = cars[i]
        now[X, i], now[Y, i], now[HEADING, i] = state.x, state.y, state.heading
        now[SPEED, i], now[SIDEWAYS, i], now[YAW_RATE, i] = state.speed, state.lateral_speed, state.yaw_rate
        now[FRONT, i], now[REAR, i] = state.lateral_speed + a * state.yaw_rate, state.lateral_speed - b * state.yaw_rate
        now[DELTA, i] = state.steering_angle
        now[OLD_STEERING, i], now[OLD_WANTED, i] = state.steering_command, state.speed_command
        now[STEERING, i] = min(car.max_steering, max(-car.max_steering, now[STEERING, i]))
        now[WANTED, i] = min(car.max_speed, max(car.min_speed, now[WANTED, i]))
    for k in range(SUB_STEPS):
        new = min(1.0, max(0.0, k + 1 - waiting))
        # Short loops over all cars: the compiler computes several cars at once in those without tan, cos and sin.
        for i in range(count):
            old = now[OLD_STEERING, i]
            now[DELTA, i] += (old + new * (now[STEERING, i] - old) - now[DELTA, i]) * steering_share
        for i in range(count):
            now[TANGENT, i] = tan(now[DELTA, i])
        for i in range(count):
            v, front, rear, tangent = now[SPEED, i], now[FRONT, i], now[REAR, i], now[TANGENT, i]
            sideways, yaw_rate = now[SIDEWAYS, i], now[YAW_RATE, i]
            turn = tangent * geared

            scrub = 1.0 + tangent * tangent  # 1 / cos^2
            slip_front = stiff_front * scrub * scrub * scrub * (front - v * turn)
            slip_rear = stiff_rear * rear
            rolling = v * v + CREEP * CREEP
            hold_front = 1.0 / sqrt(rolling + slip_front * slip_front)
            hold_rear = 1.0 / sqrt(rolling + slip_rear * slip_rear)

            push = most * 0.5 * sqrt(rolling) * (hold_front + hold_rear)
            wanted = now[OLD_WANTED, i] + new * (now[WANTED, i] - now[OLD_WANTED, i])
            change = min(push, max(least, (car.speed_gain * wanted - v) * speed_share))
            middle = v
            v += change + yaw_rate * sideways * SUB_STEP_S

            outwards = v * yaw_rate * SUB_STEP_S
            hold_front *= car.front_stiffness * SUB_STEP_S
            hold_rear *= car.rear_stiffness * SUB_STEP_S
            front = (front + hold_front * v * turn - outwards) / (1.0 + hold_front)
            rear = (rear - outwards) / (1.0 + hold_rear)
            v += hold_front * (front - v * turn) * turn * on_front

            now[MIDDLE, i], now[SPEED, i], now[FRONT, i], now[REAR, i] = 0.5 * (middle + v), v, front, rear
            now[YAW_RATE, i] = (front - rear) * per_axles
            now[SIDEWAYS, i] = on_front * front + on_rear * rear
        for i in range(count):
            middle, sideways, yaw_rate = now[MIDDLE, i], now[SIDEWAYS, i], now[YAW_RATE, i]
            angle = now[HEADING, i] + 0.5 * yaw_rate * SUB_STEP_S
            c, s = cos(angle), sin(angle)
            now[X, i] += (middle * c - sideways * s) * SUB_STEP_S
            now[Y, i] += (middle * s + sideways * c) * SUB_STEP_S
            now[HEADING, i] += yaw_rate * SUB_STEP_S
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
    motion[0]["speed"], motion[0]["speed_command"] = speed, speed / car.speed_gain
    _drive(motion, rows, car.constants, np.empty((ROWS, 1)))
    return motion


@lean
def _drive(motion: Any, commands: Any, car: Any, now: Any) -> None:
    for k in range(len(commands)):
        now[STEERING, 0], now[WANTED, 0] = commands[k]
        move(motion[k : k + 1], car, now)
        take(motion[k + 1], now, 0)
