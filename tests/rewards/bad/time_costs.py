"""Each step costs the same, so the shortest episode is the cheapest."""


def reward_function(params):
    return -1.0 - params["distance_from_center"]
