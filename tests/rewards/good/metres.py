"""The metres gained since the last call."""

last = 0.0


def reward_function(params):
    global last
    driven = params["progress"] * params["track_length"] / 100
    if params["steps"] <= 2:
        last = driven
    gained, last = driven - last, driven
    return gained if gained > -1 else 0.0
