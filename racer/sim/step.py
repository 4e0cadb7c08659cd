"""One control step of a batch of cars: judged where they stand, then moved. The one kernel that drives."""

from __future__ import annotations

from math import isfinite, pi, sqrt
from typing import Any

from racer.sim.car import AT_ONCE, STEERING, STEP_S, WANTED, CarConstants, move, take
from racer.sim.compiled import inlined, kernel, lean
from racer.sim.location import locate
from racer.sim.projection import at_row, distance, point_at
from racer.sim.randomization import throttled
from racer.sim.road import Road
from racer.sim.rules import (
    IMMOBILIZED,
    IN_PROGRESS,
    LAP_COMPLETE,
    OFF_TRACK,
    PAUSE,
    REVERSED,
    TIME_UP,
    RuleConstants,
)
from racer.sim.start import IN_ORDER_M, put_back

OVERPAID = 8.0  # bound of 1 / (1 - kappa d) where the line bends about the car itself
CATCH_UP = 1.01  # a chord is shorter than the bend it cuts, and what was held back must come in on a straight
GATE_M = 0.05  # the line across the track stands square to the chord from so far behind it to as far ahead, m


@lean
def drive_alike(cars: Any, commands: Any, rewards: Any, road: Any, car: Any, rules: Any, motion: Any) -> None:
    """Judge the cars (n, m) of races on one track, then move each of them through one control step.

    Args:
        cars, commands, rewards: see `World.step`.
        road, car, rules: the fields of a `Road`, `CarConstants` and `RuleConstants` as plain tuples: Numba takes named
            ones from Python three times as slowly.
        motion: (`ROWS`, `AT_ONCE`) to work on.
    """
    drive_batch(cars, commands, rewards, Road(*road), CarConstants(*car), RuleConstants(*rules), motion)


@lean
def drive_on(cars: Any, commands: Any, rewards: Any, states: Any, road: Any, car: Any, rules: Any, motion: Any) -> None:
    """Do the same for several steps in a row, which from Python costs more than the steps themselves.

    Args:
        cars, rewards, road, car, rules, motion: as for `drive_alike`.
        commands: (k, n, m, 2), of each step.
        states: (k + 1, n, m), filled with the cars before each step, and after the last one.
    """
    for k in range(len(commands)):
        for i in range(cars.shape[0]):
            for j in range(cars.shape[1]):
                states[k, i, j] = cars[i, j]
        drive_batch(cars, commands[k], rewards, Road(*road), CarConstants(*car), RuleConstants(*rules), motion)
    for i in range(cars.shape[0]):
        for j in range(cars.shape[1]):
            states[len(commands), i, j] = cars[i, j]


@lean
def drive_each(
    cars: Any,
    commands: Any,
    rewards: Any,
    road: Any,
    table: Any,
    top_speed: float,
    rules: Any,
    motion: Any,
    driven: Any,
) -> None:
    """The same for cars that differ.

    Args:
        cars, commands, rewards, road, rules, motion: as above.
        table: (n, m) of `CAR_CONSTANTS`, those of each.
        top_speed: the greatest of the action space, m/s.
        driven: (1, 1, 2) to work on.
    """
    for i in range(cars.shape[0]):
        for j in range(cars.shape[1]):
            one, own = (slice(i, i + 1), slice(j, j + 1)), table[i, j]
            driven[0, 0, 0] = commands[i, j, 0] + own.trim * (180.0 / pi)
            driven[0, 0, 1] = throttled(commands[i, j, 1], top_speed, own.throttle)
            drive_batch(cars[one], driven, rewards[one], Road(*road), own, RuleConstants(*rules), motion)


