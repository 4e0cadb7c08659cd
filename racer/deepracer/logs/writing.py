"""DeepRacer's own logs in a run folder: step logs of training and evaluations, metrics, metadata.

Invariant: the folder has the layout that deepracer-for-cloud writes and the community's tools read. Each
file is whole, every iteration file of a run holds the same number of episodes, and what is logged is a
sample that does not depend on how the episodes went: one whole episode of each of the first cars. No link in
the folder is followed: nothing outside it is written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from racer.deepracer.config import ModelMetadata
from racer.deepracer.logs.simtrace import LABELS, csv_text
from racer.deepracer.logs.step_recorder import StepRecorder
from racer.env import ConcatVectorEnv, StepCallback, TimeTrialVector
from racer.errors import LogError, RewardError
from racer.racing import EvaluationResult
from racer.replay import STEP_S, Lap, Replay, whole_steps
from racer.shelf import make_folder, read_json, read_text, write_atomically

__all__ = ["EPISODES", "TrainingLogs", "write_evaluation"]

EPISODES = 20  # in an iteration file: the original's default
APART = 100_000  # car steps from one file's first step to the next one's ...
VERSION = 5.0  # of model_metadata.json: the physics that racer's car is like
SHARE = 0.1  # ... and at least this share of the steps so far: a long training needs no thousands of files

README = """\
These are logs as AWS DeepRacer writes them, for the tools made for those.

racer trains {cars} cars side by side and drives about a thousand times as many steps as DeepRacer: this is a
sample. An iteration file holds {episodes} episodes: the first whole one of each of the cars 0 to {last},
begun after the file before it was finished. Which they are does not depend on how they went. A file is begun
every {apart:,} car steps, later every {share:.0%} of the steps so far. All files of a run hold the same
number of episodes; only the file of a training too short for that may hold fewer.

