"""How hard a track is: its turns counted, and its difficulty in a word.

Invariant: both depend on the shape of the road alone, not on how densely its rows lie.
"""

import math

import numpy as np

from racer.track.geometry import Points, is_closed, smooth_curvature

__all__ = ["DIFFICULTIES", "count_turns", "difficulty_of"]

DIFFICULTIES = ("easy", "medium", "hard", "expert")
LIMITS = (12.75, 19.0, 28.0)  # points between the difficulties; an oval has 7, Spain_track has 34

SPACING_M = 0.05
WINDOW_M = 0.6  # curvature is averaged over this, so that a polyline's vertices do not count as bends
TURN_KAPPA = 0.2  # 1/m: what bends less than this (radius over 5 m) is no turn
TURN_ANGLE = math.radians(25.0)  # what changes the heading by less is a kink, not a turn


def count_turns(center: Points) -> int:
    """Count the corners of a line: stretches that bend one way by 25° or more at a radius under 5 m."""
    kappa = smooth_curvature(center, SPACING_M, WINDOW_M)
    side = np.where(np.abs(kappa) >= TURN_KAPPA, np.sign(kappa), 0.0)
    changes = np.flatnonzero(side != np.roll(side, 1))
    if is_closed(center) and len(changes):  # begin where a stretch begins, so that row 0 cuts no turn in two
        side, kappa = np.roll(side, -changes[0]), np.roll(kappa, -changes[0])
    stretches = np.split(np.where(side != 0.0, kappa, 0.0), np.flatnonzero(np.diff(side)) + 1)
    return sum(abs(float(np.sum(stretch))) * SPACING_M >= TURN_ANGLE for stretch in stretches)


def difficulty_of(center: Points, length: float, width: float) -> str:
    """Derive how hard a road is from its bends, its width and its length.

    Args:
        center: Centre line, `(n, 2)` m.
        length: Its length, m.
        width: Width of the road, m.

    Returns:
        One of `DIFFICULTIES`.
    """
    kappa = smooth_curvature(center, SPACING_M, WINDOW_M)
    bending = float(np.sum(kappa**2)) * SPACING_M  # the line's bending energy: the sum of angle / radius over its turns
    points = bending / math.sqrt(width) + length / 5.0
    return DIFFICULTIES[int(np.searchsorted(LIMITS, points))]
