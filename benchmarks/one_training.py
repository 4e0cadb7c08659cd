"""One training on the default track; prints its figures for `bench.py`, a name and a number a line.

python one_training.py FOLDER SEED SECONDS STARTED AGENT ACTIONS

STARTED: time.time() at Enter; AGENT: a recipe's name; ACTIONS: continuous or discrete
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

from racer.deepracer.logs import TrainingLogs
from racer.sim import DEFAULT, DiscreteActions
from racer.training import Callback, Progress, RunConfig, start, train

ACTIONS = {
    "continuous": DEFAULT,
    "discrete": DiscreteActions(tuple((angle, speed) for angle in (-30, -15, 0, 15, 30) for speed in (1.0, 2.5))),
}


def main() -> None:
    """Train and print."""
    folder, seed, seconds, entered = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
    agent, actions = sys.argv[5], ACTIONS[sys.argv[6]]
    figures: dict[str, float] = {}

    class Figures(Callback):
        """Takes the time of what happens first."""

        def on_update(self, progress: Progress) -> None:
            """Keep the pace, and when the first clean laps were driven."""
            figures.setdefault("first_update_s", time.time() - entered)
            if progress.result is not None and progress.result.clean:
                figures.setdefault("first_clean_s", progress.seconds)
            figures["rate"] = progress.steps / progress.seconds if progress.seconds else 0.0

    run = start(RunConfig("harbor", "progress", agent, seconds=seconds, seed=seed, actions=actions), str(folder))
    logs: list[Callback] = [TrainingLogs(run.folder)]
    replay = train(run, [*logs, Figures()])
    figures["best_lap_s"] = replay.best_lap_s or float("inf")
    figures["memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for name, value in figures.items():
        print(name, value)


if __name__ == "__main__":
    main()
