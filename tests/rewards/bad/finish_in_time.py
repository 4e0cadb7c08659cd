"""Only the lap time, at the finish."""


def reward_function(params):
    return 1000.0 / params["steps"] if params["progress"] == 100 else 1e-3
