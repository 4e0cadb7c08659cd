"""Run folders: everything that a training leaves behind, in files that explain themselves.

A run folder is data. The recipe and the reward that made it are kept there as text, to be read and compared, but what
is executed comes from the shelves or from the command line, never from the folder itself.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from racer import __version__
from racer.deepracer.config import NETWORKS, action_space_json, read_action_space
from racer.env import TimeTrialVector
from racer.errors import DeepRacerError, RacerError, RunError, SensorError
from racer.racing import AgentFile, Driver, Knobs, State, load_agent, load_state, restore, save_state
from racer.reward import RewardFunction, load_reward
from racer.sensors import make_sensors
from racer.shelf import Section, make_folder, read_json, write_atomically
from racer.sim import CARS, DEFAULT, STARTS, ActionSpace, Car, Rotation, Start, TrackSampler
from racer.track import Track, track_from_arrays

FORMAT = 3  # 2 had one track; 1 had the defaults of actions, sensors, starts, directions and knobs, too
MOST_SEED, MOST_STEPS, MOST_SECONDS = 2**32 - 1, 10**12, 1e7
DEVICES = ("auto", "cpu", "cuda")
"""Where a recipe may calculate; with `auto` it chooses."""
RUNS = Path("runs")
"""Where runs are kept, in the working folder."""


@dataclass(frozen=True)
class Plan:
    """What a run was asked to do, as its `run.json` says it.

    Attributes:
        tracks, reward, agent: names, or paths as they were given; one of the tracks may be `RANDOM`.
        reward_digest, agent_digest: SHA-256 of the sources.
        car: name.
        seed: of everything.
        steps, seconds: the budget, one of them None.
        actions: what the driver's actions mean.
        sensors: what it perceives, as `racer.sensors.make_sensors` takes it.
        starts: where the episodes of the training start.
        both_ways: whether half of the cars train against the tracks' directions.
        randomize: whether the cars of the training, their senses and their starts differ from episode to episode.
        knobs: of the recipe, where they are not its own.
        device: where it trains: `auto`, `cpu` or `cuda`.
        logs: whether DeepRacer's logs are written too.
        engine: racer's version.
        format: of the folder.
    """

    tracks: tuple[str, ...]
    reward: str
    agent: str
    reward_digest: str
    agent_digest: str
    car: str
    seed: int
    steps: int | None
    seconds: float | None
    actions: ActionSpace = DEFAULT
    sensors: tuple[str, ...] = ("state",)
    starts: Start = "random"
    both_ways: bool = False
    randomize: bool = False
    knobs: Knobs = field(default_factory=dict)
    device: str = "auto"
    logs: bool = True
    engine: str = __version__
    format: int = FORMAT


@dataclass(frozen=True)
class Run:
    """A run folder.

    Attributes:
        folder: where it is.
        plan: what it was asked to do.
    """

    folder: Path
    plan: Plan

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def checkpoint(self) -> Path:
        """What was learned last, to go on from."""
        return self.folder / "checkpoint.safetensors"

    @property
    def best(self) -> Path:
        """The best driver so far: complete laps first, then lap time."""
        return self.folder / "best.safetensors"

    @property
    def replay(self) -> Path:
        """Three laps of the best driver."""
        return self.folder / "best.replay"

    @property
    def car(self) -> Car:
        """The car that is driven."""
        return CARS[self.plan.car]

    def track(self) -> Track:
        """The first track; of a run on random tracks alone, the first one that its drivers are judged on.

        Raises:
            RunError, TrackError: the folder's `track.json` is damaged.
        """
        fixed = self.tracks()
        return fixed[0] if fixed else self.random.unseen(1)[0]

    def tracks(self) -> tuple[Track, ...]:
        """The tracks as they were, but for the random ones.

        Raises:
            RunError, TrackError: the folder's `track.json` is damaged.
        """
        path = self.folder / "track.json"
        data = read_json(path, RunError)
        return tuple(_track(path, one) for one in (data if isinstance(data, list) else [data]))

    def courses(self) -> list[Track]:
        """The same, each in the directions in which cars train.

        Raises:
            RunError, TrackError: as `tracks`.
        """
        return [
            way for track in self.tracks() for way in ((track, track.reverse()) if self.plan.both_ways else (track,))
        ]

    @property
    def random(self) -> TrackSampler:
        """The random tracks, if it trains on such."""
        return TrackSampler(self.plan.seed)

    def agent(self) -> AgentFile:
        """The recipe, from the shelf.

        Raises:
            RunError: it was given by a path inside the folder.
            ShelfError, AgentError: it is gone or broken.
        """
        return load_agent(self._outside(self.plan.agent, "agent"))

    def reward(self) -> RewardFunction | None:
        """The reward function, if it is still what it was; else None."""
        try:
            reward = load_reward(self._outside(self.plan.reward, "reward"))
        except RacerError:
            return None
        return reward if digest(reward.text) == self.plan.reward_digest else None

    def driver(self, track: Track | None = None) -> Driver:
        """The best driver of the run.

        Args:
            track: any; the run's own by default.

        Raises:
            RunError: nothing was learned yet.
            AgentError: the recipe or the file is damaged, or they do not fit each other.
        """
        path = self.best if self.best.exists() else self.checkpoint
        if not path.exists():
            raise RunError(
                f"{self.folder} holds no trained driver yet; go on with 'racer train --name {self.name} --resume'"
            )
        plan = self.plan
        env = TimeTrialVector(1, track or self.track(), None, self.car, actions=plan.actions, sensors=plan.sensors)
        agent = self.agent().make(env, plan.seed, plan.knobs, "cpu")
        restore(agent, self.load(path)[0], path)
        return agent

    def save(self, path: Path, state: State, notes: Mapping[str, Any]) -> None:
        """Write a driver with notes on it, and with what it perceives.

        Raises:
            AgentError, FileError: as `save_state`.
        """
        save_state(path, state, {"racer": json.dumps({"sensors": list(self.plan.sensors), **notes})})

    def load(self, path: Path) -> tuple[State, dict[str, Any]]:
        """Read a driver and the notes on it: among others `steps` and `seconds`, both finite.

        Raises:
            AgentError, RunError: the file is damaged, or its driver learned with other sensors than the run has.
        """
        state, notes = load_state(path)
        try:
            told = dict(json.loads(notes["racer"]))
            told |= {"steps": int(told["steps"]), "seconds": float(told["seconds"])}
            if not (0 <= told["steps"] <= sys.maxsize and 0.0 <= told["seconds"] < math.inf):
                raise ValueError(f"{told['steps']:g} steps in {told['seconds']:g} s")
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as wrong:
            raise RunError(f"{path} lacks racer's notes; it cannot be resumed: {wrong!r:.100}") from wrong
        learned_with = told.get("sensors", own := list(self.plan.sensors))
        if learned_with != own:
            raise RunError(
                f"{path} learned with {learned_with!r:.200}, but {self.folder / 'run.json'} says sensors are {own}; "
                "a driver can drive only by what it learned with"
            )
        return state, told

    def _outside(self, given: str, what: str) -> str:
        path = Path(given)
        if _exists(path) and path.resolve().is_relative_to(self.folder.resolve()):
            raise RunError(
                f"{self.folder}: its {what} {given} lies in the run folder; name it yourself with --{what} {given}"
            )
        return given


def _track(path: Path, data: Any) -> Track:
    """A track as a file at `path` holds it."""
    try:
        about = {str(key): str(value) for key, value in data["about"].items()}
        lines = [np.array(data[key], dtype=np.float64) for key in ("center", "inner", "outer")]
        return track_from_arrays(str(data["name"]), *lines, reversed=bool(data["reversed"]), **about)
    except (KeyError, TypeError, ValueError, AttributeError) as wrong:
        if isinstance(wrong, RacerError):
            raise
        raise RunError(f"{path} is damaged: {wrong}") from wrong


def create_run(
    folder: Path,
    tracks: Sequence[Track],
    reward: RewardFunction,
    agent: AgentFile,
    names: tuple[tuple[str, ...], str, str],
    plan: Mapping[str, Any],
) -> Run:
    """Make a new run folder.

    Args:
        folder: must not exist, or be empty, or hold a run that ended before anything was learned.
        tracks, reward, agent: what is kept in it.
        names: what they were called on the command line.
        plan: the remaining fields of `Plan`.

    Raises:
        RunError: the folder is taken.
        FileError: it cannot be written.
    """
    if os.path.lexists(folder) and not _free(folder):
        how = "add --resume to go on with it" if _exists(folder / "run.json") else "it is no run"
        raise RunError(f"{folder} exists already; {how}, or choose another --name")
    made = Plan(
        *names,
        reward_digest=digest(reward.text),
        agent_digest=agent.digest,
        **plan,
    )
    make_folder(folder)
    lines = [{key: getattr(track, key).tolist() for key in ("center", "inner", "outer")} for track in tracks]
    kept = [
        {"name": track.name, "reversed": track.reversed, "about": dict(track.about), **geometry}
        for track, geometry in zip(tracks, lines, strict=True)
    ]
    write_atomically(folder / "track.json", json.dumps(kept[0] if len(kept) == 1 else kept))
    write_atomically(folder / "reward.py.txt", reward.text)
    write_atomically(folder / "agent.py.txt", agent.text)
    run = Run(folder, made)
    write_plan(run)
    return run


def _free(folder: Path) -> bool:
    """Whether a run may be made in an existing folder: nothing is lost."""
    if not folder.is_dir():
        return False
    held = {path.name for path in folder.iterdir()}
    return not held or ("track.json" in held and not any(name.endswith(".safetensors") for name in held))


def write_plan(run: Run) -> None:
    """Write a run's plan; `run.json` is what makes a folder a run.

    Raises:
        FileError: it cannot be written.
    """
    plan = run.plan
    data = {name: getattr(plan, name) for name in Plan.__dataclass_fields__}
    data |= {"actions": action_space_json(plan.actions), "knobs": dict(plan.knobs)}
    data |= {"tracks": list(plan.tracks), "sensors": list(plan.sensors)}
    if isinstance(plan.starts, Rotation):
        data["starts"] = asdict(plan.starts)
    write_atomically(run.folder / "run.json", json.dumps(data, indent=2) + "\n")


def open_run(folder: Path) -> Run:
    """Open a run folder, trusting nothing in it.

    Raises:
        RunError: it is missing, incomplete, damaged, or made by a later racer.
    """
    path = folder / "run.json"
    if not folder.is_dir():
        raise RunError(f"there is no run {folder}; 'racer list runs' shows the runs of this folder")
    if not path.exists():
        raise RunError(f"{folder} is not a run: it holds no run.json")
    data = read_json(path, RunError)
    if isinstance(data, dict) and "track" in data:  # before format 3
        data["tracks"] = [data["track"]]
    kinds = {
        "tracks": list,
        "reward": str,
        "agent": str,
        "reward_digest": str,
        "agent_digest": str,
        "car": str,
    }
    if not isinstance(data, dict) or any(not isinstance(data.get(key), kind) for key, kind in kinds.items()):
        raise RunError(f"{path}: this is not a run's plan; it needs {', '.join(kinds)}")
    if not data["tracks"] or not all(isinstance(name, str) for name in data["tracks"]):
        raise RunError(f"{path}: tracks is {data['tracks']!r:.80}; it must be a list of names")
    if data.get("format") not in range(1, FORMAT + 1):
        raise RunError(f"{path}: format {data.get('format')!r}; this racer reads formats up to {FORMAT}")
    if data["car"] not in CARS:
        raise RunError(f"{path}: there is no car {data['car']!r}; the cars are {', '.join(CARS)}")
    if not isinstance(data.get("logs", True), bool):
        raise RunError(f"{path}: logs is {data['logs']!r}; it must be true or false")
    given = {name: data[name] for name in Plan.__dataclass_fields__ if name in data}
    return Run(folder, Plan(**given | _how(path, data) | {"tracks": tuple(data["tracks"]), "format": FORMAT}))


def _how(path: Path, data: dict[str, Any]) -> dict[str, Any]:
    """What a plan says about its budget, and, as far as it does, about how its driver acts, perceives and trains."""
    section, found = Section(str(path), data), {"steps": None, "seconds": None}  # type: tuple[Section, dict[str, Any]]
    try:
        found["seed"] = section.whole("seed", None, 0, MOST_SEED)
        if data.get("steps") is not None:
            found["steps"] = section.whole("steps", None, 1, MOST_STEPS)
        elif data.get("seconds") is not None:
            found["seconds"] = section.number("seconds", None, 0.0, MOST_SECONDS)
        if "actions" in data:
            found["actions"] = read_action_space(section.section("actions"))
        if isinstance(data.get("starts"), dict):
            starts = section.section("starts")
            found["starts"] = Rotation(*(starts.number(name, None, 0.0, 1.0) for name in ("advance", "offset")))
        else:
            found["starts"] = section.choice("starts", "random", STARTS)
        found |= {name: section.flag(name, False) for name in ("both_ways", "randomize")}
        if "knobs" in data:
            knobs = section.section("knobs")
            for name in knobs.data:
                knobs.choice(name, "", NETWORKS) if name == "network" else knobs.number(name)
            found["knobs"] = dict(knobs.data)
        found["device"] = section.choice("device", "auto", DEVICES)
    except DeepRacerError as wrong:
        raise RunError(str(wrong)) from wrong
    sensors = data.get("sensors", ["state"])
    if not isinstance(sensors, list) or not all(isinstance(spec, str) for spec in sensors):
        raise RunError(f"{path}: sensors is {sensors!r:.80}; it must be a list of sensors")
    try:
        make_sensors(tuple(sensors))
    except SensorError as wrong:
        raise RunError(f"{path}: sensors: {wrong}") from wrong
    return found | {"sensors": tuple(sensors)}


def find_run(name: str) -> Run | None:
    """The run that a name or a path means: a folder with a run.json, or one below `RUNS`; None if there is none.

    Raises:
        RunError: there is one, but it is damaged.
    """
    for folder in (Path(name), RUNS / name):
        if _exists(folder / "run.json"):
            return open_run(folder)
    return None


def run_names() -> list[str]:
    """Names of the runs below `RUNS`, newest first."""
    found = [path.parent for path in RUNS.glob("*/run.json")]
    return [folder.name for folder in sorted(found, key=_trained, reverse=True)]


def _trained(folder: Path) -> float:
    """When a run was last trained; its folder changes when it is evaluated, too."""
    files = (folder / "run.json", folder / "checkpoint.safetensors")
    return max(file.stat().st_mtime for file in files if file.exists())


def free_name(stem: str) -> str:
    """The first name below `RUNS` that is not taken: `stem-1`, `stem-2` and so on."""
    number = 1
    while os.path.lexists(RUNS / f"{stem}-{number}"):
        number += 1
    return f"{stem}-{number}"


def _exists(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110 (false, not an error, for names that no system can hold)


def digest(text: str) -> str:
    """SHA-256 of a source."""
    return hashlib.sha256(text.encode()).hexdigest()
