"""The LIDAR: how far it is to what stands around the car, in 64 directions or summed up in sectors.

The original's LIDAR meets boxes and cars. On an empty track it observes nothing at all, and a driver that has it alone
drives blind; so the borders of the road are walls to it here, unless `walls=False` gives the original's open floor.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import pi
from types import MappingProxyType
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray

from racer.errors import SensorError
from racer.sensors.beams import Walls, cast, walls_of
from racer.sensors.variation import add_beam_noise
from racer.sim import NO_BOXES, World, kernel, road_of
from racer.track import Track

CLIPS = MappingProxyType({"LIDAR": 1.0, "SECTOR_LIDAR": 0.5, "DISCRETIZED_SECTOR_LIDAR": 2.0})
"""Every LIDAR by its DeepRacer name: how far it sees, m."""

BEAMS = 64
SPREAD = 2.0 * 2.61799  # rad, from the first beam to the last
NEAREST_M, FURTHEST_M = 0.15, 12.0
AHEAD_M, HEIGHT_M = 0.0291, 0.185  # where it is on the car


@dataclass(frozen=True)
class Lidar:
    """A LIDAR on the car.

    Attributes:
        name: one of `CLIPS`; it decides what is observed. `LIDAR`: the distance along each beam, m, from `NEAREST_M` to
            `clip_m`. `SECTOR_LIDAR`: for each of `sectors` 1 if anything is nearer than `clip_m`, else 0.
            `DISCRETIZED_SECTOR_LIDAR`: for each sector `values` numbers, a 1 where the nearest thing is among as many
            equal ranges up to `clip_m`, or all 0. Sectors are neighbouring beams; beams count counter-clockwise.
        clip_m: how far it sees; by default that of `CLIPS`.
        sectors, values: see above.
        blind: where the 60 degrees are that no beam looks into. The original's are in front of the car: its LIDAR is
            mounted the wrong way round, and so is the default.
        walls: whether the borders of the road stop beams.

    Raises:
        SensorError: a setting makes no sense.
    """

    name: str = "LIDAR"
    clip_m: float | None = None
    sectors: int = 8
    values: int = 8
    blind: Literal["front", "rear"] = "front"
    walls: bool = True

    dtype = np.float32

    def __post_init__(self) -> None:
        """Refuse what is no LIDAR."""
        if self.name not in CLIPS:
            raise SensorError(f"there is no LIDAR {self.name!r}; there are {', '.join(CLIPS)}")
        if not isinstance(self.reach, int | float):
            raise SensorError(f"the LIDAR sees {self.reach!r} m far; it must be a number")
        if not NEAREST_M < self.reach <= FURTHEST_M:
            raise SensorError(
                f"the LIDAR sees {self.reach:g} m far; it must be more than {NEAREST_M:g} and at most {FURTHEST_M:g}"
            )
        if not isinstance(self.sectors, int) or self.sectors < 1 or BEAMS % self.sectors:
            raise SensorError(
                f"{BEAMS} beams cannot be shared out among {self.sectors} sectors; choose 1, 2, 4, 8, 16, 32 or 64"
            )
        if not isinstance(self.values, int) or not 1 <= self.values <= 100:
            raise SensorError(f"a sector has {self.values} values; it must have 1 to 100")
        if self.blind not in ("front", "rear"):
            raise SensorError(
                f"the LIDAR is blind in the {self.blind!r}; it can be blind in the 'front' or in the 'rear'"
            )

    @property
    def reach(self) -> float:
        """How far it sees, m."""
        return CLIPS[self.name] if self.clip_m is None else self.clip_m

    @property
    def low(self) -> float:
        """Least value."""
        return NEAREST_M if self.name == "LIDAR" else 0.0

    @property
    def high(self) -> float:
        """Greatest value."""
        return self.reach if self.name == "LIDAR" else 1.0

    @property
    def shape(self) -> tuple[int]:
        """Numbers a car."""
        return ({"LIDAR": BEAMS, "SECTOR_LIDAR": self.sectors}.get(self.name, self.sectors * self.values),)

    @property
    def angles(self) -> NDArray[np.float64]:
        """Directions of the beams against the car's heading, (64,) rad, counter-clockwise."""
        return _ANGLES + self._turn

    def observe(self, world: World, out: NDArray[np.float32]) -> None:
        """Fill `out` (n, m, *shape) with what the cars (n, m) of `world` meet."""
        cars = world.cars
        poses = np.stack([cars["x"], cars["y"], cars["heading"]], axis=-1)
        distances = self._measure(world.track, poses, world.boxes())
        noise = world.randomization.lidar_noise_m
        if noise:
            add_beam_noise(distances, cars, noise, self.reach)
        self._summarise(distances, out)

    def look(self, track: Track, poses: ArrayLike, boxes: NDArray[np.void] | None = None) -> NDArray[np.float32]:
        """What a car would observe.

        Args:
            track: where it is.
            poses: (k, 3) x, y (m) of its origin and heading (rad).
            boxes: (b,) of `racer.sim.BOX` that stand there.

        Returns:
            (k, *shape).
        """
        distances = self.measure(track, poses, boxes)[:, None]
        out = np.empty((len(distances), 1, *self.shape), np.float32)
        self._summarise(distances, out)
        return out[:, 0]

    def measure(self, track: Track, poses: ArrayLike, boxes: NDArray[np.void] | None = None) -> NDArray[np.float64]:
        """Distances along the beams, (k, 64) m, however near; the arguments are those of `look`."""
        places = np.ascontiguousarray(poses, dtype=np.float64).reshape(-1, 1, 3)
        return self._measure(track, places, NO_BOXES if boxes is None else boxes[None, None])[:, 0]

    @cached_property
    def _turn(self) -> float:
        return pi if self.blind == "front" else 0.0

    def _measure(self, track: Track, poses: NDArray[np.float64], boxes: NDArray[np.void]) -> NDArray[np.float64]:
        distances = np.empty((*poses.shape[:2], BEAMS))
        walls = _walls_of(track, self.reach) if self.walls else _NO_WALLS
        cast(poses, AHEAD_M, HEIGHT_M, self._turn, SPREAD, _DIRECTIONS, walls, boxes, self.reach, distances)
        return distances

    def _summarise(self, distances: NDArray[np.float64], out: NDArray[np.float32]) -> None:
        if self.name == "LIDAR":
            _clip(distances, NEAREST_M, self.reach, out)
        else:
            _sum_up(
                distances, self.reach, self.sectors, self.values if self.name == "DISCRETIZED_SECTOR_LIDAR" else 1, out
            )


