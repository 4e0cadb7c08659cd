"""The cube of the speed, in the inner two thirds of the road."""


def reward_function(params):
    inner = params["distance_from_center"] < params["track_width"] / 3
    return params["speed"] ** 3 / 64 if inner else 1e-3
