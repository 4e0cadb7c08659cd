"""Change little from step to step: remember the last steering angle in a global, which every car has for itself."""

last_steering = 0.0


def reward_function(params):
    """Pay for speed on the road, less for each degree by which the steering jumped since the last step."""
    global last_steering
    if params["steps"] <= 2:  # a new episode: forget the old one
        last_steering = params["steering_angle"]
    jump = abs(params["steering_angle"] - last_steering)
    last_steering = params["steering_angle"]
    if not params["all_wheels_on_track"]:
        return 1e-3
    return max(1e-3, params["speed"] / 4 - jump / 60)
