"""Speed and learning figures beside the least they must reach, and beside CartPole-v1 stepped alone in the same run.

    make bench                   everything, some fifteen minutes
    python benchmarks/bench.py --quick    the speeds alone, about a minute
    python benchmarks/bench.py --long     and five minutes of learning by the camera

Ratios to CartPole carry over between machines, absolute numbers do not: the machine is named in the heading.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import gymnasium
import numpy as np
from rich.console import Console
from rich.table import Table

import racer  # noqa: F401  registers the environment
from racer.env import TimeTrialVector
from racer.racing import Contestant, Heat, RaceConditions, drive, load_agent, run_heat
from racer.replay import verify
from racer.reward import VectorReward, load_reward
from racer.track import load_track

ROUNDS = 7  # of each speed; the median counts
SEEDS = (0, 1, 2)
FIRST_LAPS = (
    ("ppo", "discrete", 15.0),
    ("ppo_lidar", "continuous", 60.0),
    ("ppo_camera", "continuous", 30.0),
    ("sac", "continuous", 90.0),
)
"""Recipe, actions, and the seconds of training within which it is to drive three clean laps."""

Row = tuple[str, str, str, str, str]


def main() -> None:
    """Measure and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--quick", action="store_true", help="the speeds alone")
    arguments.add_argument("--long", action="store_true", help="the camera's five minutes, too")
    asked = arguments.parse_args()
    table = Table(
        "what",
        "measured",
        "of CartPole-v1",
        "at least / at most",
        "",
        box=None,
        title=f"racer on {machine()}",
        title_justify="left",
    )
    console = Console(width=None if sys.stdout.isatty() else 120)
    for row in [*speeds(), *replays(), *starts(), *([] if asked.quick else [*learning(asked.long)])]:
        table.add_row(*row)
        console.print(" ".join(row), style="dim", highlight=False)
    console.print(table)


def machine() -> str:
    """Processor, cores and Python of this machine."""
    name = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        name = next(
            (line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line), name
        )
    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}, NumPy {np.__version__}"


def speeds() -> Iterator[Row]:
    """Steps a second of the environments, measured in turn, so that a busy moment of the machine hits all of them."""
    jobs = {
        "cartpole": cartpole_steps(),
        "native": vector_steps(256, None),
        "single": single_steps("centerline"),
        "python": vector_steps(256, "centerline"),
        "boxes": vector_steps(256, None, "racer/ObjectAvoidance-v0"),
        "bots": vector_steps(256, None, "racer/HeadToBot-v0"),
    }
    rates: dict[str, list[float]] = {name: [] for name in jobs}
    for k in range(ROUNDS + 1):
        for name, run in jobs.items():
            began = time.perf_counter()
            count = run()
            if k:  # the first round compiles and warms up
                rates[name].append(count / (time.perf_counter() - began))
    typical = {name: statistics.median(values) for name, values in rates.items()}
    ratios = {
        name: statistics.median(a / b for a, b in zip(values, rates["cartpole"], strict=True))
        for name, values in rates.items()
    }
    yield row("CartPole-v1, one environment (the yardstick)", typical["cartpole"], None, "steps/s", 1.0)
    for what, name, mark, unit in (
        ("256 cars, native reward, one thread", "native", 1_000_000, "car steps/s"),
        ("one car, Python reward, env.step", "single", 30_000, "steps/s"),
        ("256 cars, Python centre-line reward", "python", 300_000, "car steps/s"),
    ):
        yield row(what, typical[name], mark, unit, ratios[name])
    yield row("256 cars, native reward, against CartPole-v1", ratios["native"], 8, "x")
    yield row("256 cars, 6 boxes each, native reward, against CartPole-v1", ratios["boxes"], 8, "x")
    yield row("256 cars, 3 bot cars each, native reward, against CartPole-v1", ratios["bots"], 5, "x")
    for what, name in (("6 boxes", "boxes"), ("3 bot cars", "bots")):
        costs = statistics.median(a / b for a, b in zip(rates["native"], rates[name], strict=True))
        yield row(f"  a step with {what}, in steps of a time trial", costs, -2.5, "x")


