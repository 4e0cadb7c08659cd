"""The progress itself at every step, and not what was gained: it might pay to linger, but nobody sees the finish."""


def reward_function(params):
    return params["progress"] / 100 if params["all_wheels_on_track"] else 0.0
