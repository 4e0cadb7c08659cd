"""Line charts as SVG: curves over the steps of a training, with one axis on the left and perhaps another on the right.

Invariant: a chart shows only what was measured. Its colours are classes (`c1` to `c4`), which the page's style gives a
colour in light and dark; every dot says its values where the mouse rests on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from racer.viewer.plot import axis_limits, marks_between, short_count

__all__ = ["CHART_STYLE", "Series", "chart"]

WIDTH, HEIGHT = 760, 258
LEFT, RIGHT, TOP, BOTTOM = 52, 52, 30, 42

CHART_STYLE = """
:root { --c1: #2e8b47; --c2: #2e7de6; --c3: #d6432e; --c4: #8e44ad; --start: #2e7de6; }
@media (prefers-color-scheme: dark) { :root { --c1: #5ee28e; --c2: #58a6ff; --c3: #ff7a70; --c4: #c39bff;
  --start: #58a6ff; } }
.chart { width: 100%; height: auto; display: block; font: 12px system-ui, sans-serif; }
.chart text { fill: var(--faint); } .chart .axis { stroke: var(--rule); } .chart .best { stroke: var(--ink); }
.chart path { fill: none; stroke-width: 2; stroke-linejoin: round; }
.c1 { stroke: var(--c1); } .c2 { stroke: var(--c2); } .c3 { stroke: var(--c3); } .c4 { stroke: var(--c4); }
circle.c1, .chart text.c1 { fill: var(--c1); } circle.c2, .chart text.c2 { fill: var(--c2); }
circle.c3, .chart text.c3 { fill: var(--c3); } circle.c4, .chart text.c4 { fill: var(--c4); }
.chart text.c1, .chart text.c2, .chart text.c3, .chart text.c4 { stroke: none; font-weight: 600; }
"""


@dataclass(frozen=True)
class Series:
    """One curve of a chart.

    Attributes:
        name: what it shows.
        color: its class, `c1` to `c4`.
        steps: (n,) car steps.
        values: (n,); nan where nothing was measured.
        unit: behind a value.
        dots: draw a dot for each value, too.
        right: whether its axis is the one on the right.
    """

    name: str
    color: str
    steps: NDArray[np.float64]
    values: NDArray[np.float64]
    unit: str = ""
    dots: bool = False
    right: bool = False

    @property
    def measured(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Steps and values where there is a value."""
        there = np.isfinite(self.values)
        return self.steps[there], self.values[there]


def chart(
    series: Sequence[Series],
    *,
    left: tuple[float, float] | None = None,
    right: tuple[float, float] | None = None,
    best: float | None = None,
    label: str = "",
) -> str:
    """A chart as an `<svg>` element; empty where no series has a value.

    Args:
        series: the curves; those without a value are left out.
        left, right: ends of the axes; by default what holds all values.
        best: the step of the best model, which gets a line.
        label: what it shows, for who cannot see it.
    """
    shown = [one for one in series if len(one.measured[0])]
    if not shown:
        return ""
    last = max(float(one.steps[-1]) for one in shown)
    area = (LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM)
    parts = [_legend(shown)]
    for number, given in enumerate((left, right)):
        mine = [one for one in shown if one.right == bool(number)]
        if not mine:
            continue
        values = np.concatenate([one.measured[1] for one in mine])
        low, high = given or axis_limits(float(values.min()), float(values.max()))
        parts.append(_axis(low, high, bool(number), mine[0].unit, lines=not number or len(mine) == len(shown)))
        parts += [_curve(one, last, (low, high), area) for one in mine]
    for at in marks_between(0.0, last, 6):
        x = area[0] + at / last * (area[1] - area[0])
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 24}" text-anchor="middle">{short_count(at)}</text>')
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 5}" text-anchor="middle">car steps</text>')
    if best is not None:
        x = area[0] + min(best / last, 1.0) * (area[1] - area[0])
        side = "end" if x > WIDTH / 2 else "start"
        parts.append(
            f'<line class="best" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke-dasharray="4 4"/>'
            f'<text x="{x + (-6 if side == "end" else 6):.1f}" y="{HEIGHT - BOTTOM - 6}" text-anchor="{side}">'
            "best model</text>"
        )
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">'
        f"{''.join(parts)}</svg>"
    )


def _legend(series: Sequence[Series]) -> str:
    parts, x = [], float(LEFT)
    for one in series:
        text = one.name + (" (right)" if one.right and any(not other.right for other in series) else "")
        parts.append(
            f'<line class="{one.color}" x1="{x:.0f}" x2="{x + 16:.0f}" y1="11" y2="11" stroke-width="3"/>'
            f'<text x="{x + 21:.0f}" y="15">{escape(text)}</text>'
        )
        x += 38 + 6.6 * len(text)
    return "".join(parts)


def _axis(low: float, high: float, on_the_right: bool, unit: str, *, lines: bool) -> str:
    parts = []
    for mark in marks_between(low, high):
        y = HEIGHT - BOTTOM - (mark - low) / (high - low) * (HEIGHT - BOTTOM - TOP)
        x, side = (WIDTH - RIGHT + 7, "start") if on_the_right else (LEFT - 7, "end")
        if lines:
            parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{x}" y="{y + 4:.1f}" text-anchor="{side}">{mark:g}{escape(unit)}</text>')
    return "".join(parts)


def _curve(one: Series, last: float, limits: tuple[float, float], area: tuple[float, float, float, float]) -> str:
    steps, values = one.measured
    low, high = limits
    x = area[0] + steps / last * (area[1] - area[0])
    y = area[3] - np.clip((values - low) / (high - low), 0.0, 1.0) * (area[3] - area[2])
    points = " ".join(f"{a:.1f} {b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))
    parts = [f'<path class="{one.color}" d="M{points}"/>']
    if one.dots or len(x) == 1:
        for a, b, step, value in zip(x.tolist(), y.tolist(), steps.tolist(), values.tolist(), strict=True):
            said = f"{one.name}: {value:.4g}{one.unit} after {step:,.0f} steps"
            parts.append(
                f'<circle class="{one.color}" cx="{a:.1f}" cy="{b:.1f}" r="3.5"><title>{escape(said)}</title></circle>'
            )
    return "".join(parts)
