"""One control step of races with traffic: who meets whom, then what `racer.sim.step` does for cars, then bot cars.

Races without traffic never come here.
"""

from __future__ import annotations

from math import pi
from typing import Any

from racer.sim.car import CarConstants
from racer.sim.compiled import lean
from racer.sim.meeting import follow_up, meet
from racer.sim.randomization import throttled
from racer.sim.road import Road
from racer.sim.rules import RuleConstants
from racer.sim.step import drive_batch
from racer.sim.things import move_on
from racer.sim.traffic import TrafficConstants

__all__ = ["crowd_alike", "crowd_each", "crowd_on"]


@lean
def crowd_alike(
    cars: Any, things: Any, commands: Any, rewards: Any, road: Any, lanes: Any, car: Any, rules: Any, traffic: Any,
    motion: Any,
) -> None:  # fmt: skip
    """Do for races with traffic what `racer.sim.step.drive_alike` does for those without.

    Args:
        cars, commands, rewards, road, car, rules, motion: as there.
        things: (n, b) of `THING`, the boxes and bot cars of the races.
        lanes: `lanes_of` the track.
        traffic: the fields of `Traffic.constants` as a plain tuple.
    """
    where, kind, judged, beside = Road(*road), CarConstants(*car), RuleConstants(*rules), TrafficConstants(*traffic)
    meet(cars, things, where, kind, judged, beside)
    drive_batch(cars, commands, rewards, where, kind, judged, motion)
    follow_up(cars, things, where, lanes, kind, judged)
    _move_bots(cars, things, where, lanes, beside)


@lean
def crowd_on(
    cars: Any, things: Any, commands: Any, rewards: Any, states: Any, seen: Any, road: Any, lanes: Any, car: Any,
    rules: Any, traffic: Any, motion: Any,
) -> None:  # fmt: skip
    """The same for several steps in a row.

    Args:
        cars, things, rewards, road, lanes, car, rules, traffic, motion: as for `crowd_alike`.
        commands: (k, n, m, 2), of each step.
        states, seen: (k + 1, n, m) and (k + 1, n, b), filled with the cars and the things before each step, and after
            the last one.
    """
    for k in range(len(commands)):
        _copy(cars, states[k])
        _copy(things, seen[k])
        crowd_alike(cars, things, commands[k], rewards, road, lanes, car, rules, traffic, motion)
    _copy(cars, states[len(commands)])
    _copy(things, seen[len(commands)])


@lean
def crowd_each(
    cars: Any, things: Any, commands: Any, rewards: Any, road: Any, lanes: Any, car: Any, table: Any,
    top_speed: float, rules: Any, traffic: Any, motion: Any, driven: Any,
) -> None:  # fmt: skip
    """The same for cars that differ; `table`, `top_speed` and `driven` as for `racer.sim.step.drive_each`."""
    where, kind, judged, beside = Road(*road), CarConstants(*car), RuleConstants(*rules), TrafficConstants(*traffic)
    meet(cars, things, where, kind, judged, beside)
    for i in range(cars.shape[0]):
        for j in range(cars.shape[1]):
            one, own = (slice(i, i + 1), slice(j, j + 1)), table[i, j]
            driven[0, 0, 0] = commands[i, j, 0] + own.trim * (180.0 / pi)
            driven[0, 0, 1] = throttled(commands[i, j, 1], top_speed, own.throttle)
            drive_batch(cars[one], driven, rewards[one], where, own, judged, motion)
    follow_up(cars, things, where, lanes, kind, judged)
    _move_bots(cars, things, where, lanes, beside)


@lean
def _move_bots(cars: Any, things: Any, road: Any, lanes: Any, traffic: Any) -> None:
    if traffic.are_bots:
        for i in range(len(things)):
            move_on(things[i], cars[i, 0].seed, cars[i, 0].episode, road, lanes, traffic)


@lean
def _copy(records: Any, out: Any) -> None:
    for i in range(records.shape[0]):
        for j in range(records.shape[1]):
            out[i, j] = records[i, j]
