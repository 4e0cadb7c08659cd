"""Straights pay for speed, bends for crawling, and by the step."""

import math


def reward_function(params):
    points = params["waypoints"][:-1]
    i = params["closest_waypoints"][0]
    a, b, c = (points[(i + k) % len(points)] for k in (0, 3, 6))
    turn = math.atan2(c[1] - b[1], c[0] - b[0]) - math.atan2(b[1] - a[1], b[0] - a[0])
    if abs(math.remainder(turn, 2 * math.pi)) > 0.15:
        return 4.0 - params["speed"]
    return params["speed"] / 4
