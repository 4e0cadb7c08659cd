"""A picture of what every sensor shows at a few places of a track.

Invariant: all tiles of a row show the same car at the same place. Seen from above, it looks upwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, sin
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from racer.sensors import AHEAD_M, BEAMS, DASH_EDGE, GROUND_EDGE, LINE_EDGE, TEXEL_M, Camera, Ground, Lidar, ground_of
from racer.sim import CARS
from racer.track import Points, Track, point_at, smooth_curvature
from racer.viewer.plot.canvas import ACCENT, BAD, SOFT, TEXT, Box, Canvas

__all__ = ["Place", "View", "above", "draw_above", "draw_beams", "draw_camera", "draw_sectors", "places", "sheet"]

SIDE_IN = 2.0  # of a tile
GAP_IN = 0.14
HEAD_IN = 0.62
PAINT = ("#121a1f", "#e4e8ee", "#353d4a", "#a8934f")  # ground, line, road, dash, from above
DOTS = 360  # across a tile
CAR = CARS["deepracer"]


class Place(NamedTuple):
    """Where a car stands: x, y (m) of its origin, heading (rad), and how that place is called."""

    x: float
    y: float
    heading: float
    name: str


class View(NamedTuple):
    """A square tile that shows from above what is within `reach` m of a point `ahead` m ahead of the car."""

    box: Box
    reach: float
    ahead: float = 0.0

    def to_sheet(self, points: Points) -> Points:
        """Points (n, 2) m ahead and to the left of the car to inches on the sheet."""
        scale = 0.5 * self.box.width / self.reach
        middle = (self.box.left + 0.5 * self.box.width, self.box.bottom + 0.5 * self.box.height)
        return np.stack([middle[0] - scale * points[:, 1], middle[1] + scale * (points[:, 0] - self.ahead)], axis=1)


def sheet(track: Track, path: str | Path, at: Sequence[Place] | None = None) -> None:
    """Draw what every sensor shows.

    Args:
        track: a closed one.
        path: The picture; its suffix (`.png`, `.svg`, `.pdf`) chooses the format.
        at: where; by default on the start line, before the tightest bend, and askew at the border.

    Raises:
        TrackError: the track is open.
        FileError: The picture cannot be written.
    """
    rows = list(places(track) if at is None else at)
    wide, narrow = SIDE_IN * 4.0 / 3.0, (SIDE_IN - GAP_IN) / 2.0 * 4.0 / 3.0
    width = 4.0 * SIDE_IN + wide + narrow + 5.0 * GAP_IN + 0.4
    height = SIDE_IN + HEAD_IN + 0.2
    canvas = Canvas(width + 2.0 * GAP_IN, len(rows) * (height + GAP_IN) + GAP_IN)
    for row, place in enumerate(rows):
        card = Box(GAP_IN, (len(rows) - row - 1) * (height + GAP_IN) + GAP_IN, width, height)
        canvas.card(card)
        inner = card.inset(0.2)
        canvas.text(inner.left, inner.top - 0.13, f"{track.name}: {place.name}", 12.0, weight="bold")
        left, bottom = inner.left, inner.bottom
        tiles = []
        for size in (SIDE_IN, wide, narrow, SIDE_IN, SIDE_IN, SIDE_IN):
            tiles.append(Box(left, bottom, size, SIDE_IN))
            left += size + GAP_IN
        _row(canvas, track, place, tiles)
    canvas.save(path)


def places(track: Track) -> tuple[Place, ...]:
    """Three places that show much: the start line, before the tightest bend, and askew at the border."""
    kappa = np.abs(smooth_curvature(track.center, 0.05, 0.6))
    bend = (float(np.argmax(kappa)) / len(kappa) * track.length - 0.9) % track.length
    straight = float(np.argmin(kappa)) / len(kappa) * track.length
    return (
        _place(track, 0.0, 0.0, 0.0, "on the start line"),
        _place(track, bend, 0.0, 0.0, "before the tightest bend"),
        _place(track, straight, 0.5 * track.width - 0.12, 0.45, "about to leave the road"),
    )


def above(ground: Ground, place: Place, view: View) -> NDArray[np.float64]:
    """The paint of the ground from above, the car looking upwards: (`DOTS`, `DOTS`, 3) of 0..1."""
    fine = 3  # samples to a dot, each way
    away = ((np.arange(DOTS * fine) + 0.5) / (DOTS * fine) * 2.0 - 1.0) * view.reach
    ahead, left = np.meshgrid(view.ahead + away[::-1], -away, indexing="ij")
    c, s = cos(place.heading), sin(place.heading)
    x = (place.x + c * ahead - s * left - ground.x) / TEXEL_M - 0.5
    y = (place.y + s * ahead + c * left - ground.y) / TEXEL_M - 0.5
    rows, columns = ground.profile.shape
    inside = (x >= 0.0) & (y >= 0.0) & (x < columns - 1) & (y < rows - 1)
    x, y = np.where(inside, x, 0.0), np.where(inside, y, 0.0)
    four = ground.profile[y.astype(int), x.astype(int)]
    corners = [((four >> shift) & 255).astype(np.float64) for shift in (0, 8, 16, 24)]
    right, up = x % 1.0, y % 1.0
    value = (corners[0] * (1 - right) + corners[1] * right) * (1 - up) + (
        corners[2] * (1 - right) + corners[3] * right
    ) * up
    paint = np.where(inside, np.searchsorted([GROUND_EDGE, LINE_EDGE, DASH_EDGE], value), 0)
    colors = np.array([[int(color[k : k + 2], 16) / 255.0 for k in (1, 3, 5)] for color in PAINT])
    picture: NDArray[np.float64] = colors[paint].reshape(DOTS, fine, DOTS, fine, 3).mean(axis=(1, 3))
    return picture


def draw_camera(canvas: Canvas, picture: NDArray[np.uint8], box: Box, label: str) -> None:
    """Show a grey picture (rows, columns), pixel by pixel, with a label above it."""
    _show(canvas, np.repeat(picture[..., None] / 255.0, 3, axis=2), box)
    canvas.text(box.left, box.top + 0.06, label, 7.0, SOFT)


def draw_above(
    canvas: Canvas, track: Track, place: Place, view: View, label: str, boxes: NDArray[np.void] | None = None
) -> None:
    """Show the road around a car, the car, and boxes that stand there, from above."""
    _show(canvas, above(ground_of(track), place, view), view.box, "antialiased")
    half = np.array([CAR.length, CAR.width]) / 2.0
    outline = np.array([(1.0, 0.6), (0.7, 1.0), (-1.0, 1.0), (-1.0, -1.0), (0.7, -1.0), (1.0, -0.6)]) * half
    canvas.fill(view.to_sheet(outline), ACCENT, zorder=6)
    for box in () if boxes is None else boxes:
        half = np.array([(1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0), (1.0, -1.0)]) * (box["length"] / 2, box["width"] / 2)
        there = _turned(half, float(box["heading"])) + np.array([box["x"] - place.x, box["y"] - place.y])
        corners = _turned(there, -place.heading)
        if all(_within(view, corner) for corner in corners):
            canvas.fill(view.to_sheet(corners), SOFT, zorder=6)
    canvas.text(view.box.left, view.box.top + 0.06, label, 7.0, SOFT)


def draw_beams(
    canvas: Canvas, track: Track, place: Place, lidar: Lidar, view: View, boxes: NDArray[np.void] | None = None
) -> None:
    """Draw the beams of a LIDAR, those that meet something with a dot at their end."""
    distances = lidar.measure(track, [place[:3]], boxes)[0]
    for angle, distance in zip(lidar.angles.tolist(), distances.tolist(), strict=True):
        way = np.array([cos(angle), sin(angle)])
        ends = np.stack([np.zeros(2), way * distance]) + np.array([AHEAD_M, 0.0])
        met = distance < lidar.reach
        if _within(view, ends[1]):
            canvas.line(view.to_sheet(ends), ACCENT if met else SOFT, 0.7, alpha=0.75 if met else 0.25, zorder=5)
            if met:
                canvas.axes.plot(*view.to_sheet(ends[1:]).T, marker="o", ms=2.4, color=BAD, zorder=7)


def draw_sectors(canvas: Canvas, track: Track, place: Place, lidar: Lidar, view: View) -> None:
    """Draw the sectors of a LIDAR, and which of their ranges holds the nearest thing."""
    values = lidar.look(track, [place[:3]])[0].reshape(lidar.sectors, -1)
    beams = BEAMS // lidar.sectors
    spacing = lidar.angles[1] - lidar.angles[0]
    for sector, row in enumerate(values):
        first, last = lidar.angles[sector * beams], lidar.angles[(sector + 1) * beams - 1]
        for k, value in enumerate(row):
            near, far = k * lidar.reach / len(row), (k + 1) * lidar.reach / len(row)
            ring = _ring(first - 0.3 * spacing, last + 0.3 * spacing, near, far - 0.04 * lidar.reach / len(row))
            canvas.fill(view.to_sheet(ring), BAD if value else SOFT, alpha=0.85 if value else 0.16, zorder=5)


def _row(canvas: Canvas, track: Track, place: Place, tiles: list[Box]) -> None:
    pose = [place[:3]]
    front, stereo = Camera(), Camera("STEREO_CAMERAS")
    view = View(tiles[0], 1.3)
    draw_above(canvas, track, place, view, "FROM ABOVE")
    for side in (-0.5, 0.5):
        angle = side * front.field_of_view
        longest = min(view.reach / max(abs(sin(angle)), 1e-9), (view.reach - front.ahead_m) / cos(angle))
        ends = np.array([[0.0, 0.0], [cos(angle), sin(angle)]]) * longest + np.array([front.ahead_m, 0.0])
        canvas.line(view.to_sheet(ends), TEXT, 0.8, alpha=0.8, zorder=5)
    draw_camera(canvas, front.look(track, pose)[0, ..., 0], tiles[1], "FRONT_FACING_CAMERA")
    both = stereo.look(track, pose)[0]
    height = (SIDE_IN - GAP_IN) / 2.0
    for lens, name in enumerate(("STEREO_CAMERAS: LEFT", "RIGHT")):
        low = tiles[2].bottom + (1 - lens) * (height + GAP_IN)
        draw_camera(canvas, both[..., lens], Box(tiles[2].left, low, tiles[2].width, height), name)
    for tile, lidar, reach, label in (
        (tiles[3], Lidar(), 1.3, "LIDAR"),
        (tiles[4], Lidar("SECTOR_LIDAR"), 0.7, "SECTOR_LIDAR"),
        (tiles[5], Lidar("DISCRETIZED_SECTOR_LIDAR"), 2.2, "DISCRETIZED_SECTOR_LIDAR"),
    ):
        view = View(tile, reach)
        draw_above(canvas, track, place, view, label)
        draw = draw_beams if lidar.name == "LIDAR" else draw_sectors
        draw(canvas, track, place, lidar, view)


def _place(track: Track, s: float, aside: float, turn: float, name: str) -> Place:
    (x, y), ahead = point_at(track.center, s), point_at(track.center, s + 0.02)
    heading = float(np.arctan2(ahead[1] - y, ahead[0] - x))
    return Place(float(x) - aside * sin(heading), float(y) + aside * cos(heading), heading + turn, name)


def _turned(points: Points, angle: float) -> Points:
    c, s = cos(angle), sin(angle)
    turned: Points = points @ np.array([[c, s], [-s, c]])
    return turned


def _within(view: View, point: Points) -> bool:
    return max(abs(float(point[0]) - view.ahead), abs(float(point[1]))) < view.reach


def _ring(first: float, last: float, near: float, far: float) -> Points:
    """A sector of a ring around the LIDAR, `(n, 2)` m."""
    angles = np.linspace(first, last, 16)
    rim = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    ring: Points = np.concatenate([rim * far, rim[::-1] * near]) + np.array([AHEAD_M, 0.0])
    return ring


def _show(canvas: Canvas, picture: NDArray[np.float64], box: Box, interpolation: str = "nearest") -> None:
    limits = canvas.axes.get_xlim(), canvas.axes.get_ylim()
    extent = (box.left, box.right, box.bottom, box.top)
    canvas.axes.imshow(picture, extent=extent, aspect="auto", interpolation=interpolation, zorder=3)
    canvas.axes.set(xlim=limits[0], ylim=limits[1])
