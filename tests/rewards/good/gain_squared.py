"""The square of the percent gained: speed counts twice."""

last = 0.0


def reward_function(params):
    global last
    if params["steps"] <= 2:
        last = params["progress"]
    gained, last = max(0.0, params["progress"] - last), params["progress"]
    return gained**2
