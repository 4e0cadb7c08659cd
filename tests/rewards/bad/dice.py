"""Chance alone."""

import random


def reward_function(params):
    return random.random()
