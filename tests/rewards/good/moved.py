"""Metres moved since the last call, as a distance of places."""

import math

place = None


def reward_function(params):
    global place
    here = params["x"], params["y"]
    if params["steps"] <= 2 or place is None:
        place = here
    moved, place = math.dist(here, place), here
    return moved if params["all_wheels_on_track"] else 0.0
