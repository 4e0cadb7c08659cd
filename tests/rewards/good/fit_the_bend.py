"""Speed as far as the bend ahead allows it."""

import math


def reward_function(params):
    points = params["waypoints"][:-1]
    i, n = params["closest_waypoints"][0], len(params["waypoints"]) - 1
    gap = params["track_length"] / n
    a, b, c = (points[(i + round(k / gap)) % n] for k in (0.2, 0.7, 1.2))
    turn = math.atan2(c[1] - b[1], c[0] - b[0]) - math.atan2(b[1] - a[1], b[0] - a[0])
    limit = min(4.0, math.sqrt(4 / max(1e-3, 2 * abs(math.remainder(turn, 2 * math.pi)))))
    if not params["all_wheels_on_track"]:
        return 1e-3
    return min(params["speed"], limit) - max(0.0, params["speed"] - limit)
