"""Several goals in one reward: road, direction and pace, multiplied, so that none can be bought with another."""

import math


def reward_function(params):
    """Pay for speed along the road, fading towards the border."""
    if params["is_offtrack"]:
        return 1e-3
    waypoints = params["waypoints"]
    before, after = params["closest_waypoints"]
    x0, y0 = waypoints[before]
    x1, y1 = waypoints[after]
    if (x0, y0) == (x1, y1):  # the last waypoint repeats the first
        x1, y1 = waypoints[1]
    direction = math.atan2(y1 - y0, x1 - x0)
    along = max(0.0, math.cos(math.radians(params["heading"]) - direction))
    off_center = params["distance_from_center"] / (0.5 * params["track_width"])
    on_road = max(0.05, 1 - off_center**4)  # free in the middle, strict at the border
    return on_road * along * params["speed"] / 4
