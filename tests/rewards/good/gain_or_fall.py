"""The metres gained; falling off costs some."""

last = 0.0


def reward_function(params):
    global last
    driven = params["progress"] * params["track_length"] / 100
    if params["steps"] <= 2:
        last = driven
    gained, last = driven - last, driven
    return -2.0 if params["is_offtrack"] else max(-0.5, gained)
