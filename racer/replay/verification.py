"""The proof of a replay: driving its commands again.

Invariant: a replay proves itself. Re-simulating its commands with its own track and car must give its states and
its lap times: to the last bit where sine and tangent are computed as they were when it was driven, and to 1e-5
(m, rad, m/s) on a machine that computes them in another way.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from racer import __version__
from racer.errors import RacerError, ReplayError
from racer.replay.laps import Recorder
from racer.replay.record import STEP_DTYPE, STEP_S, Crash, Lap, Replay, places_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Verdict", "drive_again", "verify"]

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
    if not all(drive.steps["restart"][:1].any() for drive in replay.drives):
        return Verdict(False, "its car is never put on the start line")
    from racer.sim import physics_version

    here, reason = physics_version(), ""
    recorders = [Recorder() for _ in replay.drives]
    exact = replay.arithmetic == here.bits
    try:
        for stretch in _driven(replay, recorders):
            if reason := _first_difference(replay, stretch, exact) or stretch.wrong:
                break
    except (RacerError, ValueError, ArithmeticError) as error:
        return Verdict(False, f"it cannot be driven here: {error}")
    laps = tuple(tuple(recorder.laps[0][0]) for recorder in recorders)
    for drive, found in zip(replay.drives, laps, strict=True):
        reason = reason or _lap_difference(drive.laps, found, 0.0 if exact else TIME_SLACK_S)
    if reason and replay.physics != here.motion:
        reason += f" (it was recorded with racer {replay.engine}, whose cars move otherwise than racer {__version__}'s)"
    return Verdict(not reason, reason, laps)


def drive_again(replay: Replay) -> Replay:
    """Drive a race's commands again, and give the race as it comes out with this racer's physics.

    Args:
        replay: its track, car, rules, seed and commands count, not its states and laps.

    Raises:
        ReplayError: it cannot be driven here, or a car leaves the track and drives on from there.
    """
    from racer.sim import physics_version

    physics, recorders = physics_version(), [Recorder() for _ in replay.drives]
    stretches: list[_Stretch] = []
    try:
        for stretch in _driven(replay, recorders):
            if stretch.wrong:
                raise ReplayError(stretch.wrong)
            stretches.append(stretch)
    except ReplayError:
        raise
    except (RacerError, ValueError, ArithmeticError) as error:
        raise ReplayError(f"it cannot be driven here: {error}") from error
    drives = []
    for car, drive in enumerate(replay.drives):
        steps = np.concatenate([stretch.cars[car] for stretch in stretches if car in stretch.cars])
        steps["reward"] = drive.steps["reward"]
        drives.append(dataclasses.replace(drive, laps=tuple(recorders[car].laps[0][0]), steps=steps))
    things = np.concatenate([stretch.things for stretch in stretches])
    return dataclasses.replace(
        replay,
        drives=tuple(drives),
        engine=__version__,
        physics=physics.motion,
        arithmetic=physics.bits,
        things=things[: len(replay.things)],
        crashes=tuple(crash for stretch in stretches for crash in stretch.crashes),
    )


@dataclass(frozen=True)
class _Stretch:
    """Some steps of a race as they came out when it was driven again.

    Attributes:
        first: number of the first of them.
        cars: by car, of those still in the race, its steps, (k,).
        things: (k, b), where boxes and bot cars were before each.
        crashes: in them.
        wrong: what is against the rules at the last of them; empty if nothing is.
    """

    first: int
    cars: dict[int, NDArray[np.void]]
    things: NDArray[np.void]
    crashes: list[Crash]
    wrong: str


def _driven(replay: Replay, recorders: list[Recorder]) -> Iterator[_Stretch]:
    """Drive a race's commands into recorders, one for each car, some steps at a time."""
    from racer.sim import OFF_TRACK, THING, World

    steps, ends = replay.table(), np.array([len(drive.steps) for drive in replay.drives])
    count, cars = steps.shape
    rules = dataclasses.replace(replay.rules, laps=1000, time_limit_s=1e6)
    world = World(replay.track, 1, cars, replay.car, rules, traffic=replay.traffic)
    world.seed(replay.seed)
    commands = np.stack([steps["steering_command_deg"], steps["speed_command"]], axis=-1)[:, None]
    restarts = np.append(steps["restart"], np.zeros((1, cars), np.bool_), axis=0)
    if cars > 1 and restarts[1:].any():
        raise ReplayError("a car is put on the start line in the middle of a race of several cars")
    stops, first = sorted({*np.flatnonzero(restarts.any(axis=1)).tolist(), *ends.tolist()}), 0
    while first < count:
        if restarts[first].any():
            world.reset()
        for car in np.flatnonzero(ends == first).tolist():
            world.remove_car(0, car)
        last = min(first + AT_ONCE, *(stop for stop in stops if stop > first))
        things = np.empty((last - first + 1, *world.things.shape), THING)
        states, wrong = world.run(commands[first:last], things), ""
        off = ((states["status"][1:] == OFF_TRACK) & (states["held"][1:] == 0))[:, 0]
        goes_on = np.arange(first + 1, last + 1)[:, None] < ends
        drove_on = np.flatnonzero((off & goes_on & ~restarts[first + 1 : last + 1]).any(axis=1))
        if drove_on.size:
            last = first + int(drove_on[0]) + 1
            wrong = f"its car left the track in step {last - 1}, but drove on from there"
        some, driven = last - first, {}
        going = np.flatnonzero(ends > first)
        for car in going.tolist():
            own = states[: some + 1, :, car : car + 1]
            ended = (restarts[last, car] | off[some - 1, car])[None, None]
            recorders[car].record(own, commands[first:last, :, car : car + 1], own["status"][some], ended)
            driven[car] = recorders[car].take()[:, 0, 0]
        hit = states["hit"][1 : some + 1, 0]
        crashes = [Crash(first + k, j, int(hit[k, j])) for k, j in np.argwhere(hit >= 0).tolist() if j in going]
        yield _Stretch(first, driven, places_of(things[:some, 0]), crashes, wrong)
        first = last
    for recorder in recorders:
        recorder.close()


