"""The line of a lap: where its car was, how fast, and what it commanded, at places along the track."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from racer.replay.record import STEP_S, Lap, Replay

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["LINE_COLUMNS", "line_of"]

LINE_COLUMNS = ("s_m", "x_m", "y_m", "heading_deg", "speed_mps", "steering_deg", "speed_command_mps", "time_s")
"""Arc length along the centre line; the front point, as `params` has it in `x` and `y`; the car's heading and speed;
what it commanded; and the time since the lap began."""

FINE = 10  # places computed for each step


def line_of(replay: Replay, lap: Lap, at_s: ArrayLike) -> NDArray[np.float64]:
    """Where the first car was in a complete lap, at places along the centre line.

    Args:
        replay: a race.
        lap: one of its complete laps.
        at_s: (k,) arc lengths, m, rising, from 0 to less than the track's length.

    Returns:
        (k, 8) numbers, a row for each place; `LINE_COLUMNS` names the columns.
    """
    length, steps = replay.track.length, replay.steps
    rows = np.flatnonzero(steps["lap"] == lap.index)
    first = rows[0] if steps["restart"][rows[0]] else max(rows[0] - 1, 0)  # before the line ...
    last = min(rows[-1] + 2, len(steps))  # ... to behind it
    part = _with_end(steps[first:last], length)
    times = np.arange(first, first + len(part)) * STEP_S - lap.start_s
    arm = replay.car.front_point
    x, y = part["x"] + arm * np.cos(part["heading"]), part["y"] + arm * np.sin(part["heading"])
    heading = np.unwrap(part["heading"])
    along = part["distance"] - np.round(part["distance"][len(part) // 2] / length - 0.5) * length
    along = np.maximum.accumulate(along + 1e-9 * np.arange(len(along)))
    fine = np.linspace(times[0], times[-1], (len(times) - 1) * FINE + 1)
    place = np.interp(fine, times, along)
    columns = [
        np.degrees(np.interp(fine, times, heading)),
        np.interp(fine, times, part["speed"]),
        _held(fine, times, part["steering_command_deg"]),
        _held(fine, times, part["speed_command"]),
        fine,
    ]
    points = [_smooth(times, values, fine) for values in (x, y)]
    wanted = np.asarray(at_s, dtype=np.float64)
    found = np.stack([wanted, *(np.interp(wanted, place, values) for values in (*points, *columns))], axis=1)
    found[:, 3] = (found[:, 3] + 180.0) % 360.0 - 180.0
    return found


def _with_end(steps: NDArray[np.void], length: float) -> NDArray[np.void]:
    """Steps, and one more where the record ends before the line: the car goes on as it did."""
    if len(steps) < 2 or np.mod(steps["distance"][-1], length) < 0.5 * length:
        return steps
    end = steps[-1:].copy()
    for name in ("x", "y", "heading", "speed", "distance"):
        change = steps[name][-1] - steps[name][-2]
        if name == "heading":
            change = (change + np.pi) % (2.0 * np.pi) - np.pi
        end[name] += change
    return np.concatenate([steps, end])


def _smooth(times: NDArray[np.float64], values: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values between the steps, by cubic Hermite curves (Catmull and Rom 1974)."""
    slope = np.gradient(values, times)
    k = np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(times) - 2)
    span = times[k + 1] - times[k]
    u = (at - times[k]) / span
    curve: NDArray[np.float64] = (
        (1.0 + 2.0 * u) * (1.0 - u) ** 2 * values[k]
        + u * (1.0 - u) ** 2 * span * slope[k]
        + u**2 * (3.0 - 2.0 * u) * values[k + 1]
        + u**2 * (u - 1.0) * span * slope[k + 1]
    )
    return curve


def _held(at: NDArray[np.float64], times: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The value of the step that each time lies in."""
    held: NDArray[np.float64] = values[np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(times) - 1)]
    return held
