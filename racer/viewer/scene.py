"""The scene: the camera, the cars seen from above, and the lines they drove.

The one invariant: everything is to scale and in its place to a part of a px; only lines have a least width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pygame

from racer.viewer.screen import FINE, TYRE, Color, mix

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from racer.sim import Car
    from racer.track import Track

__all__ = ["View", "draw_car", "draw_path"]

TRIM: Color = (150, 158, 170)
GLASS: Color = (20, 26, 36)
LONGEST = 4096  # px of a piece; one that is longer was never driven
WHEEL = (0.036, 0.017)  # half its length and width, m
# Left side of the body from nose to tail, in half lengths and half widths of the car.
HULL = (
    *((1.0, 0.34), (0.93, 0.5), (0.72, 0.46), (0.25, 0.5), (0.14, 0.84)),
    *((-0.14, 0.88), (-0.26, 0.56), (-0.8, 0.5), (-0.86, 0.3)),
)


@dataclass(frozen=True)
class View:
    """A camera: `scale` px per m, and the point x, y (m) that lies at left, top (px) on the screen."""

    scale: float
    x: float
    y: float
    left: float
    top: float

    @staticmethod
    def fit(track: Track, area: pygame.Rect) -> View:
        """See the whole track inside `area`."""
        lines = np.concatenate([track.inner, track.outer])
        low, high = lines.min(axis=0), lines.max(axis=0)
        width, height = (float(side) + 0.3 for side in high - low)
        scale = max(min(area.width / width, area.height / height), 1.0)
        x, y = (low + high) / 2.0
        return View(scale, float(x), float(y), area.centerx, area.centery)

    @property
    def corner(self) -> tuple[float, float]:
        """The screen's upper left corner, px right of and below the world's origin."""
        return self.x * self.scale - self.left, -self.y * self.scale - self.top

    def to_screen(self, points: ArrayLike) -> NDArray[np.float64]:
        """Map points of the world, `(..., 2)` m with y upwards, to the screen, `(..., 2)` px."""
        away = np.asarray(points, dtype=np.float64) - (self.x, self.y)
        there: NDArray[np.float64] = away * (self.scale, -self.scale) + np.array([self.left, self.top])
        return there


def draw_path(
    surface: pygame.Surface,
    view: View,
    pieces: NDArray[np.float64],
    colors: NDArray[np.float64],
    width: float,
) -> None:
    """Draw a smooth line.

    Args:
        surface: What is drawn on.
        view: The camera.
        pieces: Both ends of each piece, `(n, 2, 2)` m.
        colors: Of each piece, `(n, 3)`.
        width: Of the line, px.
    """
    ends = view.to_screen(pieces)
    low = np.floor(ends.min(axis=1) - width / 2.0 - 1.0)
    size = np.ceil(ends.max(axis=1) + width / 2.0 + 1.0) - low
    seen = ((low + size > 0.0) & (low < surface.get_size()) & (size < LONGEST)).all(axis=1)
    low, size = low[seen], size[seen]
    begin, end = np.moveaxis((ends[seen] - low[:, None]) * FINE, 1, 0)
    along = end - begin
    thick = width * FINE - 1.0  # a polygon's edge is drawn too
    along *= thick / 2.0 / np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)[:, None]
    across = along[:, ::-1] * (-1.0, 1.0)
    outlines = np.stack([begin + across, end + across, end - across, begin - across], axis=1)
    columns = (low.astype(int), size.astype(int), begin, end, outlines, np.rint(colors[seen]).astype(int))
    for place, box, first, last, outline, color in zip(*(column.tolist() for column in columns), strict=True):
        patch = pygame.Surface((box[0] * FINE, box[1] * FINE), pygame.SRCALPHA)
        pygame.draw.polygon(patch, color, outline)
        pygame.draw.circle(patch, color, first, thick / 2.0)
        pygame.draw.circle(patch, color, last, thick / 2.0)
        smooth = pygame.transform.smoothscale(patch, box)
        surface.blit(smooth, place, special_flags=pygame.BLEND_PREMULTIPLIED)


def draw_car(
    surface: pygame.Surface,
    view: View,
    car: Car,
    pose: tuple[float, float, float],
    steering: float,
    color: Color,
    alpha: float,
) -> None:
    """Draw a car to scale.

    Args:
        surface: What is drawn on.
        view: The camera.
        car: Its dimensions.
        pose: x, y of its origin (m) and heading (rad).
        steering: Angle of the front wheels, rad, left positive.
        color: Of its body.
        alpha: 1 for solid, less for a ghost.
    """
    x, y, heading = pose
    fine = FINE + 1 if view.scale < 150.0 else FINE
    center = view.to_screen((x, y))
    half = int(np.ceil(0.62 * np.hypot(car.length, car.width) * view.scale)) + 2
    corner = np.floor(center) - half
    sprite = pygame.Surface((2 * half * fine, 2 * half * fine), pygame.SRCALPHA)
    turn = np.array([[np.cos(heading), -np.sin(heading)], [-np.sin(heading), -np.cos(heading)]]) * (view.scale * fine)
    origin = (center - corner) * fine
    edge = max(1, round(0.006 * view.scale * fine))
    for part, fill, rim in car_parts(car, steering, color):
        outline = (part @ turn.T + origin).tolist()
        pygame.draw.polygon(sprite, fill, outline)
        if rim is not None:
            pygame.draw.polygon(sprite, rim, outline, edge)
    small = pygame.transform.smoothscale(sprite, (2 * half, 2 * half))
    if alpha < 1.0:
        small.fill((round(255 * alpha),) * 4, special_flags=pygame.BLEND_RGBA_MULT)
    surface.blit(small, corner.astype(int).tolist(), special_flags=pygame.BLEND_PREMULTIPLIED)


def car_parts(car: Car, steering: float, color: Color) -> list[tuple[NDArray[np.float64], Color, Color | None]]:
    """The car's polygons in its own frame (m, x ahead, y left), the lowest first: outline, fill, rim."""
    size = np.array([car.length / 2.0, car.width / 2.0])
    dark, light = mix(color, (0, 0, 0), 0.45), mix(color, (255, 255, 255), 0.35)
    parts: list[tuple[NDArray[np.float64], Color, Color | None]] = []
    axles = ((car.front_axle, car.wheel_offset_front, steering), (car.rear_axle, car.wheel_offset_rear, 0.0))
    for x, offset, angle in axles:
        parts.append((box(x, 0.0, 0.007, offset), TRIM, None))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        wheel = box(0.0, 0.0, *WHEEL) @ turn.T
        parts += [(wheel + np.array([x, y]), TYRE, TRIM) for y in (offset, -offset)]
    hull = np.array([*HULL, *((x, -y) for x, y in reversed(HULL))])
    parts.append((box(-0.88, 0.0, 0.12, 0.86) * size, dark, TYRE))  # the wing
    parts.append((hull * size, color, dark))
    parts.append((np.array([(0.36, 0.3), (0.02, 0.36), (0.02, -0.36), (0.36, -0.3)]) * size, GLASS, None))
    parts.append((box(-0.42, 0.0, 0.3, 0.1) * size, light, None))
    return parts


def box(x: float, y: float, half_length: float, half_width: float) -> NDArray[np.float64]:
    """A rectangle around x, y, `(4, 2)`."""
    corners = np.array([(1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0), (1.0, -1.0)])
    placed: NDArray[np.float64] = corners * (half_length, half_width) + np.array([x, y])
    return placed
