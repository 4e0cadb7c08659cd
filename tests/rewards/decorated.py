"""Wrapped in decorators, one of which counts."""
import functools


def bounded(low, high):
    def wrap(function):
        @functools.wraps(function)
        def inner(*args, **kwargs):
            return min(high, max(low, function(*args, **kwargs)))
        return inner
    return wrap


def counted(function):
    def inner(params):
        inner.calls += 1
        return function(params) + inner.calls * 1e-5
    inner.calls = 0
    return inner


@counted
@bounded(1e-3, 2.0)
def reward_function(params):
    return params["speed"] - abs(params["steering_angle"]) / 15
