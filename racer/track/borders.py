"""Borders of a road whose file gives distances: lines beside the centre line, without the loops of tight bends.

Invariant: where nothing folds, each row of the centre line has one row of each border, exactly on its normal.
"""

import numpy as np
from numpy.typing import NDArray

from racer.track.geometry import Points, arc_length, signed_area, vertex_normals

__all__ = ["first_fold", "offsets_of", "with_offset_borders", "without_folds"]

SAME_BEND = (
    2.5  # road widths of centre line between two places of one bend, at most: what overlaps beyond is another road
)
AT_ONCE = 64  # rows that are compared with all others at a time: what bounds the memory
SLIVER_M2 = 1e-4  # a hole in the road that is smaller comes from rounding


def with_offset_borders(
    center: Points, *, right: NDArray[np.float64], left: NDArray[np.float64]
) -> tuple[Points, Points]:
    """The borders `right` and `left` m off a closed centre line along its normals, as (inner, outer)."""
    normals = vertex_normals(center)
    borders = center + left[:, None] * normals, center - right[:, None] * normals
    inner, outer = borders if signed_area(center) > 0.0 else borders[::-1]
    inner[-1], outer[-1] = inner[0], outer[0]
    return inner, outer


def offsets_of(center: Points, right: Points, left: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Distances `(n,)` m of borders from a ring along its normals: (right, left), or None if they lie off."""
    steps = np.diff(center, axis=0)
    if not len(center) == len(right) == len(left) or np.any(np.all(steps == 0.0, axis=1)):
        return None
    normals = vertex_normals(center)
    # Rounded, so that what a CSV said comes back without the noise of its way through the borders.
    to_right = np.round(np.sum((center - right) * normals, axis=1), 10)
    to_left = np.round(np.sum((left - center) * normals, axis=1), 10)
    off_right = center - to_right[:, None] * normals - right
    off_left = center + to_left[:, None] * normals - left
    return (to_right, to_left) if max(np.abs(off_right).max(), np.abs(off_left).max()) < 1e-9 else None


def first_fold(center: Points, border: Points) -> int | None:
    """The first row after which a border, row by row beside the centre line, runs backwards: the bend is too tight."""
    back = np.flatnonzero(np.sum(np.diff(border, axis=0) * np.diff(center, axis=0), axis=1) <= 0.0)
    return int(back[0]) if len(back) else None


def without_folds(center: Points, inner: Points, outer: Points) -> tuple[Points, Points] | None:
    """The borders without the loops that they make inside of tight bends.

    The road is the union of the quadrilaterals between each row and the next; the borders are its outlines. So a
    loop is cut off where its two ends cross, as an inner kerb that is met from both sides.

    Args:
        center: Ring, `(n, 2)` m.
        inner: Border, `(n, 2)` m, row by row beside it.
        outer: The other one.

    Returns:
        The two borders, of any number of rows, or None if two stretches of road that are not of one bend overlap.
    """
    import shapely  # many lists of tracks never need it

    quads = shapely.convex_hull(shapely.multipoints(np.stack([inner[:-1], inner[1:], outer[1:], outer[:-1]], axis=1)))
    along = arc_length(center)
    width = np.hypot(*(outer - inner).T)
    tree = shapely.STRtree(quads)
    for start in range(0, len(quads), AT_ONCE):
        first, second = tree.query(quads[start : start + AT_ONCE])
        first = first + start
        apart = np.minimum(along[second] - along[first + 1], along[first] - along[second + 1] + along[-1])
        far = (first < second) & (apart > SAME_BEND * np.maximum(width[first], width[second]))
        if np.any(shapely.intersects(quads[first[far]], quads[second[far]])):
            return None
    road = shapely.union_all(quads)
    holes = sorted((shapely.Polygon(ring) for ring in getattr(road, "interiors", ())), key=lambda hole: hole.area)
    if not holes or any(hole.area > SLIVER_M2 for hole in holes[:-1]):
        return None
    forward = signed_area(center)
    return _along(holes[-1].exterior, inner[0], forward), _along(road.exterior, outer[0], forward)


def _along(ring: "shapely.LinearRing", start: Points, forward: float) -> Points:  # type: ignore[name-defined] # noqa: F821
    """The rows of a ring, from the one nearest to a start on, in the direction of `forward`'s sign."""
    rows = np.array(ring.coords)
    if (signed_area(rows) > 0.0) != (forward > 0.0):
        rows = rows[::-1]
    rows = np.roll(rows[:-1], -int(np.argmin(np.sum((rows[:-1] - start) ** 2, axis=1))), axis=0)
    return np.vstack([rows, rows[:1]])
