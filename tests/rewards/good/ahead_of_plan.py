"""The percent gained, and every 20 steps a prize for being ahead of 1.5 m/s."""

last = 0.0


def reward_function(params):
    global last
    if params["steps"] <= 2:
        last = params["progress"]
    gained, last = params["progress"] - last, params["progress"]
    planned = params["steps"] / (params["track_length"] / 1.5 * 15) * 100
    prize = 2.0 if params["steps"] % 20 == 0 and params["progress"] > planned else 0.0
    return max(0.0, gained) + prize
