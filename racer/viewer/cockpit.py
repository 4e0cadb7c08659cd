"""The cockpit: a person drives, with keys or a gamepad, in a window that shows the car as it drives now.

The one invariant: what a person does reaches the car as actions like any driver's, one a control step; the window only
shows, and between two steps it shows the car farther along the way it goes.
"""

from __future__ import annotations

from math import cos, sin
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pygame
from pygame._sdl2 import controller

from racer.replay import STEP_S, Replay, best_clean_lap, percent_of_mark
from racer.sim import DEFAULT
from racer.viewer.live import LivePicture
from racer.viewer.playback import Timeline
from racer.viewer.window import default_size, open_display

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from racer.sim import Car
    from racer.track import Track

__all__ = ["Cockpit", "Controls"]

FRAMES = 4  # drawn for each control step: 60 a second
COUNTDOWN_S = 3
MESSAGE_S = 1.5  # that the outcome of a lap is shown
FASTER, SLOWER = 2.5, 6.0  # m/s2, how fast the commanded speed follows the keys
TURNING, STRAIGHTENING = 150.0, 300.0  # degrees/s, how fast the commanded steering does
KEYS = {
    "left": (pygame.K_LEFT, pygame.K_a),
    "right": (pygame.K_RIGHT, pygame.K_d),
    "faster": (pygame.K_UP, pygame.K_w),
    "slower": (pygame.K_DOWN, pygame.K_s, pygame.K_SPACE),
}
LEAVE = (pygame.K_ESCAPE, pygame.K_q)
FULL = 32767.0  # of a gamepad's axes
DEAD = 0.08  # share of a stick's way that does nothing


class Races(Protocol):
    """What of an environment is shown."""

    @property
    def state(self) -> NDArray[np.void]:
        """The cars, (k,) of `racer.sim.CAR_STATE`."""


class Controls:
    """What keys and sticks ask for.

    Attributes:
        steering: commanded, degrees, left positive.
        speed: commanded, m/s.
        left: whether the person has left.
    """

    def __init__(self) -> None:
        """Touch nothing."""
        self.steering, self.speed, self.left = 0.0, DEFAULT.speed[0], False
        self._held: set[int] = set()
        self._axes: dict[int, float] = {}

    def handle(self, event: pygame.event.Event) -> None:
        """Take a key or a stick into account."""
        if event.type == pygame.QUIT or (event.type == pygame.KEYDOWN and event.key in LEAVE):
            self.left = True
        elif event.type == pygame.KEYDOWN:
            self._held.add(event.key)
        elif event.type == pygame.KEYUP:
            self._held.discard(event.key)
        elif event.type == pygame.CONTROLLERAXISMOTION:
            self._axes[event.axis] = event.value / FULL

    def advance(self, seconds: float) -> None:
        """Let time pass: keys move the commands, sticks and triggers are the commands."""
        slowest, fastest = DEFAULT.speed
        turn = self._is("left") - self._is("right")
        stick = self._axes.get(pygame.CONTROLLER_AXIS_LEFTX, 0.0)
        if abs(stick) > DEAD and not turn:
            self.steering = -DEFAULT.steering_angle[1] * stick
        else:
            wanted = DEFAULT.steering_angle[1] * turn
            rate = TURNING if wanted and wanted * self.steering >= 0.0 else STRAIGHTENING
            self.steering += float(np.clip(wanted - self.steering, -rate * seconds, rate * seconds))
        triggers = (pygame.CONTROLLER_AXIS_TRIGGERRIGHT, pygame.CONTROLLER_AXIS_TRIGGERLEFT)
        go, stop = (self._axes.get(axis, 0.0) for axis in triggers)
        change = FASTER * (self._is("faster") + max(go, 0.0)) - SLOWER * (self._is("slower") + max(stop, 0.0))
        self.speed = float(np.clip(self.speed + change * seconds, slowest, fastest))

    def actions(self) -> NDArray[np.float32]:
        """The action of this moment, (1, 2)."""
        return DEFAULT.actions([[self.steering, self.speed]])

    def _is(self, what: str) -> float:
        return float(any(key in self._held for key in KEYS[what]))


