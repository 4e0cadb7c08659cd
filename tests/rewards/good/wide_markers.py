"""Markers on the road, each times the speed."""


def reward_function(params):
    share = params["distance_from_center"] / params["track_width"]
    for limit, pay in ((0.15, 1.0), (0.3, 0.9), (0.45, 0.6)):
        if share < limit:
            return pay * params["speed"]
    return 1e-3
