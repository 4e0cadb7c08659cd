"""The window: shows a stage at 60 frames/s, and lets keys and mouse change the playback.

The one invariant: an event changes the `Playback` and nothing else; the next frame shows it. A frame is drawn only
where something has changed, so that a paused window costs next to nothing.
"""

from __future__ import annotations

import dataclasses
import gc
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pygame

from racer.errors import RacerError
from racer.viewer.inputs import next_map
from racer.viewer.scene import View, draw_car
from racer.viewer.screen import GROUND, Layout, car_colors

if TYPE_CHECKING:
    from racer.viewer.playback import Playback
    from racer.viewer.stage import Stage

__all__ = ["default_size", "handle", "open_display", "show"]

FRAMES_PER_S = 60
SMALLEST = (400, 300)  # px that can be drawn on
LARGEST_SHARE = (0.92, 0.84)  # of the screen, for a window's title and the system's own bars
ASPECT = 1.6  # width to height of the window that opens
LEAST_HEIGHT, MOST_HEIGHT = 400, 1600  # px of the same
ARROWS = (pygame.K_LEFT, pygame.K_RIGHT, pygame.K_UP, pygame.K_DOWN)
NUMBERS = range(pygame.K_1, pygame.K_9 + 1)
LONGEST_S = 0.25  # between two frames: a window that was held or moved does not jump on
IDLE_MS = 250  # between two looks at a paused window
ICON = 64  # px
RECORD_INSTEAD = (
    "Draw the replay into a file instead: add --record FILE.png for a picture, "
    "or --record FILE.mp4 or FILE.gif for a film."
)


def show(stage: Stage, size: tuple[int, int] | None, speed: float) -> None:
    """Open a window of `size` px, or of one that suits the screen, and run it until it is closed.

    Raises:
        RacerError: There is no screen.
    """
    open_display()
    gc.collect()
    gc.freeze()  # else a collection of what was loaded before would take two frames, every few seconds
    try:
        _run(stage, size or default_size(pygame.display.get_desktop_sizes()[0]), speed)
    finally:
        gc.unfreeze()
        pygame.display.quit()


def _run(stage: Stage, size: tuple[int, int], speed: float) -> None:
    pygame.display.set_caption(f"racer: {stage.track.name}")
    pygame.display.set_icon(_icon(stage))
    pygame.key.set_repeat(350, 50)
    window = pygame.display.set_mode(size, pygame.RESIZABLE)
    state, clock = stage.playback(speed), pygame.time.Clock()
    held: set[int] = set()
    drawn: object = None
    clock.tick()
    while True:
        window = pygame.display.get_surface() or window  # another one after a resize
        picture = _picture(window)
        seen = (dataclasses.astuple(state), picture.get_size())
        idle = seen == drawn
        if not idle:
            stage.draw(picture, state, hints=True)
            if picture is not window:
                window.blit(picture, (0, 0))
            pygame.display.flip()
            drawn = seen
        fullscreen = state.fullscreen
        for event in _events(held, idle):
            if not handle(event, state, picture.get_size(), stage.listed(picture.get_size(), state)):
                return
            if event.type in (pygame.WINDOWEXPOSED, pygame.WINDOWSIZECHANGED, pygame.WINDOWRESTORED):
                drawn = None
        if state.fullscreen != fullscreen:
            pygame.display.set_mode(*(((0, 0), pygame.FULLSCREEN) if state.fullscreen else (size, pygame.RESIZABLE)))
        passed = clock.tick(FRAMES_PER_S) / 1000.0
        if not state.dragging:
            state.advance(min(passed, LONGEST_S))


def default_size(screen: tuple[int, int]) -> tuple[int, int]:
    """Size of a window that fits a screen of some size, its title and the system's bars included, px.

    It grows with the screen, so that letters stay readable on one with many small pixels.
    """
    widest, highest = (share * side for share, side in zip(LARGEST_SHARE, screen, strict=True))
    height = int(min(max(min(widest / ASPECT, highest), LEAST_HEIGHT), MOST_HEIGHT))
    return round(height * ASPECT), height


def handle(event: pygame.event.Event, state: Playback, size: tuple[int, int], listed: Sequence[int] = ()) -> bool:
    """Let a key or the mouse change the playback.

    Args:
        event: What pygame reports.
        state: Changed in place.
        size: Of the window, px.
        listed: The cars in the list of the running order, from top to bottom.

    Returns:
        Whether to go on; False means quit.
    """
    layout = Layout(*size, state.cars, state.race)
    if event.type == pygame.QUIT:
        return False
    if event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
        if layout.seek_zone.collidepoint(event.pos):
            state.dragging = True
            state.seek(layout.seek_time(event.pos[0], state.duration_s))
        elif layout.bar.collidepoint(event.pos) and event.pos[0] < layout.seek_zone.left:
            state.toggle_pause()
        else:
            for place, car in enumerate(listed if state.cars > 1 else ()):
                if layout.tower_row(place).collidepoint(event.pos):
                    state.focus = car
    elif event.type == pygame.MOUSEBUTTONUP and event.button == 1:
        state.dragging = False
    elif event.type == pygame.MOUSEMOTION:
        over = layout.seek_zone.collidepoint(event.pos)
        instant = layout.seek_time(event.pos[0], state.duration_s)
        state.hover_s = instant if over else None
        if state.dragging:
            state.seek(instant)
    elif event.type == pygame.WINDOWLEAVE:
        state.hover_s = None
    elif event.type == pygame.MOUSEWHEEL:
        if state.hover_s is not None:
            state.seek(state.time_s + event.y)
        else:
            state.zoom_by(event.y)
    elif event.type == pygame.KEYDOWN:
        return _press(event, state)
    return True


