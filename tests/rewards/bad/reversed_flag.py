"""Takes `is_reversed`, which says how the track is laid, for the car's direction."""


def reward_function(params):
    return 1.0 if params["is_reversed"] else 0.0
