"""The ground: a track as a picture, at any scale.

The one invariant: it is drawn once for each scale, three times finer than the screen, in tiles that are kept;
a frame only puts tiles together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pygame

from racer.track import nearest, point_at
from racer.viewer.scene import View, box
from racer.viewer.screen import BORDER, DASHES, FAINT, FINE, GRID, GROUND, ROAD, TYRE, VERGE, Color

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from racer.track import Track

__all__ = ["Ground"]

TILE = 256  # px
KEPT_SCALES = 3
SMALL = 8  # corners; a polygon with more is one alone and worth clipping
KEPT_TILES = 400  # 100 MB


@dataclass(frozen=True)
class Shape:
    """Polygons of one colour, `(n, k, 2)` m."""

    color: Color
    polygons: NDArray[np.float64]

    @cached_property
    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The lower left and the upper right of each, `(n, 2)` m."""
        return self.polygons.min(axis=1), self.polygons.max(axis=1)

    def near(self, low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
        """Those that may touch the box from `low` to `high`, (2,) m."""
        lowest, highest = self.bounds
        inside = (highest >= low) & (lowest <= high)
        found: NDArray[np.float64] = self.polygons[inside.all(axis=1)]
        return found


class Ground:
    """The track as a picture at any scale.

    Args:
        track: What is drawn.
    """

    def __init__(self, track: Track) -> None:
        """Draw nothing yet; tiles are made when they are first seen."""
        self.track = track
        self._tiles: dict[tuple[float, int, int], pygame.Surface] = {}
        self._shapes: dict[float, list[Shape]] = {}

    def draw(self, surface: pygame.Surface, view: View) -> None:
        """Fill the surface with the ground as the camera sees it."""
        (left, top), (columns, rows) = view.corner, self._seen(surface, view)
        for column in columns:
            for row in rows:
                place = round(column * TILE - left), round(row * TILE - top)
                surface.blit(self._tile(view.scale, column, row), place)

    def prepare(self, surface: pygame.Surface, view: View) -> None:
        """Draw one tile beside what is seen, so that a moving camera finds it ready."""
        scale, (columns, rows) = view.scale, self._seen(surface, view)
        for column in range(columns.start - 1, columns.stop + 1):
            for row in range(rows.start - 1, rows.stop + 1):
                if (scale, column, row) not in self._tiles:
                    self._tile(scale, column, row)
                    return

    def _seen(self, surface: pygame.Surface, view: View) -> tuple[range, range]:
        """Columns and rows of the tiles in the picture."""
        (left, top), (width, height) = view.corner, surface.get_size()
        columns = range(int(left // TILE), int((left + width) // TILE) + 1)
        return columns, range(int(top // TILE), int((top + height) // TILE) + 1)

    def _tile(self, scale: float, column: int, row: int) -> pygame.Surface:
        key = (scale, column, row)
        tile = self._tiles.pop(key, None) or self._paint(scale, column, row)
        self._tiles[key] = tile  # the last seen are last in line for removal
        if len(self._tiles) > KEPT_TILES:
            del self._tiles[next(iter(self._tiles))]
        return tile

    def _paint(self, scale: float, column: int, row: int) -> pygame.Surface:
        if scale not in self._shapes:
            self._forget()
            self._shapes[scale] = ground_shapes(self.track, scale)
        corner = np.array([column, row]) * TILE / scale * (1.0, -1.0)  # its upper left, m
        size = TILE / scale
        fine = pygame.Surface((TILE * FINE, TILE * FINE), depth=32)
        fine.fill(GROUND)
        for shape in self._shapes[scale]:
            near = shape.near(corner - np.array([0.0, size]), corner + np.array([size, 0.0]))
            pixels = (near - corner) * (scale * FINE, -scale * FINE)
            if len(pixels) == 1 and pixels.shape[1] > SMALL:
                pixels = _clip(pixels[0], -2.0, TILE * FINE + 2.0)[None]
            for polygon in np.rint(pixels).tolist():
                pygame.draw.polygon(fine, shape.color, polygon)
        return pygame.transform.smoothscale(fine, (TILE, TILE))

    def _forget(self) -> None:
        """Drop the oldest scale: a window that is resized goes through many."""
        if len(self._shapes) >= KEPT_SCALES:
            oldest = next(iter(self._shapes))
            del self._shapes[oldest]
            self._tiles = {key: tile for key, tile in self._tiles.items() if key[0] != oldest}


def ground_shapes(track: Track, scale: float) -> list[Shape]:
    """Everything on the ground at a scale (px per m), the lowest first. Lines have a least width in px."""
    pixel = 1.0 / scale
    center, borders = track.center, (track.left, track.right)
    shapes = [Shape(GRID, _dots(track, pixel))]
    for color, width in zip(VERGE, (0.34, 0.17), strict=True):
        shapes += [Shape(color, _stroke(border, max(width, 4.0 * pixel))) for border in borders]
    shapes.append(Shape(ROAD, _road(track)[None]))
    ends = [center[:1]] + [_along(track, track.length * share)[None, :2] for share in (1 / 3, 2 / 3)]
    lines = [[nearest(point, border)[0][0] for border in borders] for point in ends]
    shapes += [Shape(FAINT, _stroke(np.array(line), max(0.012, 1.0 * pixel))) for line in lines[1:]]
    shapes.append(Shape(FAINT, _arrows(track)))
    shapes.append(Shape(DASHES, _dashes(track, max(0.016, 1.2 * pixel))))
    shapes += _chequers(np.array(lines[0]), max(0.07, 3.0 * pixel))
    shapes += [Shape(BORDER, _stroke(border, max(0.03, 1.8 * pixel))) for border in borders]
    return shapes


def _road(track: Track) -> NDArray[np.float64]:
    """One outline of both borders; with a ring inside a ring the seam between them has no width."""
    return np.concatenate([track.left, track.right[::-1]])


def _clip(outline: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Press what is outside a square onto its edge, and drop corners that this makes needless, `(k, 2)`."""
    for axis in (0, 1):
        for bound in (low, high):
            here, there = outline, np.roll(outline, -1, axis=0)
            (rows,) = np.nonzero((here[:, axis] < bound) != (there[:, axis] < bound))
            step = there[rows] - here[rows]
            share = (bound - here[rows, axis]) / step[:, axis]
            outline = np.insert(here, rows + 1, here[rows] + share[:, None] * step, axis=0)
        along = np.clip(outline[:, axis], low, high)
        outline[:, axis] = along
        on_edge = (along == low) | (along == high)
        outline = outline[~(on_edge & (along == np.roll(along, 1)) & (along == np.roll(along, -1)))]
    return outline if len(outline) > 2 else np.full((3, 2), low)


def _stroke(line: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """A line with a width, as an octagon around each piece, `(n, 8, 2)` m: round enough at the joints."""
    begin, end = line[:-1], line[1:]
    along = end - begin
    along = along / np.maximum(np.hypot(*along.T), 1e-9)[:, None] * (width / 2.0)
    across = along[:, ::-1] * (-1.0, 1.0)
    near, far = 0.4142, 1.0  # of a regular octagon
    corners = [
        begin + far * across - near * along,
        begin + near * across - far * along,
        begin - near * across - far * along,
        begin - far * across - near * along,
        end - far * across + near * along,
        end - near * across + far * along,
        end + near * across + far * along,
        end + far * across + near * along,
    ]
    return np.stack(corners, axis=1)


def _dots(track: Track, pixel: float) -> NDArray[np.float64]:
    """A dot at every whole metre around the track, `(n, 4, 2)` m."""
    lines = np.concatenate([track.inner, track.outer])
    low, high = np.floor(lines.min(axis=0)) - 12.0, np.ceil(lines.max(axis=0)) + 12.0
    x, y = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
    return np.stack([x.ravel(), y.ravel()], axis=1)[:, None] + box(0.0, 0.0, 1.0 * pixel, 1.0 * pixel)


def _along(track: Track, s: ArrayLike) -> NDArray[np.float64]:
    """Centre line at arc lengths s: x, y (m) and heading (rad), `(..., 3)`."""
    here, ahead = point_at(track.center, s), point_at(track.center, np.asarray(s) + 0.02)
    heading = np.arctan2(ahead[..., 1] - here[..., 1], ahead[..., 0] - here[..., 0])
    return np.concatenate([here, heading[..., None]], axis=-1)


def _dashes(track: Track, width: float) -> NDArray[np.float64]:
    pieces = []
    count = max(int(track.length / 0.36), 1)
    for begin in (np.arange(count) + 0.25) * track.length / count:
        dash = _along(track, np.linspace(begin, begin + 0.18, 4))[:, :2]
        pieces.append(_stroke(dash, width))
    return np.concatenate(pieces)


def _arrows(track: Track) -> NDArray[np.float64]:
    """Three arrow heads behind the start line that show the driving direction, `(6, 4, 2)` m."""
    arrows = []
    half = 0.16 * track.width
    for x, y, heading in _along(track, np.array([0.45, 0.65, 0.85])):
        turn = np.array([[np.cos(heading), -np.sin(heading)], [np.sin(heading), np.cos(heading)]])
        for side in (half, -half):
            arm = np.array([(half, 0.0), (half - 0.06, 0.0), (-0.06, side), (0.0, side)])
            arrows.append(arm @ turn.T + (x, y))
    return np.array(arrows)


def _chequers(line: NDArray[np.float64], size: float) -> list[Shape]:
    """Three columns of squares along the start line `(2, 2)` m, from its left end to its right."""
    across = line[1] - line[0]
    count = max(round(float(np.hypot(*across)) / size), 2)
    across = across / count
    along = across[::-1] * (-1.0, 1.0)
    squares: list[list[NDArray[np.float64]]] = [[], []]
    for column in range(3):
        for row in range(count):
            corner = line[0] + (column - 1.5) * along + row * across
            squares[(column + row) % 2].append(
                np.array([corner, corner + along, corner + along + across, corner + across])
            )
    return [Shape(color, np.array(group)) for color, group in zip((BORDER, TYRE), squares, strict=True)]
