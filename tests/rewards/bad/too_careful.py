"""Full pay up to 1.5 m/s, then less and less."""

import math


def reward_function(params):
    near = 1 - params["distance_from_center"] / params["track_width"]
    return near * math.exp(-2 * max(0.0, params["speed"] - 1.5))
