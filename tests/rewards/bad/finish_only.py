"""A hundred at the finish and nothing on the way."""


def reward_function(params):
    return 100.0 if params["progress"] >= 100 else 0.0
