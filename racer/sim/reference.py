"""Which physics this is: digests of a short reference race, driven here.

What racer computes depends on its source, and in the last bits on the machine's sine, cosine and tangent. So two
digests tell it: one of the motion to a micrometre, the same wherever the physics is the same, and one of every bit.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import NamedTuple

import numpy as np

from racer.sim.rules import Rules
from racer.sim.world import World
from racer.track import Track

__all__ = ["PhysicsVersion", "physics_version"]

CORNERS = ((2, 1), (1, 2), (-1, 2), (-2, 1), (-2, -1), (-1, -2), (1, -2), (2, -1), (2, 1))  # m
LAP_STEPS, WILD_STEPS = 180, 120  # a lap followed along its line, then full lock at full speed, with penalties
COMPARED = (
    *("x", "y", "heading", "speed", "lateral_speed", "yaw_rate", "steering_angle", "s", "offset", "distance"),
    *("wheels_on_track", "status", "laps", "lap_time", "held"),
)
APART = 20  # steps between two looks at the motion


class PhysicsVersion(NamedTuple):
    """Digests of the reference race: of its motion to a micrometre, and of all its bits."""

    motion: str
    bits: str


@cache
def physics_version() -> PhysicsVersion:
    """Drive the reference race (a few milliseconds, once in a process) and give its digests."""
    line = np.array(CORNERS, dtype=np.float64)  # exact on every machine, as a circle would not be
    world = World(Track("reference", line, line * 0.75, line * 1.25), rules=Rules("line", 1000, penalty_s=0.2))
    world.seed(0)
    world.reset()
    car, gained = world.cars[0, 0], np.zeros((1, 1))
    motion, bits = hashlib.sha256(), hashlib.sha256()
    before = 0.0
    for step in range(LAP_STEPS + WILD_STEPS):
        offset = float(car["offset"])
        command = (9.0 - 40.0 * offset - 300.0 * (offset - before), 1.5)
        if step >= LAP_STEPS:
            command = (30.0 if step // 15 % 2 else -30.0, 4.0)
        before = offset
        world.step(np.array([[command]]), gained)
        values = np.array([float(car[name]) for name in COMPARED])
        bits.update(values.tobytes())
        if step % APART == 0:
            motion.update(np.rint(values * 1e6).astype("<i8").tobytes())
    return PhysicsVersion(motion.hexdigest()[:16], bits.hexdigest()[:16])