class Cockpit:
    """A driver whose actions come from a person.

    Args:
        track, car: What is driven.
        laps: How many.
        mark: The best race known: its car is the ghost.
        size: Of the window, px; by default what suits the screen.
        frames_per_s: How many frames pass in a second, `FRAMES` of which make a step; 0: as many as can be.
    """

    def __init__(
        self,
        track: Track,
        car: Car,
        laps: int,
        mark: Replay | None = None,
        size: tuple[int, int] | None = None,
        frames_per_s: int = round(FRAMES / STEP_S),
    ) -> None:
        """Open nothing yet; the race does, when it begins."""
        self.track, self.car, self.laps, self.mark = track, car, laps, mark
        self.controls = Controls()
        self._size, self._frames_per_s = size, frames_per_s
        self._ghost = None if mark is None else Timeline(mark)
        self._best_s: float | None = None
        self._before: np.void | None = None
        self._message: tuple[str, bool] | None = None
        self._message_s = 0.0

    @property
    def finished(self) -> bool:
        """Whether the person has left before the race was over."""
        return self.controls.left

    def begin(self, env: Races) -> None:
        """Open the window on a race, and count down.

        Raises:
            RacerError: There is no screen.
        """
        open_display("Driving takes one; programs drive with `racer evaluate`.")
        controller.init()
        self._pads = [controller.Controller(k) for k in range(controller.get_count()) if controller.is_controller(k)]
        size = self._size or default_size(pygame.display.get_desktop_sizes()[0])
        pygame.display.set_caption(f"racer: {self.track.name}")
        self._window = pygame.display.set_mode(size)
        self._picture = LivePicture(self.track, self.car, size)
        self._clock, self._env = pygame.time.Clock(), env
        for second in range(COUNTDOWN_S, 0, -1):
            self._message, self._message_s = (str(second), True), 1.0
            for _ in range(round(FRAMES / STEP_S)):
                self._frame(0.0, moving=False)
        self._message = None

    def act(self, observation: Any) -> NDArray[np.float32]:
        """Show one control step and give the action that the person has chosen at its end, (1, 2)."""
        self._look_back()
        for frame in range(FRAMES):
            if not self.finished:
                self._frame(frame / FRAMES * STEP_S)
        return self.controls.actions()

    def close(self) -> None:
        """Close the window."""
        pygame.display.quit()

    def _frame(self, ahead_s: float, moving: bool = True) -> None:
        """Show the car `ahead_s` s after the last step, as it goes on, and take in what the person does."""
        for event in pygame.event.get():
            self.controls.handle(event)
        if moving:
            self.controls.advance(STEP_S / FRAMES)
        car = self._env.state[:1].copy()
        c, s = cos(car["heading"][0]), sin(car["heading"][0])
        car["x"] += ahead_s * (car["speed"] * c - car["lateral_speed"] * s)
        car["y"] += ahead_s * (car["speed"] * s + car["lateral_speed"] * c)
        car["heading"] += ahead_s * car["yaw_rate"]
        lap_s = max(0.0, float(car["steps"][0] - 1) * STEP_S - float(car["lap_start_s"][0])) + ahead_s
        self._message_s -= STEP_S / FRAMES
        message = self._message if self._message_s > 0.0 else None
        surface = self._picture.paint(car, self._facts(car[0], lap_s), message, self._ghost_at(car[0], lap_s))
        self._window.blit(surface, (0, 0))
        pygame.display.flip()
        self._clock.tick(self._frames_per_s)

    def _facts(self, car: np.void, lap_s: float) -> list[tuple[str, str]]:
        best = "-" if self._best_s is None else f"{self._best_s:.3f} s"
        percent = percent_of_mark(self._best_s, self.mark)
        if percent is not None:
            best += f" ({percent:.1f} %)"
        return [
            ("lap", f"{min(int(car['laps']) + 1, self.laps)} of {self.laps}"),
            ("lap time", f"{lap_s:.2f} s"),
            ("best lap" if self.mark is None else "best lap (of the mark)", best),
            ("speed", f"{float(car['speed']):.2f} m/s"),
            ("commanded", f"{self.controls.speed:.1f} m/s, {self.controls.steering:+.0f}°"),
        ]

    def _ghost_at(self, car: np.void, lap_s: float) -> tuple[float, float, float, float] | None:
        """Pose and steering of the mark's car, as long into its lap: its first one in a standing start's lap."""
        if self._ghost is None or self.mark is None:
            return None
        lap = self.mark.laps[0] if not car["laps"] else best_clean_lap(self.mark)
        if lap is None:
            return None
        moment = self._ghost.moment(lap.start_s + min(lap_s, lap.time_s))
        return moment.x, moment.y, moment.heading, moment.steering

    def _look_back(self) -> None:
        """Find out whether the last step has ended a lap."""
        now, before = self._env.state[0].copy(), self._before
        self._before = now
        if before is None:
            return
        if now["episode"] != before["episode"]:
            self._message, self._message_s = ("off the track: from the line again", False), MESSAGE_S
            self.controls.speed = DEFAULT.speed[0]
        elif now["laps"] > before["laps"]:
            time_s = float(now["lap_time"])
            self._best_s = min(time_s, self._best_s or time_s)
            self._message, self._message_s = (f"{time_s:.3f} s", time_s == self._best_s), MESSAGE_S
