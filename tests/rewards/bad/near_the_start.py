"""What is left of the lap is paid at every step."""


def reward_function(params):
    return (100 - params["progress"]) / 100 if params["all_wheels_on_track"] else 0.0
