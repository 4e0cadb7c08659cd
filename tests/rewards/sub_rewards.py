"""Built of small functions that all take `params`, weighed and summed."""
import math


def center(params):
    return max(1e-3, 1 - params["distance_from_center"] / (params["track_width"] * 0.5))


def pace(params):
    return math.pow(params["speed"] / 4.0, 2)


def ahead(params, k=4):
    w = params["waypoints"]
    i = params["closest_waypoints"][1]
    return math.degrees(math.atan2(w[(i + k) % len(w)][1] - params["y"], w[(i + k) % len(w)][0] - params["x"]))


def heading(params):
    off = abs(ahead(params) - params["heading"])
    if off > 180:
        off = 360 - off
    return 1 - off / 180


WEIGHTS = {center: 1.0, pace: 2.0, heading: 0.5}


def reward_function(params):
    return sum(weight * part(params) for part, weight in WEIGHTS.items())
