"""Speed, a tenth less at full lock."""


def reward_function(params):
    if not params["all_wheels_on_track"]:
        return 1e-3
    return params["speed"] * (1 - 0.1 * abs(params["steering_angle"]) / 30)
