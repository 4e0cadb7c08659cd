"""The sensor view: a camera's picture in a corner and a LIDAR's beams on the road, for the car in focus.

The one invariant: it is what the default sensors show at this pose, whatever the driver observed, and it says so.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pygame

from racer.sensors import AHEAD_M, Camera, Lidar
from racer.viewer.screen import ACCENT, BAD, CARD_EDGE, SOFT, Canvas, Color, Layout

if TYPE_CHECKING:
    from racer.track import Track
    from racer.viewer.playback import Moment
    from racer.viewer.scene import View

__all__ = ["SensorView"]

PICTURE = (272, 204)  # units
LABEL, EDGE = 24, 8  # units above the picture, and around it
SMALL_SHARE = 0.65  # of the picture's size, where that hides less of the road
MOST_HIDDEN = 0.06  # share of the road that it may hide; else it lies on the instruments
MET: Color = ACCENT
MISSED: Color = (58, 70, 86)


class SensorView:
    """The default camera and LIDAR, on a track.

    Args:
        track: What is driven.
    """

    def __init__(self, track: Track) -> None:
        """Draw nothing yet."""
        self.track, self.camera, self.lidar = track, Camera(), Lidar()
        self._place = lru_cache(maxsize=8)(self._best_corner)

    def draw_beams(self, canvas: Canvas, view: View, moment: Moment) -> None:
        """Draw the beams of the LIDAR, with a dot where one meets a border."""
        pose = (moment.x, moment.y, moment.heading)
        distances = self.lidar.measure(self.track, [pose])[0]
        angles = self.lidar.angles + moment.heading
        middle = np.array([moment.x, moment.y]) + AHEAD_M * np.array([np.cos(pose[2]), np.sin(pose[2])])
        ends = middle + distances[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        begin = view.to_screen(middle).tolist()
        met = distances < self.lidar.reach
        for end, meets in sorted(
            zip(view.to_screen(ends).tolist(), met.tolist(), strict=True), key=lambda pair: pair[1]
        ):
            pygame.draw.aaline(canvas.surface, MET if meets else MISSED, begin, end)
        for end in view.to_screen(ends[met]).tolist():
            canvas.dot(end, 2, BAD)

    def draw_picture(self, canvas: Canvas, whole: View, moment: Moment) -> None:
        """Show the camera's picture in the corner where it hides least of the road, or among the instruments.

        Args:
            canvas: What is drawn on.
            whole: The camera that sees the whole track, for it decides which corner that is.
            moment: Of the car.
        """
        px = canvas.px
        card = self._place(canvas.layout, whole)
        canvas.card(card, 12, edge=CARD_EDGE, solid=246)
        label = canvas.shorten("DEFAULT CAMERA AND LIDAR", 12, card.width - 2 * px(EDGE))
        canvas.write(label, (card.left + px(EDGE + 2), card.top + px(EDGE)), 12, SOFT)
        grey = self.camera.look(self.track, [(moment.x, moment.y, moment.heading)])[0, ..., 0].T
        picture = pygame.surfarray.make_surface(np.repeat(grey[..., None], 3, axis=2))
        size = (card.width - 2 * px(EDGE), card.height - px(EDGE) - px(LABEL))
        fine = pygame.transform.smoothscale(picture, size)
        canvas.surface.blit(fine, (card.left + px(EDGE), card.top + px(LABEL)))

    def _best_corner(self, layout: Layout, whole: View) -> pygame.Rect:
        px, area = layout.px, layout.area
        share = min(1.0, 0.45 * area.width / px(PICTURE[0]), 0.45 * area.height / px(PICTURE[1]))
        road = whole.to_screen(np.concatenate([self.track.inner, self.track.outer, self.track.center]))
        hidden: dict[tuple[int, int, int, int], int] = {}
        for size in (_outside(layout, share), _outside(layout, SMALL_SHARE * share)):
            right, bottom = layout.side.left - px(14) - size[0], area.bottom - size[1]
            for left, top in ((right, px(14)), (area.left, area.top), (right, bottom), (area.left, bottom)):
                inside = (road > (left, top)) & (road < (left + size[0], top + size[1]))
                hidden[left, top, *size] = int(inside.all(axis=1).sum())
        best = min(hidden, key=hidden.__getitem__)  # of those that hide as much the first, which is the larger
        if hidden[best] > MOST_HIDDEN * len(road):
            width = layout.side.width - 2 * px(EDGE)
            size = width, round((width - 2 * px(EDGE)) * PICTURE[1] / PICTURE[0]) + px(LABEL) + px(EDGE)
            return pygame.Rect(layout.side.left + px(EDGE), layout.side.bottom - px(EDGE) - size[1], *size)
        return pygame.Rect(best)


def _outside(layout: Layout, share: float) -> tuple[int, int]:
    """Size of the card around a picture of a share of the usual size, px."""
    width, height = (round(share * layout.px(side)) for side in PICTURE)
    return width + 2 * layout.px(EDGE), height + layout.px(LABEL) + layout.px(EDGE)
