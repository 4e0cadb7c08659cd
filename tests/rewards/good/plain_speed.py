"""The speed and nothing else: an episode that ends early earns little."""


def reward_function(params):
    return params["speed"]
