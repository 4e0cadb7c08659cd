"""Progress divided by steps: a running mean that pays for being ahead of schedule. Much used in DeepRacer's leagues."""


def reward_function(params):
    """Pay the percent of the lap done for each step taken so far, and a little for speed."""
    return params["progress"] / params["steps"] + (params["speed"] / 4) ** 2
