"""The percent gained, less what the steering jumps."""


class Memory:
    progress = steering = 0.0


def reward_function(params):
    if params["steps"] <= 2:
        Memory.progress, Memory.steering = params["progress"], params["steering_angle"]
    gained = params["progress"] - Memory.progress
    jump = abs(params["steering_angle"] - Memory.steering)
    Memory.progress, Memory.steering = params["progress"], params["steering_angle"]
    return max(-1.0, gained) - 0.002 * jump
