"""The inputs: what the reward function of the car in focus is given at an instant, and heat maps of its drive.

The one invariant: the table holds the `params` of the step under way, as the reward function was given them before it
paid what the panel shows; they are computed from the replay's row alone.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pygame

from racer.replay import HEAT_COLORS, HEAT_MAPS, STEP_S, HeatMap, course_of, heat_map, samples_of
from racer.reward import params_at
from racer.viewer.screen import ACCENT, CARD_EDGE, DIM, SOFT, TEXT, Canvas, Color

if TYPE_CHECKING:
    from racer.viewer.panel import Rider
    from racer.viewer.playback import Timeline
    from racer.viewer.scene import View

__all__ = ["Inputs", "next_map", "params_of_step"]

FIRST_STEP = 2  # `steps` of the first call in an episode
WIDTH, ROW, HEAD = 268, 17, 40  # units
COLORS: tuple[Color, ...] = tuple(
    (int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)) for color in HEAT_COLORS
)


class Inputs:
    """Draws the table of `params`, and heat maps.

    Args:
        reads: the keys that the reward function reads; they are written brighter, and come first.
    """

    def __init__(self, reads: Collection[str] = ()) -> None:
        """Draw nothing yet."""
        self._reads = frozenset(reads)
        self._map = lru_cache(maxsize=8)(_map_of)
        self._params = lru_cache(maxsize=64)(params_of_step)

    def draw_map(self, surface: pygame.Surface, view: View, timeline: Timeline, kind: str) -> None:
        """Colour the road by what happened there in the whole drive; `kind` is one of `HEAT_MAPS`."""
        found = self._map(timeline, kind)
        corners = view.to_screen(found.corners)
        on = ((corners.max(axis=1) > 0.0) & (corners.min(axis=1) < surface.get_size())).all(axis=1)
        for polygon, level in zip(corners[on].tolist(), found.levels[on].tolist(), strict=True):
            pygame.draw.polygon(surface, COLORS[level], polygon)

    def draw_legend(self, canvas: Canvas, timeline: Timeline, kind: str) -> None:
        """Say what the map's colours mean, below the track's name."""
        found, px = self._map(timeline, kind), canvas.px
        low, high = found.ends
        box = canvas.write(f"map of {kind}   {low:.3g}", (px(24), px(52)), 13, SOFT, "midleft")
        left = box.right + px(8)
        for color in COLORS:
            pygame.draw.rect(canvas.surface, color, (left, px(47), px(14), px(10)))
            left += px(14)
        canvas.write(f"{high:.3g} {found.unit}", (left + px(8), px(52)), 13, SOFT, "midleft")

    def draw_table(self, canvas: Canvas, rider: Rider) -> None:
        """Write all keys with their values beside the instruments, as many as there is room for."""
        px, side = canvas.px, canvas.layout.side
        params = self._params(rider.timeline, row_at(rider.timeline, rider.moment.time_s))
        keys = sorted((key for key in params if "object" not in key), key=lambda key: key not in self._reads)
        box = pygame.Rect(0, side.top, px(WIDTH), px(HEAD + 12 + ROW * len(keys)))
        box.height, box.right = min(box.height, side.height), side.left - px(10)
        canvas.card(box, 12, edge=CARD_EDGE, solid=246)
        canvas.write("PARAMS", (box.left + px(14), box.top + px(13)), 12, DIM)
        paid = f"reward {rider.moment.reward:.4g}"
        canvas.write(paid, (box.right - px(14), box.top + px(11)), 14, ACCENT, "topright")
        for place, key in enumerate(keys):
            y = box.top + px(HEAD + ROW * place)
            if y + px(ROW) > box.bottom:
                break
            bright = not self._reads or key in self._reads
            label = canvas.write(key, (box.left + px(14), y), 13, TEXT if bright else DIM)
            room = box.right - px(14) - label.right - px(8)
            value = canvas.shorten(_said(params[key]), 13, room)
            canvas.write(value, (box.right - px(14), y), 13, TEXT if bright else DIM, "topright")


def next_map(kind: str) -> str:
    """The map after one, none after the last, the first after none."""
    kinds = ("", *HEAT_MAPS)
    return kinds[(kinds.index(kind) + 1) % len(kinds)]


def row_at(timeline: Timeline, time_s: float) -> int:
    """The step under way at an instant."""
    return min(max(int(time_s / STEP_S + 1e-5), 0), len(timeline.replay.steps) - 1)


def params_of_step(timeline: Timeline, row: int) -> dict[str, Any]:
    """The `params` that a reward function was given in a step of the first car's drive.

    Objects on the track are not among them.
    """
    replay = timeline.replay
    step, track, car = replay.steps[row], replay.track, replay.car
    heading = float(step["heading"])
    ahead = car.front_point
    began = int(np.flatnonzero(replay.steps["restart"][: row + 1])[-1])
    found = params_at(
        track,
        float(step["x"]) + ahead * math.cos(heading),
        float(step["y"]) + ahead * math.sin(heading),
        heading,
        car=car,
        speed=float(step["speed_command"]),
        steering_angle=math.radians(float(step["steering_command_deg"])),
        steps=row - began + FIRST_STEP,
    )
    if row > 0 and not step["restart"] and replay.steps["lap"][row - 1] < step["lap"]:
        found["progress"] = 100.0  # the step that finds a lap complete
        return found
    lap = next((one for one in replay.laps if one.index == step["lap"]), None)
    if lap is not None:
        driven, when = course_of(replay.drives[0], lap, track.length)
        here = float(np.interp(row * STEP_S - lap.start_s, when, driven))
        found["progress"] = min(100.0, 100.0 * here / track.length)
    return found


def _map_of(timeline: Timeline, kind: str) -> HeatMap:
    return heat_map(timeline.replay.track, samples_of(timeline.replay.drives[0]), kind)


def _said(value: Any) -> str:
    """A value as the table writes it."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating):
        return f"{value:.0f}" if float(value).is_integer() else f"{value:.3f}"
    if isinstance(value, list | tuple) and len(value) > 4:
        return f"{len(value)} of them"
    if isinstance(value, list | tuple):
        return ", ".join(map(_said, value))
    return str(value)
