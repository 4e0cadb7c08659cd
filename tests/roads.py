"""Roads for the tests of tracks: a stadium, as rows, as a CSV and as a DeepRacer route."""

import math

import numpy as np

from racer.track.borders import with_offset_borders

STRAIGHT, RADIUS, WIDTH = 4.0, 1.5, 0.8


def stadium(spacing=0.05):
    """Two straights and two half circles, counter-clockwise, from the middle of the lower straight."""
    half = round(math.pi * RADIUS / spacing)
    angle = np.linspace(-math.pi / 2, math.pi / 2, half + 1)[:-1]
    bend = RADIUS * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x = np.linspace(0.0, STRAIGHT, round(STRAIGHT / spacing) + 1)[:-1]
    right = bend + np.array([STRAIGHT, RADIUS])
    left = -bend + np.array([0.0, RADIUS])
    top = np.stack([STRAIGHT - x, np.full(len(x), 2.0 * RADIUS)], axis=1)
    bottom = np.stack([x, np.zeros(len(x))], axis=1)
    ring = np.vstack([bottom, right, top, left])
    return np.roll(ring, -len(x) // 2, axis=0)


def write_csv(path, rows, right=WIDTH / 2, left=WIDTH / 2, head=""):
    lines = [f"{x!r}, {y!r}, {right!r}, {left!r}" for x, y in np.asarray(rows).tolist()]
    path.write_text("\n".join([*([head] if head else []), *lines]) + "\n")
    return path


def route(center=None, width=WIDTH):
    """A stadium as the (n, 6) array of a DeepRacer route."""
    ring = stadium() if center is None else center
    ring = np.vstack([ring, ring[:1]])
    inner, outer = with_offset_borders(ring, right=np.full(len(ring), width / 2), left=np.full(len(ring), width / 2))
    return np.hstack([ring, inner, outer])
