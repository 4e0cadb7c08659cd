"""A reward seen before training: what it pays on the road, and what the scripted drives earn.

Invariant: a pay has the same colour in both pictures of the road.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from racer.reward import Earned, Landscape, Report
from racer.track import Track
from racer.viewer.plot.canvas import ACCENT, BAD, EDGE, GOOD, SOFT, TEXT, Box, Canvas, Place

__all__ = ["reward_map"]

SHEET_IN = (12.6, 7.2)
MARGIN_IN = 0.16
LOW = 0.35  # height of the drives' pay
LEVELS = {"wrong": BAD, "doubtful": "#fca836", "fine": GOOD}
SENTENCE = 150  # characters of the verdict that have room


def reward_map(report: Report, seen: Landscape, track: Track, title: str, path: str | Path) -> None:
    """Draw the most and the least that a reward pays at every place of the road, and the pay of each drive.

    Args:
        report: of the check.
        seen: what the reward pays on the road.
        track: that both are of.
        title: of the sheet.
        path: the picture; its suffix (`.png`, `.svg`, `.pdf`) chooses the format.

    Raises:
        FileError: the picture cannot be written.
    """
    canvas = Canvas(*SHEET_IN)
    width, height = SHEET_IN
    canvas.text(MARGIN_IN, height - 0.32, title, 14.0, weight="bold")
    found = report.verdict
    canvas.pill(width - MARGIN_IN, height - 0.3, found.level, LEVELS[found.level], 10.0)
    sentence = found.sentence if len(found.sentence) <= SENTENCE else found.sentence[: SENTENCE - 1] + "…"
    canvas.text(MARGIN_IN, height - 0.56, sentence, 8.5, SOFT)
    low, high = float(seen.worst.min()), float(np.percentile(seen.best, 99.0))
    limits = (low, max(high, low + 1e-9))
    card_height = (height - 0.7) * (1.0 - LOW) - MARGIN_IN
    card_width = (width - 3 * MARGIN_IN) / 2
    bottom = height - 0.7 - card_height
    laps = [one for one in report.drives if one.drive.is_lap]
    others = [one for one in report.drives if not one.drive.is_lap]
    for k, (name, values, drives) in enumerate(
        (
            ("The most it pays, and the laps", seen.best, laps),
            ("The least it pays, and the other drives", seen.worst, others),
        )
    ):
        box = Box(MARGIN_IN + k * (card_width + MARGIN_IN), bottom, card_width, card_height)
        canvas.card(box)
        canvas.text(box.left + 0.15, box.top - 0.25, name, 9.5)
        place = canvas.road(track, Box(box.left + 0.2, box.bottom + 0.2, box.width - 0.4, box.height - 0.6))
        _paint(canvas, place, seen.points, values, limits)
        for one in drives:
            _drive(canvas, place, one)
    _scale(canvas, Box(width - MARGIN_IN - 2.2, bottom + card_height - 0.2, 2.0, 0.1), limits)
    _bars(canvas, Box(MARGIN_IN, MARGIN_IN, width - 2 * MARGIN_IN, bottom - 2 * MARGIN_IN), report)
    canvas.save(path)


def _paint(
    canvas: Canvas, place: Place, points: NDArray[np.float64], values: NDArray[np.float64], limits: tuple[float, float]
) -> None:
    """Colour the road by values at its places."""
    ring = np.concatenate([points, points[:1]])
    shown = np.concatenate([values, values[:1]])
    spots = place(ring.reshape(-1, 2)).reshape(ring.shape)
    x, y = canvas.axes.get_xlim(), canvas.axes.get_ylim()
    canvas.axes.pcolormesh(
        spots[..., 0],
        spots[..., 1],
        shown,
        shading="gouraud",
        cmap="viridis",
        vmin=limits[0],
        vmax=limits[1],
        zorder=1.5,
        rasterized=True,
    )
    canvas.axes.set(xlim=x, ylim=y)


def _drive(canvas: Canvas, place: Place, one: Earned) -> None:
    """Draw the way of a lap, or of all episodes that are none, with a dot where each ends."""
    for episode in one.drive.episodes[:1] if one.drive.is_lap else one.drive.episodes:
        way = place(episode.floats[:, :2])
        canvas.line(way, "#ffffff", 0.9, alpha=0.6, zorder=5)
        if not one.drive.is_lap:
            canvas.axes.plot(*way[-1], "o", color=BAD, ms=3.0, zorder=6)


def _scale(canvas: Canvas, box: Box, limits: tuple[float, float]) -> None:
    x, y = canvas.axes.get_xlim(), canvas.axes.get_ylim()
    extent = (box.left, box.right, box.bottom, box.top)
    canvas.axes.imshow(np.linspace(0.0, 1.0, 256)[None], extent=extent, aspect="auto", cmap="viridis", zorder=7)
    canvas.axes.set(xlim=x, ylim=y)
    canvas.text(box.left, box.bottom - 0.15, f"{limits[0]:.3g}", 7.5, SOFT)
    canvas.text(box.right, box.bottom - 0.15, f"{limits[1]:.3g} a step", 7.5, SOFT, ha="right")


def _bars(canvas: Canvas, box: Box, report: Report) -> None:
    """A bar for the pay a step of every drive, in two columns."""
    canvas.card(box)
    drives = report.drives
    pays = [one.per_step for one in drives]
    low, high = min(0.0, *pays), max(0.0, *pays)
    span = (high - low) or 1.0
    rows = (len(drives) + 1) // 2
    step, half = (box.height - 0.3) / rows, box.width / 2
    for k, one in enumerate(drives):
        column, row = divmod(k, rows)
        left, y = box.left + column * half + 0.2, box.top - 0.15 - (row + 0.65) * step
        canvas.text(left, y, one.drive.name, 8.0, TEXT)
        start, room = left + 2.2, half - 3.6
        zero, end = start - low / span * room, start + (one.per_step - low) / span * room
        bar = np.array([[zero, y], [end, y], [end, y + 0.09], [zero, y + 0.09]])
        canvas.fill(bar, ACCENT if one.drive.is_lap else BAD, zorder=5)
        canvas.line(np.array([[zero, y - 0.03], [zero, y + 0.12]]), EDGE, 1.0, zorder=6)
        canvas.text(left + half - 0.4, y, f"{one.per_step:.3g} a step", 8.0, SOFT, ha="right")
