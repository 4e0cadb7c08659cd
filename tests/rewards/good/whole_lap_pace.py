"""Mean speed of the episode so far, from progress and steps, squared."""


def reward_function(params):
    metres = params["progress"] / 100 * params["track_length"]
    return (metres / params["steps"] * 15) ** 2 / 4 if params["all_wheels_on_track"] else 1e-3
