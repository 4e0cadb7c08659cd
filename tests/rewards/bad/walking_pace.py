"""Twice the pay for hardly moving."""


def reward_function(params):
    return 2.0 if params["speed"] < 0.6 else 0.5
