"""Draws lots, from a generator of its own."""
import random

lots = random.Random(5)


def reward_function(params):
    return params["speed"] + lots.uniform(-0.1, 0.1)
