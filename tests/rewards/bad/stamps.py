"""Each waypoint is paid once in a lifetime."""

seen = set()


def reward_function(params):
    here = params["closest_waypoints"][1]
    if here in seen:
        return 0.0
    seen.add(here)
    return 1.0
