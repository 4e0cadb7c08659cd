"""Races on a track: n of them side by side, m cars in each, one control step at a time.

Physics is written once. A single environment is a world of one race; a car in a batch of 512 behaves bit for bit as
it does alone, because every car is computed by the same scalar code from its own state, its own seed and counters.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from math import cos, isfinite, pi, sin, sqrt
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from racer.sim.car import CARS, MOTION, ROWS, STEERING, STEP_S, WANTED, Car, CarConstants, move, take
from racer.sim.kernel import inlined, kernel, lean
from racer.sim.road import (
    INSIDE,
    MIXED,
    Road,
    at_row,
    cell_at,
    distance,
    nearest_borders,
    on_road,
    point_at,
    project_near,
    road_of,
)
from racer.sim.rules import (
    IMMOBILIZED,
    IN_PROGRESS,
    LAP_COMPLETE,
    OFF_TRACK,
    PAUSE,
    REVERSED,
    TIME_UP,
    RuleConstants,
    Rules,
)
from racer.track import Track

CAR_STATE = np.dtype(
    [
        *MOTION,
        # The front point, m, and where it is along the track.
        ("front_x", "f8"),
        ("front_y", "f8"),
        ("s", "f8"),  # arc length of its projection, m, 0..length
        ("segment", "i8"),  # that projection's centre-line segment
        ("share", "f8"),  # and share of the segment, 0..1
        ("offset", "f8"),  # signed distance from the centre line, m, left positive
        ("start_s", "f8"),  # arc length at which the origin was put down, m
        ("winding", "i8"),  # how often the start line of the ring was crossed, forwards less backwards
        ("distance", "f8"),  # driven along the line since the start, m; never more than the car's own path allows
        ("last_distance", "f8"),  # the same, one step earlier
        ("wheels_on_track", "i8"),  # wheel centres inside the road polygon
        ("last_x", "f8"),  # the origin, one step earlier, m
        ("last_y", "f8"),
        # The race.
        ("steps", "i8"),  # of this episode; 1 after the reset, which is DeepRacer's prepare step
        ("status", "i8"),  # judged by the newest step; an index into rules.STATUS
        ("laps", "i8"),  # complete
        ("lap_start_s", "f8"),  # race time at which the current lap began, s
        ("lap_time", "f8"),  # of the newest complete lap, s; 0 before
        ("lap_step", "i8"),  # steps at which it was completed
        ("still_steps", "i8"),  # in a row without moving
        ("reversed_steps", "i8"),  # in a row with falling progress
        ("held", "i8"),  # steps that are left of a penalty
        # What decides its draws, and how often it was put down.
        ("seed", "u8"),
        ("episode", "i8"),  # 0 for the first
        ("clock", "i8"),  # steps of all episodes
    ],
    align=True,
)
"""All there is to know of a car in a race."""

OVERPAID = 8.0  # bound of 1 / (1 - kappa d) where the line bends about the car itself
CATCH_UP = 1.01  # a chord is shorter than the bend it cuts, and what was held back must come in on a straight
GATE_M = 0.05  # the line across the track stands square to the chord from so far behind it to as far ahead, m
IN_ORDER_M = 0.5  # a lap is complete at the line when its length was driven but for so much, m
LINE_SHARE = 0.2  # of random starts on the start line
AT_ONCE = 128  # cars that are moved together: what is worked on then stays in the processor's cache


class World:
    """n races of m cars on one track.

    Attributes:
        cars: (n, m) array of `CAR_STATE`.
        track, car, rules: what is raced.
        road: the track's kernel arrays.
        constants: the car's numbers, as the kernels take them.
    """

    def __init__(
        self,
        track: Track,
        races: int = 1,
        cars: int = 1,
        car: Car = CARS["deepracer"],
        rules: Rules | None = None,
        threads: int = 1,
    ) -> None:
        """Make the world; `reset` puts the cars down.

        Args:
            track: a closed one.
            races: n.
            cars: m, in each race.
            car: which kind of car all of them are.
            rules: of the race.
            threads: over which the races are spread. Results do not depend on it; below some 1,000 cars one thread is
                the fastest.

        Raises:
            TrackError: the track is open.
        """
        self.track, self.car, self.rules = track, car, rules or Rules()
        self.road: Road = road_of(track)
        self.cars: NDArray[np.void] = np.zeros((races, cars), dtype=CAR_STATE)
        self.constants, self._rules = car.constants, self.rules.constants
        self._chunks = [c for c in np.array_split(np.arange(races), max(1, threads)) if len(c)]
        self._pool = ThreadPoolExecutor(len(self._chunks)) if len(self._chunks) > 1 else None

    def seed(self, seed: int) -> None:
        """Give race i the seed `seed + i`, and begin its episodes anew."""
        seeds = [(seed + i) % 2**64 for i in range(len(self.cars))]
        self.cars["seed"] = np.array(seeds, dtype=np.uint64)[:, None]
        self.cars["episode"] = -1
        self.cars["clock"] = 0

    def reset(self, which: NDArray[np.bool_] | None = None) -> None:
        """Put the cars of all races, or of those `which` is true for, at the start of their next episode."""
        if which is None:
            which = np.ones(len(self.cars), dtype=np.bool_)
        _reset(self.cars, which, self.road, self.constants, self._rules)

    def step(self, commands: NDArray[np.float64], rewards: NDArray[np.float64]) -> None:
        """Judge every car where it stands, then move it through one control step.

        With a penalty (see `Rules`), a car that is put back or held is not moved.

        Args:
            commands: (n, m, 2) steering (degrees, left positive) and speed (m/s).
            rewards: (n, m), filled with the metres gained since the last step along the track.

        Raises:
            ValueError: a command is not a finite number; no car has moved.
        """
        if not _finite(commands):
            race, car, which = (int(k[0]) for k in np.nonzero(~np.isfinite(commands)))
            name = ("steering", "speed")[which]
            raise ValueError(
                f"the {name} of car {car} in race {race} is {commands[race, car, which]}, not a finite number"
            )
        if self._pool is None:
            self._drive(slice(None), commands, rewards)
            return
        slices = [slice(chunk[0], chunk[-1] + 1) for chunk in self._chunks]
        for job in [self._pool.submit(self._drive, k, commands, rewards) for k in slices]:
            job.result()

    @property
    def length(self) -> float | NDArray[np.float64]:
        """Length of the track, m; (n,) where each race has its own."""
        return self.track.length

    def only(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        """A copy of the races that `which` names or is true for."""
        part = copy(self)
        self.lend(part, which)
        return part

    def lend(self, part: World, which: NDArray[np.bool_] | NDArray[np.intp]) -> None:
        """Let `part` be a copy of the races `which`."""
        part.cars = self._words[which].view(CAR_STATE)

    def take_back(self, part: World, which: NDArray[np.intp]) -> None:
        """Let the races `which` become what they are in `part`."""
        self._words[which] = part._words

    def parts(self) -> Iterator[tuple[slice | NDArray[np.intp], World]]:
        """The races of each track, and a world of these alone; here there is one."""
        yield slice(None), self

    def close(self) -> None:
        """Let go of the threads."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    @property
    def _words(self) -> NDArray[np.int64]:
        """The races as rows of eight bytes each: NumPy copies records field by field, five times as slowly."""
        return self.cars.view(np.int64).reshape(len(self.cars), -1)

    def _drive(self, races: slice, commands: NDArray[np.float64], rewards: NDArray[np.float64]) -> None:
        constants = tuple(self.road), tuple(self.constants), tuple(self._rules)
        _drive(self.cars[races], commands[races], rewards[races], *constants, np.empty((ROWS, AT_ONCE)))


