"""What stands and drives on the track besides the cars of drivers: boxes and bot cars.

The one invariant: a bot car is where the replay has it, between two of its rows on the straight line between them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pygame

from racer.replay import STEP_S
from racer.viewer.scene import View, draw_car
from racer.viewer.screen import FINE, Color, mix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from racer.replay import Replay

__all__ = ["draw_things"]

BOT: Color = (122, 130, 142)
CARDBOARD: Color = (188, 146, 96)
EDGE: Color = (112, 82, 48)


def draw_things(surface: pygame.Surface, view: View, replay: Replay, time_s: float) -> None:
    """Draw the boxes and bot cars of a race as they are at an instant."""
    traffic = replay.traffic
    if traffic is None or replay.things.size == 0:
        return
    are_cars = traffic.bots is not None or (traffic.boxes is not None and traffic.boxes.as_cars)
    for x, y, heading in _poses(replay.things, time_s).tolist():
        if are_cars:
            draw_car(surface, view, replay.car, (x, y, heading), 0.0, BOT, 1.0)
        else:
            _draw_box(surface, view, (x, y, heading))


def _poses(things: NDArray[np.void], time_s: float) -> NDArray[np.float64]:
    """(b, 3): x and y, m, and heading, rad."""
    last = len(things) - 1
    row = min(int(time_s / STEP_S + 1e-6), last)
    part = min(max(time_s / STEP_S - row, 0.0), 1.0)
    before, after = things[row], things[min(row + 1, last)]
    turn = (after["heading"] - before["heading"] + np.pi) % (2.0 * np.pi) - np.pi
    change = np.stack([after["x"] - before["x"], after["y"] - before["y"], turn], axis=1)
    poses: NDArray[np.float64] = np.stack([before["x"], before["y"], before["heading"]], axis=1) + part * change
    return poses


def _draw_box(surface: pygame.Surface, view: View, pose: tuple[float, float, float]) -> None:
    """A cardboard box from above, to scale, with its flaps' seam."""
    from racer.sim import BOX_SEEN_M  # brings Numba, which who only looks at a drive does not wait for

    x, y, heading = pose
    size = np.array(BOX_SEEN_M[:2])
    center = view.to_screen((x, y))
    half = int(np.ceil(0.5 * np.hypot(*size) * view.scale)) + 2
    corner = np.floor(center) - half
    sprite = pygame.Surface((2 * half * FINE, 2 * half * FINE), pygame.SRCALPHA)
    turn = np.array([[np.cos(heading), -np.sin(heading)], [-np.sin(heading), -np.cos(heading)]]) * (view.scale * FINE)

    def placed(points: list[tuple[float, float]]) -> list[list[float]]:
        shown: list[list[float]] = (np.array(points) * 0.5 * size @ turn.T + (center - corner) * FINE).tolist()
        return shown

    outline = placed([(1, 1), (-1, 1), (-1, -1), (1, -1)])
    edge = max(1, round(0.012 * view.scale * FINE))
    pygame.draw.polygon(sprite, CARDBOARD, outline)
    pygame.draw.polygon(
        sprite, mix(CARDBOARD, (255, 255, 255), 0.35), placed([(1, 0.14), (-1, 0.14), (-1, -0.14), (1, -0.14)])
    )
    pygame.draw.polygon(sprite, EDGE, outline, edge)
    small = pygame.transform.smoothscale(sprite, (2 * half, 2 * half))
    surface.blit(small, corner.astype(int).tolist(), special_flags=pygame.BLEND_PREMULTIPLIED)
