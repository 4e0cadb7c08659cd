"""A track as an SVG picture: text, drawn without any library, for notebooks and pages.

Invariant: one unit of the picture is a centimetre of the road. Colours are CSS variables with a fallback, so that the
light and dark themes of a page colour it, and a notebook without them shows it, too.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from racer.track.geometry import Points, headings, nearest, resample

if TYPE_CHECKING:
    from racer.track.track import Track

__all__ = ["svg_of_track", "svg_path"]

MARGIN_CM = 25
SPACING_M = 0.05  # of the points of a line
WIDEST_PX, HIGHEST_PX = 560, 380


def svg_path(line: Points, *, close: bool = True) -> str:
    """The `d` of an SVG path through points, (n, 2) m: whole centimetres, y down."""
    whole = np.rint(100.0 * line * (1.0, -1.0)).astype(int)
    points = " ".join(f"{x} {y}" for x, y in whole.tolist())
    return f"M{points}{'Z' if close else ''}"


def svg_of_track(track: Track, inside: str = "", label: str = "") -> str:
    """A track as an `<svg>` element.

    Args:
        track: any.
        inside: more SVG, drawn on the road and below its borders.
        label: what the picture shows, for who cannot see it; the track's name by default.
    """
    borders = [resample(line, SPACING_M) for line in (track.left, track.right)]
    corners = 100.0 * np.vstack(borders)
    left, bottom = np.floor(corners.min(axis=0)) - MARGIN_CM
    right, top = np.ceil(corners.max(axis=0)) + MARGIN_CM
    width, height = right - left, top - bottom
    scale = min(WIDEST_PX / width, HIGHEST_PX / height)
    road = " ".join(map(svg_path, borders)) if track.closed else svg_path(np.vstack([borders[0], borders[1][::-1]]))
    lines = "".join(
        f'<path d="{svg_path(line, close=track.closed)}" fill="none" stroke="var(--border,#3a3f48)" stroke-width="4"/>'
        for line in borders
    )
    centre = svg_path(resample(track.center, SPACING_M), close=track.closed)
    start = svg_path(np.vstack([nearest(track.center[:1], line)[0] for line in (track.left, track.right)]), close=False)
    return (
        f'<svg viewBox="{left:.0f} {-top:.0f} {width:.0f} {height:.0f}" width="{width * scale:.0f}" '
        f'height="{height * scale:.0f}" role="img" aria-label="{escape(label or track.name)}">'
        f'<path d="{road}" fill="var(--road,#9aa0aa)" fill-rule="evenodd"/>'
        f'<path d="{centre}" fill="none" stroke="var(--line,#ffe066)" stroke-width="2" stroke-dasharray="18 18"/>'
        f"{inside}{lines}"
        f'<path d="{start}" stroke="var(--start,#2e7de6)" stroke-width="8"/>{_arrow(track)}</svg>'
    )


def _arrow(track: Track) -> str:
    """An arrow head just behind the start line, in the driving direction."""
    heading = float(headings(track.center)[0])
    size = 0.2 * float(track.widths[0])
    turn = np.array([[np.cos(heading), np.sin(heading)], [-np.sin(heading), np.cos(heading)]])
    shape = np.array([[1.9, 0.0], [0.4, 0.8], [0.4, -0.8]]) * size
    return f'<path d="{svg_path(track.center[0] + shape @ turn)}" fill="var(--start,#2e7de6)"/>'