_ANGLES = np.linspace(-0.5 * SPREAD, 0.5 * SPREAD, BEAMS)
_DIRECTIONS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
_NO_WALLS = walls_of(np.zeros((0, 4)), 1.0)
_walls: WeakKeyDictionary[Track, dict[float, Walls]] = WeakKeyDictionary()


def _walls_of(track: Track, reach: float) -> Walls:
    """The borders of a track for beams that reach so far, m; kept as long as the track is."""
    kept = _walls.setdefault(track, {})
    if reach not in kept:
        kept[reach] = walls_of(road_of(track).edges, reach)
    return kept[reach]


@kernel
def _clip(distances: Any, least: float, most: float, out: Any) -> None:
    for i in range(distances.shape[0]):
        for j in range(distances.shape[1]):
            for k in range(distances.shape[2]):
                out[i, j, k] = min(most, max(least, distances[i, j, k]))


@kernel
def _sum_up(distances: Any, clip: float, sectors: int, values: int, out: Any) -> None:
    """Put a 1 where the nearest thing of a sector is among `values` equal ranges up to `clip`."""
    beams = distances.shape[2] // sectors
    for i in range(distances.shape[0]):
        for j in range(distances.shape[1]):
            for sector in range(sectors):
                nearest = clip
                for k in range(sector * beams, (sector + 1) * beams):
                    nearest = min(nearest, distances[i, j, k])
                for k in range(values):
                    out[i, j, sector * values + k] = 0.0
                if nearest < clip:
                    out[i, j, sector * values + min(values - 1, int(max(0.0, nearest) / clip * values))] = 1.0
