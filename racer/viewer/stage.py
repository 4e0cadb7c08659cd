"""The stage: the whole picture of one instant, scene and instruments together.

The one invariant: a picture depends on the replays, the `Playback` and the surface's size alone, so that a
recording shows what the window would; what is kept between two pictures only saves time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pygame

from racer.replay import STEP_S
from racer.viewer.ground import Ground
from racer.viewer.inputs import Inputs
from racer.viewer.looks import USUAL, Looks
from racer.viewer.overlay import (
    draw_help,
    draw_legend,
    draw_shade,
    draw_tags,
    draw_time,
    draw_title,
)
from racer.viewer.panel import Panel, Rider
from racer.viewer.playback import Moment, Playback, Timeline
from racer.viewer.running import RunningOrder
from racer.viewer.scene import View, draw_car, draw_path
from racer.viewer.screen import BAD, ROAD, Canvas, Ink, Layout, SpeedScale, car_colors, mix
from racer.viewer.things import boxes_around_car, draw_things
from racer.viewer.tower import draw_race_tower, draw_tower

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from racer.replay import Replay
    from racer.viewer.sensors import SensorView

__all__ = ["Stage"]

FOLLOW_M = 3.4  # the following camera sees this many metres across the shorter side of the track's area
MOST_SCALE = 800.0  # px per m: a car fills the screen
FINE_SCALE = 140.0  # px per m from which a step is drawn in several pieces
EARLIER_LAPS = 2  # drawn faintly beneath the lap in view
GHOST_TRAIL_S = 1.6
FLASH_S = 1.0  # for which a crash is seen
GHOST_ALPHA, GONE_ALPHA = 0.6, 0.25  # of a car of another race, and of one that has left the race


class Stage:
    """Draws replays of one track.

    Args:
        replays: At least one; the first is what the others are compared with. The cars of a race of several are
            shown as one race, in which nobody is a ghost.
        looks: What a playback begins with.
        mark: The best race known: one more ghost, and what all the others are compared with instead.
    """

    def __init__(self, replays: Sequence[Replay], looks: Looks = USUAL, mark: Replay | None = None) -> None:
        """Lay out time and colours; nothing is drawn yet."""
        alone = [one for replay in replays for one in replay.alone]
        self.race, self._rivals = len(alone) > len(replays), len(alone)
        if mark is not None:
            last = Timeline(mark)
            self.timelines = [*(Timeline(replay, last, mark.best_lap_s) for replay in alone), last]
        elif self.race:
            self.timelines = [Timeline(replay) for replay in alone]
        else:
            first = Timeline(alone[0])
            self.timelines = [first, *(Timeline(replay, first) for replay in alone[1:])]
        self.track = replays[0].track
        self.names = _names([replay.driver for replay in alone]) + (["the mark"] if mark else [])
        self.colors = car_colors(len(self.timelines))
        self.scale = SpeedScale.over(np.concatenate([timeline.speed for timeline in self.timelines]))
        self._replays = replays
        self._running = RunningOrder(self.timelines, self.race, len(self.timelines) - self._rivals)
        self._looks, self._inputs = looks, Inputs(looks.reads)
        self._ground = Ground(self.track)
        self._panel = Panel(self.scale)
        self._ink = Ink()
        self._fit = lru_cache(maxsize=4)(self._whole)
        self._sensors = lru_cache(maxsize=8)(self._sensor_view)

    def playback(self, speed: float = 1.0) -> Playback:
        """A fresh playback of all replays."""
        end_s = max(timeline.end_s for timeline in self.timelines)
        looks = self._looks
        begin: Any = {"sensors": looks.camera, "params": looks.params, "heat": looks.heat}
        return Playback(end_s, len(self.timelines), self.race, speed=speed, **begin)

    def layout(self, width: int, height: int) -> Layout:
        """Where everything is in a picture of a size, px."""
        return Layout(width, height, len(self.timelines), self.race)

    def best_instant(self) -> float:
        """The end of the first replay's best lap, or of its race if no lap was completed; of a race its finish, s."""
        if self.race:
            rivals = self.timelines[: self._rivals]
            finishes = [timeline.finish_s for timeline in rivals if timeline.finish_s is not None]
            return min(finishes, default=self.playback().duration_s)
        complete = [lap for lap in self.timelines[0].laps if lap.complete]
        best = min(complete, key=lambda lap: lap.time_s, default=None)
        return self.timelines[0].end_s if best is None else best.start_s + best.time_s

    def view(self, size: tuple[int, int], state: Playback) -> View:
        """The camera for a picture of `size` px."""
        whole = self._fit(*size)
        if not state.follow and state.zoom == 1.0:
            return whole
        area = self.layout(*size).area
        scale = max(min(area.size) / FOLLOW_M, 1.3 * whole.scale) if state.follow else whole.scale
        scale = min(scale * state.zoom, max(MOST_SCALE, scale))
        moment = self.timelines[state.focus].moment(state.time_s)
        return View(float(round(scale)), moment.x, moment.y, whole.left, whole.top)

    def _whole(self, width: int, height: int) -> View:
        return View.fit(self.track, self.layout(width, height).area)

    def draw(self, surface: pygame.Surface, state: Playback, hints: bool = False) -> None:
        """Draw the picture of `state`; `hints` shows what keys there are."""
        view = self.view(surface.get_size(), state)
        moments = [timeline.moment(state.time_s) for timeline in self.timelines]
        riders = [
            Rider(name, color, timeline, moment)
            for name, color, timeline, moment in zip(self.names, self.colors, self.timelines, moments, strict=True)
        ]
        self._ground.draw(surface, view)
        if state.heat:
            self._inputs.draw_map(surface, view, self.timelines[state.focus], state.heat)
        self._trail(surface, view, riders[state.focus])
        order = [*(number for number in range(len(riders)) if number != state.focus), state.focus]
        for number in order[:-1]:
            self._wake(surface, view, riders[number])
        for replay in self._replays:
            draw_things(surface, view, replay, state.time_s)
        canvas = Canvas(surface, self._ink, len(riders), self.race)
        boxes = self._boxes(moments, state) if state.sensors else None
        if state.sensors:
            self._sensors(state.focus).draw_beams(canvas, view, moments[state.focus], boxes)
        for number in order:
            moment, car = moments[number], self.timelines[number].replay.car
            alpha = self._alpha(number, state)
            pose = (moment.x, moment.y, moment.heading)
            draw_car(surface, view, car, pose, moment.steering, self.colors[number], alpha)
            self._flash(canvas, view, number, moment)
        if view is not self._fit(*surface.get_size()):
            self._ground.prepare(surface, view)
            draw_shade(canvas)
        running = self._running.cars(state.time_s)
        if len(riders) > 1:
            at = view.to_screen([(moment.x, moment.y) for moment in moments]).tolist()
            tagged = [state.focus, *(number for number in self._around(state.focus, running) if number != state.focus)]
            tags = [(self.names[number], self.colors[number], at[number]) for number in tagged]
            draw_tags(canvas, tags, 0.2 * view.scale + canvas.px(6))
        draw_title(canvas, self.track)
        listed = self.listed(surface.get_size(), state)
        if self.race:
            draw_race_tower(canvas, riders, listed, self._running.standings(state.time_s), state.focus)
        else:
            places = [running.index(number) + 1 for number in range(len(riders))]
            draw_tower(canvas, riders, listed, places, state.focus)
        draw_legend(canvas, self.scale, hints)
        if state.heat:
            self._inputs.draw_legend(canvas, self.timelines[state.focus], state.heat)
        draw_time(canvas, riders, state, self.scale)
        self._panel.draw(canvas, riders[state.focus])
        if state.sensors:
            whole = self._fit(*surface.get_size())
            self._sensors(state.focus).draw_picture(canvas, whole, moments[state.focus], boxes)
        if state.params:
            self._inputs.draw_table(canvas, riders[state.focus])
        if state.help:
            draw_help(canvas)

    def listed(self, size: tuple[int, int], state: Playback) -> list[int]:
        """The cars in the list of the running order, from top to bottom: the one in focus is always among them."""
        layout, running = self.layout(*size), self._running.cars(state.time_s)
        rows = layout.tower.height // layout.tower_row(0).height
        last = min(max(running.index(state.focus) + 2, rows), len(running))
        return [running[0], *running[last - rows + 1 : last]] if rows > 1 else [state.focus]

    def _alpha(self, number: int, state: Playback) -> float:
        """How solid a car is drawn."""
        if self.race and number < self._rivals:
            timeline = self.timelines[number]
            gone = min(timeline.finish_s or timeline.end_s, timeline.end_s)
            return GONE_ALPHA if state.time_s > gone and number != state.focus else 1.0
        return 1.0 if number == state.focus else GHOST_ALPHA

    def _around(self, focus: int, running: list[int]) -> list[int]:
        """The cars that are named where they drive: the first one, the one in focus, and those next to it."""
        place = running.index(focus)
        return sorted({running[0], *running[max(place - 1, 0) : place + 2]})

    def _boxes(self, moments: Sequence[Moment], state: Playback) -> NDArray[np.void] | None:
        """What is around the car in focus in its race, for its sensors."""
        first = 0
        for replay in self._replays:
            last = first + len(replay.drives)
            if first <= state.focus < last:
                going = [state.time_s <= timeline.end_s for timeline in self.timelines[first:last]]
                return boxes_around_car(replay, moments[first:last], going, state.focus - first)
            first = last
        return None

    def _flash(self, canvas: Canvas, view: View, number: int, moment: Moment) -> None:
        """A ring about a car that has just run into something."""
        for crash_s in self.timelines[number].crashes:
            age = (moment.time_s - crash_s) / FLASH_S
            if 0.0 <= age < 1.0:
                at, radius = view.to_screen((moment.x, moment.y)).tolist(), (0.25 + 0.35 * age) * view.scale
                for wide in range(max(canvas.px(2), 1)):
                    pygame.draw.aacircle(canvas.surface, mix(BAD, ROAD, age), at, round(radius) + wide, 1)

    def _sensor_view(self, number: int) -> SensorView:
        """What the driver of a car observes."""
        from racer.viewer.sensors import SensorView  # brings Numba, which who only looks at a drive does not wait for

        return SensorView(self.track, self.timelines[number].replay.drives[0].sensors)

    def _trail(self, surface: pygame.Surface, view: View, rider: Rider) -> None:
        """Where the car in focus drove in this lap, coloured by speed, above its laps before."""
        lap, scale = rider.moment.lap, view.scale
        earlier = [one for one in rider.timeline.laps if one.start_s < lap.start_s][-EARLIER_LAPS:]
        strands = [(one.start_s, one.start_s + one.time_s, max(0.012 * scale, 1.5), 0.6) for one in earlier]
        strands.append((lap.start_s, rider.moment.time_s, max(0.042 * scale, 3.0), 0.0))
        for begin_s, end_s, width, faint in strands:
            pieces, speed = _driven(rider, begin_s, end_s, scale)
            colors = self.scale.colors(speed) * (1.0 - faint) + np.array(ROAD) * faint
            draw_path(surface, view, pieces, colors, width)

    def _wake(self, surface: pygame.Surface, view: View, rider: Rider) -> None:
        """Where a ghost was just now, in its own colour, fading."""
        now = rider.moment.time_s
        begin_s = max(rider.moment.lap.start_s, now - GHOST_TRAIL_S)
        pieces, _ = _driven(rider, begin_s, now, view.scale)
        faint = np.linspace(0.95, 0.35, len(pieces))[:, None]
        colors = np.array(rider.color) * (1.0 - faint) + np.array(ROAD) * faint
        draw_path(surface, view, pieces, colors, max(0.02 * view.scale, 2.0))


def _driven(
    rider: Rider, begin_s: float, end_s: float, scale: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What was driven between two instants, but not after now: `(n, 2, 2)` m, and `(n,)` m/s."""
    parts = 3 if scale > FINE_SCALE else 1
    pieces, speed = rider.timeline.path(parts)
    begin, end = (min(max(instant / STEP_S * parts, 0.0), len(pieces)) for instant in (begin_s, end_s))
    chosen = slice(int(np.ceil(begin - 1e-6)), int(np.ceil(end - 1e-6)))
    driven = pieces[chosen].copy()
    if len(driven) and end_s == rider.moment.time_s:
        driven[-1, 1] = rider.moment.x, rider.moment.y  # the car is somewhere in the last piece
    return driven, speed[chosen]


def _names(drivers: Sequence[str]) -> list[str]:
    """Drivers' names; those who share one are numbered."""
    count, seen, names = Counter(drivers), Counter[str](), []
    for driver in drivers:
        seen[driver] += 1
        names.append(f"{driver} {seen[driver]}" if count[driver] > 1 else driver)
    return names
