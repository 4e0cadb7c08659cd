"""The window: shows a stage at 60 frames/s, and lets keys and mouse change the playback.

The one invariant: an event changes the `Playback` and nothing else; the next frame shows it.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pygame

from racer.errors import RacerError
from racer.viewer.screen import Layout

if TYPE_CHECKING:
    from racer.viewer.playback import Playback
    from racer.viewer.stage import Stage

__all__ = ["handle", "show"]

FRAMES_PER_S = 60
SMALLEST = (400, 300)  # px that can be drawn on
ARROWS = (pygame.K_LEFT, pygame.K_RIGHT, pygame.K_UP, pygame.K_DOWN)
LONGEST_S = 0.25  # between two frames: a window that was held or moved does not jump on


def show(stage: Stage, size: tuple[int, int], speed: float) -> None:
    """Open a window of `size` px and run it until it is closed.

    Raises:
        RacerError: There is no screen.
    """
    _open_display()
    gc.collect()
    gc.freeze()  # else a collection of what was loaded before would take two frames, every few seconds
    try:
        pygame.display.set_caption(f"racer: {stage.track.name}")
        pygame.key.set_repeat(350, 50)
        window = pygame.display.set_mode(size, pygame.RESIZABLE)
        state, clock = stage.playback(speed), pygame.time.Clock()
        held: set[int] = set()
        clock.tick()
        picture = _picture(window)
        while all([handle(event, state, picture.get_size()) for event in _events(held)]):
            window = pygame.display.get_surface() or window  # another one after a resize
            picture = _picture(window)
            stage.draw(picture, state, hints=True)
            if picture is not window:
                window.blit(picture, (0, 0))
            pygame.display.flip()
            passed = clock.tick(FRAMES_PER_S) / 1000.0
            if not state.dragging:
                state.advance(min(passed, LONGEST_S))
    finally:
        gc.unfreeze()
        pygame.display.quit()


def handle(event: pygame.event.Event, state: Playback, size: tuple[int, int]) -> bool:
    """Let a key or the mouse change the playback.

    Args:
        event: What pygame reports.
        state: Changed in place.
        size: Of the window, px.

    Returns:
        Whether to go on; False means quit.
    """
    layout = Layout(*size)
    if event.type == pygame.QUIT:
        return False
    if event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
        if layout.seek_zone.collidepoint(event.pos):
            state.dragging = True
            state.seek(layout.seek_time(event.pos[0], state.duration_s))
        elif layout.bar.collidepoint(event.pos) and event.pos[0] < layout.seek_zone.left:
            state.toggle_pause()
    elif event.type == pygame.MOUSEBUTTONUP and event.button == 1:
        state.dragging = False
    elif event.type == pygame.MOUSEMOTION and state.dragging:
        state.seek(layout.seek_time(event.pos[0], state.duration_s))
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
    elif event.key == pygame.K_ESCAPE and state.help:
        state.help = False
    elif event.key in (pygame.K_q, pygame.K_ESCAPE):
        return False
    elif event.key == pygame.K_TAB:
        state.next_car(-1 if shift else 1)
    elif event.key == pygame.K_c:
        state.follow = not state.follow
    elif event.key == pygame.K_v:
        state.eyes = not state.eyes
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


def _events(held: set[int]) -> Iterator[pygame.event.Event]:
    """What happened since; a key that is held down counts once, but for the arrows."""
    for event in pygame.event.get():
        if event.type == pygame.KEYDOWN:
            if event.key in held and event.key not in ARROWS:
                continue
            held.add(event.key)
        elif event.type == pygame.KEYUP:
            held.discard(event.key)
        yield event


def _open_display() -> None:
    advice = (
        "Draw the replay into a file instead: add --record FILE.png for a picture, "
        "or --record FILE.mp4 or FILE.gif for a film."
    )
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
