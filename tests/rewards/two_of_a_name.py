"""The same names defined twice: the last one counts."""


def helper(x):
    return x * 100


def reward_function(params):
    return -1.0


def helper(x):
    return x / 100


def reward_function(params):
    return helper(params["progress"])
