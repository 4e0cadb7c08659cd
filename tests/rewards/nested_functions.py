"""Everything inside the one function: imports, helpers, closures."""


def reward_function(params):
    import math
    from math import atan2 as angle_of

    def waypoint(i):
        return params["waypoints"][i % len(params["waypoints"])]

    def direction(ahead):
        def step(k):
            x0, y0 = waypoint(k)
            x1, y1 = waypoint(k + 2)
            return x1 - x0, y1 - y0
        dx, dy = step(params["closest_waypoints"][0] + ahead)
        return math.degrees(angle_of(dy, dx))

    off = [abs((direction(k) - params["heading"] + 180) % 360 - 180) for k in range(4)]
    return max(1e-3, 1 - min(off) / 90)
