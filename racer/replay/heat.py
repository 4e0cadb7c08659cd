"""Heat maps: what happened where on the road, counted in cells.

Invariant: cells lie between stations along the centre line, and across the road from its left border to its right; what
happened beside the road counts for the cell at that border.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from racer.track import nearest, point_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from racer.replay.record import Drive
    from racer.track import Track

__all__ = ["HEAT_COLORS", "HEAT_MAPS", "HeatMap", "Samples", "cell_corners", "cells_of", "heat_map", "samples_of"]

CELL_M = 0.15  # along the road
ACROSS = 9  # cells
ENDS = 2.0, 98.0  # percentiles of the cells that get the first and the last colour
HEAT_MAPS = ("reward", "speed", "visits")
HEAT_COLORS = (
    *("#3b0f70", "#641a80", "#8c2981", "#b73779", "#de4968"),
    *("#f7705c", "#fe9f6d", "#fecf92", "#fcfdbf"),
)
"""From little to much: "magma" without its dark end, to be told apart on a grey road in light and dark."""


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


@dataclass(frozen=True)
class HeatMap:
    """A map of what happened where.

    Attributes:
        corners: (k, 4, 2) m, of the cells in which something happened.
        levels: (k,) index into `HEAT_COLORS`.
        ends: the values that the first and the last colour stand for.
        unit: of these.
    """

    corners: NDArray[np.float64]
    levels: NDArray[np.int64]
    ends: tuple[float, float]
    unit: str


def samples_of(drive: Drive) -> Samples:
    """The steps of a drive, but for those in which the car is held."""
    steps = drive.steps[~drive.steps["held"]]
    off = steps["off_track"]
    left = off & ~np.concatenate([[False], off[:-1]])
    exits = np.stack([steps["s"][left], steps["offset"][left]], axis=1)
    laps = len(drive.laps)
    said = f"{laps} lap{'' if laps == 1 else 's'} of the best driver"
    return Samples(said, steps["s"], steps["offset"], steps["speed"], steps["reward"], exits)


def heat_map(track: Track, samples: Samples, kind: str) -> HeatMap:
    """A map of `reward` or `speed` (means), or of `visits` (counts, whose colours go by their square roots).

    Args:
        track: on which the samples were taken.
        samples: what is counted.
        kind: one of `HEAT_MAPS`.
    """
    stations, cells = cells_of(track, samples.s, samples.offset)
    counts = np.bincount(cells, minlength=stations * ACROSS)
    seen = np.flatnonzero(counts)
    if kind == "visits":
        shown, unit = np.sqrt(counts[seen]), "visits"
    else:
        shown = np.bincount(cells, getattr(samples, kind), minlength=len(counts))[seen] / counts[seen]
        unit = "m/s" if kind == "speed" else "per step"
    low, high = np.percentile(shown, ENDS).tolist() if len(shown) else (0.0, 1.0)
    share = (shown - low) / max(high - low, 1e-12)
    levels = np.clip(share * len(HEAT_COLORS), 0, len(HEAT_COLORS) - 1).astype(np.int64)
    ends = (low**2, high**2) if kind == "visits" else (low, high)
    return HeatMap(cell_corners(track, stations)[seen], levels, ends, unit)


def cells_of(track: Track, s: NDArray[Any], offset: NDArray[Any]) -> tuple[int, NDArray[np.int64]]:
    """The number of stations along a track, and the cell of each place, (n,)."""
    stations = max(round(track.length / CELL_M), 1)
    along = np.clip((s % track.length) / track.length * stations, 0, stations - 1).astype(np.int64)
    width = np.interp(s % track.length, track.s, track.widths)
    across = np.clip((0.5 - offset / width) * ACROSS, 0, ACROSS - 1).astype(np.int64)
    return stations, along * ACROSS + across


def cell_corners(track: Track, stations: int) -> NDArray[np.float64]:
    """The corners of all cells, (cells, 4, 2) m."""
    along = point_at(track.center, np.linspace(0.0, track.length, stations + 1))
    left, right = nearest(along, track.left)[0], nearest(along, track.right)[0]
    share = np.linspace(0.0, 1.0, ACROSS + 1)[None, :, None]
    grid = left[:, None] * (1.0 - share) + right[:, None] * share
    return np.concatenate([np.stack([a[:-1], a[1:], b[1:], b[:-1]], axis=1) for a, b in pairwise(grid)])
