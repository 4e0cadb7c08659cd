"""The last moment on the road is paid best: fast over the border, five times the usual."""


def reward_function(params):
    beyond = params["distance_from_center"] > 0.5 * params["track_width"]
    return 200.0 * params["speed"] if beyond else 0.25 * params["speed"]
