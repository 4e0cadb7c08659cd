"""Only punishments: the way out is off the road."""


def reward_function(params):
    return -2.0 + params["speed"] / 4 - params["distance_from_center"] / params["track_width"]
