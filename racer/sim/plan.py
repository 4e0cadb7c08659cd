"""Plans: the commands of the next steps, and the motion that follows from them; `planning` has the kernels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from racer.sim.actions import ContinuousActions
from racer.sim.car import AT_ONCE, MOTION, ROWS, SPEED, STEERING, WANTED, Car, drive, move
from racer.sim.course import Course, course_of
from racer.sim.plan_costs import front_of, progress_of
from racer.sim.plan_motion import command_of, copies_of
from racer.sim.planning import improve
from racer.sim.pursuit import pursue
from racer.track import Track

__all__ = ["Plan", "PlanSettings"]

REST = 0.99  # of the steering that is allowed: beyond the stop nothing changes, and slopes are taken on both sides
FULL = 0.9  # share of the greatest effect that a full control has


class PlanSettings(NamedTuple):
    """What a plan looks for.

    Attributes:
        horizon: steps that it looks ahead.
        margin: distance that the wheel farthest on the road shall keep from the border, m.
        edge, steep: cost of a square metre, and of a cubic metre, of less.
        soft: what two wheels differ by where the one farther in begins to count alone, m.
        pull: 1/m, how much less each further metre of progress is worth: what keeps a change within bounds.
        effort: cost of a full control.
        smooth: cost of a change of the steering from straight to a full control.
        curved: 1 to take into account how the motion's slopes change, which takes twice as long; else 0.
    """

    horizon: int = 48
    margin: float = 0.03
    edge: float = 50.0
    steep: float = 2000.0
    soft: float = 0.005
    pull: float = 0.5
    effort: float = 1e-4
    smooth: float = 1e-3
    curved: float = 0.0


class Limits(NamedTuple):
    """What a control of -1..1 commands.

    Attributes:
        steering: rad, of a full control.
        slowest, fastest: m/s, of the commands that are allowed.
        faster, slower: m/s, how far above and below the car's speed the command of a full control lies. A command that
            is further away changes nothing, and what changes nothing cannot be improved.
    """

    steering: float
    slowest: float
    fastest: float
    faster: float
    slower: float


class Plan:
    """Commands for the steps ahead, and the motion that follows from them.

    Attributes:
        states: (horizon + 1, fields of `MOTION`), the car's motion before each step.
        controls: (horizon, 2) of -1..1, steering and speed.
        worth: (horizon + 1,) what a metre of progress before each step is worth; at first only the last one counts.
        start_s: progress of the first state, m.
    """

    def __init__(self, track: Track, car: Car, settings: PlanSettings, actions: ContinuousActions) -> None:
        """Plan nothing yet.

        Args:
            track: a closed one.
            car: any.
            settings: what to look for.
            actions: whose commands are allowed; their steering goes as far to both sides.
        """
        self.settings = PlanSettings(int(settings.horizon), *map(float, settings[1:]))
        self.course: Course = course_of(track)
        self.car, self.constants = car, car.constants
        steering, (slowest, fastest) = REST * float(np.radians(actions.steering_angle[1])), actions.speed
        self.limits = Limits(steering, float(slowest), float(fastest), *_reach(car))
        count, horizon = len(MOTION), self.settings.horizon
        self.states, self.controls = np.zeros((horizon + 1, count)), np.zeros((horizon, 2))
        self.worth = np.zeros(horizon + 1)
        self.worth[-1] = 1.0
        self.start_s = 0.0
        self._damping = np.ones(2)
        copies = horizon * copies_of(count, True)
        self._records = np.zeros(copies, MOTION)
        self._values = self._records.view(np.float64).reshape(copies, count)
        self._now = np.empty((ROWS, AT_ONCE))

    def begin(self, motion: NDArray[np.void], start_s: float) -> None:
        """Start from a car's motion, a record with the fields of `MOTION`, with so much progress, m."""
        self.states[0] = [motion[name] for name, _ in MOTION]
        self.start_s = start_s

    def imitate(self, commands: ArrayLike, speeds: ArrayLike) -> None:
        """Plan commands (horizon, 2) in rad and m/s that were given at measured speeds (horizon,), m/s."""
        given, limits = np.asarray(commands, dtype=np.float64), self.limits
        away = given[:, 1] - np.asarray(speeds)
        self.controls[:, 0] = given[:, 0] / limits.steering
        self.controls[:, 1] = away / np.where(away > 0.0, limits.faster, limits.slower)
        np.clip(self.controls, -1.0, 1.0, out=self.controls)

    def improve(self, iterations: int) -> float:
        """Improve the controls; returns what the plan costs, less the more progress it makes."""
        cost = improve(
            self.states, self.controls, self.worth, self.start_s, self._records, self._values, self._now,
            self.course, self.constants, self.limits, self.settings, self._damping, iterations,
        )  # fmt: skip
        return float(cost)

    def pursue(self, first: int, pace: float) -> float:
        """Replace the controls from step `first` on by pure pursuit of the centre line; returns what the plan costs.

        Args:
            first: step from which on they are replaced.
            pace: sideways acceleration to plan for, m/s2.
        """
        return float(
            pursue(
                self.states, self.controls, self.worth, self.start_s, self._records, self._values, self._now,
                self.course, self.constants, self.limits, self.settings, first, pace,
            )
        )  # fmt: skip

    def command(self, step: int = 0) -> tuple[float, float]:
        """What a step commands: steering (rad), speed (m/s)."""
        steering, speed = self.controls[step].tolist()
        steering, speed = command_of(steering, speed, float(self.states[step, SPEED]), self.limits)
        return float(steering), float(speed)

    def follow(self, steering: float, speed: float) -> None:
        """Drive the first step, with a command; the plan goes on one step later, its last control repeated."""
        self._values[0] = self.states[0]
        self._now[STEERING, 0], self._now[WANTED, 0] = steering, speed
        move(self._records[:1], self.constants, self._now)
        self.controls[:-1] = self.controls[1:]
        self.states[0] = self._now[: len(MOTION), 0]
        x, y = front_of(self.states[0], self.constants)
        self.start_s = progress_of(self.course, x, y, self.start_s)


def _reach(car: Car) -> tuple[float, float]:
    """How far above and below its speed a car's command must lie for nearly its full effect, m/s."""
    found = []
    for sign in (1.0, -1.0):
        furthest = 0.1
        for speed in (1.5, 2.5, 3.0):
            apart = np.linspace(0.0, 1.4, 57)
            after = [drive([(0.0, speed + sign * one)], car, speed=speed)[1]["speed"] for one in apart]
            change = np.abs(np.array(after) - after[0])
            furthest = max(furthest, float(apart[np.argmax(change >= FULL * change.max())]))
        found.append(furthest)
    return found[0], found[1]
