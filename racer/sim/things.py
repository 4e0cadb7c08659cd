"""Boxes and bot cars of races: where they stand at the start of an episode, and how bot cars drive on.

Everything follows from the seed and the episode of a race: a race in a batch has the boxes and bot cars that it has
alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from racer.sim.car import STEP_S, CarConstants
from racer.sim.compiled import inlined, kernel, lean
from racer.sim.draws import uniform
from racer.sim.lanes import lane_point
from racer.sim.objects import BOX_M
from racer.sim.projection import at_row, distance, project, project_near
from racer.sim.road import Road
from racer.sim.start import place
from racer.sim.traffic import FIRST_M, LAST_M, TrafficConstants

__all__ = ["move_on", "ring_gap", "set_out"]

# Draws of an episode, beside those of `racer.sim.draws`:
PLACES, LANES, GRID, CHANGES = 1 << 21, (1 << 21) + 1024, (1 << 21) + 2048, 1 << 22
CHANGES_EACH = 256  # bot cars have so many draws for each of their changes
CLEAR_M = 1.0  # a car does not start nearer to a box or bot car in its lane than this, m


@inlined
def ring_gap(gap: float, length: float) -> float:
    """A distance along a ring, m, the short way round: from minus half its length to half of it."""
    return float(gap - length * np.rint(gap / length))


@kernel
def set_out(cars: Any, things: Any, which: Any, road: Any, lanes: Any, car: Any, traffic: Any) -> None:
    """Put boxes or bot cars out, and then several cars on the grid, for episodes that have just begun.

    Args:
        cars: (n, m) of `CAR_STATE`, put down at the start, all of a race where its first car is.
        things: (n, b) of `THING`, filled.
        which: (n,), true for the races whose episodes have begun.
        road, car, traffic: the fields of a `Road`, `CarConstants` and `TrafficConstants` as plain tuples.
        lanes: `lanes_of` the track.
    """
    where, kind, beside = Road(*road), CarConstants(*car), TrafficConstants(*traffic)
    _put_out(cars, things, which, where, lanes, kind, beside)
    _line_up(cars, things, which, where, kind, beside)


@kernel
def _put_out(cars: Any, things: Any, which: Any, road: Road, lanes: Any, car: Any, traffic: Any) -> None:
    length, count = road.s[-1], things.shape[1]
    room = length - FIRST_M - LAST_M
    for i in range(len(things)):
        if not which[i]:
            continue
        seed, episode = cars[i, 0].seed, cars[i, 0].episode
        start = cars[i, 0].start_s if traffic.are_bots else 0.0
        if traffic.drawn:
            _draw_places(things[i], seed, episode)
        for b in range(count):
            thing = things[i, b]
            is_inner = b % 2 == 0
            if len(traffic.places) > 0:
                along, is_inner = traffic.places[b, 0] * length, traffic.places[b, 1] > 0.0
            elif traffic.drawn:  # spread evenly over all places that leave the gaps
                along = start + FIRST_M + b * traffic.gap + thing.along * max(0.0, room - (count - 1) * traffic.gap)
                is_inner = uniform(seed, episode, LANES + b) < 0.5
            elif traffic.are_bots:
                along = start + FIRST_M + b * traffic.gap
            else:
                along = FIRST_M + b * room / max(1, count - 1)
            thing.along = along % length
            thing.left = 1.0 if is_inner == road.is_ccw else 0.0
            thing.changed, thing.changes, thing.stopped = 1.0, 0, 0
            thing.change_in = _wait(seed, episode, b, 0, traffic)
            thing.is_bot, thing.is_car = int(traffic.are_bots), int(traffic.as_cars)
            thing.speed = traffic.speed if traffic.are_bots else 0.0
            thing.length = car.length if traffic.as_cars else BOX_M[0]
            thing.width = car.width if traffic.as_cars else BOX_M[1]
            thing.x, thing.y, thing.heading = lane_point(lanes, length, thing.along, thing.left, 0.0)
            thing.segment, thing.share = project(road.center, thing.x, thing.y)
            _locate(thing, road)


@kernel
def _draw_places(things: Any, seed: int, episode: int) -> None:
    """Draw numbers of 0..1 into `along`, in rising order."""
    for b in range(len(things)):
        drawn, k = uniform(seed, episode, PLACES + b), b
        while k > 0 and things[k - 1].along > drawn:
            things[k].along = things[k - 1].along
            k -= 1
        things[k].along = drawn


@kernel
def _wait(seed: int, episode: int, bot: int, change: int, traffic: Any) -> int:
    """Steps until a bot car begins its next change of lanes."""
    drawn = uniform(seed, episode, CHANGES + CHANGES_EACH * change + bot)
    wait: float = (traffic.change_least + drawn * (traffic.change_most - traffic.change_least)) / STEP_S
    return max(1, int(wait + 0.5))


@inlined
def _locate(thing: Any, road: Any) -> None:
    center, i = road.center, thing.segment
    dx, dy = center[i + 1, 0] - center[i, 0], center[i + 1, 1] - center[i, 1]
    away_x = thing.x - center[i, 0] - thing.share * dx
    away_y = thing.y - center[i, 1] - thing.share * dy
    thing.s = at_row(road.s, i, thing.share)
    thing.offset = distance(away_x, away_y) * (1.0 if dx * away_y >= dy * away_x else -1.0)


@lean
def move_on(things: Any, seed: int, episode: int, road: Any, lanes: Any, traffic: Any) -> None:
    """Drive the bot cars (b,) of a race on for one control step."""
    length = road.s[-1]
    for b in range(len(things)):
        bot = things[b]
        if bot.stopped > 0:
            bot.stopped -= 1
            bot.speed = 0.0
            continue
        bot.speed = traffic.speed
        way = traffic.speed * STEP_S
        bot.along = (bot.along + way) % length
        leaving = 0.0
        if traffic.changes:
            if bot.changed < 1.0:
                bot.changed = min(1.0, bot.changed + way / traffic.change_over)
                if bot.changed == 1.0:
                    bot.changes += 1
                    bot.change_in = _wait(seed, episode, b, bot.changes, traffic)
            else:
                bot.change_in -= 1
                if bot.change_in <= 0:
                    bot.left, bot.changed = 1.0 - bot.left, 0.0
        share, left = bot.changed, bot.left
        if share < 1.0:  # smoothly from one lane to the other
            towards = 2.0 * left - 1.0
            left = 1.0 - left + towards * share * share * (3.0 - 2.0 * share)
            leaving = towards * 6.0 * share * (1.0 - share) / traffic.change_over
        bot.x, bot.y, bot.heading = lane_point(lanes, length, bot.along, left, leaving)
        bot.segment, bot.share = project_near(road.center, road.s, bot.x, bot.y, bot.segment, bot.s)
        _locate(bot, road)


@kernel
def _line_up(cars: Any, things: Any, which: Any, road: Road, car: Any, traffic: Any) -> None:
    """Put several cars of a race on the grid, and none of them right in front of a box or bot car."""
    length, m = road.s[-1], cars.shape[1]
    slots = np.arange(m)
    for i in range(len(cars)):
        if not which[i]:
            continue
        head, line = cars[i, 0], cars[i, 0].start_s
        for j in range(m):
            slots[j] = j
        for j in range(m - 1 if traffic.drawn_grid else 0):  # a fair shuffle (Fisher and Yates)
            k = j + int(uniform(head.seed, head.episode, GRID + j) * (m - j))
            slots[j], slots[k] = slots[k], slots[j]
        for j in range(m):
            slot = slots[j]
            behind = (slot // 2 if traffic.in_pairs else slot) * traffic.grid_gap
            side = 0.0
            if m > 1:
                side = 1.0 if (slot % 2 == 1) == road.is_ccw else -1.0  # the first one in the outer lane
            s = (line - behind) % length
            side = _clear_side(things[i], s, side, length)
            if side != 0.0:
                state = cars[i, j]
                k = min(int(np.searchsorted(road.s, s, side="right")) - 1, len(road.s) - 2)
                half = at_row(road.half_width, k, (s - road.s[k]) / (road.s[k + 1] - road.s[k]))
                place(state, s, road, car, 0.5 * side * half)
                ahead = ring_gap(state.s - s, length) - behind
                state.start_s, state.winding = line, int(np.rint((line + ahead - state.s) / length))
                state.distance = state.last_distance = state.s - line + state.winding * length


@inlined
def _clear_side(things: Any, s: float, side: float, length: float) -> float:
    """The side that a car starts on at arc length s, m: 1 left, -1 right, or 0 for the middle; clear of the nearest."""
    nearest = CLEAR_M
    for b in range(len(things)):
        away = abs(ring_gap(things[b].s - s, length))
        if away < nearest:
            nearest = away
            side = -1.0 if things[b].offset > 0.0 else 1.0
    return side
