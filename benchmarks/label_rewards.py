"""What do rewards really teach? Trains each reward of `tests/rewards/bad` and `good`, and writes what it became.

    nice python benchmarks/label_rewards.py                      all that are not in the table yet
    python benchmarks/label_rewards.py bad/crawl good/metres     these, anew

The folders say what was meant, the table `tests/rewards/labels.csv` what came of it: the evaluation after the last
step, and the fastest lap of all evaluations. The label is `good` where half of the laps or more are complete and the
best takes no more than `GOOD_S`, `bad` where it takes more than `BAD_S`, the time of the check's own fast lap, and
`between`. Without a training the label is what was meant, `from` reasoning. The tests hold the verdicts of the check
against the labels.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from pathlib import Path

from racer.training import Callback, Progress, RunConfig, start, train

FOLDER = Path(__file__).parents[1] / "tests/rewards"
TABLE = FOLDER / "labels.csv"
COLUMNS = ("reward", "label", "from", "steps", "completed", "lap_s", "best_lap_s", "progress_percent")
STEPS = 600_000
GOOD_S, BAD_S = 8.6, 10.2  # on harbor, where `progress` gets to 6.4 to 6.6 s


class Last(Callback):
    """Keeps the newest report with an evaluation in it."""

    progress: Progress | None = None

    def on_update(self, progress: Progress) -> None:
        """Keep it."""
        if progress.evaluated:
            self.progress = progress


def trained(name: str, track: str, steps: int) -> dict[str, object]:
    """Train with a reward, and say what the driver did in the end."""
    last = Last()
    with tempfile.TemporaryDirectory() as folder:
        train(start(RunConfig(track, FOLDER / f"{name}.py", steps=steps, logs=False), f"{folder}/run"), [last])
    assert last.progress is not None and last.progress.result is not None and last.progress.best is not None
    end, best = last.progress.result, last.progress.best
    return {
        "reward": name,
        "label": label_of(end.completed, end.best_lap_s),
        "from": "training",
        "steps": last.progress.steps,
        "completed": f"{end.completed:.2f}",
        "lap_s": "" if end.best_lap_s is None else f"{end.best_lap_s:.2f}",
        "best_lap_s": "" if best.best_lap_s is None else f"{best.best_lap_s:.2f}",
        "progress_percent": f"{last.progress.metrics.get('rollout/ep_progress_mean', float('nan')):.0f}",
    }


def label_of(completed: float, lap_s: float | None) -> str:
    """What a training has shown a reward to be."""
    if completed < 0.5 or lap_s is None or lap_s > BAD_S:
        return "bad"
    return "good" if lap_s <= GOOD_S else "between"


def main() -> None:
    """Train what is asked for, one after the other; each row is written at once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="such as bad/crawl (default: all that have no training yet)")
    parser.add_argument("--track", default="harbor")
    parser.add_argument("--steps", type=int, default=STEPS)
    asked = parser.parse_args()
    rows = {}
    if TABLE.exists():
        with TABLE.open(encoding="utf-8") as file:
            rows = {row["reward"]: row for row in csv.DictReader(file)}
    known = sorted(
        f"{path.parent.name}/{path.stem}" for kind in ("bad", "good") for path in FOLDER.glob(f"{kind}/*.py")
    )
    for name in asked.names or [one for one in known if rows.get(one, {}).get("from") != "training"]:
        rows[name] = {key: str(value) for key, value in trained(name, asked.track, asked.steps).items()}
        print(rows[name], flush=True)
        with TABLE.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows[key] for key in sorted(rows))


if __name__ == "__main__":
    main()
