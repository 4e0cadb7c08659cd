"""Trying a reward function before training with it: what do good and bad drives earn?

Six short drives are scripted on the real track with the real car, and the function is called on every step of
them, as a training would. A driver learns whatever is worth most, so a bad drive must not be worth more than the good.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import atan, atan2, cos, degrees, hypot, pi, sin, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from racer.errors import RewardError
from racer.reward.function import RewardFunction, VectorReward
from racer.reward.hints import hints_of
from racer.reward.params import Params
from racer.reward.sandbox import OutputBuffer
from racer.sim import IMMOBILIZED, IN_PROGRESS, LAP_COMPLETE, STATUS, TIME_UP, Road, Rules, World
from racer.track import Track

GOOD = "good lap"
LASTING = (STATUS[LAP_COMPLETE], STATUS[TIME_UP])

SLOW_MPS = 0.7  # of the slow lap, the zig-zag, and the drives that go wrong
LATERAL = 1.8  # m/s2 that the good lap plans to use in bends, half of what the car can hold ...
TIGHTEST = 3.2  # 1/m: ... and less the nearer a bend is to this
BRAKING = 1.3  # m/s2 that it plans to brake with
AHEAD_S = 0.5  # s, how far ahead it aims: the lags of the car are about half of it
AHEAD_MIN_M = 0.5
MARGIN = 0.1  # a bad drive is worth more only if it is by this share of what the good lap is worth
GAMMA = 0.99
"""Discount of a step: between those of racer's recipes (0.98) and of DeepRacer (0.999)."""


@dataclass(frozen=True)
class Drive:
    """What one drive earned.

    Attributes:
        name: of the drive.
        end: how its episode ended, a name of `racer.sim.STATUS`.
        rewards: of each step.
        bad: whether a reward should pay it less than the good lap.
    """

    name: str
    end: str
    rewards: tuple[float, ...]
    bad: bool

    @property
    def per_step(self) -> float:
        """Mean reward of a step."""
        return float(np.mean(self.rewards))

    @property
    def per_episode(self) -> float:
        """Sum of the rewards."""
        return float(np.sum(self.rewards))

    @property
    def worth(self) -> float:
        """What a learner prefers the drive by: the discounted rewards, as the reward of a step that never ends.

        A lap is followed by others like it. Nothing follows where the car leaves the track, stands or goes back.
        """
        discounts = GAMMA ** np.arange(len(self.rewards))
        following = GAMMA ** len(self.rewards) * self.per_step if self.end in LASTING else 0.0
        return float(discounts @ self.rewards) * (1.0 - GAMMA) + following


@dataclass(frozen=True)
class Report:
    """What a check found.

    Attributes:
        drives: the good lap first.
        warnings: plain sentences; none if the good lap is worth most.
        hints: plain sentences about what may be a mistake in the source.
        printed: what the function printed, as far as it was kept.
        printed_lines: how many lines that would be.
        call_us: mean time of a call, microseconds, `params` included.
    """

    drives: tuple[Drive, ...]
    warnings: tuple[str, ...]
    hints: tuple[str, ...]
    printed: str
    printed_lines: int
    call_us: float

    @property
    def verdict(self) -> str:
        """The report in one sentence."""
        found = (*self.warnings, *self.hints)
        return found[0] if found else "good driving pays best"


def check(reward: RewardFunction, track: Track) -> Report:
    """Let a reward function judge good and bad drives on a track.

    Raises:
        RewardError: it fails on one of them.
        TrackError: the track is open.
    """
    printed = OutputBuffer()
    rewards = VectorReward(reward, 1, printed)
    drives, calls, seconds = [], 0, 0.0
    for name, bad, script in _SCRIPTS:
        world = World(track, rules=Rules(start="line", time_limit_s=track.length / (0.5 * SLOW_MPS)))
        world.seed(0)
        world.reset()
        params, out, earned = Params(track, 1), np.zeros(1), []
        for commands in script(world):
            params.describe(world, commands)
            began = time.perf_counter()
            rewards(params, out)
            seconds += time.perf_counter() - began
            earned.append(float(out[0]))
            world.step(commands, np.zeros((1, 1)))
        calls += len(earned)
        end = IMMOBILIZED if name == "stopped" else int(world.cars["status"][0, 0])
        drives.append(Drive(name, STATUS[end], tuple(earned), bad))
    warnings, hints = tuple(_warnings(drives)), tuple(hints_of(reward.text))
    return Report(tuple(drives), warnings, hints, printed.getvalue(), printed.lines, seconds / calls * 1e6)


def verdict(reward: RewardFunction, track: Track) -> str:
    """What `check` finds, in one sentence without a full stop; of a function that fails the first line of its error."""
    try:
        return check(reward, track).verdict
    except RewardError as wrong:
        return str(wrong).splitlines()[0]


