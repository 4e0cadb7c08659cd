"""Pictures of an environment, in the look of the viewer: one for each race, one of all cars, or a window.

Pygame is loaded when the first of them is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from racer.env.field import Field
from racer.sim import IN_PROGRESS, LAP_COMPLETE, PAUSE, STATUS, STEP_S
from racer.track import Track

if TYPE_CHECKING:
    from racer.viewer import LivePicture, LiveWindow

Picture = NDArray[np.uint8]

RENDER_FPS = round(1.0 / STEP_S)
SIZE = (800, 500)  # px
MOST_TRACKS = 9  # in the picture of all cars


class Renderer:
    """Draws the races of one field or of several; it forgets what it drew when it is copied."""

    def __init__(self) -> None:
        """Draw nothing yet."""
        self._pictures: dict[Any, LivePicture] = {}
        self._window: LiveWindow | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave pictures and window behind: they cannot be copied."""
        return {"_pictures": {}, "_window": None}

    def races(self, field: Field) -> tuple[Picture, ...]:
        """A picture of each race, (height, width, 3)."""
        return tuple(self._draw(race, field, track, [race]) for race, track in enumerate(field.world.tracks.each()))

    def together(self, fields: Sequence[Field]) -> Picture:
        """One picture of all cars, (height, width, 3): a tile for each track, at most `MOST_TRACKS`."""
        places: dict[tuple[int, Track], list[int]] = {}
        for number, field in enumerate(fields):
            for race, track in enumerate(field.world.tracks.each()):
                places.setdefault((number, track), []).append(race)
        shown = [(fields[number], track, races) for (number, track), races in places.items()][:MOST_TRACKS]
        return _tiled([self._draw(("tile", place), *tile) for place, tile in enumerate(shown)])

    def show(self, fields: Sequence[Field]) -> None:
        """Show all cars in a window, at the pace of the drive.

        Raises:
            RacerError: there is no screen.
        """
        if self._window is None:
            from racer.viewer import LiveWindow

            self._window = LiveWindow("racer", RENDER_FPS)
        self._window.show(self.together(fields))

    def close(self) -> None:
        """Close the window."""
        if self._window is not None:
            self._window.close()
        self._pictures.clear()

    def _draw(self, key: Any, field: Field, track: Track, races: list[int]) -> Picture:
        picture = self._pictures.get(key)
        if picture is None or picture.track is not track:
            from racer.viewer import LivePicture

            picture = self._pictures[key] = LivePicture(track, field.world.car, SIZE)
        cars = field.state[races].reshape(-1)
        things = field.world.things[races[0]] if len(races) == 1 else None  # those of many races would cover the road
        if len(cars) > 1:
            return picture.draw(cars, _batch_facts(field, races), things=things)
        status = int(cars["status"][0])
        ended = None if status in (IN_PROGRESS, PAUSE) else (STATUS[status].replace("_", " "), status == LAP_COMPLETE)
        return picture.draw(cars, _facts(field, races[0]), ended, things)


def _facts(field: Field, race: int) -> list[tuple[str, str]]:
    """Facts about a car that is alone."""
    state = field.state[race, 0]
    laps = field.world.rules.laps
    facts = [("lap", f"{min(int(state['laps']) + 1, laps)} of {laps}")] if laps > 1 else []
    progress = 100.0 if state["status"] == LAP_COMPLETE else field.progress()[race, 0]
    lap_time = (state["steps"] - 1) * STEP_S - state["lap_start_s"]
    if state["status"] == LAP_COMPLETE:
        lap_time = state["lap_time"]
    facts += [
        ("lap time", f"{lap_time:.2f} s"),
        ("progress", f"{progress:.0f} %"),
        ("speed", f"{state['speed']:.2f} m/s"),
        ("reward", f"{field.rewards[race, 0]:.3g}"),
    ]
    return facts


def _batch_facts(field: Field, races: list[int]) -> list[tuple[str, str]]:
    """Facts about several cars."""
    cars = field.state[races]
    return [
        ("cars", str(cars.size)),
        ("mean progress", f"{field.progress()[races].mean():.0f} %"),
        ("mean speed", f"{cars['speed'].mean():.2f} m/s"),
        ("mean reward", f"{field.rewards[races].mean():.3g}"),
    ]


def _tiled(pictures: Sequence[Picture]) -> Picture:
    """Pictures of one size beside each other, as near to a square as can be."""
    columns = ceil(sqrt(len(pictures)))
    rows = ceil(len(pictures) / columns)
    height, width, channels = pictures[0].shape
    tiled = np.full((rows * height, columns * width, channels), pictures[0][0, 0], np.uint8)
    for number, picture in enumerate(pictures):
        top, left = number // columns * height, number % columns * width
        tiled[top : top + height, left : left + width] = picture
    return tiled
