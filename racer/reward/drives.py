"""Fifteen scripted drives on a track, good and bad, for rewards to be judged on.

All drives of all episodes are races of one world, so that a step of them costs one call of the engine, and they are
driven once for each track: what a reward is shown depends on the track alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from racer.reward.params import Params
from racer.sim import IN_PROGRESS, LAP_COMPLETE, STATUS, STEP_S, Road, Rotation, Rules, World
from racer.track import Track

__all__ = ["BRISK", "EASY", "FAST", "SLOW", "Drive", "Episode", "drives_on", "fast_lap_s"]

FloatArray = NDArray[np.float64]

EPISODES = 3  # of each drive
ADVANCE = 0.37  # of a lap, by which each starts further on than the one before; the first starts on the line
SLOW_MPS = 0.5  # the slowest that racer's own action space drives
TOP_MPS = 4.0
LATERAL = (1.2, 1.6, 2.0, 2.4, 2.8, 3.2)  # m/s2 in bends, tried for a fast lap: the quickest that stays on the road
TIGHTEST = 3.2  # 1/m: the nearer a bend is to this, the less of it
TRIES = {TOP_MPS: len(LATERAL), 2.0: 3}  # how many of these a greatest speed is tried with; one, if it is low
BRAKING = 1.0  # of that, which it plans to brake with
AHEAD_S, AHEAD_MIN_M = 0.35, 0.5  # how far ahead a car aims: its lags are most of it
TURN_OFF_S = 1.0  # after which a car that is to leave the road turns off
SIDE = 0.5  # of the road's half width, left and right of the centre
SWING_STEPS = 8  # of a wave of the zig-zag


@dataclass(frozen=True)
class Script:
    """How to drive.

    Attributes:
        name: of the drive.
        top: greatest speed, m/s.
        side: of the way driven, as a share of the road's half width, left positive.
        swing: degrees by which it steers to the left and to the right of that in turns, with the speed up and down.
        steering: held all the time, degrees; None to follow the road.
        off: whether it turns off the road after `TURN_OFF_S`.
        backwards, standing: whether the car is turned about at the start, or held there.
    """

    name: str
    top: float
    side: float = 0.0
    swing: float = 0.0
    steering: float | None = None
    off: bool = False
    backwards: bool = False
    standing: bool = False


FAST, BRISK, EASY, SLOW = "fast lap", "brisk lap", "easy lap", "slow lap"
LAPS = (
    Script(FAST, TOP_MPS),
    Script(BRISK, 2.0),
    Script(EASY, 1.2),
    Script(SLOW, SLOW_MPS),
    Script("fast lap on the left", TOP_MPS, SIDE),
    Script("fast lap on the right", TOP_MPS, -SIDE),
    Script("slow lap on the left", 1.0, SIDE),
    Script("slow lap on the right", 1.0, -SIDE),
    Script("zig-zag lap", 2.0, swing=18.0),
)
OTHERS = (
    Script("circling", SLOW_MPS, steering=30.0),
    Script("driving straight on", 2.0, steering=0.0),
    Script("leaving the road", 1.4, off=True),
    Script("leaving the road at full speed", TOP_MPS, off=True),
    Script("driving backwards", SLOW_MPS, backwards=True),
    Script("standing still", 0.0, standing=True),
)
SCRIPTS = (*LAPS, *OTHERS)


@dataclass(frozen=True, eq=False)
class Episode:
    """One drive from one start, as the reward is shown it: a row for each of n steps.

    Attributes:
        start: where it starts, as a share of the lap.
        end: how it ended, a name of `racer.sim.STATUS`.
        floats, waypoints, flags: (n, ...) rows of the tables of `Params`.
        place: (n,) arc length of the car's projection on the centre line, m.
        metres: (n,) driven since the start along the centre line.
        offset: (n,) signed distance from the centre line, m, left positive.
    """

    start: float
    end: str
    floats: FloatArray
    waypoints: NDArray[np.int64]
    flags: NDArray[np.bool_]
    place: FloatArray
    metres: FloatArray
    offset: FloatArray

    @property
    def steps(self) -> int:
        """How many it has."""
        return len(self.floats)


@dataclass(frozen=True, eq=False)
class Drive:
    """A script, driven.

    Attributes:
        name: of the script.
        is_lap: whether it is meant to complete laps.
        episodes: one after the other, as one car drives them.
    """

    name: str
    is_lap: bool
    episodes: tuple[Episode, ...]

    @property
    def completes(self) -> bool:
        """Whether all its episodes are complete laps."""
        return all(episode.end == STATUS[LAP_COMPLETE] for episode in self.episodes)


_driven: WeakKeyDictionary[Track, tuple[Drive, ...]] = WeakKeyDictionary()


def drives_on(track: Track) -> tuple[Drive, ...]:
    """Every drive on a track, the fast lap first. They are kept as long as the track is.

    Raises:
        TrackError: the track is open.
    """
    drives = _driven.get(track)
    if drives is None:
        drives = _driven[track] = _drive(track)
    return drives


def fast_lap_s(track: Track) -> float:
    """How long the scripted fast lap takes from a standing start, s: what a simple driver can do on a track.

    Raises:
        TrackError: the track is open.
    """
    return drives_on(track)[0].episodes[0].steps * STEP_S


@dataclass(eq=False)
class _Batch:
    """All races of the world: a script each, from a start each."""

    scripts: list[Script]
    lateral: FloatArray
    starts: NDArray[np.int64]

    def of(self, name: str) -> NDArray[Any]:
        return np.array([getattr(script, name) for script in self.scripts])


def _drive(track: Track) -> tuple[Drive, ...]:
    plans = [(script, lateral) for script in SCRIPTS for lateral in LATERAL[: TRIES.get(script.top, 1)]]
    batch = _Batch(
        [script for script, _ in plans for _ in range(EPISODES)],
        np.repeat([lateral for _, lateral in plans], EPISODES),
        np.tile(np.arange(EPISODES), len(plans)),
    )
    episodes = _episodes(track, batch)
    drives: list[Drive] = []
    for script in SCRIPTS:
        tries = [
            Drive(script.name, script in LAPS, tuple(episodes[k * EPISODES : (k + 1) * EPISODES]))
            for k, (planned, _) in enumerate(plans)
            if planned is script
        ]
        drives.append(min(tries, key=_cost))
    return tuple(drives)


def _cost(drive: Drive) -> tuple[int, int]:
    """What makes one try of a script better than another: complete laps, then fewer steps."""
    missing = sum(episode.end != STATUS[LAP_COMPLETE] for episode in drive.episodes) if drive.is_lap else 0
    return missing, sum(episode.steps for episode in drive.episodes)


def _episodes(track: Track, batch: _Batch) -> list[Episode]:
    count, length = len(batch.scripts), float(track.length)
    rules = Rules(start=Rotation(ADVANCE), time_limit_s=length / (0.5 * SLOW_MPS))
    world = World(track, count, rules=rules)
    world.seed(0)
    world.cars["episode"] = batch.starts[:, None] - 1
    world.reset()
    cars = world.cars[:, 0]
    turned = batch.of("backwards")
    cars["heading"][turned] = (cars["heading"][turned] + 2 * pi) % (2 * pi) - pi
    standing = batch.of("standing")
    held, gained = cars[standing].copy(), np.zeros((count, 1))
    params, follow = Params(track, count), _Follower(world, batch)
    kept: list[tuple[NDArray[np.generic], ...]] = []
    running, steps = np.ones(count, dtype=np.bool_), np.zeros(count, dtype=np.int64)
    ends = np.full(count, IN_PROGRESS)
    while running.any():
        commands = follow.commands()
        params.describe(world, commands)
        where = cars["s"].copy(), cars["distance"].copy(), cars["offset"].copy()
        kept.append((params.floats.copy(), params.waypoints.copy(), params.flags.copy(), *where))
        world.step(commands, gained)
        if standing.any():
            for name in ("steps", "clock", "status"):
                held[name] = cars[name][standing]
            held["still_steps"] += 1
            cars[standing] = held
        steps += running
        over = running & (cars["status"] != IN_PROGRESS)
        ends[over] = cars["status"][over]
        running &= ~over
    tables = [np.stack(column) for column in zip(*kept, strict=True)]
    starts = batch.starts * ADVANCE % 1.0
    return [
        Episode(float(starts[i]), STATUS[ends[i]], *(table[: steps[i], i].copy() for table in tables))
        for i in range(count)
    ]


class _Follower:
    """Steers all cars at once at points ahead of them (pure pursuit, Coulter 1992)."""

    def __init__(self, world: World, batch: _Batch) -> None:
        road = world.road
        self._world, self._road = world, road
        self._ahead = road.ahead[:-1]
        along = np.diff(road.ahead, axis=0)
        self._along = along / np.hypot(along[:, 0], along[:, 1])[:, None]
        at = (np.arange(len(self._ahead))) * road.ahead_spacing
        self._half = np.interp(at, road.s, road.half_width)
        tops, lateral = batch.of("top").astype(float), batch.lateral
        self._plan, profiles = np.unique(np.stack([tops, lateral], axis=1), axis=0, return_inverse=True)
        self._profile = profiles.reshape(-1)
        self._limits = np.stack([_speeds(road, top, grip) for top, grip in self._plan])
        self._side, self._swing = batch.of("side"), batch.of("swing")
        self._way = np.where(batch.of("backwards"), -1.0, 1.0)
        fixed = [script.steering for script in batch.scripts]
        self._fixed = np.array([np.nan if angle is None else angle for angle in fixed])
        self._off, self._top = batch.of("off"), tops
        self._straight = ~np.isnan(self._fixed) | batch.of("standing")

    def commands(self) -> FloatArray:
        """Of every car, (n, 1, 2): degrees and m/s."""
        cars, spacing, count = self._world.cars[:, 0], self._road.ahead_spacing, len(self._ahead)
        speed = np.maximum(cars["speed"], 0.0)
        aim = cars["s"] + self._way * np.maximum(AHEAD_MIN_M, AHEAD_S * speed)
        index = np.floor(aim / spacing).astype(np.int64) % count
        along = self._along[index]
        side = self._side * self._half[index]
        dx = self._ahead[index, 0] - side * along[:, 1] - cars["x"]
        dy = self._ahead[index, 1] + side * along[:, 0] - cars["y"]
        c, s = np.cos(cars["heading"]), np.sin(cars["heading"])
        ahead, left = c * dx + s * dy, c * dy - s * dx
        bend = 2.0 * left / np.maximum(ahead * ahead + left * left, 1e-6)
        base = np.array([self._world.car.wheelbase(float(v)) for v in speed])
        steering = np.degrees(np.arctan(bend * base * 1.1))
        steering += self._swing * np.where(cars["steps"] % SWING_STEPS < SWING_STEPS // 2, 1.0, -1.0)
        reach = np.floor((cars["s"] + self._way * AHEAD_S * 0.5 * speed) / spacing).astype(np.int64) % count
        wanted = self._limits[self._profile, reach]
        wanted = np.where((self._swing > 0.0) & (cars["steps"] % 4 < 2), SLOW_MPS, wanted)

        off = self._off & (cars["steps"] * STEP_S > TURN_OFF_S)
        here = self._along[np.floor(cars["s"] / spacing).astype(np.int64) % count]
        # Straight at the left border: on full lock a car might stay on a wide road for ever.
        gap = np.arctan2(here[:, 1], here[:, 0]) + pi / 3 - cars["heading"]
        steering = np.where(off, np.degrees(np.arctan2(np.sin(gap), np.cos(gap))) * 3.0, steering)
        steering = np.where(np.isnan(self._fixed), steering, self._fixed)
        commands = np.empty((len(cars), 1, 2))
        commands[:, 0, 0] = np.clip(steering, -30.0, 30.0)
        commands[:, 0, 1] = np.where(self._straight | off, self._top, wanted)
        return commands


def _speeds(road: Road, top: float, lateral: float) -> FloatArray:
    """Speed (m/s) at each point of the look-ahead table that bends and braking allow, at most `top`."""
    at = np.arange(len(road.ahead) - 1) * road.ahead_spacing
    bend = np.abs(np.interp(at, road.s, road.curvature))
    grip = lateral * np.maximum(0.05, 1.0 - (bend / TIGHTEST) ** 2)
    limit: FloatArray = np.minimum(top, np.sqrt(grip / np.maximum(bend, 1e-6)))
    gain = 2.0 * BRAKING * lateral * road.ahead_spacing
    squares = np.tile(limit**2, 3)[::-1]  # three times around, so that the end knows of the start
    ramp = gain * np.arange(len(squares))
    braked = np.minimum.accumulate(squares - ramp) + ramp
    return np.asarray(np.sqrt(braked[::-1][: len(limit)]))
