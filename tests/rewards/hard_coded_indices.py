"""Lists of waypoint numbers for one track, as many rewards have them."""
LEFT = [1, 2, 3, 4, 5, 6, 7, 40, 41, 42, 43, 44, 45, 46]
FAST = list(range(50, 90)) + list(range(120, 176))


def reward_function(params):
    nxt = params["closest_waypoints"][1]
    reward = 1e-3
    if nxt in LEFT and params["is_left_of_center"]:
        reward += 1.0
    elif nxt in range(20, 40):
        reward += 0.5
    if nxt in FAST:
        reward += (params["speed"] / 4) ** 2
    if params["waypoints"][nxt][0] > 4.0:
        reward += 0.125
    return reward
