"""Pay for speed, but only on the road: two goals in one number, and the road comes first."""


def reward_function(params):
    """Pay the square of the commanded speed, so that 4 m/s is worth four times 2 m/s."""
    if not params["all_wheels_on_track"]:
        return 1e-3
    return (params["speed"] / 4) ** 2
