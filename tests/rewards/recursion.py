"""Calls itself."""


def depth(n):
    return 0 if n <= 1 else 1 + depth(n // 2)


def gcd(a, b):
    return a if b == 0 else gcd(b, a % b)


def reward_function(params):
    before, after = params["closest_waypoints"]
    return depth(int(params["steps"])) + gcd(after + 12, 36) / 100
