"""Every step pays more than the one before: whoever takes long is paid best."""


def reward_function(params):
    return params["steps"] / 100 if params["all_wheels_on_track"] else 1e-3
