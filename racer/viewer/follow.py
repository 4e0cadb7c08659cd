"""The window that follows a training: it shows the newest clip again and again, until there is a newer one.

Invariant: it only reads. It may be closed and opened while the training goes on, and ends when the training does.
"""

from __future__ import annotations

import contextlib
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pygame

from racer.errors import FileError, RunError
from racer.replay import STEP_S
from racer.shelf import refuse_existing, replacing
from racer.viewer.clip import Clip, load_clip
from racer.viewer.live import LivePicture
from racer.viewer.window import default_size, open_display

if TYPE_CHECKING:
    from racer.sim import Car
    from racer.track import Track

__all__ = ["follow", "save_clip_picture"]

FRAMES_PER_S = 25
SIZE = (1280, 800)  # px of a picture
QUIT = (pygame.K_q, pygame.K_ESCAPE)
LOOK_S = 0.5  # between two looks for a newer clip
LAST_S = 3.0  # that the last clip is shown after the end of the training
WAITING = "waiting for the training"
ADVICE = "The training does not need one: leave out --watch, and draw what was learned with `racer watch --record`."


def follow(folder: Path, track: Track, car: Car, size: tuple[int, int] | None = None, speed: float = 2.0) -> None:
    """Open a window on the cars of a training, until it is closed or the training ends.

    Args:
        folder: of the run.
        track: the first one of it.
        car: what is driven.
        size: of the window, px; by default what suits the screen.
        speed: 1 is real time.

    Raises:
        RacerError: there is no screen.
        RunError: what the training writes is damaged.
    """
    open_display(ADVICE)
    try:
        pygame.display.set_caption(f"racer: {folder.name} learns")
        window = pygame.display.set_mode(size or default_size(pygame.display.get_desktop_sizes()[0]), pygame.RESIZABLE)
        _run(window, folder, track, car, speed)
    finally:
        pygame.display.quit()


def _run(window: pygame.Surface, folder: Path, track: Track, car: Car, speed: float) -> None:
    clock, clip, at, looked = pygame.time.Clock(), None, 0.0, -math.inf
    ended: float | None = None
    picture = LivePicture(track, car, window.get_size())
    while ended is None or time.monotonic() - ended < LAST_S:
        now = time.monotonic()
        if now - looked > LOOK_S:
            looked, newest = now, load_clip(folder)
            if newest is not None and (clip is None or newest.facts.number != clip.facts.number):
                clip, at = newest, 0.0
            if newest is not None and newest.facts.over and ended is None:
                ended = now
        for event in pygame.event.get():
            if event.type == pygame.QUIT or (event.type == pygame.KEYDOWN and event.key in QUIT):
                return
        window = pygame.display.get_surface() or window
        if window.get_size() != picture.size:
            picture = LivePicture(track, car, window.get_size())
        window.blit(_paint(picture, clip, at), (0, 0))
        pygame.display.flip()
        passed = clock.tick(FRAMES_PER_S) / 1000.0
        if clip is not None:
            at = (at + passed * speed / STEP_S) % max(len(clip.poses) - 1, 1)


def save_clip_picture(
    folder: Path, track: Track, car: Car, path: Path, size: tuple[int, int] | None = None, *, overwrite: bool = False
) -> None:
    """Draw the middle of the newest clip into a picture file; needs no screen.

    Args:
        folder, track, car: as for `follow`.
        path: the picture, `.png`.
        size: of the picture, px.
        overwrite: whether it may replace a file.

    Raises:
        RunError: there is no clip, or it is damaged.
        FileError: the file cannot be written.
    """
    if path.suffix.lower() != ".png":
        raise FileError(f"a training is drawn as one picture: name it .png, not {path}")
    refuse_existing(path, overwrite)
    clip = load_clip(folder)
    if clip is None:
        raise RunError(f"{folder} shows nothing: a training writes what is watched only with `racer train --watch`")
    surface = _paint(LivePicture(track, car, size or SIZE), clip, len(clip.poses) / 2)
    with replacing(path) as temporary:
        pygame.image.save(surface, str(temporary))


def _paint(picture: LivePicture, clip: Clip | None, at: float) -> pygame.Surface:
    """The cars at `at` steps of a clip, between two steps where they are between."""
    from racer.sim import CAR_STATE

    if clip is None:
        return picture.paint(np.zeros(0, CAR_STATE), (), (WAITING, True))
    row = min(int(at), len(clip.poses) - 1)
    here, there = clip.poses[row], clip.poses[min(row + 1, len(clip.poses) - 1)]
    goes_on = ~clip.ends[row]  # an ended episode's car stands at its next start in the next step
    change = np.where(goes_on[:, None], there - here, 0.0)
    change[:, 2] = (change[:, 2] + np.pi) % (2.0 * np.pi) - np.pi
    poses = here + (at - row) * change
    cars = np.zeros(len(poses), CAR_STATE)
    for column, name in enumerate(("x", "y", "heading", "steering_angle", "speed")):
        cars[name] = poses[:, column]
    facts = clip.facts
    said = [("CAR STEPS", f"{facts.steps:,}"), ("TRAINED", f"{facts.used:.0%}")]
    if facts.completed is not None:
        said.append(("LAPS COMPLETED", f"{facts.completed:.0%}"))
    if facts.best_lap_s is not None:
        said.append(("BEST LAP", f"{facts.best_lap_s:.3f} s"))
    if facts.reward is not None:
        said.append(("REWARD PER EPISODE", f"{facts.reward:.4g}"))
    outcome = ("training ended", True) if facts.over else None
    if facts.warns and not facts.over:
        outcome = ("the reward pays for something else", False)
    with contextlib.suppress(ValueError):
        return picture.paint(cars, said, outcome)
    return picture.paint(cars, said)