def replays() -> Iterator[Row]:
    """Milliseconds to drive a race of several again, as verifying its replay does."""
    track, names = load_track("harbor"), ("pure_pursuit", "follow_the_gap") * 2
    files = [load_agent(name) for name in names]
    drivers = [file.make(TimeTrialVector(1, track, None, sensors=file.sensors())) for file in files]
    field = [
        Contestant(file.name, driver, RaceConditions(sensors=file.sensors()))
        for file, driver in zip(files, drivers, strict=True)
    ]
    race = run_heat(Heat(track, 3), field).replay
    times = []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        if not verify(race).ok:
            raise SystemExit("a race of four cars does not verify")
        times.append(1000.0 * (time.perf_counter() - began))
    yield row("a race of four cars over three laps, driven again", statistics.median(times[1:]), -60, "ms")


def starts() -> Iterator[Row]:
    """Seconds until the command line answers, and until a training learns."""
    for command, most in ((["--help"], 0.4), (["list"], 0.6)):
        yield row(
            f"racer {' '.join(command)}", statistics.median(command_s(command) for _ in range(ROUNDS)), -most, "s"
        )


def learning(long: bool) -> Iterator[Row]:
    """Trainings as a user runs them: each in a process of its own, from nothing."""
    pursuit = drive(load_agent("pure_pursuit").make(TimeTrialVector(1)), load_track("harbor"))
    classic = pursuit.best_lap_s
    if classic is None:
        raise SystemExit("pure pursuit does not finish a lap on harbor: there is no mark to compare with")
    yield row("pure pursuit on harbor, best lap", classic, None, "s")
    with tempfile.TemporaryDirectory() as folder:
        runs = [training(Path(folder), seed, 60.0) for seed in SEEDS]
    yield row("racer train, 60 s, overall", statistics.median(run["rate"] for run in runs), 30_000, "steps/s")
    yield row("  from Enter to the first update", statistics.median(run["first_update_s"] for run in runs), -6, "s")
    yield row("  memory at the most", max(run["memory_mib"] for run in runs), -1024, "MiB")
    for seed, run in zip(SEEDS, runs, strict=True):
        yield row(f"  seed {seed}: training until three clean laps", run["first_clean_s"], -6, "s")
    for seed, run in zip(SEEDS, runs, strict=True):
        yield row(
            f"  seed {seed}: best lap {run['best_lap_s']:.3f} s, faster by",
            (1 - run["best_lap_s"] / classic) * 100,
            15,
            "%",
        )
    for agent, actions, seconds in FIRST_LAPS:
        yield from first_laps(agent, actions, seconds)
    if long:
        mark = statistics.median(run["best_lap_s"] for run in runs)
        with tempfile.TemporaryDirectory() as folder:
            lap = training(Path(folder), SEEDS[0], 300.0, "ppo_camera")["best_lap_s"]
        what = f"ppo_camera after 5 minutes {lap:.3f} s, slower than the vector agent by"
        yield row(what, (lap / mark - 1) * 100, -15, "%")


def first_laps(agent: str, actions: str, seconds: float) -> Iterator[Row]:
    """Trainings of a recipe from nothing to three clean laps, which it must drive within so many seconds."""
    with tempfile.TemporaryDirectory() as folder:
        runs = [training(Path(folder), seed, seconds, agent, actions) for seed in SEEDS]
    what = f"{agent}, {actions} actions, {seconds:g} s, overall"
    yield row(what, statistics.median(run["rate"] for run in runs), None, "steps/s")
    for seed, run in zip(SEEDS, runs, strict=True):
        # a training that never drove three clean laps has no such figure
        yield row(f"  seed {seed}: until three clean laps", run.get("first_clean_s", float("inf")), -seconds, "s")
        yield row(f"  seed {seed}: best lap", run["best_lap_s"], None, "s")


