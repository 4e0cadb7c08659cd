"""Every change of the speed is paid."""

last = 0.0


def reward_function(params):
    global last
    change, last = abs(params["speed"] - last), params["speed"]
    return change
