"""Near the centre and fast, as a product."""


def reward_function(params):
    near = max(0.0, 1 - 2 * params["distance_from_center"] / params["track_width"])
    return near * params["speed"] ** 2 + 1e-3