def training(
    folder: Path, seed: int, seconds: float, agent: str = "ppo", actions: str = "continuous"
) -> dict[str, float]:
    """Train in a new process, and read its figures from what it prints."""
    code = Path(__file__).with_name("one_training.py")
    numbers = (str(seed), str(seconds), repr(time.time()))
    command = [sys.executable, str(code), str(folder / f"run-{seed}"), *numbers, agent, actions]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
    return {key: float(value) for key, value in (line.split() for line in done.stdout.splitlines())}


def cartpole_steps() -> Callable[[], int]:
    """CartPole, alone, with random actions, without the checker."""
    return alone(gymnasium.make("CartPole-v1", disable_env_checker=True), [0, 1])


def single_steps(reward: str) -> Callable[[], int]:
    """One car with a Python reward, without the checker."""
    env = gymnasium.make("racer/TimeTrial-v0", reward_function=reward, disable_env_checker=True)
    return alone(env, [np.array([a, -0.5], dtype=np.float32) for a in (-0.2, 0.2)])


def alone(env: gymnasium.Env, actions: list) -> Callable[[], int]:
    """Step one environment a while."""
    env.reset(seed=0)

    def run(count: int = 20_000) -> int:
        for k in range(count):
            _, _, terminated, truncated, _ = env.step(actions[k % 2])
            if terminated or truncated:
                env.reset()
        return count

    return run


def vector_steps(cars: int, reward: str | None, name: str = "racer/TimeTrial-v0") -> Callable[[], int]:
    """Many cars, driven along the centre line with some noise, around what is ahead, as a half-trained agent drives."""
    rewards = None if reward is None else VectorReward(load_reward(reward), cars)
    env = gymnasium.make_vec(name, num_envs=cars, reward_function=rewards)
    observations, _ = env.reset(seed=0)
    driver = load_agent("pure_pursuit").make(TimeTrialVector(1))
    noise = np.random.default_rng(0)
    actions = []
    for _ in range(100):
        action = driver.act(observations[:, :30]) + noise.normal(0, 0.1, (cars, 2)).astype(np.float32)
        if observations.shape[1] > 30:
            action[:, 0] += dodge(observations)
        actions.append(action)
        observations = env.step(action)[0]

    def run() -> int:
        env.reset(seed=0)
        for action in actions:
            env.step(action)
        return cars * len(actions)

    return run


def dodge(observations: np.ndarray) -> np.ndarray:
    """Steering away from the nearest object ahead, or along the lane beside it."""
    along, across, width = observations[:, 30], observations[:, 31], observations[:, 33]
    lane = np.where(observations[:, 6] + across > 0.0, -0.5, 0.5)
    return np.where((along < 0.3) & (width > 0.0), 1.5 * (lane - observations[:, 6]), 0.0).astype(np.float32)


def command_s(arguments: list[str]) -> float:
    """Seconds of one call of the command line."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "racer", *arguments], check=True, capture_output=True)
    return time.perf_counter() - began


def row(what: str, value: float, mark: float | None, unit: str, ratio: float | None = None) -> Row:
    """A row of the table; a negative mark is an upper bound.

    Args:
        what: is measured.
        value: of it.
        mark: that it must reach; None for a figure that is only shown.
        unit: of both.
        ratio: to the speed of CartPole-v1 in the same run, which carries over between machines.
    """
    shown = f"{value:,.0f} {unit}" if abs(value) >= 100 else f"{value:.2f} {unit}"
    relative = "" if ratio is None else f"{ratio:.2f} x"
    if mark is None:
        return what, shown, relative, "", ""
    good = value >= mark if mark > 0 else value <= -mark
    return what, shown, relative, f"{'>=' if mark > 0 else '<='} {abs(mark):,} {unit}", "ok" if good else "MISSED"


if __name__ == "__main__":
    main()
