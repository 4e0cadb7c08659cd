"""Steer at where the road will be: aim at a waypoint some way ahead, as a human driver's eyes do."""

import math

AHEAD_M = 0.8


def reward_function(params):
    """Pay up to 1 for steering that turns the car towards a point 0.8 m ahead."""
    waypoints = params["waypoints"]
    target = params["closest_waypoints"][1]
    x, y = params["x"], params["y"]
    for _ in range(len(waypoints)):
        if math.dist((x, y), waypoints[target]) >= AHEAD_M:
            break
        target = (target + 1) % len(waypoints)
    to_x, to_y = waypoints[target]
    wanted = math.degrees(math.atan2(to_y - y, to_x - x)) - params["heading"]
    wanted = (wanted + 180) % 360 - 180  # how far to turn, left positive, as steering angles are
    wanted = max(-30, min(30, wanted))
    return max(1e-3, 1 - abs(params["steering_angle"] - wanted) / 30)
