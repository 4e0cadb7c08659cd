"""Facing along the road gates the pay for speed."""

import math


def reward_function(params):
    before, after = params["closest_waypoints"]
    (x0, y0), (x1, y1) = params["waypoints"][before], params["waypoints"][after]
    direction = math.degrees(math.atan2(y1 - y0, x1 - x0))
    off = abs((params["heading"] - direction + 180) % 360 - 180)
    if (x0, y0) == (x1, y1):
        off = 0
    return params["speed"] if off < 35 and params["all_wheels_on_track"] else 1e-3
