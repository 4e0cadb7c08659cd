"""Returns True or False."""


def reward_function(params):
    return params["is_left_of_center"] == (params["steering_angle"] < 0)
