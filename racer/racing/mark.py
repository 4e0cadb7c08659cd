"""The mark: the fastest lap that racer can find.

A plan looks some seconds ahead and is improved through the car's own motion before every step (`racer.sim.Plan`); its
first command is driven, and the plan moves on. Several settings try. Then the flying lap is improved as a whole, from
some steps before its line on. What comes out is driven in the environment and judged like any driver's actions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from racer.errors import TrackError
from racer.racing.race import RaceConditions, drive
from racer.replay import Replay
from racer.sim import DEFAULT, STEP_S, Car, Plan, PlanSettings, Rules, World
from racer.track import Track

__all__ = ["SEARCHES", "find_lap"]

LAPS = 2  # the first from a standing start, the second one flying
SEARCHES = tuple(PlanSettings(horizon, margin) for horizon, margin in ((48, 0.06), (36, 0.06), (60, 0.06), (42, 0.04)))
"""What is tried, one after the other; the best lap of all counts."""

FIRST, EACH = 30, 8  # iterations for the first plan, and for every further one
TAILS = (0.4, 0.7, 1.0)  # shares of a plan after which pure pursuit is tried for the rest of it
PACE = 1.5  # sideways acceleration that pure pursuit plans for, m/s2
SLOWEST = 0.7  # m/s along the track; a search that is slower has got lost
BEYOND_M = 0.5  # how far beyond the last line it drives

POLISHES = (
    PlanSettings(margin=0.02, smooth=0.0),
    PlanSettings(margin=0.012, edge=200.0, steep=5000.0, smooth=0.0, pull=0.1),
    PlanSettings(margin=0.015, edge=100.0, steep=3000.0, smooth=0.0, pull=0.1, curved=1.0),
    PlanSettings(margin=0.012, edge=100.0, steep=3000.0, soft=0.002),
)
"""What a whole lap is improved with, in turn: from one standstill another setting often finds the way on."""

ROUNDS, WHOLE = 8, 120  # of that, at most; iterations in each
LEAD = 40  # steps before a flying lap that may change with it
GAIN_S = 5e-4  # less than this is no gain
HOPELESS = 1.01  # times the best lap of the searches before: a lap this slow will not beat it


@dataclass(frozen=True)
class Try:
    """Actions, (k, 2), and the race that they make."""

    actions: NDArray[np.float32]
    race: Replay

    @property
    def lap_s(self) -> float:
        """Time of the last lap, s; infinite if not all are complete."""
        whole = self.race.completed_laps == LAPS == len(self.race.laps)
        return self.race.laps[-1].time_s if whole else math.inf


def find_lap(
    track: Track,
    car: Car,
    searches: Sequence[PlanSettings] = SEARCHES,
    on_progress: Callable[[float], None] | None = None,
    *,
    quick: bool = False,
) -> Replay:
    """Find the fastest lap of a track, in the direction that it is driven.

    Args:
        track: a closed one.
        car: any.
        searches: what to try.
        on_progress: called now and then with the share of the work that is done, 0..1.
        quick: whether to stop with the first search that gets around.

    Returns:
        A race of two laps, of which the last one is the fastest that was found.

    Raises:
        TrackError: the track is open, or no search gets around it.
    """
    best: Try | None = None
    for number, settings in enumerate(searches):

        def report(share: float, number: int = number) -> None:
            if on_progress is not None:
                on_progress((number + share) / len(searches))

        found = _polished(_searched(track, car, settings, report), best.lap_s if best else math.inf, report)
        if best is None or found.lap_s < best.lap_s:
            best = found
        if quick and math.isfinite(best.lap_s):
            break
    if best is None or not math.isfinite(best.lap_s):
        way = " (reverse)" if track.reversed else ""
        raise TrackError(f"no lap was found on {track.name!r}{way} with the car {car.name!r}: its bends are too tight")
    return best.race


class Playback:
    """A driver that plays actions, whatever it observes; the last one again and again."""

    def __init__(self, actions: NDArray[np.float32]) -> None:
        """Play `actions`, (k, 2)."""
        self._actions, self._next = actions, 0

    def act(self, observation: Any) -> NDArray[np.float32]:
        """The next action, for one car."""
        now = min(self._next, len(self._actions) - 1)
        self._next += 1
        return self._actions[now : now + 1].copy()


def _driven(track: Track, car: Car, actions: NDArray[np.float32]) -> Try:
    race = drive(Playback(actions), track, LAPS, RaceConditions(car), name="racer", reward_function=None)
    missing = max(0, len(race.steps) - len(actions))
    return Try(np.concatenate([actions, np.repeat(actions[-1:], missing, axis=0)]), race)


def _searched(track: Track, car: Car, settings: PlanSettings, report: Callable[[float], None]) -> Try:
    """Drive the laps, each action the first one of a plan."""
    plan = Plan(track, car, settings, DEFAULT)
    start = _world(track, car).cars[0, 0]
    plan.begin(start, float(start["distance"]))
    plan.pursue(0, PACE)
    plan.improve(FIRST)
    goal = LAPS * track.length + BEYOND_M
    actions: list[NDArray[np.float32]] = []
    while plan.start_s < goal and (len(actions) + 1) * STEP_S * SLOWEST < goal:
        plan.improve(EACH)
        actions.append(_action(plan, 0))
        command = DEFAULT.commands(actions[-1])  # what that action commands to the last bit
        plan.follow(np.radians(command[0]), float(command[1]))
        _choose_tail(plan)
        report(0.5 * min(1.0, plan.start_s / goal))
    return _driven(track, car, np.array(actions))


def _choose_tail(plan: Plan) -> None:
    """Let pure pursuit end the plan where that is better than what it planned."""
    planned = plan.controls.copy()
    least, best = plan.improve(0), planned
    for share in TAILS:
        plan.controls[:] = planned
        cost = plan.pursue(int(share * len(planned)) - 1, PACE)
        if cost < least:
            least, best = cost, plan.controls.copy()
    plan.controls[:] = best


def _polished(best: Try, rival_s: float, report: Callable[[float], None]) -> Try:
    """Improve the flying lap as a whole, until no setting does or it is far behind a rival once all have been tried."""
    failed = 0
    for number in range(ROUNDS):
        hopeless = number == len(POLISHES) and best.lap_s > HOPELESS * rival_s
        if failed == len(POLISHES) or hopeless or not math.isfinite(best.lap_s):
            break
        tried = _improved(best, POLISHES[number % len(POLISHES)])
        failed = 0 if tried.lap_s < best.lap_s - GAIN_S else failed + 1
        best = min(best, tried, key=lambda one: one.lap_s)
        report(0.5 + 0.5 * (number + 1) / ROUNDS)
    return best


def _improved(old: Try, settings: PlanSettings) -> Try:
    """Improve the last lap, and the steps before it.

    A lap time is the time at its end less that at its begin. Near a line, a metre of progress is worth 1 / speed of
    time, so a metre is worth its price at the end, and costs it at the begin.
    """
    track, car, lap = old.race.track, old.race.car, old.race.laps[-1]
    line, end = (math.ceil(time_s / STEP_S) for time_s in (lap.start_s, lap.start_s + lap.time_s))
    first = max(0, line - LEAD)
    commands = DEFAULT.commands(old.actions)
    cars, world, gained = [], _world(track, car), np.zeros((1, 1))
    for command in commands[:end]:
        cars.append(world.cars[0, 0].copy())
        world.step(command[None, None], gained)
    plan = Plan(track, car, settings._replace(horizon=end - first), DEFAULT)
    plan.begin(cars[first], float(cars[first]["distance"]))
    plan.worth[line - first] = -float(world.cars[0, 0]["speed"]) / max(float(cars[line]["speed"]), 0.1)
    radians = commands[first:end] * (np.pi / 180.0, 1.0)
    plan.imitate(radians, [car["speed"] for car in cars[first:]])
    plan.improve(WHOLE)
    new = [_action(plan, step) for step in range(end - first)]
    return _driven(track, car, np.concatenate([old.actions[:first], np.array(new), [new[-1]] * 3]))


def _world(track: Track, car: Car) -> World:
    """A car on the start line."""
    world = World(track, 1, 1, car, Rules("line", LAPS))
    world.seed(0)
    world.reset()
    return world


def _action(plan: Plan, step: int) -> NDArray[np.float32]:
    steering, speed = plan.command(step)
    return DEFAULT.actions([np.degrees(steering), speed])