tstamp is each car's own simulated clock, so the episodes of a file overlap in time. The evaluations in
../metrics/TrainingMetrics.json are the undisturbed car's laps from the start line, the later ones flying;
they do not call the reward function, so their reward_score is null. Times count whole steps of 1/15 s
and the prepare step, as DeepRacer's do; racer's own lap times end where the car crosses the line, 0.1 to 0.2
s earlier.
"""


class Stage(Protocol):
    """How far a training is."""

    @property
    def steps(self) -> int:
        """Steps of all cars so far."""
        ...


class TrainingLogs:
    """The logs of a training while it goes on: a `racer.training.Callback`, fed by the environment."""

    def __init__(self, folder: Path) -> None:
        """Write into `folder`, the run's; nothing yet."""
        self._folder = folder
        self._race = StepRecorder(1, endless=True)

    def on_training_start(self, env: TimeTrialVector | ConcatVectorEnv, learner: object) -> None:
        """Begin, or go on after the files that are there.

        Args:
            env: in which is trained.
            learner: its `deepracer_hyperparameters`, go into `hyperparameters.json`, if it has any.

        Raises:
            LogError: the metrics that are there are damaged.
            FileError: a file cannot be written.
            RunError: there is a link in its place, or on the way to it.
        """
        folder, hyperparameters = self._folder, getattr(learner, "deepracer_hyperparameters", {})
        recorded = env.parts[0].num_envs if isinstance(env, ConcatVectorEnv) else env.num_envs
        self._episodes = min(EPISODES, max(1, env.num_envs // 2), recorded)
        self._traces = make_folder(folder / "training-simtrace", within=folder)
        metrics = make_folder(folder / "metrics", within=folder)
        self._metrics = metrics / "TrainingMetrics.json"
        self._track = env.track
        self._next_file, self._items = self._found()
        about = README.format(
            cars=env.num_envs, episodes=self._episodes, last=self._episodes - 1, apart=APART, share=SHARE
        )
        write_atomically(self._traces / "README.txt", about, within=folder)
        settings = {**hyperparameters, "num_episodes_between_training": self._episodes}
        _write_json(folder, "model/model_metadata.json", _metadata(env))
        _write_json(folder, "ip/hyperparameters.json", settings)
        self._recorder, self._begin_at, self._waiting = StepRecorder(self._episodes), 0.0, False
        env.step_callback = self._recorder

    def on_update(self, progress: Stage) -> None:
        """Write a file if it is complete, and begin the next one if it is due.

        Raises:
            FileError: a file cannot be written.
            RunError: there is a link in its place, or on the way to it.
        """
        steps = progress.steps
        if self._recorder.done and not self._waiting:
            self._write()
            self._waiting = True
        if self._waiting and steps >= self._begin_at:
            self._recorder.begin()
            self._waiting = False
            self._begin_at = steps + max(APART, SHARE * steps)

    def on_evaluation(self, result: EvaluationResult) -> None:
        """Add an evaluation to the metrics of the newest iteration; there is none to add to before the first."""
        if self._items:
            last = {key: self._items[-1][key] for key in ("episode", "trial")}
            for lap, steps, (status, progress) in zip(result.laps, whole_steps(result.laps), result.ends, strict=True):
                times = _times(lap.start_s, steps)
                ended = {"completion_percentage": int(progress), "episode_status": LABELS[status]}
                self._items.append({"reward_score": None, **times, **last, "phase": "evaluation", **ended})

    def on_race_start(self) -> StepCallback:
        """Record every step of the best driver's last laps."""
        self._race = StepRecorder(1, endless=True)
        return self._race

    def on_race_end(self, replay: Replay, failure: RewardError | None = None) -> None:
        """Write down the best driver's last laps, as an evaluation; not those of a race with traffic.

        Raises:
            FileError: a file cannot be written.
            RunError: there is a link in its place, or on the way to it.
        """
        if replay.traffic is None:
            write_evaluation(self._folder, replay.laps, self._race.laps(replay.track))

    def on_training_end(self) -> None:
        """Write the last evaluations, and what a very short training has brought, so that it leaves some log.

        Raises:
            FileError: a file cannot be written.
            RunError: there is a link in its place, or on the way to it.
        """
        if self._next_file == 0:
            self._write()
        elif self._items:
            self._write_metrics()

    def _write(self) -> None:
        found = [self._recorder.episode(car, self._track) for car in range(self._episodes)]
        episodes = [rows for rows in found if rows is not None]
        if not episodes:
            return
        for trial, rows in enumerate(episodes):
            rows["episode"] = self._next_file * self._episodes + trial
            numbers = {"episode": int(rows["episode"][0]) + 1, "trial": trial + 1, "phase": "training"}
            self._items.append({**_item(rows), **numbers})
        path = self._traces / f"{self._next_file}-iteration.csv"
        write_atomically(path, csv_text(np.concatenate(episodes)), within=self._folder)
        self._next_file += 1
        self._write_metrics()

    def _write_metrics(self) -> None:
        metrics = {"metrics": self._items, "version": 2.0, "best_model_metric": "progress"}
        _write_json(self._folder, "metrics/TrainingMetrics.json", metrics, indent=None)

    def _found(self) -> tuple[int, list[dict[str, Any]]]:
        """The number of the next file, and the metrics; a lone file with too few episodes is written again."""
        names = (re.fullmatch(r"(\d{1,9})-iteration\.csv", path.name) for path in self._traces.iterdir())
        number = max((int(name[1]) + 1 for name in names if name), default=0)
        if number == 1:
            last = read_text(self._traces / "0-iteration.csv", LogError).rstrip().rpartition("\n")[2]
            number = int(last.partition(",")[0] == str(self._episodes - 1))
        if number == 0 or not self._metrics.exists():
            return number, []
        data = read_json(self._metrics, LogError)
        items = data.get("metrics") if isinstance(data, dict) else None
        if not isinstance(items, list) or not all(
            isinstance(item, dict) and {"episode", "trial"} <= item.keys() for item in items
        ):
            raise LogError(f"{self._metrics} is damaged: it holds no list of metrics; delete it, or add --no-logs")
        return number, items


def _metadata(env: TimeTrialVector | ConcatVectorEnv) -> dict[str, Any]:
    """What `model_metadata.json` says of an agent that drives in `env`."""
    sensors = tuple(getattr(env.single_observation_space, "spaces", ["state"]))  # of a dict, which several make
    return ModelMetadata(env.actions, sensors, version=VERSION).as_json()


def write_evaluation(folder: Path, laps: Sequence[Lap], recorded: Sequence[NDArray[np.void]]) -> Path:
    """Write the log and the metrics of an evaluation into a run folder.

    Args:
        folder: the run's.
        laps: that were driven.
        recorded: the rows of each lap, the one that finds it complete included.

    Returns:
        The folder with the log, `evaluation-` and 14 digits.

    Raises:
        FileError: a file cannot be written.
        RunError: there is a link in its place, or on the way to it.
    """
    when = datetime.now(UTC)
    while (made := folder / f"evaluation-{when:%Y%m%d%H%M%S}").exists():
        when += timedelta(seconds=1)
    rows = list(recorded[: len(laps)])
    if laps[-1].complete:  # the original calls only the last lap of a race complete
        rows[-1]["episode_status"][-1], rows[-1]["done"][-1] = "lap_complete", True
    items = []
    for number, one in enumerate(rows):
        one["episode"] = number
        status = one["episode_status"]
        counts = {f"{name}_count": int((status == code).sum()) for name, code in COUNTS.items()}
        resets = int(((status[1:] == "pause") & (status[:-1] != "pause")).sum())
        items.append({**_item(one), **counts, "reset_count": resets, "trial": number + 1})
        del items[-1]["reward_score"]
    make_folder(folder / "metrics" / "evaluation", within=folder)  # what fails is to fail before anything is written
    trace = make_folder(made / "evaluation-simtrace", within=folder) / "0-iteration.csv"
    write_atomically(trace, csv_text(np.concatenate(rows)), within=folder)
    _write_json(folder, f"metrics/evaluation/{made.name}.json", {"metrics": items}, indent=None)
    return made


COUNTS = {
    "crash": "crashed",
    "immobilized": "immobilized",
    "off_track": "off_track",
    "reversed": "reversed",
}


def _item(rows: NDArray[np.void]) -> dict[str, Any]:
    """What the metrics say of an episode or a lap."""
    last = rows[-1]
    return {
        "reward_score": round(float(rows["reward"].sum())),
        **_times(float(rows["tstamp"][0]) - STEP_S, len(rows)),
        "completion_percentage": int(last["progress"]),
        "episode_status": LABELS[str(last["episode_status"])],
    }


def _times(start_s: float, steps: int) -> dict[str, int]:
    return {
        "metric_time": round((start_s + steps * STEP_S) * 1000.0),
        "start_time": round(start_s * 1000.0),
        "elapsed_time_in_milliseconds": round(steps * STEP_S * 1000.0),
    }


def _write_json(folder: Path, name: str, data: Mapping[str, Any], indent: int | None = 2) -> None:
    make_folder((folder / name).parent, within=folder)
    write_atomically(folder / name, json.dumps(data, indent=indent) + "\n", within=folder)
