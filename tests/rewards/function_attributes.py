"""Keeps its state in itself: attributes of the function."""


def reward_function(params):
    if not hasattr(reward_function, "last") or params["steps"] < reward_function.last:
        reward_function.episodes = getattr(reward_function, "episodes", 0) + 1
    reward_function.last = params["steps"]
    return reward_function.episodes + params["progress"] / 1000
