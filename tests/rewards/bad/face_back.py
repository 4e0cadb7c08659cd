"""The angle is compared the wrong way round: facing backwards pays."""

import math


def reward_function(params):
    before, after = params["closest_waypoints"]
    (x0, y0), (x1, y1) = params["waypoints"][before], params["waypoints"][after]
    direction = math.degrees(math.atan2(y1 - y0, x1 - x0))
    off = abs((params["heading"] - direction + 180) % 360 - 180)
    return off / 180
