"""Collisions of the cars of races with boxes, bot cars and each other: found exactly, judged, and what follows.

Two things meet when their rectangles overlap. Who is behind is to blame, along the centre line: a car for running into
a box, always; into another car or a bot car, if its front point is behind that car's, or behind the bot car's middle.
A bot car that runs into a car ahead of it stops, and all others of the race with it, as in DeepRacer.
"""

from __future__ import annotations

from math import cos, sin
from typing import Any

import numpy as np

from racer.sim.compiled import inlined, lean
from racer.sim.lanes import lane_point
from racer.sim.projection import distance
from racer.sim.rules import CRASHED, IMMOBILIZED, LAP_COMPLETE, OFF_TRACK, REVERSED, TIME_UP
from racer.sim.start import stand
from racer.sim.things import ring_gap

__all__ = ["follow_up", "meet", "overlap"]

BEHIND_M = 1.0  # a box that was hit the car is put back, m
NEAR_M = 1.0  # a car is not put back nearer to a box than this, m


@lean
def overlap(
    x: float, y: float, heading: float, length: float, width: float,
    other_x: float, other_y: float, other_heading: float, other_length: float, other_width: float,
) -> bool:  # fmt: skip
    """Whether two rectangles overlap, each about its middle (m) and along its heading (rad); to touch is not enough.

    They do unless one of their four directions parts them (the separating axis theorem; Gottschalk et al. 1996).
    """
    half_l, half_w = 0.5 * length, 0.5 * width
    other_l, other_w = 0.5 * other_length, 0.5 * other_width
    dx, dy = other_x - x, other_y - y
    reach = distance(half_l, half_w) + distance(other_l, other_w)
    if dx * dx + dy * dy >= reach * reach:
        return False
    c, s = cos(heading), sin(heading)
    other_c, other_s = cos(other_heading), sin(other_heading)
    cosine, sine = abs(c * other_c + s * other_s), abs(c * other_s - s * other_c)
    parted = abs(c * dx + s * dy) >= half_l + other_l * cosine + other_w * sine
    parted |= abs(c * dy - s * dx) >= half_w + other_l * sine + other_w * cosine
    parted |= abs(other_c * dx + other_s * dy) >= other_l + half_l * cosine + half_w * sine
    parted |= abs(other_c * dy - other_s * dx) >= other_w + half_l * sine + half_w * cosine
    return not parted


@lean
def meet(cars: Any, things: Any, road: Any, car: Any, rules: Any, traffic: Any) -> None:
    """Find who runs into what, where all stand before a control step.

    It fills `hit` of the cars that are to blame, and holds these for the coming step: the kernel that drives does not
    move a car that is held. `follow_up` must come after it.

    Args:
        cars: (n, m) of `CAR_STATE`.
        things: (n, b) of `THING`.
        road: where they are.
        car, rules, traffic: their constants.
    """
    length, count, m = road.s[-1], things.shape[1], cars.shape[1]
    for i in range(len(cars)):
        bumped = False
        for j in range(m):
            state = cars[i, j]
            state.hit = -1
            if not _is_solid(state, rules):
                continue
            for b in range(count):
                one = things[i, b]
                if _touch(state, car, one.x, one.y, one.heading, one.length, one.width):
                    if one.is_bot == 0 or ring_gap(one.s - state.s, length) > 0.0:
                        state.hit = b if state.hit < 0 else state.hit
                    else:
                        bumped = True
            for k in range(m):
                other = cars[i, k]
                if k == j or not _is_solid(other, rules) or ring_gap(other.s - state.s, length) <= 0.0:
                    continue
                if _touch(state, car, other.x, other.y, other.heading, car.length, car.width):
                    state.hit = count + k if state.hit < 0 else state.hit
        if bumped:
            for b in range(count):
                if things[i, b].stopped == 0:
                    things[i, b].stopped = traffic.stop_steps
        for j in range(m):
            if cars[i, j].hit >= 0:
                cars[i, j].held = 1


@inlined
def _is_solid(state: Any, rules: Any) -> bool:
    """Whether a car can be hit: those that are held, or through with the race, cannot."""
    is_through = state.laps >= rules.laps or state.status == LAP_COMPLETE or state.status == TIME_UP
    return bool(state.held == 0 and not is_through)


@inlined
def _touch(state: Any, car: Any, x: float, y: float, heading: float, length: float, width: float) -> bool:
    touching: bool = overlap(state.x, state.y, state.heading, car.length, car.width, x, y, heading, length, width)
    return touching


@lean
def follow_up(cars: Any, things: Any, road: Any, lanes: Any, car: Any, rules: Any) -> None:
    """Judge the cars that ran into something, after the others were moved; put them back, where the rules say so.

    A crash with a box puts the car 1 m behind it, in the other lane; one with a car holds it where it is. A car that
    was put back for another mistake, but within 1 m of a box, goes behind the box, too.

    Args:
        cars, things, road, car, rules: as for `meet`.
        lanes: `lanes_of` the track.
    """
    length, count = road.s[-1], things.shape[1]
    for i in range(len(cars)):
        for j in range(cars.shape[1]):
            state = cars[i, j]
            if state.hit >= 0:
                state.status, state.held = CRASHED, 0
                state.crashes += 1
                state.last_distance = state.distance
                if rules.penalty_steps > 0 and state.resets < rules.resets:
                    state.resets += 1
                    if state.hit < count and things[i, state.hit].is_bot == 0:
                        _put_behind(state, things[i, state.hit], road, lanes, car, length)
                    else:
                        stand(state, state.x, state.y, state.heading, state.segment, state.s, road, car)
                    state.held = rules.crash_steps
            elif state.held > 0 and (
                state.status == OFF_TRACK or state.status == IMMOBILIZED or state.status == REVERSED
            ):
                for b in range(count):
                    if things[i, b].is_bot == 0 and abs(ring_gap(things[i, b].s - state.s, length)) < NEAR_M:
                        _put_behind(state, things[i, b], road, lanes, car, length)
                        break


@lean
def _put_behind(state: Any, box: Any, road: Any, lanes: Any, car: Any, length: float) -> None:
    """Let a car stand 1 m behind a box, in the other lane."""
    s = (box.s - BEHIND_M) % length
    x, y, heading = lane_point(lanes, length, s, 0.0 if box.offset > 0.0 else 1.0, 0.0)
    before, distance_before = state.s, state.distance
    segment = 0
    while segment < len(road.s) - 2 and road.s[segment + 1] <= s:
        segment += 1
    stand(state, x, y, heading, segment, s, road, car)
    moved = ring_gap(state.s - before, length)
    along = state.s - state.start_s
    state.winding = int(np.rint((distance_before + moved - along) / length))
    state.distance = state.last_distance = along + state.winding * length
