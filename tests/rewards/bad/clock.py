"""The time is paid, so more time is better."""


def reward_function(params):
    return params["sim_time"]
