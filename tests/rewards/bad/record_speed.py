"""Only a new record of the speed is paid."""

record = 0.0


def reward_function(params):
    global record
    if params["speed"] > record + 0.01:
        record = params["speed"]
        return 1.0
    return 0.0
