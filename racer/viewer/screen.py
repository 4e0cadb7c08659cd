"""The screen: the colours, places and letters that all of `racer watch` shares.

The one invariant: whatever the window's size, each length is a multiple of `Layout.unit`, so that all of it
shrinks and grows together; and a speed has the same colour wherever it is shown.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pygame

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Canvas", "Color", "Ink", "Layout", "SpeedScale", "car_colors", "clock", "mix"]

Color = tuple[int, int, int]

FIRST_COLORS: tuple[Color, ...] = (
    (56, 189, 248),
    (94, 226, 142),
    (244, 246, 250),
    (160, 150, 255),
    (255, 138, 128),
    (72, 219, 206),
    (200, 214, 120),
    (240, 164, 220),
)

GOLDEN_RATIO = 0.618034  # of a turn between two hues: no two of any number of them meet


def car_colors(count: int) -> list[Color]:
    """A colour for each of `count` cars, no two of them the same."""
    more = [
        colorsys.hsv_to_rgb(number * GOLDEN_RATIO % 1.0, (0.45, 0.7)[number % 2], (1.0, 0.82, 0.92)[number % 3])
        for number in range(count - len(FIRST_COLORS))
    ]
    return [*FIRST_COLORS[:count], *((round(255 * r), round(255 * g), round(255 * b)) for r, g, b in more)]


GROUND: Color = (15, 18, 24)
GRID: Color = (32, 38, 48)
VERGE: tuple[Color, ...] = ((19, 23, 31), (24, 29, 38))
ROAD: Color = (46, 51, 60)
BORDER: Color = (228, 232, 238)
DASHES: Color = (142, 126, 72)
FAINT: Color = (82, 88, 99)  # sector lines and arrows on the road
TYRE: Color = (13, 15, 19)

CARD: Color = (22, 27, 34)
CARD_EDGE: Color = (46, 54, 66)
WELL: Color = (38, 45, 56)
TEXT: Color = (236, 240, 246)
SOFT: Color = (150, 160, 174)
DIM: Color = (104, 114, 128)
GOOD: Color = (94, 226, 142)
BAD: Color = (255, 122, 112)
ACCENT: Color = (56, 189, 248)

# matplotlib's "plasma" from a quarter on: its dark end would be lost on the road. As in `racer.viewer.plot`.
SPEED_STOPS = (
    (0.0, 126, 3, 168),
    (0.32, 193, 58, 130),
    (0.64, 240, 128, 79),
    (0.8, 252, 168, 54),
    (1.0, 240, 249, 33),
)

TOWER, NARROW_TOWER, TOWER_FROM = 176, 92, 900  # units: widths of the running order, and from where it is the wide one
ROW, RACE_ROW = 25, 40  # units: height of one of its rows, and in a race

FINE = 3  # what must be smooth is drawn this many times finer, then averaged


def mix(color: Color, other: Color, share: float) -> Color:
    """Blend `share` of another colour into one."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(color, other, strict=True))
    return red, green, blue


def clock(seconds: float) -> str:
    """Write a time as `12.345` or `1:02.345`."""
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    return f"{minutes}:{rest / 1000:06.3f}" if minutes else f"{rest / 1000:.3f}"


@dataclass(frozen=True)
class SpeedScale:
    """Which colour a speed has: violet at `low`, yellow at `high`, m/s."""

    low: float
    high: float

    @staticmethod
    def over(speed: NDArray[np.float64]) -> SpeedScale:
        """Ends at multiples of 0.5 m/s around the speeds; a standing start alone does not stretch it."""
        low = np.floor(2.0 * max(float(np.percentile(speed, 4.0)), 0.0)) / 2.0
        return SpeedScale(float(low), float(max(np.ceil(2.0 * float(speed.max())) / 2.0, low + 0.5)))

    def colors(self, speed: ArrayLike) -> NDArray[np.uint8]:
        """Colours of speeds, `(n,)` m/s to `(n, 3)`."""
        share = (np.asarray(speed, dtype=np.float64) - self.low) / (self.high - self.low)
        place, *channels = np.array(SPEED_STOPS).T
        mixed = np.stack([np.interp(share, place, channel) for channel in channels], axis=-1)
        colors: NDArray[np.uint8] = np.rint(mixed).astype(np.uint8)
        return colors


