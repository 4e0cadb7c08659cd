"""Putting cars down: at the start of an episode, and back on the road after a penalty."""

from __future__ import annotations

from math import pi
from typing import Any

import numpy as np

from racer.sim.borders import nearest_borders
from racer.sim.compiled import kernel
from racer.sim.draws import uniform
from racer.sim.location import locate
from racer.sim.projection import distance
from racer.sim.road import Road
from racer.sim.rules import IMMOBILIZED, IN_PROGRESS

IN_ORDER_M = 0.5  # a lap is complete at the line when its length was driven but for so much, m
LINE_SHARE = 0.2  # of random starts on the start line


@kernel
def start_episodes(cars: Any, which: Any, road: Road, car: Any, rules: Any) -> None:
    """Put the cars (n, m) of races down at the start of their next episodes, where `which` (n,) is true."""
    length = road.s[-1]
    for i in range(cars.shape[0]):
        if which[i]:
            for j in range(cars.shape[1]):
                state = cars[i, j]
                state.episode += 1
                state.clock += 1
                s = 0.0
                if rules.start == 0 and uniform(state.seed, state.episode, 2 * j) >= LINE_SHARE:
                    s = uniform(state.seed, state.episode, 2 * j + 1) * length
                elif rules.start == 1:
                    s = (rules.offset + state.episode * rules.advance) % 1.0 * length
                place(state, s, road, car)


@kernel
def place(state: Any, s: float, road: Road, car: Any, offset: float = 0.0, turn: float = 0.0) -> None:
    """Put a car down at rest, at the start of an episode.

    Args:
        state: the car's record.
        s: arc length at which its origin comes to lie on the centre line, m; the car faces along the line.
        road, car: where, and the car's constants.
        offset, turn: m and rad to the left, from there.
    """
    i = min(int(np.searchsorted(road.s, s, side="right")) - 1, len(road.s) - 2)
    dx, dy = road.center[i + 1, 0] - road.center[i, 0], road.center[i + 1, 1] - road.center[i, 1]
    share = (s - road.s[i]) / (road.s[i + 1] - road.s[i])
    along = distance(dx, dy)
    heading = np.arctan2(dy, dx) + turn
    if heading > pi:
        heading -= 2.0 * pi
    elif heading <= -pi:
        heading += 2.0 * pi
    x, y = road.center[i, 0] + share * dx, road.center[i, 1] + share * dy
    stand(state, x - offset * dy / along, y + offset * dx / along, heading, i, s, road, car)
    state.start_s, state.winding, state.laps, state.held, state.resets = s, 0, 0, 0, 0
    if state.s < s - 0.5 * road.s[-1]:
        state.winding = 1
    state.distance = state.last_distance = state.s - s + state.winding * road.s[-1]
    state.steps, state.status = 1, IN_PROGRESS
    state.lap_start_s, state.lap_time, state.lap_step = 0.0, 0.0, 0
    state.hit, state.crashes = -1, 0


@kernel
def put_back(state: Any, road: Road, car: Any, rules: Any) -> None:
    """Put a car on the midline of the nearer lane, where it was a step earlier, and hold it there.

    A lane's midline runs halfway between the centre line and the nearest point of a border.
    """
    length = road.s[-1]
    back = state.last_distance
    if state.lap_step == state.steps - 1:  # it crossed the line while it left the track: the lap begins there
        back = max(back, state.laps * length)
    # Its origin comes to lie where its front point was; not so close to the line that it would stand beyond.
    back = min(back, (state.laps + 1) * length - IN_ORDER_M)
    s = (state.start_s + back) % length
    i = min(int(np.searchsorted(road.s, s, side="right")) - 1, len(road.s) - 2)
    dx, dy = road.center[i + 1, 0] - road.center[i, 0], road.center[i + 1, 1] - road.center[i, 1]
    share = (s - road.s[i]) / (road.s[i + 1] - road.s[i])
    x, y = road.center[i, 0] + share * dx, road.center[i, 1] + share * dy
    inner_x, inner_y, outer_x, outer_y = nearest_borders(road.edges, road.near, s, x, y)
    inner_x, inner_y, outer_x, outer_y = (
        0.5 * (x + inner_x),
        0.5 * (y + inner_y),
        0.5 * (x + outer_x),
        0.5 * (y + outer_y),
    )
    to_inner = distance(inner_x - state.last_x, inner_y - state.last_y)
    to_outer = distance(outer_x - state.last_x, outer_y - state.last_y)
    lane_x, lane_y = (inner_x, inner_y) if to_inner < to_outer else (outer_x, outer_y)
    stand(state, lane_x, lane_y, np.arctan2(dy, dx), i, s, road, car)
    state.held = 1 if state.status == IMMOBILIZED else rules.penalty_steps
    state.resets += 1
    moved = state.s - s
    if moved > 0.5 * length:
        moved -= length
    elif moved < -0.5 * length:
        moved += length
    state.distance = state.last_distance = back + moved
    state.winding = int(np.rint((state.start_s + state.distance - state.s) / length))


@kernel
def stand(state: Any, x: float, y: float, heading: float, segment: int, s: float, road: Road, car: Any) -> None:
    """Let a car stand with its origin at (x, y), near arc length s, which is on `segment`."""
    state.x, state.y, state.heading = x, y, heading
    state.last_x, state.last_y = x, y
    state.speed = state.lateral_speed = state.yaw_rate = state.steering_angle = 0.0
    state.steering_command = state.speed_command = 0.0
    state.s, state.segment = s, segment
    # The car was held in the step before: the original counts that one as a step without moving.
    state.still_steps, state.reversed_steps = 1, 0
    locate(state, car, road)
