"""Live pictures: cars on their track as they drive now, and a window that shows such pictures.

The one invariant: a picture shows the cars where they are when it is drawn; the line behind a car that is alone joins
the places where it was drawn before in the same episode.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import hypot
from typing import TYPE_CHECKING

import numpy as np
import pygame

from racer.viewer.ground import Ground
from racer.viewer.scene import View, draw_car, draw_path
from racer.viewer.screen import BAD, CARD, CARD_EDGE, DIM, GOOD, SOFT, TEXT, Canvas, Ink, SpeedScale, car_colors
from racer.viewer.things import draw_thing
from racer.viewer.window import open_display

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from racer.sim import Car
    from racer.track import Track

__all__ = ["LivePicture", "LiveWindow"]

LONGEST_M = 0.5  # of the way in one step; what is further apart was not driven
NARROW = 480  # px; below, a picture shows no facts
TOP, BOTTOM, SIDE = 64, 104, 28  # units around the track
GHOST_ALPHA = 0.6
LABEL, VALUE = 15, 26  # units: heights of a fact's letters


class LivePicture:
    """Draws the cars of races that run on one track.

    Args:
        track: Where they drive.
        car: Which kind of car they are.
        size: Of the picture, px.
    """

    def __init__(self, track: Track, car: Car, size: tuple[int, int]) -> None:
        """Draw the track; the cars come with `draw`."""
        self.track, self.car, self.size = track, car, size
        self._ink, self._scale = Ink(), SpeedScale(0.0, car.max_speed)
        self._last: np.void | None = None
        ground, self._view = _ground(track, size)
        self._driven = ground.copy()  # the track with the line of a car that is alone

    def draw(
        self,
        cars: NDArray[np.void],
        facts: Sequence[tuple[str, str]] = (),
        outcome: tuple[str, bool] | None = None,
        things: NDArray[np.void] | None = None,
    ) -> NDArray[np.uint8]:
        """The picture of this moment, (height, width, 3).

        Args:
            cars: (k,) of `racer.sim.CAR_STATE`.
            facts: Labels and values, written below the track.
            outcome: What ended the episode, and whether that is good.
            things: (b,) of `racer.sim.THING`, boxes and bot cars; None where there are none.
        """
        surface = self.paint(cars, facts, outcome, things=things)
        return np.ascontiguousarray(pygame.surfarray.array3d(surface).swapaxes(0, 1))

    def paint(
        self,
        cars: NDArray[np.void],
        facts: Sequence[tuple[str, str]] = (),
        outcome: tuple[str, bool] | None = None,
        ghost: tuple[float, float, float, float] | None = None,
        things: NDArray[np.void] | None = None,
    ) -> pygame.Surface:
        """The same picture as a surface, to be shown before the next one is painted.

        Args:
            cars, facts, outcome, things: As for `draw`.
            ghost: x, y (m), heading and steering (rad) of one more car, that is compared with.
        """
        if len(cars) == 1:
            self._extend_line(cars[0])
        surface = self._driven.copy()
        for thing in () if things is None else things:
            draw_thing(surface, self._view, self.car, thing)
        if ghost is not None:
            draw_car(surface, self._view, self.car, ghost[:3], ghost[3], car_colors(2)[1], GHOST_ALPHA)
        for state, color in zip(cars, car_colors(len(cars)), strict=True):
            pose = float(state["x"]), float(state["y"]), float(state["heading"])
            draw_car(surface, self._view, self.car, pose, float(state["steering_angle"]), color, 1.0)
        self._write(Canvas(surface, self._ink), facts, outcome)
        return surface

    def _extend_line(self, state: np.void) -> None:
        """Draw the way from where the car was drawn last, or begin anew with another episode."""
        last, self._last = self._last, state.copy()
        if last is None or state["episode"] != last["episode"] or state["steps"] < last["steps"]:
            self._driven = _ground(self.track, self.size)[0].copy()
            return
        way = np.array([[[last["x"], last["y"]], [state["x"], state["y"]]]])
        steps = int(state["steps"] - last["steps"])
        if 0.0 < hypot(*(way[0, 1] - way[0, 0])) <= LONGEST_M * max(steps, 1):
            color = self._scale.colors([float(state["speed"])]).astype(np.float64)
            draw_path(self._driven, self._view, way, color, max(0.042 * self._view.scale, 3.0))

    def _write(self, canvas: Canvas, facts: Sequence[tuple[str, str]], outcome: tuple[str, bool] | None) -> None:
        px, (width, height) = canvas.px, self.size
        left, right = px(SIDE), width - px(SIDE)
        if outcome is not None:
            text, good = outcome
            color = GOOD if good else BAD
            box = pygame.Rect(0, px(16), round(canvas.width(text, LABEL)) + px(28), px(32))
            box.right = right
            canvas.card(box, 16, CARD, color)
            canvas.write(text, box.center, LABEL, color, "center")
            right = box.left - px(14)
        name = canvas.shorten(self.track.metadata.get("title") or self.track.name, VALUE, right - left)
        box = canvas.write(name, (left, px(18)), VALUE, TEXT)
        length = f"{self.track.length:.1f} m" + ("  ·  reversed" if self.track.reversed else "")
        if box.right + px(14) + canvas.width(length, LABEL) < right:
            canvas.write(length, (box.right + px(14), box.bottom - px(2)), LABEL, DIM, "bottomleft")
        if width < NARROW or not facts:
            return
        card = pygame.Rect(px(SIDE - 12), height - px(BOTTOM - 20), width - 2 * px(SIDE - 12), px(BOTTOM - 34))
        canvas.card(card, 12, edge=CARD_EDGE, solid=246)
        for number, (label, value) in enumerate(facts):
            x = card.left + px(22) + (card.width - px(22)) * number // len(facts)
            canvas.write(label, (x, card.top + px(10)), LABEL, SOFT)
            canvas.write(value, (x, card.bottom - px(8)), VALUE, TEXT, "bottomleft")


class LiveWindow:
    """A window that shows pictures as they come, at the pace of the drive."""

    def __init__(self, title: str, frames_per_s: int) -> None:
        """Open nothing yet; the first picture decides how large the window is."""
        self._title, self._frames_per_s = title, frames_per_s
        self._window: pygame.Surface | None = None
        self._clock = pygame.time.Clock()
        self._closed = False

    def show(self, picture: NDArray[np.uint8]) -> None:
        """Show a picture, (height, width, 3), and wait until the next one is due. A window once closed stays closed.

        Raises:
            RacerError: There is no screen.
        """
        if self._closed:
            return
        size = picture.shape[1], picture.shape[0]
        if self._window is None:
            open_display('Pictures without a screen: make the environment with render_mode="rgb_array".')
            pygame.display.set_caption(self._title)
        if self._window is None or self._window.get_size() != size:
            self._window = pygame.display.set_mode(size)
        pygame.surfarray.blit_array(self._window, picture.swapaxes(0, 1))
        pygame.display.flip()
        if any(event.type == pygame.QUIT for event in pygame.event.get()):
            self.close()
            return
        self._clock.tick(self._frames_per_s)

    def close(self) -> None:
        """Close the window."""
        self._closed = True
        if self._window is not None:
            self._window = None
            pygame.display.quit()


@lru_cache(maxsize=16)
def _ground(track: Track, size: tuple[int, int]) -> tuple[pygame.Surface, View]:
    """The track alone, and the camera that sees all of it."""
    surface = pygame.Surface(size, depth=32)
    px = Canvas(surface, Ink()).px
    area = pygame.Rect(px(SIDE), px(TOP), size[0] - 2 * px(SIDE), size[1] - px(TOP) - px(BOTTOM))
    view = View.fit(track, area)
    Ground(track).draw(surface, view)
    return surface, view
