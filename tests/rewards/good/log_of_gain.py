"""The logarithm of one plus the metres gained, tenfold."""

import math

last = 0.0


def reward_function(params):
    global last
    driven = params["progress"] / 100 * params["track_length"]
    if params["steps"] <= 2:
        last = driven
    gained, last = max(0.0, driven - last), driven
    return 10 * math.log1p(gained)
