"""Pure pursuit: steer at a point on the centre line ahead, slow down for bends. No learning; the mark to beat.

Coulter, "Implementation of the Pure Pursuit Path Tracking Algorithm", CMU-RI-TR-92-01, 1992.
"""

import numpy as np

WHEELBASE = 0.258  # m, effective: what the car behaves like, see racer.car
UNDERSTEER = 0.037  # s2/m, how much longer it seems with the square of the speed
FRONT_POINT = 0.14  # m ahead of the car's origin; the points ahead are seen from there
GRIP = 3.6  # m/s2, the most the car can hold sideways ...
PLANNED = 1.8  # m/s2, ... and what to plan for
BRAKING = 1.3  # m/s2, deceleration to plan for
AHEAD_M = np.array([0.3, 0.6, 0.9, 1.3, 1.7, 2.2, 2.8, 3.5, 4.3, 5.2])  # where the observation's points lie
AIM = 0.6  # s: the point to steer at is this far ahead, in time ...
AIM_MIN = 0.7  # m: ... but no nearer than this


class Agent:
    """Follows the centre line."""

    def __init__(self, env, seed=0):
        """Take nothing from the environment, nor from chance: the observation says it all."""

    def act(self, observation):
        """Steering and speed, each -1..1, for observations of any batch shape (..., 30)."""
        observation = np.asarray(observation, dtype=np.float64)
        speed = observation[..., 0] * 4.0
        points = observation[..., 10:].reshape(*observation.shape[:-1], len(AHEAD_M), 2) * AHEAD_M[:, None]

        aim_at = np.clip(AIM * speed, AIM_MIN, AHEAD_M[-2])
        k = np.searchsorted(AHEAD_M, aim_at, side="right") - 1
        share = ((aim_at - AHEAD_M[k]) / (AHEAD_M[k + 1] - AHEAD_M[k]))[..., None]
        nearer, further = (np.take_along_axis(points, i[..., None, None], axis=-2)[..., 0, :] for i in (k, k + 1))
        aim = nearer + share * (further - nearer)
        ahead, left = aim[..., 0] + FRONT_POINT, aim[..., 1]
        curvature = 2.0 * left / np.maximum(ahead**2 + left**2, 1e-6)
        use = np.clip(curvature * speed**2 / GRIP, -0.9, 0.9)  # of the grip: near its limit more steering turns less
        more = np.arctanh(use) / np.where(np.abs(use) > 1e-6, use, 1.0)
        more = np.where(np.abs(use) > 1e-6, more, 1.0)
        steering = np.degrees(np.arctan(curvature * more * (WHEELBASE + UNDERSTEER * speed**2)))

        bend = _curvature(points[..., :-2, :], points[..., 1:-1, :], points[..., 2:, :])
        allowed = np.sqrt(PLANNED / np.maximum(bend, 1e-3))
        room = np.maximum(0.0, AHEAD_M[1:-1] - AIM * speed[..., None])  # what is left after the dead time
        limit = np.min(np.sqrt(allowed**2 + 2.0 * BRAKING * room), axis=-1)

        return np.stack([steering / 30.0, (limit - 0.5) / 3.5 * 2.0 - 1.0], axis=-1).clip(-1.0, 1.0).astype(np.float32)


def _curvature(a, b, c):
    """Curvature of the circles through points a, b, c (Menger), 1/m."""
    ab, bc, ac = b - a, c - b, c - a
    area = np.abs(ab[..., 0] * bc[..., 1] - ab[..., 1] * bc[..., 0])
    sides = np.linalg.norm(ab, axis=-1) * np.linalg.norm(bc, axis=-1) * np.linalg.norm(ac, axis=-1)
    return 2.0 * area / np.maximum(sides, 1e-9)
