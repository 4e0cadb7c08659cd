"""Treats `params` as its own: deletes, replaces, sorts, clears."""


def reward_function(params):
    n = len(params["waypoints"])
    width = params.pop("track_width")
    params["waypoints"].sort()
    lowest = params["waypoints"][0][0]
    params["waypoints"].append((0.0, 0.0))
    params["waypoints"].clear()
    params["closest_waypoints"].reverse()
    after, before = params["closest_waypoints"]
    params["closest_waypoints"][0] = None
    params["objects_location"].append((1, 2))
    params["closest_objects"] += [7]
    params["speed"] = params["speed"] * 2
    speed = params["speed"]
    for key in list(params):
        del params[key]
    params["mine"] = "now"
    return n / 100 + width + lowest / 10 + before / 1000 + after / 1000 + speed
