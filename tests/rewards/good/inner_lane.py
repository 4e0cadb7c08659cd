"""Speed; a little more on the inside of the bend."""

import math


def reward_function(params):
    points = params["waypoints"][:-1]
    i = params["closest_waypoints"][0]
    a, b, c = (points[(i + k) % len(points)] for k in (0, 2, 4))
    turn = math.remainder(
        math.atan2(c[1] - b[1], c[0] - b[0]) - math.atan2(b[1] - a[1], b[0] - a[0]), 2 * math.pi
    )
    inside = (turn > 0) == params["is_left_of_center"]
    if not params["all_wheels_on_track"]:
        return 1e-3
    return params["speed"] * (1.1 if inside else 1.0)
