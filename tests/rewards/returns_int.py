"""Returns ints."""


def reward_function(params):
    if params["all_wheels_on_track"]:
        return int(params["progress"])
    return 0
