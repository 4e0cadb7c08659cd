"""The border is where it pays."""


def reward_function(params):
    if not params["all_wheels_on_track"]:
        return 0.0
    return params["distance_from_center"] / params["track_width"]
