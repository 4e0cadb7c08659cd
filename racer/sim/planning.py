"""How plans are improved: differential dynamic programming with bounds on the controls.

Jacobson and Mayne, "Differential dynamic programming", 1970; Tassa, Mansard and Todorov, "Control-limited differential
dynamic programming", 2014.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from racer.sim.car import DELTA, HEADING, STEERING, Y
from racer.sim.compiled import kernel
from racer.sim.plan_costs import cost_of, slopes_of
from racer.sim.plan_motion import advance, differentiate, turned

__all__ = ["improve"]

SHARES = np.array([0.0, 1.0, 0.6, 0.3, 0.15, 0.06, 0.02, 0.005])  # of a change that are tried
LEAST, LEAST_DAMPING, MOST_DAMPING = 1e-4, 1e-4, 1e4
WORTH_IT = 1e-7  # of cost; a smaller gain is none

FloatArray = NDArray[np.float64]


@kernel
def roll(
    states: Any, controls: Any, worth: Any, start_s: float, change: Any, gains: Any, shares: Any,
    records: Any, values: Any, now: Any, course: Any, car: Any, limits: Any, settings: Any,
    tried: Any, given: Any, along: Any, costs: Any,
) -> None:  # fmt: skip
    """Drive the plan with several shares of a change at once: states `tried`, controls `given` and what each costs."""
    steps, n, count = len(controls), states.shape[1], len(shares)
    answer = np.empty((count, 2))
    for i in range(count):
        tried[i, 0] = states[0]
        along[i, 0] = start_s
        costs[i] = 0.0
    for k in range(steps):
        for i in range(count):
            for u in range(2):
                value = controls[k, u] + shares[i] * change[k, u]
                if shares[i] > 0.0:
                    for j in range(n):
                        away = tried[i, k, j] - states[k, j]
                        value += gains[k, u, j] * (turned(away) if j == HEADING else away)
                answer[i, u] = min(1.0, max(-1.0, value))
            given[i, k] = answer[i]
            values[i] = tried[i, k]
            costs[i] += 0.5 * settings.effort * (answer[i, 0] ** 2 + answer[i, 1] ** 2)
            costs[i] += 0.5 * settings.smooth * (answer[i, 0] - tried[i, k, STEERING] / limits.steering) ** 2
        advance(records, values, answer, count, car, limits, now)
        for i in range(count):
            tried[i, k + 1] = values[i]
            cost, along[i, k + 1] = cost_of(values[i], along[i, k], worth[k + 1], course, car, settings)
            costs[i] += cost


@kernel
def improve(
    states: Any, controls: Any, worth: Any, start_s: float, records: Any, values: Any, now: Any,
    course: Any, car: Any, limits: Any, settings: Any, damping: FloatArray, iterations: int,
) -> float:  # fmt: skip
    """See `Plan.improve`; returns what the plan costs. `damping` (2,) is kept for the next time.

    A change is held back in two ways, by `damping` and by `hold` of `sweep`; where the first one finds nothing better,
    the second one is tried.
    """
    steps, n, count = len(controls), states.shape[1], len(SHARES)
    a, b, bends = np.empty((steps, n, n)), np.empty((steps, n, 2)), np.zeros((steps, n + 2, n + 2, n))
    change, gains = np.zeros((steps, 2)), np.zeros((steps, 2, n))
    tried, given = np.empty((count, steps + 1, n)), np.empty((count, steps, 2))
    along, costs = np.empty((count, steps + 1)), np.empty(count)
    here = np.empty(steps + 1)
    roll(
        states, controls, worth, start_s, change, gains, SHARES[:1], records, values, now, course, car, limits,
        settings, tried, given, along, costs,
    )  # fmt: skip
    states[:], controls[:], here[:], best = tried[0], given[0], along[0], costs[0]
    stale = True
    for _ in range(iterations):
        if stale:
            differentiate(states, controls, records, values, now, car, limits, settings.curved > 0.0, a, b, bends)
        stale = False
        for way in range(2):
            if stale:
                break
            sweep(
                states, controls, here, worth, course, car, limits, settings, damping[0] if way == 0 else 0.0,
                damping[1] if way == 1 else 0.0, a, b, bends, change, gains,
            )  # fmt: skip
            roll(
                states, controls, worth, start_s, change, gains, SHARES[1:], records, values, now, course, car, limits,
                settings, tried, given, along, costs,
            )  # fmt: skip
            chosen = 0
            for i in range(1, count - 1):
                if costs[i] < costs[chosen]:
                    chosen = i
            if costs[chosen] < best - WORTH_IT:
                best, stale = costs[chosen], True
                states[:], controls[:], here[:] = tried[chosen], given[chosen], along[chosen]
                factor = 0.3 if chosen < 2 else 1.0 if chosen < 4 else 2.0
            else:
                factor = 8.0
            damping[way] = min(MOST_DAMPING, max(LEAST_DAMPING, damping[way] * factor))
    return float(best)


@kernel
def sweep(
    states: Any, controls: Any, along: Any, worth: Any, course: Any, car: Any, limits: Any, settings: Any,
    damping: float, hold: float, a: Any, b: Any, bends: Any, change: Any, gains: Any,
) -> None:  # fmt: skip
    """Find from the last step to the first how to change each control, and how to answer a change of the state.

    `damping` keeps the controls near what they were, `hold` the motion: where the car slides, only the latter keeps
    the later steps from falling apart when an earlier one changes.
    """
    steps, n = len(controls), states.shape[1]
    vx, vxx = np.zeros((n, 1)), np.zeros((n, n))
    slopes_of(states[steps], along[steps], worth[steps], course, car, settings, vx[:, 0], vxx)
    qx, qxx, qu, quu, qux = np.empty((n, 1)), np.empty((n, n)), np.empty((2, 1)), np.empty((2, 2)), np.empty((2, n))
    vb, va, damped, free = np.empty((n, 2)), np.empty((n, n)), np.empty((2, 2)), np.empty(2, np.bool_)
    low, high, held = np.empty(2), np.empty(2), np.empty((2, n))
    for k in range(steps - 1, -1, -1):
        _product(vxx, b[k], vb)
        _product(vxx, a[k], va)
        _product(a[k].T, vx, qx)
        _product(a[k].T, va, qxx)
        _product(b[k].T, vx, qu)
        _product(b[k].T, vb, quu)
        _product(b[k].T, va, qux)
        for i in range(Y + 1, n + 2 if settings.curved > 0.0 else 0):
            for j in range(Y + 1, n + 2):
                bend = 0.0
                for p in range(n):
                    bend += vx[p, 0] * bends[k, i, j, p]
                if i < n and j < n:
                    qxx[i, j] += settings.curved * bend
                elif i >= n and j < n:
                    qux[i - n, j] += settings.curved * bend
                elif i >= n:
                    quu[i - n, j - n] += settings.curved * bend
        for i in range(2):
            qu[i, 0] += settings.effort * controls[k, i]
            quu[i, i] += settings.effort
            low[i], high[i] = -1.0 - controls[k, i], 1.0 - controls[k, i]
        turn = 1.0 / limits.steering
        jerk = settings.smooth * (controls[k, 0] - states[k, STEERING] * turn)
        qu[0, 0] += jerk
        quu[0, 0] += settings.smooth
        qx[STEERING, 0] -= jerk * turn
        qxx[STEERING, STEERING] += settings.smooth * turn * turn
        qux[0, STEERING] -= settings.smooth * turn
        for i in range(2):
            for j in range(n):
                held[i, j] = qux[i, j]
                for p in range(DELTA):
                    held[i, j] += hold * b[k, p, i] * a[k, p, j]
            for j in range(2):
                damped[i, j] = quu[i, j]
                for p in range(DELTA):
                    damped[i, j] += hold * b[k, p, i] * b[k, p, j]
        middle, apart = 0.5 * (damped[0, 0] + damped[1, 1]), 0.5 * (damped[0, 0] - damped[1, 1])
        least = middle - sqrt(apart * apart + damped[0, 1] * damped[0, 1])
        for i in range(2):
            damped[i, i] += damping + 1e-3 * hold + LEAST + max(0.0, -least)
        _best_change(damped, qu[:, 0], low, high, change[k], free)
        det = damped[0, 0] * damped[1, 1] - damped[0, 1] * damped[0, 1]
        for j in range(n):
            gains[k, 0, j] = gains[k, 1, j] = 0.0
            if free[0] and free[1]:
                gains[k, 0, j] = -(damped[1, 1] * held[0, j] - damped[0, 1] * held[1, j]) / det
                gains[k, 1, j] = -(damped[0, 0] * held[1, j] - damped[0, 1] * held[0, j]) / det
            elif free[0]:
                gains[k, 0, j] = -held[0, j] / damped[0, 0]
            elif free[1]:
                gains[k, 1, j] = -held[1, j] / damped[1, 1]
        for i in range(n):
            gain_0, gain_1 = gains[k, 0, i], gains[k, 1, i]
            wish_0 = qu[0, 0] + quu[0, 0] * change[k, 0] + quu[0, 1] * change[k, 1]
            wish_1 = qu[1, 0] + quu[1, 0] * change[k, 0] + quu[1, 1] * change[k, 1]
            vx[i, 0] = qx[i, 0] + gain_0 * wish_0 + gain_1 * wish_1
            vx[i, 0] += qux[0, i] * change[k, 0] + qux[1, i] * change[k, 1]
            for j in range(n):
                answer_0 = quu[0, 0] * gains[k, 0, j] + quu[0, 1] * gains[k, 1, j] + qux[0, j]
                answer_1 = quu[1, 0] * gains[k, 0, j] + quu[1, 1] * gains[k, 1, j] + qux[1, j]
                vxx[i, j] = qxx[i, j] + gain_0 * answer_0 + gain_1 * answer_1
                vxx[i, j] += qux[0, i] * gains[k, 0, j] + qux[1, i] * gains[k, 1, j]
        for i in range(n):
            for j in range(i):
                vxx[i, j] = vxx[j, i] = 0.5 * (vxx[i, j] + vxx[j, i])
        if k > 0:
            slopes_of(states[k], along[k], worth[k], course, car, settings, vx[:, 0], vxx)


@kernel
def _best_change(h: FloatArray, g: FloatArray, low: FloatArray, high: FloatArray, d: FloatArray, free: Any) -> None:
    """Minimise g d + d h d / 2 for d (2,) between `low` and `high`; `free` says which of d do not meet a bound."""
    det = h[0, 0] * h[1, 1] - h[0, 1] * h[0, 1]
    d[0] = (-g[0] * h[1, 1] + g[1] * h[0, 1]) / det
    d[1] = (-g[1] * h[0, 0] + g[0] * h[0, 1]) / det
    free[0] = free[1] = True
    if low[0] <= d[0] <= high[0] and low[1] <= d[1] <= high[1]:
        return
    best, best_0, best_1, best_free = np.inf, 0.0, 0.0, -1
    for fixed in range(2):
        other = 1 - fixed
        for side in range(2):
            at = low[fixed] if side == 0 else high[fixed]
            wanted = -(g[other] + h[0, 1] * at) / h[other, other]
            there = min(high[other], max(low[other], wanted))
            value = g[fixed] * at + g[other] * there
            value += 0.5 * (h[fixed, fixed] * at * at + h[other, other] * there * there) + h[0, 1] * at * there
            if value < best:
                best, best_free = value, other if there == wanted else -1
                if fixed == 0:
                    best_0, best_1 = at, there
                else:
                    best_0, best_1 = there, at
    d[0], d[1] = best_0, best_1
    free[0], free[1] = best_free == 0, best_free == 1


@kernel
def _product(a: FloatArray, b: FloatArray, out: FloatArray) -> None:
    """The product of two matrices."""
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            total = 0.0
            for k in range(a.shape[1]):
                total += a[i, k] * b[k, j]
            out[i, j] = total