def _warnings(drives: list[Drive]) -> Iterator[str]:
    good = drives[0]
    if good.end != STATUS[LAP_COMPLETE]:
        yield f"the good lap could not be driven here ({good.end.replace('_', ' ')}), so its pay says little"
    values = {round(reward, 12) for drive in drives for reward in drive.rewards}
    if len(values) == 1:
        yield f"every step of every drive earns {values.pop():g}: there is nothing to learn from"
        return
    for drive in drives[1:]:
        if drive.bad and drive.worth > good.worth + MARGIN * abs(good.worth):
            yield (
                f"the {drive.name} drive is worth more than the good lap, {drive.worth:.3g} a step against "
                f"{good.worth:.3g} (rewards discounted by {GAMMA} a step), so a driver will rather learn that"
            )


def _good(world: World) -> Iterator[NDArray[np.float64]]:
    return _follow(world, 4.0)


def _slow(world: World) -> Iterator[NDArray[np.float64]]:
    return _follow(world, SLOW_MPS)


def _zigzag(world: World) -> Iterator[NDArray[np.float64]]:
    return _follow(world, 2 * SLOW_MPS, swing=0.5)


def _stopped(world: World) -> Iterator[NDArray[np.float64]]:
    held = world.cars.copy()
    commands = np.zeros((1, 1, 2))
    for step in range(world.rules.immobilized_steps):
        world.cars[:] = held
        world.cars["steps"] += step
        world.cars["clock"] += step
        yield commands


def _off_track(world: World) -> Iterator[NDArray[np.float64]]:
    commands = np.array([[[30.0, 2 * SLOW_MPS]]])
    yield np.array([[[0.0, 2 * SLOW_MPS]]])
    while world.cars["status"][0, 0] == IN_PROGRESS:
        # Straight at the left border: on full lock a car might stay on a wide road for ever.
        away = _angle(world, degrees_off=60.0)
        commands[0, 0, 0] = float(np.clip(away * 3.0, -30.0, 30.0))
        yield commands


def _backwards(world: World) -> Iterator[NDArray[np.float64]]:
    world.cars["heading"] = (world.cars["heading"] + 2 * pi) % (2 * pi) - pi
    return _follow(world, SLOW_MPS, way=-1)


_SCRIPTS = (
    (GOOD, False, _good),
    ("slow", True, _slow),
    ("zig-zag", True, _zigzag),
    ("stopped", True, _stopped),
    ("off-track", True, _off_track),
    ("backwards", True, _backwards),
)


def _follow(world: World, top: float, swing: float = 0.0, way: int = 1) -> Iterator[NDArray[np.float64]]:
    """Steer at the centre line ahead, or swing about it by a share of its half width, until the episode ends."""
    road, car = world.road, world.car
    limits = _speeds(road, top)
    commands = np.zeros((1, 1, 2))
    while True:
        state: Any = world.cars[0, 0]
        if state["status"] != IN_PROGRESS:
            return
        speed = float(state["speed"])
        aim_s = float(state["s"]) + way * max(AHEAD_MIN_M, AHEAD_S * speed)
        index = int(aim_s / road.ahead_spacing) % (len(road.ahead) - 1)
        here, following = road.ahead[index], road.ahead[index + 1]
        along = (following - here) / hypot(*(following - here))
        side = swing * sin(aim_s * pi / 1.2) * float(np.interp(aim_s % road.s[-1], road.s, road.half_width))
        dx, dy = here - (float(state["x"]), float(state["y"])) + side * np.array([-along[1], along[0]])
        c, s = cos(state["heading"]), sin(state["heading"])
        ahead, left = c * dx + s * dy, c * dy - s * dx
        curvature = 2.0 * left / max(ahead * ahead + left * left, 1e-6)
        commands[0, 0, 0] = np.clip(degrees(atan(curvature * car.wheelbase(speed) * 1.1)), -30, 30)
        reach = float(state["s"]) + way * AHEAD_S * 0.5 * speed
        commands[0, 0, 1] = limits[int(reach / road.ahead_spacing) % len(limits)]
        yield commands


def _speeds(road: Road, top: float) -> NDArray[np.float64]:
    """Speed (m/s) at each point of the look-ahead table that bends and braking allow, at most `top`."""
    at = np.arange(len(road.ahead) - 1) * road.ahead_spacing
    bend = np.abs(np.interp(at, road.s, road.curvature))
    lateral = LATERAL * np.maximum(0.0, 1.0 - (bend / TIGHTEST) ** 2)
    limit: NDArray[np.float64] = np.minimum(top, np.sqrt(lateral / np.maximum(bend, 1e-6)))
    for k in range(2 * len(limit) - 2, -1, -1):  # twice around, so that the end knows of the start
        i, following = k % len(limit), (k + 1) % len(limit)
        limit[i] = min(limit[i], sqrt(limit[following] ** 2 + 2.0 * BRAKING * road.ahead_spacing))
    return limit


def _angle(world: World, degrees_off: float) -> float:
    """Degrees that a car must still turn left to face `degrees_off` to the left of the centre line."""
    state: Any = world.cars[0, 0]
    center, i = world.road.center, int(state["segment"])
    line = atan2(center[i + 1, 1] - center[i, 1], center[i + 1, 0] - center[i, 0])
    gap = line + degrees_off * pi / 180.0 - float(state["heading"])
    return degrees(atan2(sin(gap), cos(gap)))
