"""Steer towards a point ahead, slow down for bends: a driver by hand, nothing learnt.

racer asks `act(observation)` for an action 15 times a second. Its knobs are below: how fast can you make
it without training? Try:  racer evaluate my_driver --track my_track

To write a driver that learns, begin with a copy of racer's own agents/ppo.py instead.
"""

import numpy as np

NEAR = 15  # observation[15], [16]: the centre line 0.9 m ahead, forwards and to the left
FAR = 21  # observation[21], [22]: the same 2.2 m ahead; the docs of racer.env.TimeTrial list every entry
GAIN = 2.2  # how hard to steer towards the near point
CRUISE = 0.0  # speed on a straight: -1 is 0.5 m/s, +1 is 4 m/s
CAUTION = 2.0  # how much to slow down for a bend, per radian that it turns away


class Agent:
    """Maps what the car perceives to what it does; works for one car or for many at once."""

    def __init__(self, env, seed=0):
        """Take what it needs to know from the environment: this one needs nothing."""

    def act(self, observation):
        """Give (steering, speed), each from -1 to 1; steering is to the left if positive."""
        near = np.arctan2(observation[..., NEAR + 1], observation[..., NEAR])
        far = np.arctan2(observation[..., FAR + 1], observation[..., FAR])
        steering = GAIN * near
        speed = CRUISE - CAUTION * np.abs(far)
        return np.clip(np.stack([steering, speed], axis=-1), -1.0, 1.0)
