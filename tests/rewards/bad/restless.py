"""Every change of the steering is paid."""

last = 0.0


def reward_function(params):
    global last
    change, last = abs(params["steering_angle"] - last), params["steering_angle"]
    return change / 60 + 1e-3
