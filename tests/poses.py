"""`params` of poses that no drive would give: for rewards, which have to answer everywhere."""

import numpy as np

from racer.reward import FLOATS, Params
from racer.sim import World
from racer.track import Track

POSES = 1536
AT_ONCE = 64


def poses(track: Track) -> Params:
    """Poses all over a track and beside it, with all kinds of commands and progress."""
    rounds = POSES // AT_ONCE
    random = np.random.default_rng(0)
    world, few, many = World(track, AT_ONCE), Params(track, AT_ONCE), Params(track, POSES)
    world.seed(0)
    world.reset()
    for k in range(rounds):
        commands = np.stack([random.uniform(-30.0, 30.0, (AT_ONCE, 1)), random.uniform(0.5, 4.0, (AT_ONCE, 1))], axis=2)
        few.describe(world, commands)
        rows = slice(k * AT_ONCE, (k + 1) * AT_ONCE)
        many.floats[rows], many.waypoints[rows], many.flags[rows] = few.floats, few.waypoints, few.flags
        world.step(commands, np.zeros((AT_ONCE, 1)))
    floats = dict(zip(FLOATS, many.floats.T, strict=True))  # views: what is written to them is in the table
    some = random.random((6, POSES))
    floats["heading"][some[0] < 0.4] = random.uniform(-180.0, 180.0, POSES)[some[0] < 0.4]
    floats["heading"][some[0] > 0.95] = random.choice([-180.0, -90.0, 0.0, 90.0, 180.0], POSES)[some[0] > 0.95]
    floats["progress"][:] = random.uniform(-5.0, 100.0, POSES)
    floats["progress"][some[1] < 0.1] = 100.0
    floats["steps"][:] = np.floor(random.uniform(2.0, 600.0, POSES))
    floats["steps"][some[2] < 0.1] = 2.0
    floats["speed"][some[3] < 0.5] = np.round(floats["speed"][some[3] < 0.5] * 2.0) / 2.0
    floats["steering_angle"][some[4] < 0.5] = np.round(floats["steering_angle"][some[4] < 0.5] / 5.0) * 5.0
    floats["distance_from_center"][some[5] < 0.02] = 0.0
    floats["sim_time"][:] = floats["steps"] / 15.0
    return many
