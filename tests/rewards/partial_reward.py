"""A function with some of its arguments given beforehand."""
from functools import partial


def tunable(params, weight, power=1):
    return weight * (params["speed"] / 4) ** power


reward_function = partial(tunable, weight=2.5, power=3)
