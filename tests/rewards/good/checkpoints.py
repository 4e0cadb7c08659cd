"""One for each waypoint that is new in this episode."""

passed = set()


def reward_function(params):
    if params["steps"] <= 2:
        passed.clear()
    here = params["closest_waypoints"][1]
    if here in passed:
        return 0.0
    passed.add(here)
    return 1.0
