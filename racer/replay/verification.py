"""The proof of a replay: driving its commands again.

Invariant: a replay proves itself. Re-simulating its commands with its own track and car must give its states and
its lap times: to the last bit where sine and tangent are computed as they were when it was driven, and to 1e-5
(m, rad, m/s) on a machine that computes them in another way.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from racer import __version__
from racer.errors import RacerError
from racer.replay.laps import Recorder
from racer.replay.record import STEP_DTYPE, STEP_S, Lap, Replay

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Verdict", "verify"]

STATE_SLACK = 1e-5  # m, rad, m/s: what the last bits of another machine's sine may have grown to
TIME_SLACK_S = 1e-3  # lap times count in milliseconds
COMPARED = [name for name in STEP_DTYPE.names or () if name not in ("steering_command_deg", "speed_command", "reward")]
AT_ONCE = 150  # steps that are driven before they are compared: a forged replay costs no more than that


@dataclass(frozen=True)
class Verdict:
    """What re-simulating a replay gave.

    Attributes:
        ok: whether it holds.
        reason: the first thing that does not hold; empty if all does.
        drives: each car's laps as they come out here, up to the first thing that does not hold.
    """

    ok: bool
    reason: str
    drives: tuple[tuple[Lap, ...], ...] = ()

    @property
    def laps(self) -> tuple[Lap, ...]:
        """The first car's laps."""
        return self.drives[0] if self.drives else ()


def verify(replay: Replay) -> Verdict:
    """Drive a replay's commands again, from its start line, on its track and with its car, and compare.

    States and lap times must be the same, bit for bit, where `racer.sim.physics_version().bits` is what it was when
    the race was driven; elsewhere states must agree within 1e-5 (m, rad, m/s) and lap times within a millisecond. What
    happened must be the same: where the car left the track, which laps it completed, where it was put back on the line,
    or on a lane for a penalty. Rewards are not looked at, since they come from a function that the replay does not
    hold, nor who drove. It stops at the first difference.

    Args:
        replay: Any replay.

    Returns:
        Whether it holds; if not, the first thing that does not; and the laps as they come out here.
    """
    if replay.imported:
        return Verdict(False, f"it was not driven here, but imported from {replay.imported}")
    steps = np.stack([drive.steps for drive in replay.drives], axis=1)
    if not steps["restart"][:1].any():
        return Verdict(False, "its car is never put on the start line")
    from racer.sim import physics_version

    here, recorder = physics_version(), Recorder(1, len(replay.drives))
    exact = replay.arithmetic == here.bits
    try:
        reason = _driven(replay, steps, recorder, exact)
    except (RacerError, ValueError, ArithmeticError) as error:
        return Verdict(False, f"it cannot be driven here: {error}")
    laps = tuple(tuple(laps) for laps in recorder.laps[0])
    for drive, found in zip(replay.drives, laps, strict=True):
        reason = reason or _lap_difference(drive.laps, found, 0.0 if exact else TIME_SLACK_S)
    if reason and replay.physics != here.motion:
        reason += f" (it was recorded with racer {replay.engine}, whose cars move otherwise than racer {__version__}'s)"
    return Verdict(not reason, reason, laps)


def _driven(replay: Replay, steps: NDArray[np.void], recorder: Recorder, exact: bool) -> str:
    """Drive the steps, (k, m), into a recorder, and say what differs first; nothing if nothing does."""
    from racer.sim import OFF_TRACK, World

    rules = dataclasses.replace(replay.rules, laps=1000, time_limit_s=1e6)
    world = World(replay.track, 1, steps.shape[1], replay.car, rules)
    world.seed(replay.seed)
    commands = np.stack([steps["steering_command_deg"], steps["speed_command"]], axis=-1)
    restarts = np.append(steps["restart"], np.zeros((1, steps.shape[1]), np.bool_), axis=0)
    gained = np.zeros((1, steps.shape[1]))
    for first in range(0, len(steps), AT_ONCE):
        recorded, drove_on = steps[first : first + AT_ONCE], ""
        for k in range(first, first + len(recorded)):
            if restarts[k].any():
                world.reset()
            recorder.before(world.cars)
            recorder.act(commands[None, k], gained)
            world.step(commands[None, k], gained)
            status = world.cars["status"]
            off = (status == OFF_TRACK) & (world.cars["held"] == 0)
            recorder.after(world.cars, status, restarts[None, k + 1] | off)
            if k + 1 < len(steps) and (off & ~restarts[k + 1]).any():
                drove_on = f"its car left the track in step {k}, but drove on from there"
                break
        found = recorder.take()[:, 0]
        if reason := _difference(recorded[: len(found)], found, first, replay.track.length, exact) or drove_on:
            return reason
    recorder.close()
    return ""


def _difference(recorded: NDArray[np.void], found: NDArray[np.void], first: int, length: float, exact: bool) -> str:
    """Say where the recorded steps, (k, m), first differ from those driven here; nothing if they agree."""
    differing = []
    for order, name in enumerate(COMPARED):
        bad = recorded[name] != found[name]
        if recorded[name].dtype.kind == "f" and not exact:
            gap = recorded[name] - found[name]
            if name in ("heading", "s"):  # both go round
                turn = 2.0 * np.pi if name == "heading" else length
                gap = np.mod(gap + 0.5 * turn, turn) - 0.5 * turn
            bad = ~(np.abs(gap) <= STATE_SLACK)
        if bad.any():
            row, car = np.argwhere(bad)[0].tolist()
            differing.append((row, order, car, name))
    if not differing:
        return ""
    row, _, car, name = min(differing)
    here, there = found[name][row, car].item(), recorded[name][row, car].item()
    digits = ".6g" if f"{here:.6g}" != f"{there:.6g}" else ".17g"
    shown = [str(value) if isinstance(value, bool) else format(value, digits) for value in (there, here)]
    return (
        f"in step {first + row} (at {(first + row) * STEP_S:.2f} s) its {name.replace('_', ' ')} is {shown[0]}, "
        f"but driving it again gives {shown[1]}"
    )


def _lap_difference(recorded: tuple[Lap, ...], found: tuple[Lap, ...], slack_s: float) -> str:
    """Say which lap was recorded otherwise than it was driven; nothing if none is."""
    if len(recorded) != len(found):
        return f"it records {len(recorded)} laps, but driving it again gives {len(found)}"
    for claim, lap in zip(recorded, found, strict=True):
        if (claim.complete, claim.off_track) != (lap.complete, lap.off_track):
            how = "completes it" if lap.complete else "ends it off the track" if lap.off_track else "ends it on the way"
            return f"its lap {lap.index} was recorded otherwise than it was driven: driving it again {how}"
        if claim.resets != lap.resets:
            return f"its lap {lap.index} records {claim.resets} resets, but driving it again gives {lap.resets}"
        for name, noun in (("start_s", "start"), ("time_s", "time")):
            here, there = getattr(lap, name), getattr(claim, name)
            if not abs(here - there) <= slack_s:
                digits = ".3f" if f"{here:.3f}" != f"{there:.3f}" else ".17g"
                shown = [format(value, digits) for value in (there, here)]
                return f"the {noun} of its lap {lap.index} is {shown[0]} s, but driving it again gives {shown[1]} s"
    return ""
