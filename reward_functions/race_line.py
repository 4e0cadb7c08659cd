"""Follow a race line instead of the centre line: cut the bends, use the road. The first call computes it."""

import numpy as np

MARGIN = 0.25  # metres that the line keeps from the borders
ROUNDS = 150  # of pulling the line straight

line = None


def straighten(center, room):
    """Pull a closed line straight like a rubber band, no further than `room` from the centre line."""
    points = center.copy()
    for _ in range(ROUNDS):
        points += 0.5 * (0.5 * (np.roll(points, 1, axis=0) + np.roll(points, -1, axis=0)) - points)
        away = points - center
        distance = np.hypot(away[:, 0], away[:, 1])
        points = center + away * np.minimum(1, room / np.maximum(distance, 1e-9))[:, None]
    return points


def reward_function(params):
    """Pay for being near the race line, and for speed there."""
    global line
    if line is None:
        room = max(0.0, params["track_width"] / 2 - MARGIN)
        line = straighten(np.array(params["waypoints"][:-1]), room)
    away = np.hypot(line[:, 0] - params["x"], line[:, 1] - params["y"]).min()
    near = max(0.0, 1 - away / (params["track_width"] / 2))
    return float(near * params["speed"] / 4) + 1e-3
