"""Saved with a byte order mark."""


def reward_function(params):
    return params["speed"] / 4
