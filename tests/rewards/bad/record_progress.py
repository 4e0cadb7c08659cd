"""Gains over the best progress ever; nobody takes it back when an episode begins."""

best = 0.0


def reward_function(params):
    global best
    gained = max(0.0, params["progress"] - best)
    best = max(best, params["progress"])
    return gained
