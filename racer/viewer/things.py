"""What stands and drives on the track besides the cars of drivers: boxes and bot cars.

The one invariant: a bot car is where the replay has it, between two of its rows on the straight line between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pygame

from racer.replay import STEP_S
from racer.viewer.scene import View, draw_car
from racer.viewer.screen import FINE, Color, mix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from racer.replay import Replay
    from racer.sim import Car
    from racer.viewer.playback import Moment

__all__ = ["boxes_around_car", "draw_thing", "draw_things"]

BOT: Color = (122, 130, 142)
CARDBOARD: Color = (188, 146, 96)
EDGE: Color = (112, 82, 48)


def draw_things(surface: pygame.Surface, view: View, replay: Replay, time_s: float) -> None:
    """Draw the boxes and bot cars of a race as they are at an instant."""
    if replay.things.size == 0:
        return
    for x, y, heading in _poses(replay.things, time_s).tolist():
        if _are_cars(replay):
            draw_car(surface, view, replay.car, (x, y, heading), 0.0, BOT, 1.0)
        else:
            _draw_box(surface, view, (x, y, heading))


def draw_thing(surface: pygame.Surface, view: View, car: Car, thing: np.void) -> None:
    """Draw a box or a bot car of a running race, a record of `racer.sim.THING`."""
    pose = float(thing["x"]), float(thing["y"]), float(thing["heading"])
    if thing["is_car"]:
        draw_car(surface, view, car, pose, 0.0, BOT, 1.0)
    else:
        _draw_box(surface, view, pose)


def boxes_around_car(
    replay: Replay, moments: Sequence[Moment], going: Sequence[bool], focus: int
) -> NDArray[np.void] | None:
    """What a car has around it, for its sensors: (b,) of `racer.sim.BOX`; None where it is alone.

    Args:
        replay: The race.
        moments: Of its cars, all at one instant.
        going: Which of them are still on the track.
        focus: Number of the car.
    """
    if replay.traffic is None:
        return None
    from racer.sim import CAR_STATE, THING, boxes_around

    there = [car for car in range(len(moments)) if going[car] or car == focus]
    cars = np.zeros((1, len(there)), CAR_STATE)
    things = np.zeros((1, replay.things.shape[1]), THING)
    for place, car in enumerate(there):
        one = moments[car]
        cars["x"][0, place], cars["y"][0, place], cars["heading"][0, place] = one.x, one.y, one.heading
    if things.size:
        poses = _poses(replay.things, moments[focus].time_s)
        things["x"], things["y"], things["heading"] = poses.T
        things["is_car"] = _are_cars(replay)
    boxes: NDArray[np.void] = boxes_around(cars, replay.car, things)[0, min(there.index(focus), len(there) - 1)]
    return boxes


def _are_cars(replay: Replay) -> bool:
    """Whether what stands and drives there looks like cars."""
    traffic = replay.traffic
    return traffic is not None and (traffic.bots is not None or (traffic.boxes is not None and traffic.boxes.as_cars))


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
