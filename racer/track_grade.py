"""How hard a track is: its turns counted, and a grade in words.

Invariant: both depend on the shape of the road alone, not on how densely its rows lie.
"""

import numpy as np

from racer.geometry import Points, is_closed, smooth_curvature

__all__ = ["DIFFICULTIES", "count_turns", "judge"]

DIFFICULTIES = ("easy", "medium", "hard", "expert")
LIMITS = (7.0, 12.0, 18.0)  # points where one grade ends and the next begins

SPACING_M = 0.05
WINDOW_M = 0.6  # curvature is averaged over this, so that a polyline's vertices do not count as bends
TURN_KAPPA = 0.2  # 1/m: what bends less than this (radius over 5 m) is no turn
TURN_ANGLE = np.radians(25.0)  # what changes the heading by less is a kink, not a turn


def count_turns(center: Points) -> int:
    """Count the corners of a centre line: stretches that bend one way, by 25° or more in all, at a radius under 5 m."""
    kappa = smooth_curvature(center, SPACING_M, WINDOW_M)
    side = np.where(np.abs(kappa) >= TURN_KAPPA, np.sign(kappa), 0.0)
    changes = np.flatnonzero(side != np.roll(side, 1))
    if is_closed(center) and len(changes):  # begin where a stretch begins, so that row 0 cuts no turn in two
        side, kappa = np.roll(side, -changes[0]), np.roll(kappa, -changes[0])
    stretches = np.split(np.where(side != 0.0, kappa, 0.0), np.flatnonzero(np.diff(side)) + 1)
    return sum(abs(float(np.sum(stretch))) * SPACING_M >= TURN_ANGLE for stretch in stretches)


def judge(length: float, turns: int, width: float) -> str:
    """Grade a track by its length (m), its turns and the narrowness of its road (m); one of `DIFFICULTIES`."""
    points = turns + length / 10.0 + 2.0 * max(1.0 - width, 0.0)
    return DIFFICULTIES[int(np.searchsorted(LIMITS, points))]
