"""Speed of the sensors on one thread, each beside the least it must reach, and of whole environments that use them.

    python benchmarks/sensors.py

Cars stand where cars drive: beside the centre line, a little askew, all around the track. A kernel's figure is its
best round, since other programs only ever slow it down; CartPole-v1, stepped in the same run, tells what the machine
is worth.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from bench import Row, cartpole_steps, machine, row
from rich.console import Console
from rich.table import Table

from racer.env import TimeTrialVector
from racer.sensors import Camera, Lidar, Sensor, State
from racer.sim import SIM_TO_REAL, Randomization, Rules, World
from racer.track import load_track

ROUNDS = 30
YARDSTICK = "CartPole-v1, one environment (the yardstick)"
ASKEW = Randomization(start_offset_m=0.3, start_heading=0.5)
MARKS: tuple[tuple[str, Sensor, int, float], ...] = (
    ("camera 160 x 120, 64 cars", Camera(), 64, 30_000),
    ("camera 80 x 60, 64 cars", Camera(size=(80, 60)), 64, 120_000),
    ("LIDAR, 64 beams, 256 cars", Lidar(), 256, 200_000),
    ("SECTOR_LIDAR, 256 cars", Lidar("SECTOR_LIDAR"), 256, 800_000),
)
OTHERS: tuple[tuple[str, Sensor, int], ...] = (
    ("camera 160 x 120, one car", Camera(), 1),
    ("camera 320 x 240, 64 cars", Camera(size=(320, 240)), 64),
    ("STEREO_CAMERAS, 64 cars", Camera("STEREO_CAMERAS"), 64),
    ("DISCRETIZED_SECTOR_LIDAR, 256 cars", Lidar("DISCRETIZED_SECTOR_LIDAR"), 256),
    ("state, 256 cars", State(), 256),
)


def main() -> None:
    """Measure and print the table."""
    table = Table(
        "what",
        "measured",
        "of CartPole-v1",
        "at least",
        "",
        box=None,
        title=f"racer's sensors on {machine()}",
        title_justify="left",
    )
    console = Console(width=None if sys.stdout.isatty() else 120)
    for line in rows():
        table.add_row(*line)
        console.print(" ".join(line), style="dim", highlight=False)
    console.print(table)


def rows() -> Iterator[Row]:
    """Everything that is measured, in turn, so that a busy moment of the machine hits all of it."""
    jobs = {what: frames(sensor, world_of(cars)) for what, sensor, cars, _ in MARKS}
    jobs |= {what: frames(sensor, world_of(cars)) for what, sensor, cars in OTHERS}
    jobs["camera 160 x 120, 64 cars, four in each race"] = frames(Camera(), world_of(16, 4))
    jobs["camera 160 x 120, 64 cars, randomised"] = frames(Camera(), world_of(64, 1, SIM_TO_REAL))
    for name, sensor in (
        ("state", "state"),
        ("LIDAR", "LIDAR"),
        ("camera 80 x 60", Camera(size=(80, 60))),
        ("camera 160 x 120", "FRONT_FACING_CAMERA"),
    ):
        jobs[f"environment of 64 cars, {name}"] = steps((sensor,))
    cartpole, best = partial(cartpole_steps(), 500), dict.fromkeys([YARDSTICK, *jobs], 0.0)
    for run in (cartpole, *jobs.values()):
        run()  # compiles and warms up
    for _ in range(ROUNDS):
        for name, run in {YARDSTICK: cartpole, **jobs}.items():
            run()  # fetches into the caches what others threw out
            began = time.perf_counter()
            count = run()
            best[name] = max(best[name], count / (time.perf_counter() - began))
    yield row(YARDSTICK, best[YARDSTICK], None, "steps/s", 1.0)
    marks = {what: mark for what, _, _, mark in MARKS}
    for what in jobs:
        yield row(what, best[what], marks.get(what), "a second", best[what] / best[YARDSTICK])


def world_of(races: int, cars: int = 1, randomization: Randomization = ASKEW) -> World:
    """Cars all around the default track."""
    world = World(load_track("harbor"), races, cars, rules=Rules("random"), randomization=randomization)
    world.seed(0)
    world.reset()
    if randomization != ASKEW:
        return world
    plain = World(world.track, races, cars)
    plain.cars[:] = world.cars
    return plain


def frames(sensor: Sensor, world: World) -> Callable[[], int]:
    """Observe all cars some times."""
    out = np.zeros((*world.cars.shape, *sensor.shape), sensor.dtype)

    def run(count: int = 3) -> int:
        for _ in range(count):
            sensor.observe(world, out)
        return world.cars.size * count

    return run


def steps(sensors: tuple[str | Sensor, ...]) -> Callable[[], int]:
    """Step 64 cars that keep to the middle of their actions."""
    env = TimeTrialVector(64, sensors=sensors)
    env.reset(seed=0)
    actions = np.zeros((64, 2), np.float32)

    def run(count: int = 10) -> int:
        for _ in range(count):
            env.step(actions)
        return 64 * count

    return run


if __name__ == "__main__":
    main()
