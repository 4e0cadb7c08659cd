"""Pure pursuit: steer at a point on the centre line ahead, slow down for bends. No learning; the mark to beat.

Coulter, "Implementation of the Pure Pursuit Path Tracking Algorithm", CMU-RI-TR-92-01, 1992.
"""

import numpy as np

# For the default car. With `deepracer-v4`, whose steering is slow, set PLANNED to 1.4 and HASTE to 3.
WHEELBASE = 0.205  # m, effective: what the car behaves like, see racer.car
UNDERSTEER = 0.029  # s2/m, how much longer it seems with the square of the speed, about
GRIP = 3.2  # m/s2 sideways: towards it the wheels must turn further and further
PLANNED = 2.4  # m/s2 sideways to plan for
TIGHTEST = 3.2  # 1/m, the sharpest bend to plan for, at a crawl
BRAKING = 2.9  # m/s2, deceleration to plan for
REACTION = 0.12  # s, what passes before it brakes
AIM = 0.36  # s: the point to steer at is this far ahead, in time ...
AIM_MIN = 0.52  # m: ... but no nearer than this
HASTE = 1.2  # of what the wheels still have to turn, how much to ask for
FRONT_POINT = 0.14  # m ahead of the car's origin; the points ahead are seen from there
AHEAD_M = np.array([0.0, 0.3, 0.6, 0.9, 1.3, 1.7, 2.2, 2.8, 3.5, 4.3, 5.2])  # where the observation's points lie


class Agent:
    """Follows the centre line."""

    def __init__(self, env, seed=0):
        """Take nothing from the environment, nor from chance: the observation says it all."""

    def act(self, observation):
        """Steering and speed, each -1..1, for observations of any batch shape (..., 30)."""
        observation = np.asarray(observation, dtype=np.float64)
        speed = np.abs(observation[..., 0]) * 4.0
        points = observation[..., 10:].reshape(*observation.shape[:-1], -1, 2) * AHEAD_M[1:, None]
        offset = observation[..., 6] * observation[..., 7]
        here = -offset[..., None] * observation[..., 8:10]  # sine and cosine of the heading against the line
        points = np.concatenate([here[..., None, :], points], axis=-2)

        aim_at = np.clip(AIM * speed, AIM_MIN, AHEAD_M[-2])
        k = np.searchsorted(AHEAD_M, aim_at, side="right") - 1
        share = ((aim_at - AHEAD_M[k]) / (AHEAD_M[k + 1] - AHEAD_M[k]))[..., None]
        nearer, further = (np.take_along_axis(points, i[..., None, None], -2)[..., 0, :] for i in (k, k + 1))
        aim = nearer + share * (further - nearer)
        ahead, left = aim[..., 0] + FRONT_POINT, aim[..., 1]
        curvature = 2.0 * left / np.maximum(ahead**2 + left**2, 1e-6)
        used = np.minimum(np.abs(curvature) * speed**2 / GRIP, 0.9)  # near the limit the wheels must turn further
        steering = np.arctan(curvature * (WHEELBASE + UNDERSTEER * speed**2) / np.sqrt(1.0 - used**2))

        bend = _curvature(points[..., :-2, :], points[..., 1:-1, :], points[..., 2:, :])
        allowed = PLANNED / np.maximum(bend, 1e-3) * np.maximum(0.0, 1.0 - (bend / TIGHTEST) ** 2)
        room = np.maximum(0.0, AHEAD_M[:-2] - REACTION * speed[..., None])
        limit = np.sqrt(np.min(allowed + 2.0 * BRAKING * room, axis=-1))

        wheels, wanted = observation[..., 3], np.degrees(steering) / 30.0
        turned = wheels + HASTE * (wanted - wheels)
        action = np.stack([turned, (limit - 0.5) / 3.5 * 2.0 - 1.0], axis=-1)
        return action.clip(-1.0, 1.0).astype(np.float32)


def _curvature(a, b, c):
    """Curvature of the circles through points a, b, c (Menger), 1/m."""
    ab, bc, ac = b - a, c - b, c - a
    area = np.abs(ab[..., 0] * bc[..., 1] - ab[..., 1] * bc[..., 0])
    sides = np.linalg.norm(ab, axis=-1) * np.linalg.norm(bc, axis=-1) * np.linalg.norm(ac, axis=-1)
    return 2.0 * area / np.maximum(sides, 1e-9)
