"""The square of the speed, on the road."""


def reward_function(params):
    return params["speed"] ** 2 if params["all_wheels_on_track"] else 1e-3