def _press(event: pygame.event.Event, state: Playback) -> bool:
    shift = bool(event.mod & pygame.KMOD_SHIFT)
    if event.key in (pygame.K_LEFT, pygame.K_RIGHT):
        change = 1 if event.key == pygame.K_RIGHT else -1
        if shift:
            state.step(change)
        else:
            state.seek(state.time_s + change)
    elif event.unicode == "?" or event.key in (pygame.K_F1, pygame.K_h):
        state.help = not state.help
    elif event.key == pygame.K_ESCAPE and (state.help or state.fullscreen):
        state.help, state.fullscreen = False, state.fullscreen and state.help
    elif event.key in (pygame.K_q, pygame.K_ESCAPE):
        return False
    elif event.key == pygame.K_TAB:
        state.next_car(-1 if shift else 1)
    elif event.key in NUMBERS and event.key - pygame.K_1 < state.cars:
        state.focus = event.key - pygame.K_1
    elif event.key == pygame.K_c:
        state.follow, state.zoom = not state.follow, 1.0
    elif event.key == pygame.K_v:
        state.sensors = not state.sensors
    elif event.key == pygame.K_m:
        state.heat = next_map(state.heat)
    elif event.key == pygame.K_p:
        state.params = not state.params
    elif event.key in (pygame.K_f, pygame.K_F11):
        state.fullscreen = not state.fullscreen
    elif event.key == pygame.K_l:
        state.loop = not state.loop
    elif event.key == pygame.K_SPACE:
        state.toggle_pause()
    elif event.key == pygame.K_r:
        state.restart()
    elif event.key in (pygame.K_UP, pygame.K_DOWN):
        state.pace(1 if event.key == pygame.K_UP else -1)
    return True


def _picture(window: pygame.Surface) -> pygame.Surface:
    """What is drawn on: the window, or something larger than a window that is too small to hold it all."""
    width, height = window.get_size()
    if width >= SMALLEST[0] and height >= SMALLEST[1]:
        return window
    return pygame.Surface((max(width, SMALLEST[0]), max(height, SMALLEST[1])), depth=32)


def _icon(stage: Stage) -> pygame.Surface:
    """The window's icon: the car."""
    picture = pygame.Surface((ICON, ICON), depth=32)
    picture.fill(GROUND)
    car = stage.timelines[0].replay.car
    view = View(0.9 * ICON / float(np.hypot(car.length, car.width)), 0.0, 0.0, ICON / 2, ICON / 2)
    draw_car(picture, view, car, (0.0, 0.0, np.pi / 4.0), 0.3, car_colors(1)[0], 1.0)
    return picture


def _events(held: set[int], idle: bool) -> Iterator[pygame.event.Event]:
    """What happened since; a key that is held down counts once, but for the arrows. If idle, it waits for a while."""
    waited = [pygame.event.wait(IDLE_MS)] if idle else []
    for event in (*waited, *pygame.event.get()):
        if event.type == pygame.KEYDOWN:
            if event.key in held and event.key not in ARROWS:
                continue
            held.add(event.key)
        elif event.type == pygame.KEYUP:
            held.discard(event.key)
        yield event


def open_display(advice: str = RECORD_INSTEAD) -> None:
    """Start the part of SDL that shows windows.

    Args:
        advice: What to do where there is no screen, for the message.

    Raises:
        RacerError: There is no screen.
    """
    os.environ.setdefault("SDL_WINDOWS_DPI_AWARENESS", "permonitorv2")  # else Windows stretches and blurs the window
    chosen = os.environ.get("SDL_VIDEODRIVER")
    screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform.startswith("linux") and not chosen and not screen:
        raise RacerError(f"there is no screen to open a window on. {advice}")
    try:
        pygame.display.init()
    except pygame.error as error:
        raise RacerError(f"no window can be opened ({error}). {advice}") from error
    if not chosen and pygame.display.get_driver() in ("offscreen", "dummy"):
        pygame.display.quit()  # SDL shows a window that nobody sees when it finds no screen
        raise RacerError(f"there is no screen at DISPLAY={screen} to open a window on. {advice}")
