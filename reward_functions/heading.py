"""Point along the road: compare the car's heading with the direction between the waypoints around it."""

import math


def reward_function(params):
    """Pay up to 1 for facing along the track, nothing from 60 degrees off."""
    waypoints = params["waypoints"]
    before, after = params["closest_waypoints"]
    x0, y0 = waypoints[before]
    x1, y1 = waypoints[after]
    if (x0, y0) == (x1, y1):  # the last waypoint repeats the first
        x1, y1 = waypoints[1]
    direction = math.degrees(math.atan2(y1 - y0, x1 - x0))
    off = abs(direction - params["heading"])
    off = min(off, 360 - off)  # 359 degrees off is 1 degree off
    return max(1e-3, 1 - off / 60)
