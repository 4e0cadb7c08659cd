"""A soft step at 2 m/s."""

import math


def reward_function(params):
    return 1 / (1 + math.exp(-2 * (params["speed"] - 2))) if params["all_wheels_on_track"] else 0.0
