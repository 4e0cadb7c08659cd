"""Heat maps as SVG: pictures of the track, with what their colours mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from racer.replay import HEAT_COLORS, STEP_S, Samples, cell_corners, cells_of, heat_map
from racer.track import Track, svg_of_track, svg_path

__all__ = ["map_of_exits", "picture_of", "speeds"]

EXIT = "#e6482e"


def speeds(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Speeds between the steps of an episode, (n,) m/s."""
    if len(x) < 2:
        return np.zeros(len(x))
    moved = np.hypot(np.diff(x), np.diff(y)) / STEP_S
    return np.append(moved, moved[-1])


def picture_of(track: Track, samples: Samples, kind: str) -> str:
    """A map of `reward`, `speed`, `visits` or `exits` as an `<svg>` element with its legend."""
    if kind == "exits":
        return map_of_exits(track, samples)
    found = heat_map(track, samples, kind)
    paths = []
    for level, color in enumerate(HEAT_COLORS):
        cells = "".join(map(svg_path, found.corners[found.levels == level]))
        paths.append(f'<path d="{cells}" fill="{color}"/>' if cells else "")
    boxes = "".join(f'<rect x="{18 * k}" width="18" height="10" fill="{c}"/>' for k, c in enumerate(HEAT_COLORS))
    bar = f'<svg width="{18 * len(HEAT_COLORS)}" height="10" aria-hidden="true">{boxes}</svg>'
    low, high = found.ends
    legend = f'<div class="legend">{low:.3g} {bar} {high:.3g} {found.unit}</div>'
    return svg_of_track(track, "".join(paths), f"map of {kind}") + legend


def map_of_exits(track: Track, samples: Samples) -> str:
    """A circle for each place where cars left the road, larger for more of them."""
    count = len(samples.exits)
    if not count:
        return svg_of_track(track, label="map of exits") + '<div class="legend">No car left the road.</div>'
    stations, cells = cells_of(track, samples.exits[:, 0], samples.exits[:, 1])
    corners = cell_corners(track, stations)
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