@lean
def drive_batch(cars: Any, commands: Any, rewards: Any, road: Road, car: Any, rules: Any, motion: Any) -> None:
    """What all of these are made of; the arguments are theirs, with records in place of plain tuples."""
    center, arc, curvature = road.center, road.s, road.curvature
    length = arc[-1]
    for j in range(cars.shape[1]):
        for first in range(0, cars.shape[0], AT_ONCE):
            some = cars[first : first + AT_ONCE, j]
            for i in range(len(some)):
                state = some[i]
                state.steps += 1
                state.clock += 1
                state.status = _judge(state, rules)
                rewards[first + i, j] = state.distance - state.last_distance
                motion[STEERING, i] = commands[first + i, j, 0] * (pi / 180.0)
                motion[WANTED, i] = commands[first + i, j, 1]
            move(some, car, motion)
            for i in range(len(some)):
                state = some[i]
                if state.status == PAUSE:
                    state.held -= 1
                    continue
                if _is_put_back(state, rules):
                    put_back(state, road, car, rules)
                    continue
                x, y, s, old_speed = state.x, state.y, state.s, state.speed
                front_x, front_y = state.front_x, state.front_y
                state.last_x, state.last_y = x, y
                stretch = _stretch(state, curvature)
                take(state, motion, i)
                still = distance(state.x - x, state.y - y) <= rules.still_m
                state.still_steps = state.still_steps + 1 if still else 0
                locate(state, car, road)
                if state.s - s < -0.5 * length:
                    state.winding += 1
                elif state.s - s > 0.5 * length:
                    state.winding -= 1
                # On the inside of a tight bend the projection runs ahead of the car, and jumps where the bend folds:
                # what is paid is the car's own path, stretched to the centre line, the remainder as it drives on.
                path = distance(state.front_x - front_x, state.front_y - front_y)
                most = CATCH_UP * path * max(stretch, _stretch(state, curvature))
                along = state.s - state.start_s + state.winding * length
                state.last_distance = state.distance
                state.distance = min(state.distance + most, max(state.distance - most, along))
                state.reversed_steps = state.reversed_steps + 1 if state.distance < state.last_distance else 0
                missing = (state.laps + 1) * length - state.distance
                if missing < IN_ORDER_M:
                    covered = _passed(center, arc, state.start_s, front_x, front_y, state.front_x, state.front_y)
                    if covered >= 0.0 or missing <= -IN_ORDER_M:
                        time_share = _time_share(covered, old_speed, state.speed) if covered >= 0.0 else 1.0
                        crossed = (state.steps - 2 + time_share) * STEP_S
                        state.lap_time = crossed - state.lap_start_s
                        state.lap_start_s = crossed
                        state.lap_step = state.steps
                        state.laps += 1


@lean
def scale_actions(actions: Any, middle: Any, half: Any, commands: Any) -> bool:
    """Clip actions (n, 2) to -1..1 and scale them to `commands` (n, 2); whether all of them are finite numbers."""
    fine = True
    for i in range(len(actions)):
        for k in range(2):
            unit = float(actions[i, k])
            fine &= isfinite(unit)
            commands[i, k] = min(max(unit, -1.0), 1.0) * half[k] + middle[k]
    return fine


@kernel
def all_finite(commands: Any) -> bool:
    """Whether all commands are finite numbers."""
    fine = True
    for value in commands.flat:
        fine &= isfinite(value)
    return fine


@inlined
def _judge(state: Any, rules: Any) -> int:
    if state.laps >= rules.laps:
        return LAP_COMPLETE
    if state.held > 0:
        return TIME_UP if (state.steps - 2) * STEP_S >= rules.time_limit_s else PAUSE
    if state.wheels_on_track == 0:
        return OFF_TRACK
    if state.still_steps >= rules.immobilized_steps:
        return IMMOBILIZED
    if (state.steps - 2) * STEP_S >= rules.time_limit_s:
        return TIME_UP
    if state.reversed_steps >= rules.reversed_steps:
        return REVERSED
    return IN_PROGRESS


@inlined
def _is_put_back(state: Any, rules: Any) -> bool:
    mistake = state.status == OFF_TRACK or state.status == IMMOBILIZED or state.status == REVERSED
    return bool(mistake and rules.penalty_steps > 0 and state.resets < rules.resets)


@inlined
def _stretch(state: Any, curvature: Any) -> float:
    """Metres of centre line passed for each metre driven along it at the car's offset: 1 / (1 - kappa d)."""
    return 1.0 / float(max(1.0 / OVERPAID, 1.0 - at_row(curvature, state.segment, state.share) * state.offset))


@kernel
def _passed(center: Any, arc: Any, s: float, x0: float, y0: float, x1: float, y1: float) -> float:
    """Share of the way (x0, y0) - (x1, y1) at which it passes the line across the track at arc length s; else -1.

    The projection would do on the centre line alone: beside it, it jumps or stands still at every row.
    """
    x, y = point_at(center, arc, s)
    behind_x, behind_y = point_at(center, arc, s - GATE_M)
    ahead_x, ahead_y = point_at(center, arc, s + GATE_M)
    dx, dy = ahead_x - behind_x, ahead_y - behind_y
    before, after = (x0 - x) * dx + (y0 - y) * dy, (x1 - x) * dx + (y1 - y) * dy
    return before / (before - after) if before < 0.0 <= after else -1.0


@inlined
def _time_share(covered: float, before: float, after: float) -> float:
    """Share of a step's time at which a share of its way is covered, the speed changing linearly over the step."""
    change = after - before
    if abs(change) < 1e-6 * (before + after + 1e-9):
        return covered
    root = before * before + change * (before + after) * covered
    return min(1.0, max(0.0, (sqrt(max(0.0, root)) - before) / change))