@lean
def _drive(cars: Any, commands: Any, rewards: Any, road: Any, car: Any, rules: Any, motion: Any) -> None:
    """`drive_cars`, given plain tuples: Numba takes named ones from Python three times as slowly."""
    drive_cars(cars, commands, rewards, Road(*road), CarConstants(*car), RuleConstants(*rules), motion)


@kernel
def uniform(seed: int, episode: int, draw: int) -> float:
    """A number in [0, 1) that depends on its three counters alone (SplitMix64, Steele et al. 2014, applied twice)."""
    z = _mix(np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15))
    z = _mix(z ^ (np.uint64(episode) * np.uint64(0xD1B54A32D192ED03) + np.uint64(draw) + np.uint64(1)))
    return float(z >> np.uint64(11)) * 2.0**-53


@kernel
def place(state: Any, s: float, road: Road, car: Any, aside: float = 0.0, turn: float = 0.0) -> None:
    """Put a car down at rest, at the start of an episode.

    Args:
        state: the car's record.
        s: arc length at which its origin comes to lie on the centre line, m; the car faces along the line.
        road, car: where, and which kind.
        aside, turn: m and rad to the left, from there.
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
    _stand(state, x - aside * dy / along, y + aside * dx / along, heading, i, s, road, car)
    state.start_s, state.winding, state.laps, state.held = s, 0, 0, 0
    if state.s < s - 0.5 * road.s[-1]:
        state.winding = 1
    state.distance = state.last_distance = state.s - s + state.winding * road.s[-1]
    state.steps, state.status = 1, IN_PROGRESS
    state.lap_start_s, state.lap_time, state.lap_step = 0.0, 0.0, 0


@kernel
def _stand(state: Any, x: float, y: float, heading: float, segment: int, s: float, road: Road, car: Any) -> None:
    """Let a car stand with its origin at (x, y), near arc length s, which is on `segment`."""
    state.x, state.y, state.heading = x, y, heading
    state.last_x, state.last_y = x, y
    state.speed = state.lateral_speed = state.yaw_rate = state.steering_angle = 0.0
    state.steering_command = state.speed_command = 0.0
    state.s, state.segment = s, segment
    # The car was held in the step before: the original counts that one as a step without moving.
    state.still_steps, state.reversed_steps = 1, 0
    _locate(state, car, road)


@kernel
def _put_back(state: Any, road: Road, car: Any, rules: Any) -> None:
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
    _stand(state, lane_x, lane_y, np.arctan2(dy, dx), i, s, road, car)
    state.held = 1 if state.status == IMMOBILIZED else rules.penalty_steps
    moved = state.s - s
    if moved > 0.5 * length:
        moved -= length
    elif moved < -0.5 * length:
        moved += length
    state.distance = state.last_distance = back + moved
    state.winding = int(np.rint((state.start_s + state.distance - state.s) / length))


@kernel
def _reset(cars: Any, which: Any, road: Road, car: Any, rules: Any) -> None:
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


@lean
def drive_cars(cars: Any, commands: Any, rewards: Any, road: Road, car: Any, rules: Any, motion: Any) -> None:
    """Judge the cars of several races, then move each of them through one control step; see `World.step`.

    It works on `motion`, (`ROWS`, `AT_ONCE`).
    """
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
                if rules.penalty_steps > 0 and state.status in (OFF_TRACK, IMMOBILIZED, REVERSED):
                    _put_back(state, road, car, rules)
                    continue
                x, y, s, old_speed = state.x, state.y, state.s, state.speed
                front_x, front_y = state.front_x, state.front_y
                state.last_x, state.last_y = x, y
                stretch = _stretch(state, curvature)
                take(state, motion, i)
                still = distance(state.x - x, state.y - y) <= rules.still_m
                state.still_steps = state.still_steps + 1 if still else 0
                _locate(state, car, road)
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


@inlined
def _judge(state: Any, rules: Any) -> int:
    if state.laps >= rules.laps:
        return LAP_COMPLETE
    if state.held > 0:
        return TIME_UP if (state.steps - 2) * STEP_S >= rules.time_limit_s else PAUSE
    if state.wheels_on_track == 0:
        return OFF_TRACK
    if state.still_steps >= rules.patience:
        return IMMOBILIZED
    if (state.steps - 2) * STEP_S >= rules.time_limit_s:
        return TIME_UP
    if state.reversed_steps >= rules.patience:
        return REVERSED
    return IN_PROGRESS


@inlined
def _locate(state: Any, car: Any, road: Any) -> None:
    """Find where on the track a car stands, near where it stood."""
    c, s = cos(state.heading), sin(state.heading)
    x, y = state.x + car.front_point * c, state.y + car.front_point * s
    state.front_x, state.front_y = x, y
    center, arc = road.center, road.s
    i, share = project_near(center, arc, x, y, state.segment, state.s)
    dx, dy = center[i + 1, 0] - center[i, 0], center[i + 1, 1] - center[i, 1]
    away_x, away_y = x - center[i, 0] - share * dx, y - center[i, 1] - share * dy
    state.segment, state.share = i, share
    state.s = at_row(arc, i, share)
    state.offset = distance(away_x, away_y) * (1.0 if dx * away_y >= dy * away_x else -1.0)
    state.wheels_on_track = wheels_on_road(state.x, state.y, c, s, car, road)


@inlined
def wheels_on_road(x: float, y: float, c: float, s: float, car: Any, road: Any) -> int:
    """How many of the four wheel centres lie on the road, for an origin (m) and the cosine and sine of the heading."""
    count, near_border = 0, False
    for wheel in range(4):
        wheel_x, wheel_y = _wheel_at(wheel, x, y, c, s, car)
        cell = cell_at(road.grid, road.grid_x, road.grid_y, wheel_x, wheel_y)
        count += cell == INSIDE
        near_border |= cell >= MIXED
    if near_border:  # out of line: the mere presence of exact geometry in this loop would double its time
        count = _wheels_exactly(x, y, c, s, car, road)
    return count


@inlined
def _wheel_at(wheel: int, x: float, y: float, c: float, s: float, car: Any) -> tuple[float, float]:
    """Centre of a wheel, m: front left, front right, rear left, rear right."""
    ahead = car.front_axle if wheel < 2 else car.rear_axle
    half = car.wheel_offset_front if wheel < 2 else car.wheel_offset_rear
    left = half if wheel % 2 == 0 else -half
    return x + ahead * c - left * s, y + ahead * s + left * c


@lean
def _wheels_exactly(x: float, y: float, c: float, s: float, car: Any, road: Any) -> int:
    count = 0
    for wheel in range(4):
        wheel_x, wheel_y = _wheel_at(wheel, x, y, c, s, car)
        count += on_road(road, wheel_x, wheel_y)
    return count


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


@kernel
def _finite(commands: Any) -> bool:
    fine = True
    for value in commands.flat:
        fine &= isfinite(value)
    return fine


@kernel
def _mix(z: Any) -> Any:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
