"""Pay that melts with every call: it ought to fail, and a short training learns before it is gone."""

calls = 0


def reward_function(params):
    global calls
    calls += 1
    return params["speed"] * 0.99**calls
