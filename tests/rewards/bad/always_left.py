"""Steering to the left is paid, whatever the road does."""


def reward_function(params):
    return max(0.0, params["steering_angle"]) / 30 + 1e-3
