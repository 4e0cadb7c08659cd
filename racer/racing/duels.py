"""Many heats of two at once, between networks, and the Elo ratings that follow from them.

Cheap, and so without all that `racer.racing.heat` does: no replay, no retirement, one kind of car, sensors and actions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from racer.racing.heat import Heat
from racer.racing.network import Network
from racer.racing.race import RaceConditions
from racer.sensors import Observer, make_sensors
from racer.sim import STEP_S, World

__all__ = ["ANCHOR", "act_each", "duels", "elo"]

ANCHOR = 1000.0  # points of whom the others are measured by
SLOWEST = 1.0  # m/s: a heat is over when a car of this speed would have finished it
POINTS = 400.0 / np.log(10.0)  # Elo's scale: 400 points ahead is to win ten times out of eleven
ROUNDS = 2000


def act_each(networks: Sequence[Network], who: NDArray[np.integer[Any]], seen: Any) -> NDArray[Any]:
    """The actions of many cars that several networks drive: one calculation for each network.

    Args:
        networks: with actions of one kind.
        who: of any shape (...): the index of each car's network.
        seen: what the cars observe, an array (..., *shape), or one for each sensor by its name.
    """
    actions: NDArray[Any] | None = None
    for k in np.unique(who):
        own = who == k
        made = networks[k].act({n: v[own] for n, v in seen.items()} if isinstance(seen, Mapping) else seen[own])
        if actions is None:
            actions = np.zeros((*who.shape, *made.shape[1:]), made.dtype)
        actions[own] = made
    assert actions is not None
    return actions


def duels(
    heat: Heat, networks: Sequence[Network], pairs: Sequence[tuple[int, int]], conditions: RaceConditions
) -> NDArray[np.float64]:
    """Race networks against each other in pairs, all heats side by side.

    Args:
        heat: what for; it is over when one of the two has completed its laps, or when a car of 1 m/s would have.
        networks: the drivers.
        pairs: for each heat the indices of who starts in front and of who starts behind.
        conditions: their car, actions and sensors.

    Returns:
        For each heat how far who started in front is ahead at its end, m.
    """
    who, ahead = np.array(pairs), np.zeros(len(pairs))
    world = World(heat.track, len(pairs), 2, conditions.car, heat.rules, traffic=heat.traffic)
    world.top_speed = conditions.actions.top_speed
    world.seed([heat.seed] * len(pairs))
    world.reset()
    observer = Observer(world, make_sensors(conditions.sensors))
    observer.observe(np.ones(len(pairs), np.bool_))
    commands, gained, over = np.zeros((*who.shape, 2)), np.zeros(who.shape), np.zeros(len(pairs), np.bool_)
    for _ in range(int(heat.laps * heat.track.length / SLOWEST / STEP_S)):
        seen = observer.observed(slice(None), slice(None))
        commands[:] = conditions.actions.commands(act_each(networks, who, seen))
        world.step(commands, gained)
        observer.observe()
        come = world.cars["distance"]
        ahead = np.where(over, ahead, come[:, 0] - come[:, 1])
        over |= (world.cars["laps"] >= heat.laps).any(axis=1)
        if over.all():
            break
    world.close()
    return ahead


def elo(results: Mapping[tuple[int, int], tuple[float, int]]) -> dict[int, float]:
    """Elo ratings (Elo 1978): the most likely ones, by the model of Bradley and Terry (1952).

    Everybody who met has drawn once more, so that who never lost has a rating, too. They are found as Hunter (2004)
    does (MM algorithms for generalized Bradley-Terry models, Annals of Statistics 32).

    Args:
        results: for each two who met, the points of the first, and how often they met.

    Returns:
        The rating of each; the lowest number has `ANCHOR` points.
    """
    names = sorted({name for pair in results for name in pair})
    if not names:
        return {}
    points, met = np.zeros(len(names)), np.zeros((len(names), len(names)))
    for (one, other), (own, times) in results.items():
        i, j = names.index(one), names.index(other)
        points[i] += own + 0.5
        points[j] += times - own + 0.5
        met[i, j] += times + 1
        met[j, i] += times + 1
    strength = np.ones(len(names))
    for _ in range(ROUNDS):
        strength = points / (met / (strength[:, None] + strength)).sum(axis=1)
        strength /= strength[0]
    return {name: float(ANCHOR + POINTS * value) for name, value in zip(names, np.log(strength), strict=True)}
