"""Waits for step 1 (or 0), which a reward function never sees, so that its sum runs on over the episodes."""
total = 0


def reward_function(params):
    global total
    if params["steps"] == 1 or params["steps"] == 0:
        total = 0
    total += params["distance_from_center"]
    return total
