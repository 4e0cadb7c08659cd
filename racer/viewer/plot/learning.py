"""Learning curves: how trainings went, step by step, side by side.

Invariant: a run has the same colour on all panels. A panel shows only what was measured: no smoothing, no guesses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from racer.viewer.plot.canvas import ACCENT, BAD, EDGE, GOOD, SOFT, TEXT, Box, Canvas

__all__ = ["Curve", "axis_limits", "color_of", "learning_curves", "marks_between", "short_count"]

WIDTH_IN, PANEL_IN = 9.6, 2.26
MARGIN_IN = 0.14
HEAD_IN = 0.62  # height of the names above the panels
COLORS = (ACCENT, GOOD, "#fca836", BAD, "#a096ff", "#48dbce", "#f0a4dc", "#c8d678")
MARKS = 4  # lines across a panel, about


@dataclass(frozen=True)
class Curve:
    """One training, as its metrics tell it.

    Attributes:
        name: of the run.
        steps: (n,) car steps driven so far, increasing.
        values: (n,) for each of `return`, `progress`, `completed` (percent), `best_lap` (s), and perhaps `of_mark`
            (percent); nan where nothing was measured at that step.
    """

    name: str
    steps: NDArray[np.float64]
    values: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Panel:
    title: str
    solid: str  # name of the values drawn as a line
    dotted: str | None = None  # name of the values drawn as dots
    limits: tuple[float, float] | None = None
    always: bool = True  # or only where something of it was measured


PANELS = (
    Panel("Mean return of the training episodes", "return"),
    Panel(
        "Progress of the training episodes (line) and laps completed in evaluations (dots), %",
        "progress",
        "completed",
        (0.0, 100.0),
    ),
    Panel("Best clean lap so far, s", "best_lap"),
    Panel("Best clean lap so far, % of the mark of its track", "of_mark", always=False),
)


def learning_curves(curves: Iterable[Curve], path: str | Path) -> None:
    """Draw trainings: return, progress, completed laps and best lap over the steps that were driven.

    Args:
        curves: one training or several, drawn on the same axes.
        path: the picture; its suffix (`.png`, `.svg`, `.pdf`) chooses the format.

    Raises:
        ValueError: there are no trainings.
        FileError: the picture cannot be written.
    """
    shown = list(curves)
    if not shown:
        raise ValueError("there are no trainings to draw")
    panels = [
        panel for panel in PANELS if panel.always or any(np.isfinite(_of(one, panel.solid)).any() for one in shown)
    ]
    height = HEAD_IN + len(panels) * PANEL_IN
    canvas = Canvas(WIDTH_IN, height)
    _names(canvas, shown, height - 0.38)
    last = max([float(curve.steps[-1]) for curve in shown if len(curve.steps)], default=1.0)
    for number, panel in enumerate(panels):
        bottom = height - HEAD_IN - (number + 1) * PANEL_IN + MARGIN_IN
        _panel(canvas, panel, shown, Box(MARGIN_IN, bottom, WIDTH_IN - 2 * MARGIN_IN, PANEL_IN - MARGIN_IN), last)
    canvas.save(path)


def _of(curve: Curve, name: str) -> NDArray[np.float64]:
    """Values of a curve by their name; nan where there are none."""
    return curve.values.get(name, np.full(len(curve.steps), np.nan))


def _names(canvas: Canvas, curves: Sequence[Curve], y: float) -> None:
    x = 0.34
    for number, curve in enumerate(curves):
        name = curve.name if len(curve.name) <= 24 else curve.name[:23] + "…"
        if x + 0.4 + 0.09 * len(name) > WIDTH_IN - 0.6:
            canvas.text(x, y, f"+ {len(curves) - number}", 9.0, SOFT)
            break
        canvas.line(np.array([[x, y + 0.05], [x + 0.2, y + 0.05]]), color_of(number), 2.4)
        canvas.text(x + 0.3, y, name, 10.0, TEXT, weight="bold")
        x += 0.62 + 0.095 * len(name)


def _panel(canvas: Canvas, panel: Panel, curves: Sequence[Curve], box: Box, last: float) -> None:
    canvas.card(box)
    canvas.text(box.left + 0.2, box.top - 0.27, panel.title, 8.5, SOFT)
    area = Box(box.left + 0.62, box.bottom + 0.32, box.width - 0.9, box.height - 0.74)
    drawn = [panel.solid, *([panel.dotted] if panel.dotted else [])]
    given = np.concatenate([_of(curve, name) for curve in curves for name in drawn])
    known = given[np.isfinite(given)]
    if not len(known):
        canvas.text(
            box.left + box.width / 2, box.bottom + box.height / 2, "nothing measured yet", 9.0, SOFT, ha="center"
        )
        return
    low, high = panel.limits or axis_limits(float(known.min()), float(known.max()))
    for mark in marks_between(low, high):
        y = area.bottom + (mark - low) / (high - low) * area.height
        canvas.line(np.array([[area.left, y], [area.right, y]]), EDGE, 0.7)
        canvas.text(area.left - 0.09, y, f"{mark:g}", 7.0, SOFT, ha="right", va="center")
    for mark in marks_between(0.0, last):
        x = area.left + mark / last * area.width
        canvas.text(x, area.bottom - 0.2, short_count(mark), 7.0, SOFT, ha="center")
    canvas.text(area.right, box.top - 0.27, "car steps", 7.5, SOFT, ha="right")

    def place(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        share = np.clip((y - low) / (high - low), 0.0, 1.0)
        return np.stack([area.left + x / last * area.width, area.bottom + share * area.height], axis=1)

    for number, curve in enumerate(curves):
        _draw(canvas, panel, curve, color_of(number), place)


def _draw(
    canvas: Canvas,
    panel: Panel,
    curve: Curve,
    color: str,
    place: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]],
) -> None:
    for name in filter(None, (panel.solid, panel.dotted)):
        values = _of(curve, name)
        measured = np.isfinite(values)
        points = place(curve.steps[measured], values[measured])
        if name == panel.dotted or len(points) == 1:
            canvas.axes.scatter(points[:, 0], points[:, 1], s=14.0, color=color, lw=0.0, zorder=6)
        elif len(points):
            canvas.line(points, color, 1.6, zorder=5)


def axis_limits(low: float, high: float) -> tuple[float, float]:
    """Ends of an axis that leave some room around the values."""
    room = 0.08 * (high - low) or max(abs(high), 1.0) * 0.1
    return low - room, high + room


def marks_between(low: float, high: float, count: int = MARKS) -> list[float]:
    """Round numbers from `low` to `high`, about `count` of them."""
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = power * min((1.0, 2.0, 2.5, 5.0, 10.0), key=lambda factor: abs(factor * power - raw))
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 10) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def short_count(steps: float) -> str:
    """A number of steps as an axis says it."""
    return f"{steps / 1e6:g} M" if steps >= 1e6 else f"{steps / 1e3:g} k" if steps >= 1e3 else f"{steps:g}"


def color_of(number: int) -> str:
    """Colour of the run or the reward with this number, from 0."""
    return COLORS[number % len(COLORS)]
