"""The overlay: what is said about the race as a whole, around the track: title, cars, legend, time bar, keys.

The one invariant: the time bar runs from the start of the race to the end of the longest replay, both
for the mouse (`Layout.seek_time`) and for the eye.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pygame

from racer.viewer.screen import (
    ACCENT,
    BAD,
    CARD_EDGE,
    DIM,
    GROUND,
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
    from racer.track import Track
    from racer.viewer.panel import Rider
    from racer.viewer.playback import Playback

__all__ = ["draw_help", "draw_legend", "draw_shade", "draw_tags", "draw_time", "draw_title"]

HINTS = (("space", "pause"), ("arrows", "seek, speed"), ("c", "follow"), ("tab", "next car"), ("?", "all keys"))
KEYS = (
    ("space", "pause, continue"),
    ("left   right", "one second back, forward"),
    ("shift + left   right", "one step back, forward"),
    ("up   down", "faster, slower"),
    ("r", "restart"),
    ("l", "loop"),
    ("c", "follow the car, or show the whole track"),
    ("v", "what the car observes"),
    ("p", "what the reward function is given: params"),
    ("m", "map of reward, of speed, of visits, none"),
    ("tab   1 to 9", "next car, or the car of that number"),
    ("f", "full screen"),
    ("mouse", "drag the time bar, click a row, wheel to zoom"),
    ("?", "this help"),
    ("q   esc", "quit"),
)


def draw_title(canvas: Canvas, track: Track) -> None:
    """Name the track."""
    px = canvas.px
    left, right = px(24), canvas.layout.side.left - px(24)
    name = canvas.shorten(track.metadata.get("title") or track.name, 22, 0.6 * (right - left))
    box = canvas.write(name, (left, px(16)), 22, TEXT)
    facts = f"{track.length:.1f} m  ·  {track.width:.2f} m wide" + ("  ·  reversed" if track.reversed else "")
    if box.right + px(14) + canvas.width(facts, 13) < right:
        canvas.write(facts, (box.right + px(14), box.bottom - px(2)), 13, DIM, "bottomleft")


def draw_tags(canvas: Canvas, tags: Sequence[tuple[str, Color, tuple[float, float]]], reach: float) -> None:
    """Name cars above where they are, or below at the top; tags that meet move out of each other's way.

    Args:
        canvas: What is drawn on.
        tags: Name, colour and place (px) of each car; the first is the one in focus.
        reach: How far a car stretches from its place, px.
    """
    px, top = canvas.px, canvas.px(76)
    taken: list[pygame.Rect] = []
    for number, (name, color, at) in enumerate(tags):
        label = canvas.shorten(name, 12, px(120))
        width, height = round(canvas.width(label, 12)) + px(14), px(19)
        box = pygame.Rect(round(at[0]) - width // 2, round(at[1] - reach) - height, width, height)
        upwards = box.top >= top
        if not upwards:
            box.top = max(round(at[1] + reach), top)
        while (hit := box.collidelist(taken)) >= 0:
            box.bottom = taken[hit].top - px(2)
            upwards = upwards and box.top >= top
            if not upwards:
                box.top = taken[hit].bottom + px(2)
        taken.append(box)
        canvas.card(box, 5, GROUND, color if number == 0 else mix(color, GROUND, 0.55), 215)
        canvas.write(label, box.center, 12, TEXT if number == 0 else mix(color, TEXT, 0.3), "center")


def draw_legend(canvas: Canvas, scale: SpeedScale, hints: bool) -> None:
    """Say what the trail's colours mean, and which keys there are."""
    px, y = canvas.px, canvas.layout.bar.top - canvas.px(20)
    box = canvas.write(f"{scale.low:g}", (px(24), y), 12, SOFT, "midleft")
    strip = pygame.Rect(box.right + px(8), y - px(4), px(130), px(8))
    _paint(canvas.surface, strip, scale, np.linspace(scale.low, scale.high, strip.width))
    box = canvas.write(f"{scale.high:g} m/s", (strip.right + px(8), y), 12, SOFT, "midleft")
    if hints:
        left = canvas.layout.side.left - px(24)
        for key, meaning in reversed(HINTS):
            width = px(24) + canvas.width(key, 12) + canvas.width(meaning, 12)
            if left - width < box.right + px(20):
                break
            left = canvas.write(meaning, (left, y), 12, DIM, "midright").left - px(6)
            left = canvas.write(key, (left, y), 12, SOFT, "midright").left - px(18)


