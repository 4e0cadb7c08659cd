"""Do short budgets drive? Trains rewards, tracks and seeds with a budget of steps, and counts three clean laps.

    python benchmarks/short_budgets.py                                        every reward, harbor, seeds 0, 1, 2
    python benchmarks/short_budgets.py --rewards progress --tracks shelf --seeds 0 --steps 120000

The results are in docs/learning.md. One after the other they take some minutes on two quiet cores.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from racer import shelf
from racer.training import Callback, Progress, RunConfig, start, train

TEMPLATE = Path(shelf.__file__).parent / "templates/reward_functions/my_reward.py"


class FirstLaps(Callback):
    """Remembers at how many steps an evaluation was clean for the first time."""

    steps: int | None = None

    def on_update(self, progress: Progress) -> None:
        """Look at the newest evaluation."""
        if self.steps is None and progress.result is not None and progress.result.clean:
            self.steps = progress.steps


def main() -> None:
    """Print a line for each training, and how many drove three clean laps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--rewards", default="shelf", help="names with commas; shelf: all, and the first of `racer new`"
    )
    parser.add_argument("--tracks", default=shelf.DEFAULTS["tracks"], help="names with commas, or shelf")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--steps", type=int, default=400_000)
    parser.add_argument("--agent", default=shelf.DEFAULTS["agents"])
    asked = parser.parse_args()
    rewards = [*shelf.names("reward_functions"), TEMPLATE] if asked.rewards == "shelf" else asked.rewards.split(",")
    tracks = shelf.names("tracks") if asked.tracks == "shelf" else asked.tracks.split(",")
    trainings = [(r, t, int(seed)) for r in rewards for t in tracks for seed in asked.seeds.split(",")]
    clean = 0
    for reward, track, seed in trainings:
        with tempfile.TemporaryDirectory() as folder:
            config = RunConfig(track, reward, asked.agent, steps=asked.steps, seed=seed, logs=False)
            first = FirstLaps()
            replay = train(start(config, f"{folder}/run"), [first])
        times = [f"{lap.time_s:.2f}" if lap.complete else "-" for lap in replay.laps]
        clean += "-" not in times
        when = "never" if first.steps is None else f"{first.steps:,} steps"
        print(
            f"{Path(reward).stem:18} {track:10} seed {seed}  first clean {when:>14}  laps {' '.join(times)}", flush=True
        )
    print(f"three clean laps in {clean} of {len(trainings)} trainings of {asked.steps:,} steps")


if __name__ == "__main__":
    main()
