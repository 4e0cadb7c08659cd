"""Replays: a race in one self-contained file, and the proof that it can be driven.

Invariant: a replay proves itself. Re-simulating its actions with its own track and car must give its states
and its lap times, on any machine.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from racer import __version__
from racer.errors import RacerError, ReplayError
from racer.replay.container import FILE_LIMIT, DamagedError, pack, unpack
from racer.replay.header import from_file, to_file
from racer.replay.record import STEP_DTYPE, STEP_S, Lap, Replay
from racer.shelf import read_bytes, write_atomically

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["STEP_DTYPE", "STEP_S", "Lap", "Replay", "Verdict", "load_replay", "save_replay", "verify"]

STATE_SLACK = 1e-5  # m, rad, m/s: another machine's sine may differ in its last bit
TIME_SLACK_S = 1e-3  # lap times count in milliseconds
STATES = ("x", "y", "heading", "speed", "steering_angle", "yaw_rate", "s", "distance", "offset")


@dataclass(frozen=True)
class Verdict:
    """What re-simulating a replay gave: whether it holds, why not, and the laps as they come out here."""

    ok: bool
    reason: str  # empty if it holds
    laps: tuple[Lap, ...]


def save_replay(replay: Replay, path: str | Path, *, overwrite: bool = False) -> None:
    """Write a replay as one file that needs no other.

    Args:
        replay: The race; its steps and laps must fit each other.
        path: Any name, `.replay` by custom; NumPy opens it like an `.npz`. The folder must exist.
        overwrite: Whether a file of that name may be replaced.

    Raises:
        ReplayError: The name is taken, or `load_replay` would refuse what it holds.
        FileError: The file cannot be written; what was there is untouched.
    """
    target = Path(path)
    if os.path.lexists(target) and not overwrite:
        raise ReplayError(f"{target} exists already and is kept; choose another name")
    header, arrays = to_file(replay)
    try:
        data = pack(header, arrays)
        from_file(*unpack(data))  # what cannot be read again must not pass for saved
    except ValueError as error:
        raise ReplayError(f"this race cannot be saved as {target}: {error}") from error
    write_atomically(target, data)


def load_replay(path: str | Path) -> Replay:
    """Read a replay, trusting nothing in it; whether it was really driven is for `verify` to say.

    Args:
        path: A file that `save_replay` wrote, on whatever machine.

    Raises:
        ReplayError: The file is missing, damaged, no replay, made by a later racer, or contradicts itself.
    """
    source = Path(path)
    try:
        if source.is_dir():
            raise ReplayError(f"{source} is a folder, not a replay; name a file in it")
        if os.path.lexists(source) and not source.is_file():
            raise ReplayError(f"{source} is not a plain file, so it is no replay")
        if source.is_file() and source.stat().st_size > FILE_LIMIT:
            raise DamagedError(f"it is larger than {FILE_LIMIT // 2**20} MiB")
        return from_file(*unpack(read_bytes(source, ReplayError)))
    except DamagedError as error:
        raise ReplayError(
            f"{source} cannot be opened as a replay: {error}. "
            "Fetch it again, or record the drive again with `racer evaluate … --replay FILE`."
        ) from error


def verify(replay: Replay) -> Verdict:
    """Drive a replay's commands again, from its start line, on its track and with its car, and compare.

    States must agree within 1e-5 (m, rad, m/s), lap times within a millisecond, and what happened must be the
    same: where the car left the track, which laps it completed, where it was put back on the line, or on a lane for a
    penalty. Rewards are not looked at, since they come from a function that the replay does not hold, nor who drove.

    Args:
        replay: Any replay.

    Returns:
        Whether it holds; if not, the first thing that does not; and the laps as they come out here.
    """
    if replay.imported:
        return Verdict(False, f"it was not driven here, but imported from {replay.imported}", ())
    if not replay.steps["restart"][:1].any():
        return Verdict(False, "its car is never put on the start line", ())
    try:
        commands = np.stack([np.degrees(replay.steps["steering_command"]), replay.steps["speed_command"]], axis=1)
        before, after = _driven(replay, commands)
    except (RacerError, ValueError, ArithmeticError) as error:
        return Verdict(False, f"it cannot be driven here: {error}", ())
    put_back = np.diff(after["held"], prepend=0) > 0
    laps = _laps(replay.steps["restart"], before, after, put_back)
    reason = (
        _difference(replay.steps, before, replay.track.length)
        or _event_difference(replay, before, after)
        or _lap_difference(replay.laps, laps)
    )
    if reason and replay.engine != __version__:
        reason += f" (it was recorded with racer {replay.engine}; this is {__version__})"
    return Verdict(not reason, reason, laps)


def _driven(replay: Replay, commands: NDArray[np.float64]) -> tuple[NDArray[np.void], NDArray[np.void]]:
    """Give the car's state before and after each step, (n,) each; a restart puts it on the start line."""
    from racer.sim import CAR_STATE, Rules, World

    steps = replay.steps
    rules = Rules(start="line", laps=1000, time_limit_s=1e6, penalty_s=replay.penalty_s)
    world = World(replay.track, car=replay.car, rules=rules)
    world.seed(replay.seed)
    before, after = np.zeros(len(steps), CAR_STATE), np.zeros(len(steps), CAR_STATE)
    gained = np.zeros((1, 1))
    for k, restart in enumerate(steps["restart"].tolist()):
        if restart:
            world.reset()
        before[k] = world.cars[0, 0]
        world.step(commands[None, None, k], gained)
        after[k] = world.cars[0, 0]
    return before, after


