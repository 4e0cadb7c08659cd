"""The eyes: what the car in focus sees, as a picture in a corner and as beams on the road.

The one invariant: it is what the default sensors tell at this pose, whatever the driver was given.
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

__all__ = ["Eyes"]

PICTURE = (272, 204)  # units
LABEL, EDGE = 24, 8  # units above the picture, and around it
MET: Color = ACCENT
MISSED: Color = (58, 70, 86)


class Eyes:
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
        """Show the camera's picture in the corner where it hides least of the road.

        Args:
            canvas: What is drawn on.
            whole: The camera that sees the whole track, for it decides which corner that is.
            moment: Of the car.
        """
        px = canvas.px
        card = self._place(canvas.layout, whole)
        canvas.card(card, 12, edge=CARD_EDGE, solid=246)
        canvas.write("CAMERA", (card.left + px(EDGE + 2), card.top + px(EDGE)), 12, SOFT)
        grey = self.camera.look(self.track, [(moment.x, moment.y, moment.heading)])[0, ..., 0].T
        picture = pygame.surfarray.make_surface(np.repeat(grey[..., None], 3, axis=2))
        size = (card.width - 2 * px(EDGE), card.height - px(EDGE) - px(LABEL))
        fine = pygame.transform.smoothscale(picture, size)
        canvas.surface.blit(fine, (card.left + px(EDGE), card.top + px(LABEL)))

    def _best_corner(self, layout: Layout, whole: View) -> pygame.Rect:
        px, area = layout.px, layout.area
        share = min(1.0, 0.45 * area.width / px(PICTURE[0]), 0.45 * area.height / px(PICTURE[1]))
        width, height = (round(share * px(side)) for side in PICTURE)
        size = (width + 2 * px(EDGE), height + px(LABEL) + px(EDGE))
        right, bottom = layout.side.left - px(14) - size[0], area.bottom - size[1]
        corners = ((right, px(14)), (px(24), area.top), (right, bottom), (px(24), bottom))
        road = whole.to_screen(np.concatenate([self.track.inner, self.track.outer, self.track.center]))
        hidden = []
        for left, top in corners:
            inside = (road > (left, top)) & (road < (left + size[0], top + size[1]))
            hidden.append(int(inside.all(axis=1).sum()))
        return pygame.Rect(corners[hidden.index(min(hidden))], size)
