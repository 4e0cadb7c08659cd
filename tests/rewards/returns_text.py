"""Returns a number as text, which float() takes."""


def reward_function(params):
    return "%.3f" % params["distance_from_center"]
