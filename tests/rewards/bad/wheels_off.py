"""A "not" too many: two wheels over the line are paid."""


def reward_function(params):
    return 1.0 if not params["all_wheels_on_track"] else 0.1
