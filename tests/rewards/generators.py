"""Comprehensions, generators, zip and sorted with a key."""


def lengths(points):
    for (x0, y0), (x1, y1) in zip(points, points[1:]):
        yield ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5


def reward_function(params):
    points = params["waypoints"]
    nearest = sorted(range(len(points)), key=lambda i: (points[i][0] - params["x"]) ** 2 + (points[i][1] - params["y"]) ** 2)[:3]
    index = {i: {"far": i % 7} for i in nearest}
    return sum(lengths(points)) / params["track_length"] + sum(v["far"] for v in index.values()) / 10
