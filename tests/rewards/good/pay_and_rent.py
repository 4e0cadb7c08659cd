"""Metres gained, with a small rent for every step."""

last = 0.0


def reward_function(params):
    global last
    driven = params["progress"] / 100 * params["track_length"]
    if params["steps"] <= 2:
        last = driven
    gained, last = driven - last, driven
    return 5 * max(-0.2, gained) - 0.02