def _difference(steps: NDArray[np.void], states: NDArray[np.void], length: float) -> str:
    """Say where the recorded states first differ from those here; nothing if they agree."""
    differing = []
    for order, name in enumerate(STATES):
        values = states[name]
        gap = steps[name] - values
        if name in ("heading", "s"):  # both go round
            turn = 2.0 * np.pi if name == "heading" else length
            gap = np.mod(gap + 0.5 * turn, turn) - 0.5 * turn
        if len(bad := np.flatnonzero(~(np.abs(gap) <= STATE_SLACK))):
            differing.append((int(bad[0]), order, name, float(steps[name][bad[0]]), float(values[bad[0]])))
    if not differing:
        return ""
    row, _, name, told, here = min(differing)
    return (
        f"in step {row} (at {row * STEP_S:.2f} s) its {name.replace('_', ' ')} is {told:.6g}, "
        f"but driving it again gives {here:.6g}"
    )


def _event_difference(replay: Replay, before: NDArray[np.void], after: NDArray[np.void]) -> str:
    """Say what the record tells otherwise than it happened: wheels on the road, off-tracks, penalties, laps begun."""
    steps = replay.steps
    off, restart = before["wheels_on_track"] == 0, steps["restart"]
    done = _done(restart, before, after)
    begins = np.append(True, done[:-1] | restart[1:])
    found = {"wheels_on_track": before["wheels_on_track"] == 4, "off_track": off, "lap": np.cumsum(begins)}
    found["held"] = before["held"] > 0
    for name, values in found.items():
        if len(bad := np.flatnonzero(steps[name] != values)):
            row = int(bad[0])
            return (
                f"in step {row} (at {row * STEP_S:.2f} s) its {name.replace('_', ' ')} is "
                f"{steps[name][row]}, but driving it again gives {values[row]}"
            )
    if replay.penalty_s is None and len(bad := np.flatnonzero(off[:-1] & ~restart[1:])):
        return f"its car left the track in step {bad[0]}, but drove on from there"
    return ""


def _done(restart: NDArray[np.bool_], before: NDArray[np.void], after: NDArray[np.void]) -> NDArray[Any]:
    """Whether each step completed a lap: the car crossed the line, and nothing had ended its lap before."""
    ended = (before["wheels_on_track"] == 0) | np.append(restart[1:], False)
    done: NDArray[Any] = (after["laps"] > before["laps"]) & ~ended
    return done


def _laps(
    restart: NDArray[np.bool_], before: NDArray[np.void], after: NDArray[np.void], put_back: NDArray[np.bool_]
) -> tuple[Lap, ...]:
    """Give the laps as they were driven again; the last one ends with the record."""
    done, off = _done(restart, before, after), (before["wheels_on_track"] == 0) & ~put_back
    laps: list[Lap] = []
    episode_s = start_s = 0.0
    resets = 0
    for k in range(len(restart)):
        resets += int(put_back[k])
        if restart[k]:
            episode_s = start_s = k * STEP_S
        if done[k]:
            laps.append(Lap(len(laps) + 1, start_s, float(after["lap_time"][k]), True, False, resets))
            start_s, resets = episode_s + float(after["lap_start_s"][k]), 0
        elif k + 1 == len(restart) or restart[k + 1]:
            time_s = (k + 1) * STEP_S - start_s
            laps.append(Lap(len(laps) + 1, start_s, time_s, False, bool(off[k]), resets))
            resets = 0
    return tuple(laps)


def _lap_difference(told: tuple[Lap, ...], found: tuple[Lap, ...]) -> str:
    """Say which lap is told otherwise than it was driven; nothing if none is."""
    if len(told) != len(found):
        return f"it tells of {len(told)} laps, but driving it again gives {len(found)}"
    for claim, lap in zip(told, found, strict=True):
        if (claim.complete, claim.off_track) != (lap.complete, lap.off_track):
            how = "completes it" if lap.complete else "ends it off the track" if lap.off_track else "ends it on the way"
            return f"its lap {lap.index} is told otherwise than it was driven: driving it again {how}"
        if claim.resets != lap.resets:
            return f"its lap {lap.index} tells of {claim.resets} resets, but driving it again gives {lap.resets}"
        for name in ("start_s", "time_s"):
            here, there = getattr(lap, name), getattr(claim, name)
            if not abs(here - there) <= TIME_SLACK_S:
                noun = "time" if name == "time_s" else "start"
                return f"the {noun} of its lap {lap.index} is {there:.3f} s, but driving it again gives {here:.3f} s"
    return ""
