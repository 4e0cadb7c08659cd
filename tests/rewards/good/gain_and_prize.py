"""The percent gained, and a prize for the lap."""

last = 0.0


def reward_function(params):
    global last
    if params["steps"] <= 2:
        last = params["progress"]
    gained, last = max(0.0, params["progress"] - last), params["progress"]
    return gained + (10 if params["progress"] == 100 else 0)
