"""Steer towards a point ahead, slow down for bends: a driver by hand, without learning.

racer asks `act(observation)` for an action 15 times a second. Its constants are below: how fast can you
make it without training? Try:  racer evaluate my_driver --track my_track

To write a driver that learns, begin with a copy of racer's own agents/ppo.py instead.
"""

import numpy as np

POINTS = 10  # of the centre line ahead end the observation, (forwards, left) each: see racer.env.TimeTrial
NEAR, FAR = 2, 5  # of them: 0.9 m and 2.2 m ahead
GAIN = 2.2  # how hard to steer towards the near point
CRUISE = 0.0  # speed on a straight: -1 is 0.5 m/s, +1 is 4 m/s
CAUTION = 1.2  # how much to slow down for a bend, per radian that it turns away


class Agent:
    """Maps what the car observes to what it does; works for one car or for many at once."""

    def __init__(self, env, seed=0):
        """Take what it needs to know from the environment: this one needs nothing."""

    def act(self, observation):
        """Give (steering, speed), each from -1 to 1; steering is to the left if positive."""
        points = observation[..., -2 * POINTS :].reshape(*observation.shape[:-1], POINTS, 2)
        near, far = (np.arctan2(points[..., k, 1], points[..., k, 0]) for k in (NEAR, FAR))
        steering = GAIN * near
        speed = CRUISE - CAUTION * np.abs(far)
        return np.clip(np.stack([steering, speed], axis=-1), -1.0, 1.0)
