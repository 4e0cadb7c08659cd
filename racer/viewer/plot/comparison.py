"""A comparison of rewards as one picture: every training a dot, means with intervals, and who beats whom.

Invariant: a reward has the same colour everywhere, and every training that there is can be seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from racer.viewer.plot.canvas import EDGE, GOOD, SOFT, TEXT, Box, Canvas
from racer.viewer.plot.learning import color_of, marks_between

__all__ = ["Strip", "comparison"]

WIDTH_IN, MARGIN_IN, ROW_IN, HEAD_IN = 9.6, 0.14, 0.34, 0.78
NAME_IN, END_IN = 2.5, 0.75  # left of the axis, and right of it
MOST_PAIRS = 12  # that are drawn, the clearest ones


@dataclass(frozen=True, eq=False)
class Strip:
    """One reward on one track.

    Attributes:
        reward, track: names.
        values: (n,) percent of the mark of each training; empty where no mark is known.
        mean: of them.
        interval: of the mean.
    """

    reward: str
    track: str
    values: NDArray[np.float64]
    mean: float
    interval: tuple[float, float]


class Against(Protocol):
    """Two rewards against each other."""

    @property
    def probability(self) -> float:
        """That the first is faster, 0..1."""

    @property
    def interval(self) -> tuple[float, float]:
        """Of the probability."""

    @property
    def told_apart(self) -> bool:
        """Whether the data says which one is better."""


def comparison(strips: Sequence[Strip], pairs: Sequence[tuple[str, Against]], path: str | Path) -> None:
    """Draw a comparison.

    Args:
        strips: each reward on each track, those of one track in one panel.
        pairs: two rewards against each other, with the words to be written beside it.
        path: the picture; its suffix (`.png`, `.svg`, `.pdf`) chooses the format.

    Raises:
        FileError: the picture cannot be written.
    """
    tracks = list(dict.fromkeys(strip.track for strip in strips))
    rewards = list(dict.fromkeys(strip.reward for strip in strips))
    pairs = list(pairs)[:MOST_PAIRS]
    panels = [len([strip for strip in strips if strip.track == track]) for track in tracks] + [len(pairs)] * bool(pairs)
    heights = [HEAD_IN + rows * ROW_IN for rows in panels]
    total = sum(heights) + MARGIN_IN * (len(panels) + 1)
    canvas, top = Canvas(WIDTH_IN, total), total - MARGIN_IN
    for track, height in zip(tracks, heights, strict=False):
        box = Box(MARGIN_IN, top - height, WIDTH_IN - 2 * MARGIN_IN, height)
        _strips(canvas, box, track, [strip for strip in strips if strip.track == track], rewards)
        top -= height + MARGIN_IN
    if pairs:
        _pairs(canvas, Box(MARGIN_IN, top - heights[-1], WIDTH_IN - 2 * MARGIN_IN, heights[-1]), pairs)
    canvas.save(path)


def _strips(canvas: Canvas, box: Box, track: str, strips: Sequence[Strip], rewards: Sequence[str]) -> None:
    known = np.concatenate([strip.values for strip in strips])
    high = max(100.0, float(known.max())) if len(known) else 100.0
    axis = _Axis(canvas, box, f"{track}: percent of the mark, each training a dot (0: no complete laps)", 0.0, high)
    for row, strip in enumerate(strips):
        y, color = axis.row(row, strip.reward), color_of(rewards.index(strip.reward))
        if not len(strip.values):
            canvas.text(axis.area.left, y - 0.04, "no mark is known of this track: racer mark --help", 7.5, SOFT)
            continue
        spread = y + 0.07 * np.cos(np.pi * np.arange(len(strip.values)))
        canvas.axes.scatter(axis.place(strip.values), spread, s=11.0, color=color, alpha=0.75, lw=0.0, zorder=6)
        axis.interval(y, strip.mean, strip.interval, color, f"{strip.mean:.1f} %")


def _pairs(canvas: Canvas, box: Box, pairs: Sequence[tuple[str, Against]]) -> None:
    axis = _Axis(canvas, box, "How likely the first has the faster laps, % (grey: may be luck)", 0.0, 100.0)
    middle = float(axis.place(np.array([50.0]))[0])
    canvas.line(np.array([[middle, axis.area.bottom], [middle, axis.area.top]]), SOFT, 1.0, zorder=2)
    for row, (words, pair) in enumerate(pairs):
        ends = (100.0 * pair.interval[0], 100.0 * pair.interval[1])
        color = GOOD if pair.told_apart else SOFT
        axis.interval(axis.row(row, words), 100.0 * pair.probability, ends, color, f"{100.0 * pair.probability:.0f} %")


class _Axis:
    """A card with rows above an axis of numbers."""

    def __init__(self, canvas: Canvas, box: Box, title: str, low: float, high: float) -> None:
        self._canvas, self._low, self._high = canvas, low, high
        canvas.card(box)
        canvas.text(box.left + 0.2, box.top - 0.27, title, 8.5, SOFT)
        left, right = box.left + NAME_IN, box.right - END_IN
        self.area = Box(left, box.bottom + 0.3, right - left, box.height - 0.72)
        for mark in marks_between(low, high):
            x = float(self.place(np.array([mark]))[0])
            canvas.line(np.array([[x, self.area.bottom], [x, self.area.top]]), EDGE, 0.7, zorder=1)
            canvas.text(x, self.area.bottom - 0.18, f"{mark:g}", 7.0, SOFT, ha="center")

    def place(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Inches from the left of the sheet."""
        return self.area.left + (values - self._low) / (self._high - self._low) * self.area.width

    def row(self, number: int, words: str) -> float:
        """Write the name of a row; returns its height on the sheet."""
        y = self.area.top - (number + 0.5) * ROW_IN
        shown = words if len(words) <= 36 else words[:35] + "…"
        self._canvas.text(self.area.left - 0.12, y - 0.045, shown, 8.5 if len(shown) < 20 else 6.8, TEXT, ha="right")
        return y

    def interval(self, y: float, mean: float, ends: tuple[float, float], color: str, words: str) -> None:
        """Draw a mean with its interval, and write it at the right."""
        if not math.isfinite(mean):
            return
        low, high = self.place(np.array(ends))
        self._canvas.line(np.array([[low, y], [high, y]]), color, 2.2, zorder=5)
        self._canvas.axes.scatter(self.place(np.array([mean])), [y], s=46.0, marker="d", color=color, lw=0.0, zorder=7)
        self._canvas.text(self.area.right + 0.1, y - 0.045, words, 8.0, TEXT)
