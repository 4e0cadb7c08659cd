"""Match the speed to the road: brake for the bend ahead, go on the straight. The bend is read from the waypoints."""

import math

AHEAD = (0.5, 1.0, 1.5)  # metres
GRIP = 2.5  # m/s2 of lateral acceleration to count on


def reward_function(params):
    """Pay for speed on the road, less the further it is from what the bend ahead allows."""
    waypoints = params["waypoints"][:-1]  # the last one repeats the first
    spacing = params["track_length"] / len(waypoints)
    here = params["closest_waypoints"][0]
    points = [waypoints[(here + round(m / spacing)) % len(waypoints)] for m in (0, *AHEAD)]
    turned = 0.0
    for a, b, c in (points[0:3], points[1:4]):
        first = math.atan2(b[1] - a[1], b[0] - a[0])
        second = math.atan2(c[1] - b[1], c[0] - b[0])
        turned += abs(math.remainder(second - first, 2 * math.pi))
    bend = turned / (AHEAD[-1] - AHEAD[0])
    allowed = min(4.0, math.sqrt(GRIP / max(bend, 1e-3)))
    if not params["all_wheels_on_track"]:
        return 1e-3
    return max(1e-3, 1 - abs(params["speed"] - allowed) / 4) * params["speed"] / 4
