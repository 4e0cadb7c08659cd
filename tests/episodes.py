"""Short episodes of a few cars, recorded as the tables that rewards are given, and rewards to judge them."""

import functools
import textwrap

import numpy as np

from racer.env import TimeTrialVector
from racer.reward import Params, VectorReward, load_reward
from racer.track import load_track as load_track_anew

load_track = functools.cache(load_track_anew)

CARS = 3
TABLES = ("floats", "waypoints", "flags")


@functools.cache
def recorded(track="harbor", steps=80, seed=3):
    """Tables of each step: cars that drive along, leave the track, and begin new episodes."""
    env = TimeTrialVector(CARS, track, lambda params: 0.0)
    env.reset(seed=seed)
    random = np.random.default_rng(seed)
    wheel = np.zeros(CARS)
    tables = []
    for _ in range(steps):
        wheel = np.clip(0.9 * wheel + random.normal(0.0, 0.3, CARS), -1.0, 1.0)
        env.step(np.stack([wheel, random.uniform(-0.6, 1.0, CARS)], axis=1).astype(np.float32))
        tables.append([getattr(env.field.params, name).copy() for name in TABLES])
    return tables


def params_of(tables, track="harbor"):
    """The `Params` of each step, one object filled anew."""
    params = Params(load_track(track), CARS)
    for step in tables:
        for name, table in zip(TABLES, step, strict=True):
            getattr(params, name)[:] = table
        yield params


def judged(reward, track="harbor", steps=80, **options):
    """Rewards (steps, cars) of the recorded episodes."""
    tables = recorded(track, steps)
    rewards = VectorReward(load_reward(reward), CARS, **options)
    out = np.full((len(tables), CARS), np.nan)
    for k, params in enumerate(params_of(tables, track)):
        rewards(params, out[k])
    return out


def written(folder, source, name="reward"):
    """The file of a reward whose source is given, indented as it may be."""
    path = folder / f"{name}.py"
    path.write_text(textwrap.dedent(source).lstrip("\n"), encoding="utf-8")
    return path
