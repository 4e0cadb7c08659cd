"""Steering itself is paid."""


def reward_function(params):
    return abs(params["steering_angle"]) / 30 if params["all_wheels_on_track"] else 1e-3
