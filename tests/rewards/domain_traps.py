"""Close to what math refuses: arc cosines, roots and logarithms at the edge of their domains."""
import math


def reward_function(params):
    share = params["distance_from_center"] / (params["track_width"] / 2)
    angle = math.acos(min(1.0, max(-1.0, 1 - share)))
    root = math.sqrt(max(0.0, 1 - share ** 2))
    late = math.log(max(params["progress"], 1e-9))
    ratio = params["speed"] / (abs(params["steering_angle"]) + 1e-9)
    return angle + root + late / 10 + min(ratio, 1e3) * 1e-3
