"""The cameras: grey pictures of the road ahead, from one lens or from two.

The default is the original's: 160 x 120 pixels, a field of view of 65 degrees, 15 degrees down, 13 cm above the ground,
the horizon in view, nothing cropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import cos, degrees, pi, sin, tan
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from racer.errors import SensorError
from racer.sensors.boxes import draw_boxes
from racer.sensors.ground import ground_of
from racer.sensors.perspective import MOST_TAPS, VIEW, survey
from racer.sensors.picture import draw, weave
from racer.sensors.variation import add_pixel_noise, add_texture, blur, views_of
from racer.sim import NO_BOXES, World
from racer.track import Track

LENSES = MappingProxyType(
    {
        "FRONT_FACING_CAMERA": (0.0,),
        "observation": (0.0,),
        "LEFT_CAMERA": (0.03,),
        "STEREO_CAMERAS": (0.03, -0.03),
    }
)
"""Every camera by its DeepRacer name (`observation` is the old one): where its lenses are, m left of the middle."""

GREYS = MappingProxyType(
    {"ground": 105.0, "line": 235.0, "road": 66.0, "dash": 186.0, "horizon": 214.0, "zenith": 168.0}
)
"""What everything looks like: luma of green ground, white lines, a dark road, yellow dashes, a bright sky, 0..255."""

SIZES = (8, 1024)  # px, least and most
DEGREE = pi / 180.0


@dataclass(frozen=True)
class Camera:
    """A camera on the car.

    Attributes:
        name: one of `LENSES`; it decides how many lenses there are, and where.
        size: width and height of the picture, px.
        field_of_view: horizontal, rad. Pixels are square, so the height of the picture decides the vertical one.
        pitch: how far it looks down, rad.
        height_m: of the lens above the ground, m.
        ahead_m: of the lens in front of the car's origin, m.

    Raises:
        SensorError: a setting makes no sense.
    """

    name: str = "FRONT_FACING_CAMERA"
    size: tuple[int, int] = (160, 120)
    field_of_view: float = 1.13
    pitch: float = 0.2618
    height_m: float = 0.1303
    ahead_m: float = 0.1453

    low, high, dtype = 0.0, 255.0, np.uint8

    def __post_init__(self) -> None:
        """Refuse what is no camera."""
        if self.name not in LENSES:
            raise SensorError(f"there is no camera {self.name!r}; the cameras are {', '.join(LENSES)}")
        least, most = SIZES
        sides = self.size if isinstance(self.size, tuple | list) else (self.size,)
        if len(sides) != 2 or not all(isinstance(n, int) and least <= n <= most for n in sides):
            shown = " x ".join(str(n) for n in sides)
            raise SensorError(
                f"a picture of {shown} pixels cannot be drawn; its sides must be {least} to {most} pixels"
            )
        object.__setattr__(self, "size", tuple(sides))  # a list could not be looked up
        _check_angle("field of view", self.field_of_view, 10.0, 150.0)
        _check_angle("pitch", self.pitch, -30.0, 90.0)
        _check_length("height of the lens", self.height_m, 0.02, 3.0)
        _check_length("place of the lens in front of the origin", self.ahead_m, -1.0, 1.0)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns, lenses."""
        return self.size[1], self.size[0], len(LENSES[self.name])

    @property
    def focal_px(self) -> float:
        """Focal length, px."""
        return float(0.5 * self.size[0] / tan(0.5 * self.field_of_view))

    def observe(self, world: World, out: NDArray[np.uint8]) -> None:
        """Fill `out` (n, m, *shape) with what the cars (n, m) of `world` see."""
        cars = world.cars
        poses = np.stack([cars["x"], cars["y"], cars["heading"]], axis=-1)
        drawn = world.randomization
        views = views_of(self.view, self.size[0], cars, drawn) if drawn.of_the_picture else None
        self._draw(world.track, poses, world.boxes(), out, views)
        if drawn.texture:
            add_texture(out, cars, drawn.texture)
        if drawn.blur:
            blur(out, cars, drawn.constants)
        if drawn.pixel_noise:
            add_pixel_noise(out, cars, drawn.pixel_noise)

    def look(self, track: Track, poses: ArrayLike, boxes: NDArray[np.void] | None = None) -> NDArray[np.uint8]:
        """What a car would see.

        Args:
            track: where it is.
            poses: (k, 3) x, y (m) of its origin and heading (rad).
            boxes: (b,) of `racer.sim.BOX` that stand there.

        Returns:
            (k, *shape).
        """
        places = np.ascontiguousarray(poses, dtype=np.float64).reshape(-1, 1, 3)
        out = np.empty((len(places), 1, *self.shape), np.uint8)
        self._draw(track, places, NO_BOXES if boxes is None else boxes[None, None], out)
        return out[:, 0]

    @cached_property
    def view(self) -> NDArray[np.void]:
        """What its pictures depend on besides the pose: (1, 1) of `VIEW`."""
        view = np.zeros((1, 1), VIEW)
        view["focal"], view["height"], view["light"] = self.focal_px, self.height_m, 1.0
        view["sine"], view["cosine"] = sin(self.pitch), cos(self.pitch)
        for name, grey in GREYS.items():
            view[name] = grey
        return view

    def _draw(
        self,
        track: Track,
        poses: NDArray[np.float64],
        boxes: NDArray[np.void],
        out: NDArray[np.uint8],
        views: NDArray[np.void] | None = None,
    ) -> None:
        """Draw with the camera as it is, or with other `views` (n, m)."""
        ground = ground_of(track)
        rows, first, taps = _lines_of(self, len(ground.levels))
        if views is not None:  # worked out for each picture, and not for others to find
            rows, first, taps = rows.copy(), first.copy(), taps.copy()
        seen = self.view if views is None else views
        pictures = []
        for left in LENSES[self.name]:
            whole = out.shape[-1] == 1 and out.flags.c_contiguous
            picture = out[..., 0] if whole else np.empty(out.shape[:-1], np.uint8)
            draw(poses, self.ahead_m, left, seen, views is None, rows, first, taps, ground, picture)
            if boxes.shape[2]:
                draw_boxes(poses, self.ahead_m, left, seen, boxes, picture)
            pictures.append(picture)
        if len(pictures) == 2 and out.flags.c_contiguous:
            weave(pictures[0], pictures[1], out)
        elif not whole:
            out[:] = np.stack(pictures, axis=-1)


@lru_cache(maxsize=64)
def _lines_of(camera: Camera, levels: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """The rows of a camera's pictures: `survey`."""
    width, height = camera.size
    rows, first, taps = np.zeros((height, 5)), np.zeros(height + 1, np.int64), np.zeros((height * MOST_TAPS, 5))
    survey(camera.view[0, 0], width, height, levels, rows, first, taps)
    return rows, first, taps


def _check_angle(what: str, value: float, least: float, most: float) -> None:
    _check_number(what, value)
    if not least * DEGREE <= value <= most * DEGREE:
        hint = "; it is given in radians" if abs(value) > pi else ""
        raise SensorError(
            f"the {what} is {degrees(value):.4g} degrees ({value:.4g} rad); "
            f"it must be {least:g} to {most:g} degrees{hint}"
        )


def _check_length(what: str, value: float, least: float, most: float) -> None:
    _check_number(what, value)
    if not least <= value <= most:
        raise SensorError(f"the {what} is {value:g} m; it must be {least:g} to {most:g} m")


def _check_number(what: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SensorError(f"the {what} is {value!r}; it must be a number")
