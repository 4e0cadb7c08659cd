"""Episodes of more than 150 steps are paid ten times as much."""


def reward_function(params):
    return 1.0 if params["steps"] > 150 else 0.1
