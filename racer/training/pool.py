"""Self-play: a training's own earlier drivers as its opponents, and how strong each of them is.

Invariant: the pool is what `pool/` and `elo.json` in the run folder hold, data alone. Whoever goes on from a checkpoint
goes on with the pool of that moment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from racer.env import Opponent
from racer.errors import RunError
from racer.racing import ANCHOR, Heat, Model, Network, act_each, duels, elo, load_model
from racer.shelf import file_error, make_folder, read_json, write_atomically
from racer.sim import DEFAULT, Traffic
from racer.training.run import Run

__all__ = ["SELF", "Pool", "Rating", "read_ratings"]

SELF = "self"
"""What stands for the run's own earlier drivers among opponents."""

MOST = 12  # drivers in the pool
AT_WORK = 4  # of them at a time: the newest, and some that are drawn when it joins
LAPS = 2  # of a heat between two of them, who start abreast: behind, the better driver may lose
NEWEST = 0.5  # share of the episodes that it drives in
RIVALS = 4  # whom a new driver meets: the first, the one before it, and some that are drawn
FORMAT, VERSION = "racer pool", 1


@dataclass(frozen=True)
class Rating:
    """How strong a driver of the pool is.

    Attributes:
        steps: of training behind it, in car steps.
        elo: the rating; the first driver of the pool has 1000.
        meetings: with others of the pool: two heats each, from either place of the grid.
        points: of these: 1 where it was ahead in sum, 0.5 for a tie.
    """

    steps: int
    elo: float
    meetings: int
    points: float


