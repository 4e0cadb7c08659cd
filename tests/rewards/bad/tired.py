"""Pay that melts with every call."""

calls = 0


def reward_function(params):
    global calls
    calls += 1
    return params["speed"] * 0.99**calls
