"""Little steering, little speed."""


def reward_function(params):
    calm = 1 - abs(params["steering_angle"]) / 30
    return calm * (4.5 - params["speed"]) if params["all_wheels_on_track"] else 1e-3
