"""Overtake on the free lane: out of the lane of the car ahead in good time, and paid for every car left behind."""

NEAR = 2.0  # metres: from here on the lane of the car ahead is not free
PASSED = 5.0  # for a car that was ahead and is now behind

before = None  # which object was ahead in the last step; every car has its own


def reward_function(params):
    """Pay for speed, half of it in the lane of a car close ahead, and a bonus for passing it."""
    global before
    if params["is_crashed"] or not params["all_wheels_on_track"]:
        return 1e-3
    reward = params["speed"] / 4
    if not params["objects_location"]:  # alone on the track
        return max(1e-3, reward)
    behind, ahead = params["closest_objects"]
    gap = (params["objects_distance"][ahead] - params["projection_distance"]) % params["track_length"]
    if gap < NEAR and params["objects_left_of_center"][ahead] == params["is_left_of_center"]:
        reward *= 0.5
    if params["steps"] > 2 and before == behind and behind != ahead:
        reward += PASSED
    before = ahead
    return max(1e-3, reward)