@dataclass(frozen=True)
class Layout:
    """Where everything is in a window of a size (px) that shows a number of cars."""

    width: int
    height: int
    cars: int = 1
    race: bool = False  # whether these drive one race

    @cached_property
    def unit(self) -> float:
        """One unit in px: 1 in a window of 1280 x 800."""
        return min(max(min(self.width / 1280, self.height / 800), 0.7), 4.0)

    def px(self, units: float) -> int:
        """Units to whole px."""
        return round(units * self.unit)

    @property
    def side(self) -> pygame.Rect:
        """The card of instruments."""
        width, gap = self.px(286), self.px(14)
        return pygame.Rect(self.width - width - gap, gap, width, self.bar.top - 2 * gap)

    @property
    def bar(self) -> pygame.Rect:
        """The card of the time bar."""
        gap, height = self.px(14), self.px(52)
        return pygame.Rect(gap, self.height - height - gap, self.width - 2 * gap, height)

    @property
    def seek(self) -> pygame.Rect:
        """The time bar itself: its left is the start, its right the end."""
        bar = self.bar
        left, right = bar.left + self.px(120), bar.right - self.px(150)
        return pygame.Rect(left, bar.centery - self.px(3), max(right - left, 10), self.px(6))

    @property
    def seek_zone(self) -> pygame.Rect:
        """Where the mouse takes hold of the time bar."""
        return self.seek.inflate(self.px(24), self.px(34))

    @property
    def tower(self) -> pygame.Rect:
        """The running order, a row for each car; without width where one car is alone."""
        width = 0 if self.cars < 2 else self.px(TOWER if self.width > TOWER_FROM * self.unit else NARROW_TOWER)
        rows = min(self.cars, max((self.bar.top - self.px(44 + 62)) // self.row, 1))
        return pygame.Rect(self.px(18), self.px(62), width, rows * self.row)

    @property
    def row(self) -> int:
        """Height of a row of the running order, px."""
        return self.px(RACE_ROW if self.race else ROW)

    def tower_row(self, place: int) -> pygame.Rect:
        """The row of the running order at a place, 0 for the first."""
        tower = self.tower
        return pygame.Rect(tower.left, tower.top + place * self.row, tower.width, self.row)

    @property
    def area(self) -> pygame.Rect:
        """What is left for the track."""
        top, bottom = self.px(76), self.bar.top - self.px(44)
        left = self.tower.right + self.px(6) if self.cars > 1 else self.px(24)
        return pygame.Rect(left, top, max(self.side.left - self.px(24) - left, 10), max(bottom - top, 10))

    def seek_time(self, x: float, duration_s: float) -> float:
        """The instant that lies at a place of the time bar, s."""
        return min(max((x - self.seek.left) / self.seek.width, 0.0), 1.0) * duration_s


class Ink:
    """Letters as pictures: the font that pygame brings along, for there is one on every machine."""

    KEPT = 800

    def __init__(self) -> None:
        """Start with no font loaded."""
        pygame.font.init()
        self._fonts: dict[int, pygame.font.Font] = {}
        self._texts: dict[tuple[str, int, Color], pygame.Surface] = {}
        self._short: dict[tuple[str, int, float], str] = {}

    def render(self, text: str, size: int, color: Color) -> pygame.Surface:
        """A line of text, `size` px high. Drawn finer and averaged: small letters keep their distances."""
        key = (text, size, color)
        picture = self._texts.pop(key, None)
        if picture is None:
            fine = self._font(size).render(text, True, color)
            picture = pygame.transform.smoothscale(fine, [round(side / FINE) for side in fine.get_size()])
        self._texts[key] = picture  # the last used are last in line for removal
        if len(self._texts) > self.KEPT:
            del self._texts[next(iter(self._texts))]
        return picture

    def width(self, text: str, size: int) -> float:
        """How wide a line of text is, px."""
        return self._font(size).size(text)[0] / FINE

    def shorten(self, text: str, size: int, width: float) -> str:
        """Cut a text to a width in px, with an ellipsis; what cannot be printed becomes a blank."""
        key = (text, size, width)
        if key not in self._short:
            text = "".join(letter if letter.isprintable() else " " for letter in text)
            whole = text
            while text and self.width(whole, size) > width:
                text = text[:-1]
                whole = text.rstrip() + "…"
            self._short[key] = whole
        return self._short[key]

    def _font(self, size: int) -> pygame.font.Font:
        if size not in self._fonts:
            self._fonts[size] = pygame.font.Font(None, round(size * FINE / 0.6875))  # pygame shrinks it by that
        return self._fonts[size]


@dataclass(frozen=True)
class Canvas:
    """A surface to write and draw on in units of its layout. Places are in px, sizes in units."""

    surface: pygame.Surface
    ink: Ink
    cars: int = 1
    race: bool = False

    @cached_property
    def layout(self) -> Layout:
        """Where everything is on it."""
        return Layout(*self.surface.get_size(), self.cars, self.race)

    def px(self, units: float) -> int:
        """Units to whole px."""
        return self.layout.px(units)

    def write(
        self, text: str, at: tuple[float, float], size: float, color: Color, anchor: str = "topleft"
    ) -> pygame.Rect:
        """Write a line so that the `anchor` of its box is `at`; gives the box."""
        picture = self.ink.render(text, self.px(size), color)
        box = picture.get_rect(**{anchor: (round(at[0]), round(at[1]))})
        self.surface.blit(picture, box)
        return box

    def width(self, text: str, size: float) -> float:
        """How wide a line of text would be, px."""
        return self.ink.width(text, self.px(size))

    def shorten(self, text: str, size: float, width: float) -> str:
        """Cut a text to a width in px."""
        return self.ink.shorten(text, self.px(size), width)

    def card(
        self, box: pygame.Rect, radius: float, fill: Color = CARD, edge: Color | None = None, solid: int = 255
    ) -> None:
        """Draw a box with round, smooth corners; `solid` is 255 for no transparency."""
        picture = _card(box.size, self.px(radius), fill, edge, solid)
        self.surface.blit(picture, box, special_flags=pygame.BLEND_PREMULTIPLIED)

    def dot(self, at: tuple[float, float], radius: float, color: Color) -> None:
        """Draw a smooth disc."""
        pygame.draw.aacircle(self.surface, color, at, self.px(radius))


@lru_cache(maxsize=128)
def _card(size: tuple[int, int], radius: int, fill: Color, edge: Color | None, solid: int) -> pygame.Surface:
    """A card with premultiplied alpha, as smoothscale makes it."""
    picture = pygame.Surface((size[0] * FINE, size[1] * FINE), pygame.SRCALPHA)
    whole = picture.get_rect()
    if edge is not None:
        pygame.draw.rect(picture, edge, whole, border_radius=radius * FINE)
        whole, radius = whole.inflate(-2 * FINE, -2 * FINE), max(radius - 1, 0)
    inside = (*(channel * solid // 255 for channel in fill), solid)
    pygame.draw.rect(picture, inside, whole, border_radius=radius * FINE)
    return pygame.transform.smoothscale(picture, size)
