"""Follow the gap: drive where the LIDAR sees the most room. No map, no learning.

After Sezer and Gokasan, "A novel obstacle avoidance algorithm: Follow the Gap Method", Robotics and Autonomous Systems
60, 2012. The car has a width: room is what a corridor of that width has, in each direction.
"""

import numpy as np

WIDTH = 0.30  # m, of the corridor: the car and some room beside it
REACH = 3.0  # m, how far the LIDAR sees
BEAMS = np.linspace(-2.61799, 2.61799, 64)  # rad, directions of the beams, from right to left
WAYS = np.linspace(-1.2, 1.2, 49)  # rad, directions that are tried
STRAIGHT = 0.25  # m of room that a radian of turning must be worth
GAIN = 1.3  # steering for each radian to the gap
BRAKING = 1.3  # m/s2, deceleration to plan for
SIDEWAYS = 1.8  # m/s2 sideways to plan for
WHEELBASE = 0.3  # m


class Agent:
    """Follows the gap."""

    sensors = (f"LIDAR:blind=rear:clip_m={REACH:g}",)

    def __init__(self, env, seed=0):
        """Take nothing from the environment, nor from chance: the LIDAR says it all."""

    def act(self, observation):
        """Steering and speed, each -1..1, for distances of any batch shape (..., 64)."""
        distance = np.asarray(observation["LIDAR"], dtype=np.float64)[..., None, :]
        away = BEAMS - WAYS[:, None]
        along, across = distance * np.cos(away), distance * np.sin(away)
        clear = (np.abs(across) >= WIDTH / 2) | (along <= 0.0) | (distance >= REACH - 1e-3)
        room = np.where(clear, REACH, along).min(axis=-1)
        best = np.argmax(room - STRAIGHT * np.abs(WAYS), axis=-1)
        way = WAYS[best]
        steering = np.clip(GAIN * way, -0.52, 0.52)
        most = np.sqrt(2.0 * BRAKING * np.maximum(0.0, np.take_along_axis(room, best[..., None], -1)[..., 0] - 0.3))
        bend = np.abs(np.tan(steering)) / WHEELBASE
        speed = np.minimum(most, np.sqrt(SIDEWAYS / np.maximum(bend, 1e-3)))
        action = np.stack([np.degrees(steering) / 30.0, (speed - 0.5) / 3.5 * 2.0 - 1.0], axis=-1)
        return action.clip(-1.0, 1.0).astype(np.float32)
