"""Avoid boxes: pay for speed on the road, and less and less in a lane whose next box comes nearer."""

NEAR = 1.5  # metres: from here on a box in the car's lane costs reward


def reward_function(params):
    """Pay for speed; a box ahead in the same lane takes up to nine tenths of it away."""
    if params["is_crashed"] or not params["all_wheels_on_track"]:
        return 1e-3
    reward = params["speed"] / 4
    if params["objects_location"]:  # the list is empty where there is nothing
        ahead = params["closest_objects"][1]
        gap = (params["objects_distance"][ahead] - params["projection_distance"]) % params["track_length"]
        same_lane = params["objects_left_of_center"][ahead] == params["is_left_of_center"]
        if same_lane and gap < NEAR:
            reward *= 0.1 + 0.9 * gap / NEAR
    return max(1e-3, reward)
