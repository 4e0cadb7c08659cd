"""Fit a car's constants to logs of the real thing, on half of their episodes, and evaluate it on the other half.

    python benchmarks/calibrate.py LOG…
    python benchmarks/calibrate.py LOG… --car deepracer-v4

A LOG is a DeepRacer log (CSV or text), a folder of them, or a JSON file of episodes (`{"episodes": […]}`, each with
`cmd_steer_deg`, `cmd_speed`, `meas_forward_m`, `meas_lateral_m`, `meas_dyaw_rad`: one value a step, the commands
of a row and the motion of the car's origin from the row before). The fit starts at `--car` and keeps dimensions and
limits of the commands. Cars are driven open loop from each episode's start. An episode has a spin if the car moves
sideways by more than 1 m/s in three steps on end; a spin counts as predicted if racer's car spins in that episode too.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, isfinite, nan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.optimize import minimize
from scipy.special import expit

from racer.deepracer.logs import read_logs, running
from racer.errors import LogError, RacerError
from racer.shelf import LIMITS, read_json
from racer.sim import CARS, STEP_S, Car, drive

FITTED = {  # constants, and how far the first steps of the search go
    "speed_gain": 0.02,
    "speed_offset": 0.02,
    "speed_lag": 0.02,
    "dead_time": 0.005,
    "steering_lag": 0.03,
    "front_stiffness": 4.0,
    "rear_stiffness": 20.0,
    "grip": 0.5,
    "rear_grip": 0.5,
    "gyration": 0.01,
}
SKIPPED = 6  # steps at an episode's start, in which the car is still being put down
LEAST = 30  # steps of an episode, and ...
FEWEST = 4  # ... episodes, two to fit and two to evaluate
WEIGHTS = np.array([1.0, 0.2, 1.0])  # of speed, sideways speed and yaw rate: the poses' noise is largest sideways
SPINS = 0.3  # weight of the spins that are missed or invented, as a share of those measured
SIDEWAYS = 1.0  # m/s in ...
ON_END = 3  # ... so many steps: a spin
SOFT = 0.12  # m/s, how gradually that counts in the fit: steps would hide which way is better
SPEEDS = (0.0, 1.75, 2.5, 3.25, inf)  # m/s, bounds of the classes of measured speed
ROUNDS = 3  # of the search, each from where the last one ended
TRIES = 400  # drives of each round


@dataclass(frozen=True)
class Episode:
    """What was commanded and how the car moved.

    Attributes:
        commands: (n, 2), steering in rad and speed in m/s, given at each row.
        motion: (n - 1, 3), between the rows: forwards m/s, to the left m/s, yaw rate rad/s.
        speed: at the first row, m/s.
    """

    commands: NDArray[np.float64]
    motion: NDArray[np.float64]
    speed: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("logs", nargs="+", type=Path, metavar="LOG", help="a log, a folder, or episodes as JSON")
    parser.add_argument("--car", default="deepracer", choices=list(CARS), help="where the fit starts")
    given = parser.parse_args(arguments)
    try:
        episodes = [episode for path in given.logs for episode in read(path)]
        if len(episodes) < FEWEST:
            raise LogError(f"there are {len(episodes)} episodes of {LEAST} steps or more, too few to fit and evaluate")
    except RacerError as error:
        print(error, file=sys.stderr)
        return 1
    start, console = CARS[given.car], Console(width=None if sys.stdout.isatty() else 110)
    known, unknown = episodes[::2], episodes[1::2]
    best = fit(known, start)
    other = fit(unknown, start)  # only to show how far the data pins each constant down

    table = Table("constant", start.name, "fitted", "other half", box=None, title="Constants", title_justify="left")
    for name in FITTED:
        table.add_row(name, *(f"{getattr(car, name):.4g}" for car in (start, best, other)))
    console.print(table)
    steps = [sum(len(episode.motion) for episode in half) for half in (known, unknown)]
    title = f"R2, open loop ({steps[0]} steps, {steps[1]} held out)"
    table = Table("car", "half", "speed", "yaw rate", "sideways", box=None, title=title, title_justify="left")
    classes = [f"{low:g} to {high:g}" if high < inf else f"above {low:g}" for low, high in pairwise(SPEEDS)]
    limit = Table("car", "half", *classes, "spins", "missed", "invented", box=None, title_justify="left")
    limit.title = "R2 of the yaw rate by measured speed in m/s, and episodes with a spin"
    for label, car in ((start.name, start), ("fitted", best)):
        for half, part in (("fitted on", known), ("held out", unknown)):
            speed, sideways, yaw_rate = r_squared(part, car)
            table.add_row(label, half, f"{speed:.3f}", f"{yaw_rate:.3f}", f"{sideways:.3f}")
            scores = [f"{score:.3f}" for score in by_speed(part, car)]
            limit.add_row(label, half, *scores, *(str(number) for number in spins(part, car)))
    console.print("", table, "", limit)
    constants = ", ".join(f"{name}={getattr(best, name):.4g}" for name in FITTED)
    console.print(f'\ndataclasses.replace(CARS["{start.name}"], name="mine", {constants})', highlight=False)
    return 0


def read(path: Path) -> list[Episode]:
    """The episodes of a log, a folder or a JSON file; pauses cut an episode in two.

    Raises:
        RacerError: it cannot be read.
    """
    if path.suffix.lower() == ".json":
        return _read_json(path)
    found = []
    for log in read_logs(path):
        for episode in log.episodes:
            free = running(episode.rows)
            cuts = np.flatnonzero(np.diff(free)) + 1
            for rows in np.split(episode.rows, cuts):
                if len(rows) >= LEAST and running(rows[:1])[0]:
                    found.append(_of_rows(rows))
    return found


def r_squared(episodes: Sequence[Episode], car: Car) -> NDArray[np.float64]:
    """R2 of a car's speed, sideways speed and yaw rate, (3,), over all steps of the episodes."""
    return _r_squared(episodes, [_drive(episode, car) for episode in episodes])


