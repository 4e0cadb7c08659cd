"""A picture of the best known lap: its line, coloured by speed, and what it does along the track."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from racer.replay import Lap, Replay, line_of
from racer.viewer.plot.canvas import ACCENT, EDGE, GOOD, SOFT, TEXT, Box, Canvas
from racer.viewer.plot.laps import SpeedColors, clock, short

__all__ = ["draw_mark"]

SHEET_IN = (9.6, 8.2)
SIDE_IN = 2.1
PROFILE_IN = 1.35
EVERY_M = 0.01


def draw_mark(replay: Replay, lap: Lap, path: str | Path) -> None:
    """Draw a lap: the line coloured by speed, and speed and commands against the distance from the start line.

    Args:
        replay: A race.
        lap: One of its complete laps.
        path: The picture; its suffix (`.png`, `.svg`, `.pdf`) chooses the format.

    Raises:
        FileError: The picture cannot be written.
    """
    length = replay.track.length
    line = line_of(replay, lap, np.arange(0.0, length, EVERY_M))
    canvas, colors = Canvas(*SHEET_IN), SpeedColors([replay])
    card = Box(0.14, 0.14, SHEET_IN[0] - 0.28, SHEET_IN[1] - 0.28)
    canvas.card(card)
    inner = card.inset(0.28)
    way = " (reverse)" if replay.track.reversed else ""
    canvas.text(inner.left, inner.top - 0.2, f"{short(replay.track.name, 30)}{way}", 19.0, weight="bold")
    about = f"{length:.1f} m   ·   car {replay.car.name}   ·   driven by {short(replay.driver, 24)}"
    canvas.text(inner.left, inner.top - 0.45, about, 9.0, SOFT)
    bottom = inner.bottom + 2.0 * PROFILE_IN + 0.25
    road = Box(inner.left + 0.05, bottom + 0.2, inner.width - SIDE_IN - 0.25, inner.top - bottom - 0.95)
    place = canvas.road(replay.track, road)
    canvas.trace(place(line[:, 1:3]), colors(0.5 * (line[1:, 4] + line[:-1, 4])), 2.8, 6.0)
    canvas.scale_bar(place, inner.left, bottom + 0.1)
    side = Box(inner.right - SIDE_IN + 0.1, bottom, SIDE_IN - 0.1, inner.top - bottom)
    _facts(canvas, replay, lap, line, side)
    colors.bar(canvas, Box(side.left, side.bottom + 0.35, side.width, 0.12))
    share = line[:, 0] / length
    speed = Box(inner.left, inner.bottom + PROFILE_IN + 0.1, inner.width, PROFILE_IN)
    top = math.ceil(max(line[:, 4].max(), line[:, 6].max()))
    plot = _axes(canvas, speed, "Speed, m/s (the line: as commanded)", [float(v) for v in range(top + 1)])
    canvas.line(_points(plot, share, line[:, 6] / top), SOFT, 0.8, zorder=4)
    canvas.trace(_points(plot, share, line[:, 4] / top), colors(0.5 * (line[1:, 4] + line[:-1, 4])), 2.0, 5.0)
    stop = math.degrees(replay.car.max_steering)
    steering = Box(inner.left, inner.bottom, inner.width, PROFILE_IN)
    plot = _axes(canvas, steering, "Steering, degrees, to the left positive", [-stop, 0.0, stop])
    canvas.line(_points(plot, share, 0.5 + line[:, 5] / (2.0 * stop)), ACCENT, 1.2, zorder=5)
    for at, text, anchor in ((0.0, "start", "left"), (1.0, f"{length:.1f} m", "right")):
        canvas.text(plot.left + at * plot.width, inner.bottom - 0.02, text, 6.5, SOFT, ha=anchor)
    canvas.save(path)


def _facts(canvas: Canvas, replay: Replay, lap: Lap, line: NDArray[np.float64], box: Box) -> None:
    canvas.text(box.left, box.top - 0.13, "BEST KNOWN LAP", 7.0, SOFT)
    canvas.text(box.left, box.top - 0.5, clock(lap.time_s), 22.0, GOOD, weight="bold")
    speeds = (
        ("MEAN SPEED", replay.drives[0].mean_speed_mps(lap)),
        ("TOP SPEED", float(line[:, 4].max())),
        ("LOWEST SPEED", float(line[:, 4].min())),
    )
    for number, (name, value) in enumerate(speeds):
        y = box.top - 0.85 - 0.5 * number
        canvas.text(box.left, y, name, 7.0, SOFT)
        canvas.text(box.left, y - 0.25, f"{value:.2f} m/s", 11.0, TEXT, weight="bold")


def _axes(canvas: Canvas, box: Box, title: str, levels: list[float]) -> Box:
    """Title and level lines of a profile; gives the box of its curve."""
    plot = Box(box.left + 0.3, box.bottom + 0.18, box.width - 0.3, box.height - 0.45)
    canvas.text(box.left, box.top - 0.1, title, 7.5, SOFT)
    for level in levels:
        y = plot.bottom + plot.height * (level - levels[0]) / (levels[-1] - levels[0])
        canvas.line(np.array([[plot.left, y], [plot.right, y]]), EDGE, 0.7)
        canvas.text(plot.left - 0.07, y, f"{level:g}", 6.5, SOFT, ha="right", va="center")
    return plot


def _points(box: Box, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places of shares of a box's width and height, (n, 2) inches."""
    return np.stack([box.left + x * box.width, box.bottom + np.clip(y, 0.0, 1.0) * box.height], axis=1)
