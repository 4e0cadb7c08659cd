"""Near the centre and fast, as a sum in which speed counts more."""


def reward_function(params):
    if not params["all_wheels_on_track"]:
        return 1e-3
    near = max(0.0, 1 - 2 * params["distance_from_center"] / params["track_width"])
    return 0.3 * near + params["speed"] / 2
