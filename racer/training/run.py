"""A run: the folder of a training, in files that explain themselves.

The recipe and the reward that made it are kept there as text, to be read and compared; what is executed comes from the
shelves or from the command line, never from the folder itself.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from racer.env import TimeTrialVector
from racer.errors import RacerError, RunError
from racer.racing import (
    AgentFile,
    Driver,
    Network,
    RaceConditions,
    State,
    load_agent,
    load_state,
    restore,
    save_state,
)
from racer.replay import load_replay, notebook_page
from racer.reward import RewardFunction, load_reward
from racer.shelf import read_json, write_atomically
from racer.sim import CARS, DEFAULT, Car, TrackSampler
from racer.track import Track
from racer.training.config import RunConfig, config_text, read_config
from racer.training.folder import RUNS, check_folder, locked, make_run_folder, on_shelf, run_folder
from racer.training.tracks import track_of, tracks_text

__all__ = ["NETWORK", "Run", "create_run", "digest", "find_run", "open_run", "write_config"]

NETWORK = "network/"  # what names of arrays begin with that are a network as data, not what a recipe learned


@dataclass(frozen=True, repr=False)
class Run:
    """A run folder.

    Attributes:
        folder: where it is.
        config: what it was asked to do.
        recipe: the agent file, if it is known already or the user has named it; the shelf's is used otherwise.
        reward_function: the same of the reward function.
    """

    folder: Path
    config: RunConfig
    recipe: AgentFile | None = field(default=None, compare=False)
    reward_function: RewardFunction | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        """Say in a line which run this is."""
        config = self.config
        what = f"{config.agent} on {', '.join(config.track_names)}, reward {config.reward}, {config.budget}"
        return f"<Run {str(self.folder)!r}: {what}>"

    def _repr_html_(self) -> str:
        """The best driver's laps to play, for notebooks; what it is in a line where nothing was driven yet."""
        said = f"{self.name}: {self.config.agent} with the reward {self.config.reward}"
        laps = notebook_page(load_replay(self.replay), said) if self.replay.exists() else ""
        return laps or f"<b>{escape(said)}</b>, no laps yet"

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def called(self) -> str:
        """What is typed to mean it: the name of a run below `RUNS`, else the folder."""
        return self.name if self.folder == RUNS / self.name else str(self.folder)

    @property
    def unshelved(self) -> tuple[str, ...]:
        """What has to be typed, too, to use it again: `--agent` and `--reward` with files that are on no shelf.

        Where the reward's own file is gone, that is the copy in the run.
        """
        words: list[str] = []
        kept = self.folder / "reward.py.txt"
        for option, shelf, name in (
            ("--agent", "agents", self.config.agent),
            ("--reward", "reward_functions", self.config.reward),
        ):
            try:
                on_shelf(shelf, str(name), self.folder)
            except RacerError:
                gone = option == "--reward" and not os.path.exists(name)  # noqa: PTH110 (false for odd names)
                words += [option, str(kept if gone and kept.is_file() else name)]
        return tuple(words)

    @property
    def checkpoint(self) -> Path:
        """What was learned last, to go on from."""
        return self.folder / "checkpoint.safetensors"

    @property
    def initial(self) -> Path:
        """What it began with, if that was taken over from another run."""
        return self.folder / "initial.safetensors"

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
        return CARS[self.config.car]

    @property
    def random(self) -> TrackSampler:
        """The random tracks, if it trains on such."""
        return TrackSampler(self.config.seed)

    def track(self) -> Track:
        """The first track; of a run on random tracks alone, the first one that its drivers are evaluated on.

        Raises:
            RunError, TrackError: the folder's `track.json` is damaged.
        """
        fixed = self.tracks()
        return fixed[0] if fixed else self.random.unseen(1)[0]

    def tracks(self) -> tuple[Track, ...]:
        """The tracks as they were, but for the random ones.

        Raises:
            RunError, TrackError: the folder's `track.json` is damaged, or holds other tracks than `run.json` names.
        """
        path = self.folder / "track.json"
        data = read_json(path, RunError)
        kept = data if isinstance(data, list) else [data]
        if len(kept) != len(self.config.fixed):
            raise RunError(f"{path} holds {len(kept)} tracks, but run.json names {len(self.config.fixed)}")
        return tuple(track_of(path, one) for one in kept)

    def training_tracks(self) -> list[Track]:
        """The same, each in the directions in which cars train.

        Raises:
            RunError, TrackError: as `tracks`.
        """
        both = self.config.both_directions
        return [way for track in self.tracks() for way in ((track, track.reverse()) if both else (track,))]

    def agent(self) -> AgentFile:
        """The recipe: what the user named, or else the file on the shelf.

        Raises:
            RunError: it is not on the shelf.
            ShelfError, AgentError: it is gone or broken.
        """
        return self.recipe or load_agent(on_shelf("agents", str(self.config.agent), self.folder))

    def reward(self) -> RewardFunction:
        """The reward function: what the user named, or else the file on the shelf, if it is still what it was.

        Raises:
            RunError: it is not on the shelf, has changed, or is gone or broken.
        """
        if self.reward_function is not None:
            return self.reward_function
        kept = f"To go on with what was kept of it, add --reward {shlex.quote(str(self.folder / 'reward.py.txt'))}"
        try:
            reward = load_reward(on_shelf("reward_functions", str(self.config.reward), self.folder))
        except RacerError as wrong:
            raise RunError(f"the reward function of {self.name} cannot be used: {wrong} {kept}") from wrong
        if digest(reward.text) != self.config.reward_digest:
            raise RunError(
                f"the reward function {self.config.reward} has changed since {self.name} was trained with it: "
                f"name with --reward the one to go on with. {kept}"
            )
        return reward

    def conditions(self, seed: int | None = None, penalty_s: float | None = None) -> RaceConditions:
        """How its drivers race: with its car, actions and sensors.

        Args:
            seed: of the race; the run's own by default.
            penalty_s: for leaving the track; see `racer.sim.Rules`.
        """
        config = self.config
        own = config.seed if seed is None else seed
        return RaceConditions(self.car, config.actions or DEFAULT, config.sensors or (), own, penalty_s)

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
                f"{self.folder} holds no trained driver yet; "
                f"go on with: racer train --name {shlex.quote(self.name)} --resume"
            )
        config = self.config
        env = TimeTrialVector(
            1, track or self.track(), None, self.car, actions=config.actions or DEFAULT, sensors=config.sensors or ()
        )
        agent = self.agent().make(env, config.seed, config.hyperparameters, "cpu")
        restore(agent, self.load(path)[0], path)
        return agent

    def save(self, path: Path, state: State, notes: Mapping[str, Any], network: Network | None = None) -> None:
        """Write a driver with notes on it, with what it observes, and perhaps with what it decides by, as data.

        Raises:
            AgentError, FileError: as `save_state`.
        """
        texts = {"racer": json.dumps({"sensors": list(self.config.sensors or ()), **notes})}
        if network is not None:
            texts["network"] = json.dumps(network.as_json())
            state = {**state, **{NETWORK + name: array for name, array in network.arrays().items()}}
        save_state(path, state, texts)

    def load(self, path: Path) -> tuple[State, dict[str, Any]]:
        """Read a driver and the notes on it: among others `steps` and `seconds`, both finite.

        Raises:
            AgentError, RunError: the file is damaged, or its driver learned with other sensors than the run has.
        """
        state, notes = load_state(path)
        return {name: values for name, values in state.items() if not name.startswith(NETWORK)}, self._read(path, notes)

    def notes(self) -> dict[str, Any]:
        """The notes on the best driver: `steps`, `seconds`, and of its evaluation `completed` and `best_lap_s`.

        Raises:
            AgentError, RunError: as `load`.
        """
        notes = self.load(self.best)[1]
        numbers = {key: notes.get(key) for key in ("completed", "best_lap_s")}
        fine = {key: isinstance(v, float) and 0.0 <= v < math.inf for key, v in numbers.items()}
        return {**notes, **{key: v if fine[key] else None for key, v in numbers.items()}}

    def _read(self, path: Path, notes: Mapping[str, str]) -> dict[str, Any]:
        try:
            found = dict(json.loads(notes["racer"]))
            found |= {"steps": int(found["steps"]), "seconds": float(found["seconds"])}
            if not (0 <= found["steps"] <= sys.maxsize and 0.0 <= found["seconds"] < math.inf):
                raise ValueError(f"{found['steps']:g} steps in {found['seconds']:g} s")
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as wrong:
            raise RunError(f"{path} lacks racer's notes; it cannot be resumed: {wrong!r:.100}") from wrong
        learned_with = found.get("sensors", own := list(self.config.sensors or ()))
        if learned_with != own:
            raise RunError(
                f"{path} learned with {learned_with!r:.200}, but {self.folder / 'run.json'} says sensors are {own}; "
                "a driver can drive only by what it learned with"
            )
        return found


