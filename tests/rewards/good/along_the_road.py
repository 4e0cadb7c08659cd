"""The part of the speed that leads along the road."""

import math


def reward_function(params):
    before, after = params["closest_waypoints"]
    (x0, y0), (x1, y1) = params["waypoints"][before], params["waypoints"][after]
    if (x0, y0) == (x1, y1):
        x1, y1 = params["waypoints"][1]
    direction = math.atan2(y1 - y0, x1 - x0)
    return params["speed"] * math.cos(math.radians(params["heading"]) - direction)
