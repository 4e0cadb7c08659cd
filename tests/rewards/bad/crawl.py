"""Slowness pays: a full stop in all but name."""


def reward_function(params):
    return max(1e-3, 1 - params["speed"] / 4) if params["all_wheels_on_track"] else 1e-3
