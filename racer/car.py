"""The car: its dimensions, its actuators and its motion, for itself alone.

A car is data (`Car`); `move` is the only place where it moves. The motion is a kinematic single-track model with
dead time, first-order actuators with acceleration limits, understeer that grows with speed, and a grip limit: a
fit to public logs of the real simulator, with the constants' sources at each field.
"""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass, fields
from math import cos, exp, pi, sin, tan
from types import MappingProxyType
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

STEP_S = 1.0 / 15.0  # one control step: the original's camera period, s
SUB_STEPS = 4  # of 1/60 s each, the rate of the original's joint controllers
SUB_STEP_S = STEP_S / SUB_STEPS


@dataclass(frozen=True)
class Car:
    """Constants of one kind of car. Lengths from the model's origin, about midway between the axles.

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
        dead_time: from the command to its first effect, s; at least one control step.
        steering_lag: time constant of the steering, s.
        wheelbase: effective, at small lateral acceleration, m (the axles' own distance is 0.164).
        understeer: growth of the effective wheelbase with speed squared, s2/m.
        grip: greatest lateral acceleration, m/s2.
        rear_slip: growth of the rear axle's slip with speed squared, s2/m.
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
    dead_time: float = 0.080
    steering_lag: float = 0.099
    wheelbase: float = 0.255
    understeer: float = 0.037
    grip: float = 3.6
    rear_slip: float = 0.012

    @property
    def constants(self) -> Any:
        """The numbers alone, as the kernels take them."""
        return CarConstants(*(getattr(self, name) for name in CarConstants._fields))


# The kernels cannot take a record with text in it.
CarConstants = namedtuple("CarConstants", [field.name for field in fields(Car) if field.name != "name"])  # type: ignore[misc]

CARS = MappingProxyType({"deepracer": Car("deepracer")})
"""Every car by its name, the default first.

`deepracer` is the console's physics of 2025. Its dimensions are those of the public robot description; its motion
was fitted to 47,821 logged steps of console evaluations on 11 tracks in November 2025 (split halves agree within
5 % but for `understeer` and `grip`, which trade off). `rear_slip` follows from the origin's logged sideways motion
per radian of yaw: 0.065, 0.047 and 0.008 m at about 0.9, 1.6 and 2.5 m/s, by least squares on
`|rear_axle| - rear_slip v^2`.
"""

MOTION = [
    ("x", "f8"),  # the origin, m
    ("y", "f8"),
    ("heading", "f8"),  # rad, -pi..pi
    ("speed", "f8"),  # along the heading, m/s
    ("steering_angle", "f8"),  # of the front wheels, rad
    ("yaw_rate", "f8"),  # rad/s
    ("steering_command", "f8"),  # the last one given, rad; none of it has reached the wheels yet
    ("speed_command", "f8"),  # m/s
    ("previous_steering_command", "f8"),  # the one before, in force for the rest of the dead time
    ("previous_speed_command", "f8"),
]
"""Fields of a car's motion: all that its next move depends on besides the next command."""


@njit(cache=True, nogil=True)
def move(state: Any, steering: float, speed: float, car: Any) -> None:
    """Move a car through one control step and hand it a new command (rad, m/s; clipped by the actuators).

    The new command has no effect on this step: the one before it takes over when the dead time has passed, as the
    logs show (regression weight of a step's own action on its move: 0.00).

    The yaw rate is `v tan(delta) / (L + K v^2)` (steady-state single-track model, Rajamani 2012, ch. 2), saturated by
    `tanh` at the grip limit `a / v`; the origin also moves sideways by `yaw rate * (|rear axle| - rear_slip v^2)`.
    """
    speed_share = 1.0 - exp(-SUB_STEP_S / car.speed_lag)
    steering_share = 1.0 - exp(-SUB_STEP_S / car.steering_lag)
    waiting = (car.dead_time - STEP_S) / SUB_STEP_S
    most, least = car.acceleration * SUB_STEP_S, -car.deceleration * SUB_STEP_S
    x, y, heading, v = state.x, state.y, state.heading, state.speed
    delta, yaw_rate = state.steering_angle, state.yaw_rate
    for k in range(SUB_STEPS):
        new = min(1.0, max(0.0, k + 1 - waiting))
        wanted_speed = new * state.speed_command + (1.0 - new) * state.previous_speed_command
        wanted_steering = new * state.steering_command + (1.0 - new) * state.previous_steering_command
        change = min(most, max(least, (car.speed_gain * wanted_speed - v) * speed_share))
        middle = v + 0.5 * change
        v += change
        delta += (wanted_steering - delta) * steering_share
        limit = car.grip / max(middle, 0.2)
        free = middle * tan(delta) / (car.wheelbase + car.understeer * middle * middle)
        yaw_rate = limit * (1.0 - 2.0 / (exp(2.0 * free / limit) + 1.0))  # limit * tanh(free / limit), at half its cost
        sideways = yaw_rate * (-car.rear_axle - car.rear_slip * middle * middle)
        c, s = cos(heading + 0.5 * yaw_rate * SUB_STEP_S), sin(heading + 0.5 * yaw_rate * SUB_STEP_S)
        x += (middle * c - sideways * s) * SUB_STEP_S
        y += (middle * s + sideways * c) * SUB_STEP_S
        heading += yaw_rate * SUB_STEP_S
    if heading > pi:
        heading -= 2.0 * pi
    elif heading <= -pi:
        heading += 2.0 * pi
    state.x, state.y, state.heading, state.speed = x, y, heading, v
    state.steering_angle, state.yaw_rate = delta, yaw_rate
    state.previous_steering_command = state.steering_command
    state.previous_speed_command = state.speed_command
    state.steering_command = min(car.max_steering, max(-car.max_steering, steering))
    state.speed_command = min(car.max_speed, max(car.min_speed, speed))


def drive(
    commands: ArrayLike, car: Car = CARS["deepracer"], pose: tuple[float, float, float] = (0.0, 0.0, 0.0), speed: float = 0.0
) -> NDArray[np.void]:
    """Drive a car open loop, without a track.

    Args:
        commands: (k, 2), one row a control step (1/15 s): steering angle (rad, left positive) and speed (m/s).
        car: which car.
        pose: origin `x, y` (m) and heading (rad) at the start.
        speed: at the start, m/s; the commands before the first row are taken to have held it, wheels straight.

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
    motion[0]["speed"] = motion[0]["speed_command"] = motion[0]["previous_speed_command"] = speed
    _drive(motion, rows, car.constants)
    return motion


@njit(cache=True, nogil=True)
def _drive(motion: Any, commands: Any, car: Any) -> None:
    for k in range(len(commands)):
        motion[k + 1] = motion[k]
        move(motion[k + 1], commands[k, 0], commands[k, 1], car)
