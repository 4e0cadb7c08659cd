"""The sensor view: a camera's picture in a corner and a LIDAR's beams on the road, for the car in focus.

The one invariant: it is what the driver's own camera and LIDAR show at this pose; where it has neither, or is not known
to have them, it is what the default ones would show, and it says so.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
import pygame
from numpy.typing import NDArray

from racer.errors import SensorError
from racer.sensors import AHEAD_M, Camera, Lidar, Stack, make_sensors
from racer.viewer.screen import ACCENT, BAD, CARD_EDGE, SOFT, Canvas, Color, Layout

if TYPE_CHECKING:
    from racer.sensors import Sensor
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


Boxes = NDArray[np.void] | None


class SensorView:
    """A driver's camera and LIDAR, or the default ones, on a track.

    Args:
        track: What is driven.
        sensors: What the driver observes, as `racer.sensors.make_sensors` takes them; empty if unknown.
    """

    def __init__(self, track: Track, sensors: tuple[str, ...] = ()) -> None:
        """Draw nothing yet."""
        self.track = track
        self.camera: Camera | None = None
        self.lidar: Lidar | None = None
        made = _made(sensors)
        for sensor in made:
            single = sensor.sensor if isinstance(sensor, Stack) else sensor
            if isinstance(single, Camera):
                self.camera = single
            elif isinstance(single, Lidar):
                self.lidar = single
        self.label = "THE DRIVER'S CAMERA"
        if self.camera is None and self.lidar is None:
            self.camera, self.lidar = Camera(), Lidar()
            self.label = "NOT THE DRIVER'S: CAMERA, LIDAR" if made else "DEFAULT CAMERA AND LIDAR"
        self._place = lru_cache(maxsize=8)(self._best_corner)

    def draw_beams(self, canvas: Canvas, view: View, moment: Moment, boxes: Boxes = None) -> None:
        """Draw the beams of the LIDAR, if there is one, with a dot where one meets a border, a box or a car.

        Args:
            canvas: What is drawn on.
            view: The camera above the track.
            moment: Of the car.
            boxes: What is around the car, (b,) of `racer.sim.BOX`.
        """
        if self.lidar is None:
            return
        pose = (moment.x, moment.y, moment.heading)
        distances = self.lidar.measure(self.track, [pose], boxes)[0]
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

    def draw_picture(self, canvas: Canvas, whole: View, moment: Moment, boxes: Boxes = None) -> None:
        """Show the camera's picture, if there is one, where it hides least of the road, or among the instruments.

        Args:
            canvas: What is drawn on.
            whole: The camera that sees the whole track, for it decides which corner that is.
            moment: Of the car.
            boxes: What is around the car, (b,) of `racer.sim.BOX`.
        """
        if self.camera is None:
            return
        px = canvas.px
        card = self._place(canvas.layout, whole)
        canvas.card(card, 12, edge=CARD_EDGE, solid=246)
        label = canvas.shorten(self.label, 12, card.width - 2 * px(EDGE))
        canvas.write(label, (card.left + px(EDGE + 2), card.top + px(EDGE)), 12, SOFT)
        seen = self.camera.look(self.track, [(moment.x, moment.y, moment.heading)], boxes)[0]
        grey = np.concatenate(np.moveaxis(seen, -1, 0), axis=1).T  # of two lenses, side by side
        picture = pygame.surfarray.make_surface(np.repeat(grey[..., None], 3, axis=2))
        room = pygame.Rect(
            card.left + px(EDGE), card.top + px(LABEL), card.width - 2 * px(EDGE), card.height - px(EDGE) - px(LABEL)
        )
        scale = min(most / side for most, side in zip(room.size, picture.get_size(), strict=True))
        place = pygame.Rect((0, 0), [ceil(scale * side - 1e-9) for side in picture.get_size()])
        place.center = room.center
        canvas.surface.blit(pygame.transform.smoothscale(picture, place.size), place)

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


def _made(sensors: tuple[str, ...]) -> tuple[Sensor, ...]:
    """A replay's sensors; none where it was made by a racer that knows others."""
    try:
        return make_sensors(sensors)
    except SensorError:
        return ()


def _outside(layout: Layout, share: float) -> tuple[int, int]:
    """Size of the card around a picture of a share of the usual size, px."""
    width, height = (round(share * layout.px(side)) for side in PICTURE)
    return width + 2 * layout.px(EDGE), height + layout.px(LABEL) + layout.px(EDGE)