def draw_time(canvas: Canvas, riders: Sequence[Rider], state: Playback, scale: SpeedScale) -> None:
    """Draw the time bar with the laps of the car in focus; what has passed is coloured by its speed.

    Beneath it is when that car was held for a penalty, on it when somebody ran into something, in that car's colour.
    """
    rider = riders[state.focus]
    px, surface, bar, seek = canvas.px, canvas.surface, canvas.layout.bar, canvas.layout.seek
    canvas.card(bar, 12, edge=CARD_EDGE, solid=246)
    x, y, size = bar.left + px(26), bar.centery, px(9)
    if state.paused:
        triangle = [(x - 0.6 * size, y - size), (x + size, y), (x - 0.6 * size, y + size)]
        pygame.draw.polygon(surface, TEXT, triangle)
        pygame.draw.aalines(surface, TEXT, True, triangle)
    else:
        for left in (x - px(7), x + px(2)):
            pygame.draw.rect(surface, TEXT, (left, y - size, px(5), 2 * size), border_radius=px(1))
    canvas.write(clock(state.time_s)[:-2], (bar.left + px(52), y), 16, TEXT, "midleft")
    canvas.write(clock(state.duration_s)[:-2], (seek.right + px(22), y), 14, SOFT, "midleft")
    pace = canvas.write(f"{state.speed:g}x", (bar.right - px(18), y), 16, TEXT, "midright")
    if state.loop:
        canvas.write("loop", (pace.left - px(10), y), 12, ACCENT, "midright")
    canvas.card(seek, 3, WELL)

    def place(time_s: float) -> float:
        return seek.left + time_s / state.duration_s * seek.width

    handle, speed = place(state.time_s), rider.timeline.speed
    passed = pygame.Rect(*seek.topleft, round(min(handle, place(rider.timeline.end_s))) - seek.left, seek.height)
    rows = np.arange(passed.width) / seek.width * state.duration_s / rider.timeline.end_s * len(speed)
    _paint(surface, passed, scale, speed[np.minimum(rows.astype(int), len(speed) - 1)])
    for lap in rider.timeline.laps:
        mark, end = place(lap.start_s), place(lap.start_s + lap.time_s)
        pygame.draw.rect(surface, DIM, (round(mark), seek.top - px(5), max(px(1), 1), seek.height + px(10)))
        name = f"lap {lap.index}" if end - mark > px(64) else str(lap.index)
        if end - mark > px(16):
            above = (mark + px(6), seek.top - px(3))
            canvas.write(name, above, 11, SOFT if lap.complete else BAD, "bottomleft")
    for begin_s, end_s in rider.timeline.penalties:
        begin, end = round(place(begin_s)), round(place(end_s))
        pygame.draw.rect(
            surface, BAD, (begin, seek.bottom + px(3), max(end - begin, px(2)), px(3)), border_radius=px(1)
        )
    for other in (*(one for one in riders if one is not rider), rider):
        for crash_s in other.timeline.crashes:
            size, there, middle = px(6 if other is rider else 4), place(crash_s), seek.centery
            diamond = [(there, middle - size), (there + size, middle), (there, middle + size), (there - size, middle)]
            pygame.draw.polygon(surface, BAD if other is rider else mix(other.color, WELL, 0.35), diamond)
            pygame.draw.aalines(surface, GROUND, True, diamond)
    if state.hover_s is not None and not state.dragging:
        under = place(state.hover_s)
        pygame.draw.rect(surface, SOFT, (round(under), seek.top - px(5), max(px(1), 1), seek.height + px(10)))
        text = clock(state.hover_s)[:-2]
        tip = pygame.Rect(0, 0, round(canvas.width(text, 12)) + px(14), px(20))
        tip.midbottom = round(under), bar.top - px(4)
        canvas.card(tip, 5, GROUND, CARD_EDGE)
        canvas.write(text, tip.center, 12, TEXT, "center")
    canvas.dot((handle, seek.centery), 8, TEXT)
    canvas.dot((handle, seek.centery), 5, rider.color)


def draw_help(canvas: Canvas) -> None:
    """Lay a card with all keys over the darkened picture."""
    px, surface = canvas.px, canvas.surface
    surface.fill((90, 90, 90), special_flags=pygame.BLEND_RGB_MULT)
    box = pygame.Rect(0, 0, px(600), px(88 + 33 * len(KEYS)))
    box.center = surface.get_rect().center
    canvas.card(box, 14, edge=CARD_EDGE)
    canvas.write("Keys", (box.left + px(32), box.top + px(24)), 24, TEXT)
    for row, (key, meaning) in enumerate(KEYS):
        y = box.top + px(86 + 33 * row)
        canvas.write(key, (box.left + px(32), y), 15, ACCENT, "midleft")
        canvas.write(meaning, (box.left + px(210), y), 15, TEXT, "midleft")


def draw_shade(canvas: Canvas) -> None:
    """Darken the scene behind title and legend, for when the road runs there."""
    width, top, bottom = canvas.layout.width, canvas.px(120), canvas.px(190)
    canvas.surface.blit(_shade(width, top, False), (0, 0), special_flags=pygame.BLEND_PREMULTIPLIED)
    place = (0, canvas.layout.height - bottom)
    canvas.surface.blit(_shade(width, bottom, True), place, special_flags=pygame.BLEND_PREMULTIPLIED)


@lru_cache(maxsize=8)
def _shade(width: int, height: int, up: bool) -> pygame.Surface:
    picture = pygame.Surface((width, height), pygame.SRCALPHA)
    for row in range(height):
        strength = (row / height if up else 1.0 - row / height) ** 0.45
        color = [round(channel * strength) for channel in (*GROUND, 240)]
        pygame.draw.line(picture, color, (0, row), (width, row))
    return picture


def _paint(surface: pygame.Surface, box: pygame.Rect, scale: SpeedScale, speed: np.ndarray) -> None:
    """Fill a box with the colours of speeds, one for each of its columns."""
    if len(speed) and surface.get_rect().contains(box):
        colors = np.broadcast_to(scale.colors(speed)[:, None], (*box.size, 3))
        pygame.surfarray.blit_array(surface.subsurface(box), colors)