class Pool:
    """The pool of a training.

    Attributes:
        members: drivers by the steps of training behind them, the first ones first.
    """

    def __init__(self, run: Run) -> None:
        """Make it, empty; `begin` fills it."""
        self._run, self._folder = run, run.folder / "pool"
        self._heat = Heat(run.track(), LAPS, Traffic(grid="pairs"), seed=run.config.seed)
        self.members: dict[int, Model] = {}
        self._results: dict[tuple[int, int], tuple[float, int]] = {}
        self._line_up: list[Network] = []

    @property
    def opponent(self) -> Opponent:
        """The pool as an opponent: half of the episodes the newest member drives, else one of those drawn."""
        config = self._run.config
        return Opponent(self, config.actions or DEFAULT, config.sensors or (), drawn=True)

    @property
    def strongest(self) -> int:
        """The member with the highest rating."""
        return max(self.ratings(), key=lambda one: one.elo).steps

    def begin(self, steps: int, network: Network) -> None:
        """Take up what the run folder holds of the first `steps`, or begin with a driver that has learned so much.

        Raises:
            RunError, ModelError: the folder is damaged.
            FileError: it cannot be written.
        """
        make_folder(self._folder, within=self._run.folder)
        for path in sorted(self._folder.glob("[0-9]*.model")):
            if steps == 0 or not path.stem.isdecimal() or int(path.stem) > steps:
                self._remove(path)  # its checkpoint was never made, or it is of a training that was given up
                continue
            model, config = load_model(path), self._run.config
            if (model.sensors, model.actions) != (config.sensors, config.actions or DEFAULT):
                raise RunError(f"{path} drives with other sensors or actions than the run; remove it")
            self.members[int(path.stem)] = model
        if self.members:
            kept = {} if not self._path.exists() else _read(self._path)[1]
            self._results = {pair: found for pair, found in kept.items() if set(pair) <= set(self.members)}
            self._choose()
        else:
            self.add(steps, network)

    def add(self, steps: int, network: Network) -> None:
        """Let a driver meet some of the others, and add it; of too many, the one is left out who is missed least.

        Raises:
            ModelError: the network is none of the run's.
            FileError: the folder cannot be written.
        """
        if steps in self.members:
            return
        config = self._run.config
        model = Model(f"{steps} steps", config.car, config.sensors or (), config.actions or DEFAULT, network)
        self._meet(steps, model)
        self.members[steps] = model
        write_atomically(self._folder / f"{steps:012}.model", model.as_bytes(), within=self._run.folder)
        gone = None
        if len(self.members) > MOST:  # the first and the newest stay, the others at distances as even as can be
            known = list(self.members)
            gaps = [after - before for before, after in zip(known, known[2:], strict=False)]
            gone = known[1 + int(np.argmin(gaps[:-1]))]
            del self.members[gone]
            self._results = {pair: found for pair, found in self._results.items() if gone not in pair}
        self._choose()
        write_atomically(self._path, self._text(), within=self._run.folder)
        if gone is not None:
            self._remove(self._folder / f"{gone:012}.model")

    def act(self, observations: Any, draws: NDArray[np.float64]) -> NDArray[Any]:
        """What those who are at work do, each in its races."""
        others = len(self._line_up) - 1
        place = 1 + ((draws - NEWEST) / (1.0 - NEWEST) * others).astype(np.int64)
        return act_each(self._line_up, np.where((draws < NEWEST) | (others == 0), 0, place), observations)

    def ratings(self) -> list[Rating]:
        """How strong each member is, the first one first."""
        found, rows = elo(self._results), []
        for steps in self.members:
            own = [(points, times) for (one, _), (points, times) in self._results.items() if one == steps]
            own += [(times - points, times) for (_, other), (points, times) in self._results.items() if other == steps]
            points, meetings = sum(points for points, _ in own), sum(times for _, times in own)
            rows.append(Rating(steps, round(found.get(steps, ANCHOR), 1), meetings, points))
        return rows

    @property
    def _path(self) -> Path:
        return self._run.folder / "elo.json"

    def _remove(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as wrong:
            raise file_error("remove", path, wrong) from wrong

    def _drawn(self, steps: int, among: list[int], count: int) -> list[int]:
        """Some members, drawn by the run's seed and a number of steps."""
        chance = np.random.default_rng([self._run.config.seed, steps])
        return [among[k] for k in sorted(chance.choice(len(among), min(count, len(among)), replace=False))]

    def _choose(self) -> None:
        """Say who is at work."""
        *earlier, newest = self.members
        chosen = [newest, *self._drawn(newest, earlier, AT_WORK - 1)] if earlier else [newest]
        self._line_up = [self.members[steps].network for steps in chosen]

    def _meet(self, steps: int, model: Model) -> None:
        """Let a newcomer race some members, from either place of the grid."""
        known = list(self.members)
        if not known:
            return
        met = list(dict.fromkeys([known[0], known[-1]]))
        met += self._drawn(steps, [one for one in known if one not in met], RIVALS - len(met)) if known[2:] else []
        networks = [model.network, *(self.members[one].network for one in met)]
        pairs = [pair for k in range(1, len(networks)) for pair in ((0, k), (k, 0))]
        ahead = duels(self._heat, networks, pairs, self._run.conditions())
        for k, one in enumerate(met):
            self._results[one, steps] = (0.5 + 0.5 * float(np.sign(ahead[2 * k + 1] - ahead[2 * k])), 1)

    def _text(self) -> str:
        members = [vars(one) for one in self.ratings()]
        results = [[*pair, points, times] for pair, (points, times) in sorted(self._results.items())]
        return (
            json.dumps({"format": FORMAT, "version": VERSION, "members": members, "results": results}, indent=1) + "\n"
        )


def read_ratings(run: Run) -> list[Rating]:
    """How strong each driver of a run's pool is, the first one first; nothing where there was no self-play.

    Raises:
        RunError: the file is damaged.
    """
    path = run.folder / "elo.json"
    return _read(path)[0] if path.exists() else []


def _read(path: Path) -> tuple[list[Rating], dict[tuple[int, int], tuple[float, int]]]:
    data = read_json(path, RunError)
    try:
        if not isinstance(data, Mapping) or (data["format"], data["version"]) != (FORMAT, VERSION):
            raise ValueError(f"it is no table of {FORMAT} {VERSION}")
        ratings = [_rating(**one) for one in data["members"]]
        results = {(int(one), int(other)): (float(p), int(n)) for one, other, p, n in data["results"]}
        if not all(
            0.0 <= points <= heats < MOST**4 and one != other for (one, other), (points, heats) in results.items()
        ):
            raise ValueError("its results make no sense")
    except (KeyError, TypeError, ValueError, OverflowError) as wrong:
        raise RunError(f"{path} is damaged: {wrong!r:.100}; remove it, and the ratings begin anew") from wrong
    return ratings, results


def _rating(steps: int, elo: float, meetings: int, points: float) -> Rating:
    found = Rating(int(steps), float(elo), int(meetings), float(points))
    if not np.isfinite([found.steps, found.elo, found.meetings, found.points]).all():
        raise ValueError("a rating is no number")
    return found
