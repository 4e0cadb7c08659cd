"""Speed, for steering towards a point ahead."""

import math


def reward_function(params):
    points = params["waypoints"][:-1]
    i, x, y = params["closest_waypoints"][1], params["x"], params["y"]
    for k in range(len(points)):
        ahead = points[(i + k) % len(points)]
        if math.dist((x, y), ahead) > 0.8:
            break
    wanted = math.degrees(math.atan2(ahead[1] - y, ahead[0] - x)) - params["heading"]
    wanted = max(-30, min(30, (wanted + 180) % 360 - 180))
    return (1 - abs(params["steering_angle"] - wanted) / 90) * params["speed"]
