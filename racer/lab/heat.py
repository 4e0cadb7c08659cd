"""Heat maps: what happened where on the road, as pictures of the track.

Invariant: a map's cells lie between stations along the centre line and across the road from its left border to its
right; what happened beside the road counts for the cell at that border.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from racer.replay import STEP_S, Replay
from racer.track import Track, nearest, point_at, svg_of_track, svg_path

__all__ = ["Samples", "heat_map", "legend", "samples_of"]

CELL_M = 0.15  # along the road
ACROSS = 9  # cells
COLORS = ("#3b0f70", "#641a80", "#8c2981", "#b73779", "#de4968", "#f7705c", "#fe9f6d", "#fecf92", "#fcfdbf")
"""From little to much: "magma" without its ends, to be told apart on a grey road in light and dark."""
EXIT = "#e6482e"


@dataclass(frozen=True)
class Samples:
    """Where cars were, and what happened there.

    Attributes:
        what: the samples in words: whose and how many.
        s: (n,) m along the centre line.
        offset: (n,) m from it, left positive.
        speed: (n,) m/s.
        reward: (n,) of the step that began there.
        exits: (k, 2) m, along and offset, where a car left the road.
    """

    what: str
    s: NDArray[np.float64]
    offset: NDArray[np.float64]
    speed: NDArray[np.float64]
    reward: NDArray[np.float64]
    exits: NDArray[np.float64]


def samples_of(replay: Replay) -> Samples:
    """The steps of a replay's first car."""
    steps = replay.steps[~replay.steps["held"]]
    off = steps["off_track"]
    left = off & ~np.concatenate([[False], off[:-1]])
    exits = np.stack([steps["s"][left], steps["offset"][left]], axis=1)
    laps = len(replay.laps)
    said = f"{laps} lap{'' if laps == 1 else 's'} of the best driver"
    return Samples(said, steps["s"], steps["offset"], steps["speed"], steps["reward"], exits)


def speeds(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Speeds between the steps of an episode, (n,) m/s."""
    if len(x) < 2:
        return np.zeros(len(x))
    moved = np.hypot(np.diff(x), np.diff(y)) / STEP_S
    return np.append(moved, moved[-1])


def heat_map(track: Track, samples: Samples, kind: str) -> str:
    """A map of `reward` or `speed` (means), `visits` (counts) or `exits`, as an `<svg>` element with its legend.

    Args:
        track: on which the samples were taken.
        samples: what is drawn.
        kind: one of the four.
    """
    if kind == "exits":
        return _exits(track, samples)
    stations, cells = _cells(track, samples.s, samples.offset)
    counts = np.bincount(cells, minlength=stations * ACROSS)
    if kind == "visits":
        values = np.where(counts > 0, counts, np.nan)
        shown, unit = np.sqrt(values), "visits"
    else:
        sums = np.bincount(cells, getattr(samples, kind), minlength=len(counts))
        shown = values = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
        unit = "m/s" if kind == "speed" else "per step"
    known = shown[np.isfinite(shown)]
    low, high = np.percentile(known, [2.0, 98.0]) if len(known) else (0.0, 1.0)
    level = np.clip((shown - low) / max(high - low, 1e-12) * len(COLORS), 0, len(COLORS) - 1)
    corners = _corners(track, stations)
    paths = []
    for number, color in enumerate(COLORS):
        chosen = np.flatnonzero(np.isfinite(level) & (np.floor(np.nan_to_num(level, nan=-1.0)) == number))
        if len(chosen):
            paths.append(f'<path d="{"".join(svg_path(corners[cell]) for cell in chosen.tolist())}" fill="{color}"/>')
    ends = (low**2, high**2) if kind == "visits" else (low, high)
    return svg_of_track(track, "".join(paths), f"map of {kind}") + legend(*ends, unit)


def legend(low: float, high: float, unit: str) -> str:
    """What the colours of a map mean."""
    boxes = "".join(f'<rect x="{18 * k}" width="18" height="10" fill="{c}"/>' for k, c in enumerate(COLORS))
    bar = f'<svg width="{18 * len(COLORS)}" height="10" aria-hidden="true">{boxes}</svg>'
    return f'<div class="legend">{low:.3g} {bar} {high:.3g} {unit}</div>'


def _cells(track: Track, s: NDArray[np.float64], offset: NDArray[np.float64]) -> tuple[int, NDArray[np.int64]]:
    """The number of stations, and the cell of each sample, (n,)."""
    stations = max(round(track.length / CELL_M), 1)
    along = np.clip((s % track.length) / track.length * stations, 0, stations - 1).astype(np.int64)
    width = np.interp(s % track.length, track.s, track.widths)
    across = np.clip((0.5 - offset / width) * ACROSS, 0, ACROSS - 1).astype(np.int64)
    return stations, along * ACROSS + across


def _corners(track: Track, stations: int) -> NDArray[np.float64]:
    """Of each cell, (cells, 4, 2) m."""
    along = point_at(track.center, np.linspace(0.0, track.length, stations + 1))
    left, right = nearest(along, track.left)[0], nearest(along, track.right)[0]
    share = np.linspace(0.0, 1.0, ACROSS + 1)[None, :, None]
    grid = left[:, None] * (1.0 - share) + right[:, None] * share
    rows = [np.stack([a[:-1], a[1:], b[1:], b[:-1]], axis=1) for a, b in pairwise(grid)]
    return np.concatenate(rows)


def _exits(track: Track, samples: Samples) -> str:
    """A circle for each place where cars left the road, larger for more of them."""
    count = len(samples.exits)
    if not count:
        return svg_of_track(track, label="map of exits") + '<div class="legend">No car left the road.</div>'
    stations, cells = _cells(track, samples.exits[:, 0], samples.exits[:, 1])
    corners = _corners(track, stations)
    found, counts = np.unique(cells, return_counts=True)
    parts = []
    for cell, number in zip(found.tolist(), counts.tolist(), strict=True):
        x, y = np.rint(100.0 * corners[cell].mean(axis=0) * (1.0, -1.0)).astype(int).tolist()
        parts.append(
            f'<circle cx="{x}" cy="{y}" r="{6.0 + 5.0 * number**0.5:.0f}" fill="{EXIT}" fill-opacity="0.75">'
            f"<title>{number} left the road here</title></circle>"
        )
    said = f"{count:,} cars left the road; a larger dot is more of them"
    return svg_of_track(track, "".join(parts), "map of exits") + f'<div class="legend">{said}</div>'
