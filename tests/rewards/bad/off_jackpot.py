"""A sign that slipped: leaving the road is paid."""


def reward_function(params):
    return 300.0 if params["is_offtrack"] else params["speed"] / 4