def create_run(run: Run, tracks: Sequence[Track]) -> None:
    """Make the folder of a new run.

    Args:
        run: its folder must not exist, or be empty, or hold a run that ended before anything was learned.
        tracks: the fixed ones.

    Raises:
        RunError: the folder is taken, or another process trains in it.
        FileError: it cannot be written.
    """
    folder = run.folder
    make_run_folder(folder)
    with locked(folder):
        make_run_folder(folder)  # again: another process may have used it before the lock was ours
        write_atomically(folder / "track.json", tracks_text(tracks))
        write_atomically(folder / "agent.py.txt", run.agent().text)
        write_config(run)


def write_config(run: Run) -> None:
    """Write a run's config and its reward; `run.json` is what makes a folder a run.

    Raises:
        FileError: it cannot be written.
    """
    if run.reward_function is not None:
        write_atomically(run.folder / "reward.py.txt", run.reward_function.text)
    write_atomically(run.folder / "run.json", config_text(run.config))


def open_run(folder: Path, agent: str | Path | None = None, reward: str | Path | None = None) -> Run:
    """Open a run folder, trusting nothing in it.

    Args:
        folder: the run's.
        agent: the recipe's file, if the user names it.
        reward: the reward file, if the user names it; it need not be what the run was trained with.

    Raises:
        RunError: it is missing, incomplete, damaged, or made by a later racer, or holds a link.
        RacerError: the agent or the reward cannot be read.
    """
    path = folder / "run.json"
    if not folder.is_dir():
        raise RunError(f"there is no run {folder}; 'racer list runs' shows the runs of this folder")
    check_folder(folder)
    if not path.exists():
        raise RunError(f"{folder} is not a run: it holds no run.json")
    recipe = None if agent is None else load_agent(agent)
    return Run(folder, read_config(path), recipe, None if reward is None else load_reward(reward))


def find_run(name: str, agent: str | Path | None = None, reward: str | Path | None = None) -> Run | None:
    """The run that a name or a path means: a folder with a `run.json`, or one below `RUNS`; None if there is none.

    Args:
        name: of the run, or its folder.
        agent, reward: as for `open_run`.

    Raises:
        RacerError: as `open_run`.
    """
    folder = run_folder(name)
    return None if folder is None else open_run(folder, agent, reward)


def digest(text: str) -> str:
    """SHA-256 of a source."""
    return hashlib.sha256(text.encode()).hexdigest()