def _first_difference(replay: Replay, stretch: _Stretch, exact: bool) -> str:
    """Say where the recorded steps first differ from those driven here."""
    first, found = stretch.first, []
    for car, steps in stretch.cars.items():
        drive = replay.drives[car]
        recorded = drive.steps[first : first + len(steps)]
        differing = _difference(recorded, steps, replay.track.length, exact)
        if differing is not None:
            row, name, text = differing
            whose = "its" if len(replay.drives) == 1 else f"{drive.driver}'s"
            found.append((row, car, f"{whose} {name.replace('_', ' ')} is {text}"))
    rows = replay.things[first : first + len(stretch.things)]
    for name in rows.dtype.names or ():
        gap = np.abs(rows[name] - stretch.things[name][: len(rows)])
        bad = (gap > (0.0 if exact else STATE_SLACK)).any(axis=1)
        if bad.any():
            found.append(
                (int(np.argmax(bad)), -1, f"a box or a bot car is not where driving it again puts it ({name})")
            )
    last = first + max(map(len, stretch.cars.values()))
    recorded_crashes = [crash for crash in replay.crashes if first <= crash.step < last]
    for crash in sorted({*recorded_crashes} ^ {*stretch.crashes}, key=lambda crash: crash.step):
        claim = "" if crash in recorded_crashes else "not "
        does = "does not" if crash in recorded_crashes else "does"
        text = f"it records {claim}that {replay.crash_text(crash)}, but driven again it {does}"
        found.append((crash.step - first, len(stretch.cars), text))
    if not found:
        return ""
    row, _, text = min(found)
    return f"in step {first + row} (at {(first + row) * STEP_S:.2f} s) {text}"


def _difference(
    recorded: NDArray[np.void], found: NDArray[np.void], length: float, exact: bool
) -> tuple[int, str, str] | None:
    """Where the recorded steps of a car, (k,), first differ from those driven here: the row, the column, and how."""
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
            differing.append((int(np.argmax(bad)), order, name))
    if not differing:
        return None
    row, _, name = min(differing)
    here, there = found[name][row].item(), recorded[name][row].item()
    digits = ".6g" if f"{here:.6g}" != f"{there:.6g}" else ".17g"
    shown = [str(value) if isinstance(value, bool) else format(value, digits) for value in (there, here)]
    return row, name, f"{shown[0]}, but driving it again gives {shown[1]}"


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
