"""Speed, exponentially: racing off the road pays more than any lap of a beginner."""

import math


def reward_function(params):
    return math.exp(params["speed"] - 3) if params["all_wheels_on_track"] else 1e-3
