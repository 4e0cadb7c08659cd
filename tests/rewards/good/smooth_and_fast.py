"""Speed to the power of 1.5; hard steering at high speed is paid less."""


def reward_function(params):
    if not params["all_wheels_on_track"]:
        return 1e-3
    hard = abs(params["steering_angle"]) > 25 and params["speed"] > 3
    return params["speed"] ** 1.5 * (0.8 if hard else 1.0)
