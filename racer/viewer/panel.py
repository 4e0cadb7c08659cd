"""The panel: the instruments of the car in focus.

The one invariant: an instrument shows what a `Moment` says, and keeps only pictures between two frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pygame

from racer.viewer.playback import Timeline
from racer.viewer.screen import (
    ACCENT,
    BAD,
    CARD,
    CARD_EDGE,
    DIM,
    FINE,
    GOOD,
    SOFT,
    TEXT,
    WELL,
    Canvas,
    Color,
    SpeedScale,
    clock,
    mix,
)

if TYPE_CHECKING:
    from racer.viewer.playback import Moment

__all__ = ["Panel", "Rider"]

HEAD, GRAPH = 44, 90  # units: of the driver's name, and of the reward at least


@dataclass(frozen=True)
class Rider:
    """A car as it is listed and drawn."""

    name: str
    color: Color
    timeline: Timeline
    moment: Moment


class Panel:
    """Draws the card of instruments.

    Args:
        scale: Colours of speeds; its end is that of the speed gauge too.
    """

    def __init__(self, scale: SpeedScale) -> None:
        """Draw nothing yet."""
        self.scale = scale
        self._gauges: dict[tuple[int, int], pygame.Surface] = {}

    def draw(self, canvas: Canvas, rider: Rider) -> None:
        """Draw the instruments of one car, as many as the window has room for."""
        px, side, replay = canvas.px, canvas.layout.side, rider.timeline.replay
        canvas.card(side, 12, edge=CARD_EDGE, solid=246)
        box = side.inflate(-px(36), -px(32))
        canvas.dot((box.left + px(6), box.top + px(11)), 6, rider.color)
        canvas.write(canvas.shorten(rider.name, 20, box.width - px(22)), (box.left + px(22), box.top), 20, TEXT)
        about = f"{replay.reward}  ·  {replay.car.name}  ·  seed {replay.seed}"
        canvas.write(canvas.shorten(about, 12, box.width), (box.left, box.top + px(29)), 12, DIM)
        parts = ((86, self._lap), (58, self._sectors), (134, self._speed), (62, self._controls))
        least = px(HEAD + GRAPH) + sum(px(height) for height, _ in parts)
        gap = min(max((box.height - least) // (len(parts) + 1), px(8)), px(30))
        y = box.top + px(HEAD) + gap
        for height, part in parts:
            if y + px(height) <= box.bottom:
                part(canvas, rider, pygame.Rect(box.left, y, box.width, px(height)))
            y += px(height) + gap
        if y + px(GRAPH) <= box.bottom:
            self._reward(canvas, rider, pygame.Rect(box.left, y, box.width, box.bottom - y))

    def _lap(self, canvas: Canvas, rider: Rider, box: pygame.Rect) -> None:
        left, right, top = box.left, box.right, box.top
        px, moment = canvas.px, rider.moment
        label = canvas.write("LAP", (left, top), 12, DIM)
        number = f"{moment.lap.index} / {len(rider.timeline.laps)}"
        canvas.write(number, (label.right + px(8), label.bottom + px(2)), 17, TEXT, "bottomleft")
        corner = (right, label.bottom + px(2))
        if moment.crashed:
            canvas.write("off track" if moment.lap.off_track else "not finished", corner, 16, BAD, "bottomright")
        elif moment.held:
            canvas.write("penalty", corner, 16, BAD, "bottomright")
        elif moment.gap_s is not None:
            canvas.write(f"{moment.gap_s:+.3f}", corner, 17, BAD if moment.gap_s > 0 else GOOD, "bottomright")
        best = moment.lap_ended and moment.lap.complete and moment.best_s == moment.lap.time_s
        color = BAD if moment.crashed else GOOD if best else TEXT
        canvas.write(clock(moment.lap_time_s), (left - px(2), top + px(18)), 44, color)
        last = "-" if moment.last is None else clock(moment.last.time_s) if moment.last.complete else "no time"
        fastest = "-" if moment.best_s is None else clock(moment.best_s)
        if moment.percent_of_mark is not None:
            fastest += f" {moment.percent_of_mark:.0f} %"
        for x, name, value in ((left, "LAST", last), ((left + right) / 2, "BEST", fastest)):
            label = canvas.write(name, (x, top + px(73)), 12, DIM)
            canvas.write(value, (label.right + px(8), label.bottom + px(1)), 15, TEXT, "bottomleft")

    def _sectors(self, canvas: Canvas, rider: Rider, box: pygame.Rect) -> None:
        moment = rider.moment
        px, width = canvas.px, (box.width - 2 * canvas.px(6)) / 3
        for number, sector in enumerate(moment.sectors):
            cell = pygame.Rect(round(box.left + number * (width + px(6))), box.top, round(width), box.height)
            running = sector.time_s is not None and not sector.done and not moment.lap_ended
            canvas.card(cell, 7, WELL, ACCENT if running else WELL)
            canvas.write(f"S{number + 1}", (cell.left + px(9), cell.top + px(7)), 11, DIM)
            time = "-" if sector.time_s is None else clock(sector.time_s)
            canvas.write(time, (cell.left + px(9), cell.top + px(21)), 16, TEXT if sector.done else SOFT)
            if sector.delta_s is not None:
                tint = BAD if sector.delta_s > 0.0005 else GOOD
                canvas.write(f"{sector.delta_s:+.3f}", (cell.left + px(9), cell.top + px(40)), 12, tint)

    def _speed(self, canvas: Canvas, rider: Rider, box: pygame.Rect) -> None:
        px, moment, center, top = canvas.px, rider.moment, box.centerx, box.top
        key = (round(100 * min(max(moment.speed / self.scale.high, 0.0), 1.0)), px(100))
        if key not in self._gauges:
            self._gauges[key] = self._gauge(*key)
        place = self._gauges[key].get_rect(midtop=(center, top))
        canvas.surface.blit(self._gauges[key], place, special_flags=pygame.BLEND_PREMULTIPLIED)
        canvas.write(f"{max(moment.speed, 0.0):.2f}", (center, top + px(82)), 38, TEXT, "center")
        canvas.write("m/s", (center, top + px(112)), 12, DIM, "center")

    def _gauge(self, level: int, radius: int) -> pygame.Surface:
        """A bow from 200° to -20°, coloured up to `level` percent; premultiplied alpha."""
        picture = pygame.Surface((2 * radius * FINE, round(1.4 * radius) * FINE), pygame.SRCALPHA)
        angles = np.radians(200.0 - 2.2 * np.arange(101))
        rays = np.stack([np.cos(angles), -np.sin(angles)], axis=1) * radius * FINE
        outer, inner = (rays * 0.98 + radius * FINE).tolist(), (rays * 0.87 + radius * FINE).tolist()
        for place, color in enumerate(self.scale.colors((np.arange(100) + 0.5) / 100 * self.scale.high).tolist()):
            band = (outer[place], outer[place + 1], inner[place + 1], inner[place])
            pygame.draw.polygon(picture, color if place < level else WELL, band)
        return pygame.transform.smoothscale(picture, (2 * radius, round(1.4 * radius)))

    def _controls(self, canvas: Canvas, rider: Rider, box: pygame.Rect) -> None:
        """What the driver wants: the speed, and the steering as a mark on what the wheels do."""
        px, surface, moment = canvas.px, canvas.surface, rider.moment
        throttle, steering = (pygame.Rect(box.left, box.top + px(y), box.width, px(8)) for y in (17, 54))
        values = (f"{moment.speed_command:.2f} m/s", f"{round(math.degrees(moment.steering)):+d}°")
        for well, name, value in zip((throttle, steering), ("THROTTLE", "STEERING"), values, strict=True):
            canvas.write(name, (box.left, well.top - px(17)), 11, DIM)
            canvas.write(value, (box.right, well.top - px(17)), 12, SOFT, "topright")
            canvas.card(well, 4, WELL)
        share = min(max(moment.speed_command / self.scale.high, 0.0), 1.0)
        filled = pygame.Rect(*throttle.topleft, round(share * throttle.width), throttle.height)
        pygame.draw.rect(surface, GOOD, filled, border_radius=px(4))

        def place(angle: float) -> float:
            share = min(max(angle / max(rider.timeline.replay.car.max_steering, 1e-9), -1.0), 1.0)
            return steering.centerx - share * steering.width / 2  # left is left

        low, high = sorted((place(0.0), place(moment.steering)))
        pygame.draw.rect(surface, ACCENT, (round(low), steering.top, max(round(high - low), 1), steering.height))
        mark = pygame.Rect(0, 0, max(px(3), 2), steering.height + px(6))
        mark.center = (round(place(moment.steering_command)), steering.centery)
        pygame.draw.rect(surface, TEXT, mark, border_radius=px(1))

    def _reward(self, canvas: Canvas, rider: Rider, box: pygame.Rect) -> None:
        px, surface, rewards = canvas.px, canvas.surface, rider.moment.recent_rewards
        label = canvas.write("REWARD", box.topleft, 11, DIM)
        canvas.write("SUM OF THE LAP", box.topright, 11, DIM, "topright")
        value = canvas.write(f"{rider.moment.reward:.3f}", (box.left, label.bottom + px(3)), 18, TEXT)
        canvas.write(f"{rider.moment.lap_reward:.2f}", (box.right, value.top), 18, TEXT, "topright")
        graph = pygame.Rect(box.left, value.bottom + px(6), box.width, box.bottom - value.bottom - px(6))
        graph.height = min(graph.height, px(130))
        low, high = min(float(rewards.min()), 0.0), max(float(rewards.max()), 0.0)
        span = max(high - low, 1e-9)
        x = graph.right - np.arange(len(rewards))[::-1] / (Timeline.RECENT_STEPS - 1) * graph.width
        y = graph.bottom - (rewards - low) / span * graph.height
        zero = graph.bottom + low / span * graph.height
        pygame.draw.line(surface, WELL, (graph.left, zero), (graph.right, zero))
        if len(rewards) > 1:
            line = np.stack([x, y], axis=1).tolist()
            pygame.draw.polygon(surface, mix(CARD, rider.color, 0.16), [(x[0], zero), *line, (x[-1], zero)])
            pygame.draw.aalines(surface, mix(CARD, rider.color, 0.85), False, line)
        canvas.dot((float(x[-1]), float(y[-1])), 3, rider.color)
