"""Fast on the right of the centre line, slow on its left: weaving between the two pays."""


def reward_function(params):
    if not params["all_wheels_on_track"]:
        return 0.0
    if params["is_left_of_center"]:
        return max(0.0, 3 - 2 * params["speed"])
    return params["speed"] / 8
