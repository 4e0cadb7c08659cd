"""A dark sheet to draw tracks on, measured in inches, that becomes a picture file.

Invariant: a track keeps its proportions, x to the right and y up. No screen is needed; matplotlib is imported
only when a sheet is made.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from racer.errors import FileError
from racer.shelf import replacing
from racer.track import Points, Track, nearest, point_at, resample, signed_area

__all__ = ["ACCENT", "BAD", "CARD", "EDGE", "GOOD", "ROAD", "SOFT", "TEXT", "Box", "Canvas", "Place", "check_picture"]

GROUND = "#0d1117"
CARD = "#161b22"
EDGE = "#2a323d"
ROAD = "#353d4a"
BORDER = "#e4e8ee"
DASHES = "#8e7e48"
TEXT = "#ecf0f6"
SOFT = "#96a0ae"
ACCENT = "#38bdf8"
GOOD = "#5ee28e"
BAD = "#ff7a70"

DPI = 144
POINT_IN = 1.0 / 72.0  # a printer's point
DASH_M = 0.3  # length of a dash of the centre line, and of the gap after it
PICTURES = (".png", ".svg", ".pdf", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".eps", ".ps", ".svgz")
SCALES_M = (0.5, 1.0, 2.0, 5.0, 10.0, 50.0, 100.0)

Place = Callable[[Points], Points]  # metres on the track, `(n, 2)`, to inches on the sheet


def check_picture(path: str | Path) -> None:
    """Refuse a file name that is none of a picture.

    Raises:
        FileError: its suffix is none of `PICTURES`.
    """
    if Path(path).suffix.lower() not in PICTURES:
        raise FileError(f"cannot draw {path}: name the picture .png, .svg or .pdf")


class Box(NamedTuple):
    """A rectangle on the sheet, inches from its lower left corner."""

    left: float
    bottom: float
    width: float
    height: float

    def inset(self, margin: float) -> Box:
        """The box without a margin on all sides."""
        return Box(self.left + margin, self.bottom + margin, self.width - 2.0 * margin, self.height - 2.0 * margin)

    @property
    def top(self) -> float:
        """Upper edge."""
        return self.bottom + self.height

    @property
    def right(self) -> float:
        """Right edge."""
        return self.left + self.width


class Canvas:
    """A sheet of `width` x `height` inches."""

    def __init__(self, width: float, height: float) -> None:
        """Begin an empty sheet."""
        from matplotlib.figure import Figure

        self.figure = Figure(figsize=(width, height), facecolor=GROUND)
        self.axes = self.figure.add_axes((0.0, 0.0, 1.0, 1.0))
        self.axes.set(xlim=(0.0, width), ylim=(0.0, height))
        self.axes.set_axis_off()

    def card(self, box: Box) -> None:
        """Lay a card with round corners."""
        from matplotlib.patches import FancyBboxPatch

        style = "round,pad=0,rounding_size=0.1"
        corner = (box.left, box.bottom)
        self.axes.add_patch(
            FancyBboxPatch(corner, box.width, box.height, boxstyle=style, fc=CARD, ec=EDGE, lw=1.0, zorder=0)
        )

    def text(self, x: float, y: float, text: str, size: float, color: str = TEXT, **style: Any) -> None:
        """Write a line; `x`, `y` is the left end of its base line unless `ha`, `va` say otherwise."""
        # A name such as "a$b$" is a name, not a formula.
        self.axes.text(x, y, text, fontsize=size, color=color, zorder=9, parse_math=False, **style)

    def pill(self, right: float, y: float, text: str, color: str, size: float) -> None:
        """Write a word on a coloured pill whose right end is given."""
        shape = {
            "boxstyle": "round,pad=0.32,rounding_size=0.9",
            "fc": color + "22",
            "ec": color + "88",
            "lw": 0.8,
        }
        pad = 0.32 * size * POINT_IN
        self.text(right - pad, y, text, size, color, ha="right", weight="bold", bbox=shape)

    def line(self, points: Points, color: str, width: float, **style: Any) -> None:
        """Draw a line through points `(n, 2)` in inches; `width` in points."""
        style = {"solid_capstyle": "round", "solid_joinstyle": "round", **style}
        self.axes.plot(points[:, 0], points[:, 1], color=color, lw=width, **style)

    def fill(self, points: Points, color: str, **style: Any) -> None:
        """Fill a polygon `(n, 2)` in inches."""
        self.axes.fill(points[:, 0], points[:, 1], color=color, lw=0.0, **style)

    def road(self, track: Track, box: Box) -> Place:
        """Draw a track as large as fits in a box: surface, borders, dashed centre line, start and direction.

        Returns:
            The function that takes points of the track to the sheet.
        """
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path as Outline

        place = _placing(track, box)
        if track.closed:
            rings = [track.outer, track.inner]
            turned = [ring[::sign] for ring, sign in zip(rings, _windings(rings), strict=True)]
            outline = Outline.make_compound_path(*(Outline(place(ring), closed=True) for ring in turned))
        else:
            ribbon = np.vstack([track.left, track.right[::-1], track.left[:1]])
            outline = Outline(place(ribbon), closed=True)
        scale = float(np.ptp(place(np.array([[0.0, 0.0], [1.0, 0.0]]))[:, 0]))  # inches to a metre
        weight = float(np.clip(scale * 2.2, 0.7, 2.2))
        self.axes.add_patch(PathPatch(outline, fc=ROAD, ec="none", zorder=1))
        for border in (track.inner, track.outer):
            self.line(place(border), BORDER, weight, zorder=3)
        dash = DASH_M * scale / POINT_IN / (0.6 * weight)
        centre = place(resample(track.center, 0.05))
        style = {"linestyle": (0.0, (dash, dash)), "dash_capstyle": "butt", "zorder": 2}
        self.line(centre, DASHES, 0.6 * weight, **style)
        self._start(track, place, weight)
        return place

    def scale_bar(self, place: Place, x: float, y: float) -> None:
        """Show how long some metres are, from a point to the right."""
        one = float(np.ptp(place(np.array([[0.0, 0.0], [1.0, 0.0]]))[:, 0]))
        metres = min(SCALES_M, key=lambda length: abs(length * one - 0.4))
        ends = np.array([[x, y + 0.03], [x, y], [x + metres * one, y], [x + metres * one, y + 0.03]])
        self.line(ends, SOFT, 0.8, solid_capstyle="butt", solid_joinstyle="miter")
        self.text(x + metres * one + 0.06, y - 0.015, f"{metres:g} m", 6.5, SOFT)

    def trace(self, points: Points, colors: NDArray[np.float64], width: float, zorder: float) -> None:
        """Draw a line whose segments have colours of their own: `(n, 2)` inches, `(n - 1, 4)` RGBA."""
        from matplotlib.collections import LineCollection

        segments = np.stack([points[:-1], points[1:]], axis=1)
        self.axes.add_collection(
            LineCollection(list(segments), colors=colors, lw=width, capstyle="round", zorder=zorder),
            autolim=False,
        )

    def save(self, path: str | Path) -> None:
        """Write the picture; the suffix chooses the format (one of `PICTURES`).

        Raises:
            FileError: The format is unknown, or the file cannot be written.
        """
        target = Path(path)
        check_picture(target)
        with replacing(target) as temporary:
            self.figure.savefig(temporary, format=target.suffix.lower().lstrip("."), dpi=DPI)

    def _start(self, track: Track, place: Place, weight: float) -> None:
        """The start line, and an arrow just ahead of it that shows the direction."""
        x, y, heading = track.start
        here = np.array([[x, y]])
        line = np.vstack([nearest(here, track.left)[0], nearest(here, track.right)[0]])
        self.line(place(line), ACCENT, 1.6 * weight, zorder=4, solid_capstyle="butt")
        size = 0.24 * float(track.widths[0])
        tip = point_at(track.center, 0.35 * float(track.widths[0]) + 2.0 * size)
        turn = np.array([[np.cos(heading), np.sin(heading)], [-np.sin(heading), np.cos(heading)]])
        arrow = np.array([[0.0, 0.0], [-1.7, 0.95], [-1.2, 0.0], [-1.7, -0.95]]) * size
        self.fill(place(tip + arrow @ turn), ACCENT, zorder=4)


def _placing(track: Track, box: Box) -> Place:
    corners = np.vstack([track.inner, track.outer])
    low, high = corners.min(axis=0), corners.max(axis=0)
    span = np.maximum(high - low, 1e-9)
    scale = min(box.width / span[0], box.height / span[1])
    middle = np.array([box.left + box.width / 2.0, box.bottom + box.height / 2.0])
    return lambda points: (points - (low + high) / 2.0) * scale + middle


def _windings(rings: list[Points]) -> tuple[int, int]:
    """Steps (1 or -1) by which the outer ring runs counter-clockwise and the inner, a hole, clockwise."""
    outer, inner = (1 if signed_area(ring) > 0.0 else -1 for ring in rings)
    return outer, -inner
