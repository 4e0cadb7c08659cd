"""Returns a NumPy scalar of 32 bits, an array of one element, or an integer scalar."""
import numpy as np


def reward_function(params):
    kind = int(params["steps"]) % 3
    if kind == 0:
        return np.float32(params["speed"])
    if kind == 1:
        return np.array([params["progress"]])
    return np.int64(params["closest_waypoints"][0])