def _r_squared(episodes: Sequence[Episode], drives: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    driven = np.concatenate([motion[SKIPPED:] for motion in drives])
    measured = np.concatenate([episode.motion[SKIPPED:] for episode in episodes])
    spread = np.maximum(np.var(measured, axis=0), 1e-12)
    return np.asarray(1.0 - np.mean((measured - driven) ** 2, axis=0) / spread)


def by_speed(episodes: Sequence[Episode], car: Car) -> list[float]:
    """R2 of a car's yaw rate in each class of `SPEEDS`; nan where there is too little to compare."""
    driven = np.concatenate([_drive(episode, car)[SKIPPED:, 2] for episode in episodes])
    measured = np.concatenate([episode.motion[SKIPPED:] for episode in episodes])
    found = []
    for low, high in pairwise(SPEEDS):
        of_class = (measured[:, 0] >= low) & (measured[:, 0] < high)
        there, here = measured[of_class, 2], driven[of_class]
        found.append(1.0 - float(np.mean((there - here) ** 2) / np.var(there)) if len(there) >= LEAST else nan)
    return found


def spins(episodes: Sequence[Episode], car: Car) -> tuple[int, int, int]:
    """How many episodes have a spin, in how many of them a car has none, and in how many others it has one."""
    there = np.array([_slip(episode.motion) for episode in episodes]) > SIDEWAYS
    here = np.array([_slip(_drive(episode, car)) for episode in episodes]) > SIDEWAYS
    return int(there.sum()), int((there & ~here).sum()), int((here & ~there).sum())


def fit(episodes: Sequence[Episode], start: Car) -> Car:
    """The car that drives the episodes best, sought from `start`."""
    scale = np.array(list(FITTED.values()))
    spun = np.array([_slip(episode.motion) for episode in episodes]) > SIDEWAYS

    def car_of(point: NDArray[np.float64]) -> Car:
        constants = {name: round(float(value), 6) + 0.0 for name, value in zip(FITTED, point * scale, strict=True)}
        return dataclasses.replace(start, name="fitted", **constants)

    def cost(point: NDArray[np.float64]) -> float:
        try:
            car = car_of(point)
        except ValueError:  # out of what a car can be
            return inf
        drives = [_drive(episode, car) for episode in episodes]
        slip = np.array([_slip(motion) for motion in drives])
        wrong = np.abs(spun - expit((slip - SIDEWAYS) / SOFT)).sum() / max(1, spun.sum())
        worse = float(np.dot(WEIGHTS, 1.0 - _r_squared(episodes, drives)) + SPINS * wrong)
        return worse if isfinite(worse) else inf

    point = np.array([getattr(start, name) for name in FITTED]) / scale
    for _ in range(ROUNDS):
        around = np.vstack([point, point + np.eye(len(point))])
        options = {"initial_simplex": around, "maxfev": TRIES, "adaptive": True, "xatol": 0.0, "fatol": 0.0}
        point = minimize(cost, point, method="Nelder-Mead", options=options).x
    return car_of(point)


def _slip(motion: NDArray[np.float64]) -> float:
    """The sideways speed that is exceeded in `ON_END` steps on end, m/s."""
    sideways = np.abs(motion[SKIPPED:, 1])
    return float(np.min([sideways[k : len(sideways) - ON_END + 1 + k] for k in range(ON_END)], axis=0).max())


def _drive(episode: Episode, car: Car) -> NDArray[np.float64]:
    motion = drive(episode.commands[:-1], car, speed=episode.speed)
    return _between(motion["x"], motion["y"], motion["heading"])


def _between(x: NDArray[np.float64], y: NDArray[np.float64], heading: NDArray[np.float64]) -> NDArray[np.float64]:
    """Forward and sideways speed and yaw rate between poses of the origin, (n - 1, 3), in the frame midway."""
    turn = (np.diff(heading) + np.pi) % (2.0 * np.pi) - np.pi
    middle = heading[:-1] + 0.5 * turn
    c, s, dx, dy = np.cos(middle), np.sin(middle), np.diff(x), np.diff(y)
    return np.stack([c * dx + s * dy, c * dy - s * dx, turn], axis=1) / STEP_S


def _of_rows(rows: NDArray[np.void]) -> Episode:
    heading, ahead = np.radians(rows["yaw"]), CARS["deepracer"].front_point
    motion = _between(rows["X"] - ahead * np.cos(heading), rows["Y"] - ahead * np.sin(heading), heading)
    commands = np.stack([np.radians(rows["steer"]), rows["throttle"]], axis=1)
    return Episode(commands, motion, float(motion[0, 0]))


def _read_json(path: Path) -> list[Episode]:
    keys = ("cmd_steer_deg", "cmd_speed", "meas_forward_m", "meas_lateral_m", "meas_dyaw_rad")
    data = read_json(path, LogError, LIMITS["log"])
    try:
        columns = [np.array([episode[key] for key in keys], dtype=np.float64) for episode in data["episodes"]]
    except (ValueError, KeyError, TypeError) as error:
        raise LogError(f"{path} does not hold episodes with {', '.join(keys)}: {error}") from error
    found = []
    for steering, speed, *motion in columns:
        if len(steering) > LEAST:
            measured = np.stack(motion, axis=1) / STEP_S
            commands = np.stack([np.radians(steering), speed], axis=1)
            found.append(Episode(commands, measured[1:], float(measured[0, 0])))
    return found


if __name__ == "__main__":
    sys.exit(main())
