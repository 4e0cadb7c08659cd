"""NumPy for a bit of linear algebra; the result is one of its scalars."""
import numpy as np


def reward_function(params):
    waypoints = np.array(params['waypoints'])
    before, after = params['closest_waypoints']
    forward = waypoints[(after + 1) % len(waypoints)] - waypoints[before]
    forward = forward / np.linalg.norm(forward)
    yaw = np.deg2rad(params['heading'])
    along = np.dot(forward, np.array([np.cos(yaw), np.sin(yaw)]))
    return np.clip(along, 0.0, 1.0) * np.float64(params['speed'])
