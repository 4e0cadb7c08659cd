"""A race line as a table pasted into the file, searched on every step."""

import math

RACE_LINE = [[5.2, 0.95, 3.9], [7.1, 1.4, 2.2], [7.85, 3.1, 2.6], [6.4, 4.7, 1.9], [3.0, 4.9, 3.1], [1.1, 3.3, 2.0],
             [1.4, 1.5, 2.4], [3.3, 0.9, 4.0]]


class Global:
    nearest = []


def dist(p, q):
    return math.sqrt((p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2)


def two_nearest(position):
    distances = []
    for row in RACE_LINE:
        distances.append(dist(position, row))
    first = distances.index(min(distances))
    copy = distances[:]
    copy[first] = 999
    second = copy.index(min(copy))
    return first, second


def reward_function(params):
    first, second = two_nearest([params["x"], params["y"]])
    Global.nearest.append(first)
    wanted = (RACE_LINE[first][2] + RACE_LINE[second][2]) / 2
    near = max(1e-3, 1 - dist([params["x"], params["y"]], RACE_LINE[first]) / (params["track_width"] * 3))
    return near + (1 - abs(params["speed"] - wanted) / 4) + len(set(Global.nearest)) * 0.01
