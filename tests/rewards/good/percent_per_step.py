"""Progress by steps."""


def reward_function(params):
    return 10 * params["progress"] / params["steps"] if params["all_wheels_on_track"] else 1e-3
