"""Slowly along the left half."""


def reward_function(params):
    return 1.0 if params["is_left_of_center"] and params["speed"] < 2 else 0.05
