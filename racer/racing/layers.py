"""The layers of trained networks as data, calculated with NumPy alone.

Invariant: a layer that exists fits itself, and says what it makes of a shape before anything is calculated. Images are
(rows, columns, channels), as the cameras give them. Everything is calculated in 64 bits: the order in which a library
adds up numbers then makes no difference to the action, which has 32.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from math import prod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ACTIVATIONS",
    "LAYERS",
    "Convolution",
    "Edges",
    "Flatten",
    "Layer",
    "Linear",
    "Patches",
    "Pool",
    "Scale",
    "Standardize",
]

Shape = tuple[int, ...]

ACTIVATIONS: Mapping[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "none": lambda x: x,
    "relu": lambda x: np.maximum(x, 0.0),
    "tanh": np.tanh,
}
MOST_SIDE = 1000  # of a patch, a kernel, a step or a padding


@dataclass(frozen=True)
class Layer(ABC):
    """A layer: it calculates (n, *b) of (n, *a)."""

    kind: ClassVar[str]
    weighted: ClassVar[bool] = False
    """Whether it holds the arrays `weight` and `bias`."""

    @abstractmethod
    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calculate it."""

    @abstractmethod
    def shape(self, given: Shape) -> Shape:
        """The shape b that it makes of a.

        Raises:
            ValueError: it takes no such shape.
        """

    def work(self, made: Shape) -> int:
        """How many multiplications it takes for an output of a shape."""
        return prod(made)


@dataclass(frozen=True)
class Flatten(Layer):
    """All numbers in a row."""

    kind = "flatten"

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calculate it."""
        return x.reshape(len(x), -1)

    def shape(self, given: Shape) -> Shape:
        """A row."""
        return (prod(given),)


@dataclass(frozen=True)
class Scale(Layer):
    """The numbers less `middle`, divided by `spread`."""

    kind = "scale"
    middle: float
    spread: float

    def __post_init__(self) -> None:
        """Check the numbers."""
        _check_numbers(self)

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calculate it."""
        return (x - self.middle) / self.spread

    def shape(self, given: Shape) -> Shape:
        """As it is."""
        return given


@dataclass(frozen=True)
class Pool(Layer):
    """An image without `top` and `bottom` rows, made smaller: each number is the mean of `high` times `wide` pixels."""

    kind = "pool"
    top: int
    bottom: int
    high: int
    wide: int

    def __post_init__(self) -> None:
        """Check the numbers."""
        _check_whole(self, ("top", "bottom"), 0)
        _check_whole(self, ("high", "wide"), 1)

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calculate it."""
        return np.asarray(self.sums(x) / (self.high * self.wide))

    def sums(self, x: NDArray[Any]) -> NDArray[Any]:
        """Sums of pixels instead of means, of the kind of number that is given.

        They are sums of rows, then of columns: each takes a third of the time of a mean over axes, or less.
        """
        kept = x[:, self.top : x.shape[1] - self.bottom]
        rows = reduce(np.add, (kept[:, i :: self.high] for i in range(self.high)))
        return np.asarray(reduce(np.add, (rows[:, :, k :: self.wide] for k in range(self.wide))))

    def shape(self, given: Shape) -> Shape:
        """A smaller image, with as many channels."""
        rows = given[0] - self.top - self.bottom if len(given) == 3 else 0
        if rows < 1 or rows % self.high or given[1] % self.wide:
            raise ValueError(
                f"it takes means of {self.high} x {self.wide} pixels below {self.top} and above {self.bottom} rows; "
                f"they do not cut up {_words(given)}"
            )
        return rows // self.high, given[1] // self.wide, given[2]

    def work(self, made: Shape) -> int:
        """A sum over each mean's pixels."""
        return prod(made) * self.high * self.wide


@dataclass(frozen=True)
class Edges(Layer):
    """How steeply the greys of an image change at each pixel but those of its margin, whatever the direction.

    That is the length of their gradient, by central differences. A border between two greys is there whichever of them
    is the brighter one, and nothing else is.
    """

    kind = "edges"

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calculate it."""
        right = 0.5 * (x[:, 1:-1, 2:] - x[:, 1:-1, :-2])
        down = 0.5 * (x[:, 2:, 1:-1] - x[:, :-2, 1:-1])
        return np.sqrt(right * right + down * down)

    def shape(self, given: Shape) -> Shape:
        """Without the margin, with as many channels."""
        if len(given) != 3 or min(given[:2]) < 3:
            raise ValueError(f"it takes an image of at least 3 x 3 pixels, not {_words(given)}")
        return given[0] - 2, given[1] - 2, given[2]


@dataclass(frozen=True)
class Standardize(Layer):
    """An image made as bright and as rich in contrast as any other.

    Its numbers have the mean `middle` and, but for what `LEAST` takes off, the standard deviation `spread`.
    """

    kind = "standardize"
    LEAST: ClassVar[float] = 1.0  # added to the variance: an image of one grey stays one
    middle: float
    spread: float

    def __post_init__(self) -> None:
        """Check the numbers."""
        _check_numbers(self)

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calculate it."""
        apart = x - x.mean(axis=(1, 2, 3), keepdims=True)
        deviation = np.sqrt((apart * apart).mean(axis=(1, 2, 3), keepdims=True) + self.LEAST)
        return np.asarray(apart / deviation * self.spread + self.middle)

    def shape(self, given: Shape) -> Shape:
        """As it is."""
        if len(given) != 3:
            raise ValueError(f"it takes an image, not {_words(given)}")
        return given


@dataclass(frozen=True)
class Patches(Layer):
    """An image cut into `down` times `across` patches of `high` times `wide` pixels, each of them in a row.

    Where the image is too small for them, zeros are put above it and to its right.
    """

    kind = "patches"
    down: int
    high: int
    across: int
    wide: int

    def __post_init__(self) -> None:
        """Check the numbers."""
        _check_whole(self, ("down", "high", "across", "wide"), 1)

    def missing(self, given: Shape) -> tuple[int, int]:
        """How many rows of zeros are put above an image, and how many columns to its right."""
        return self.down * self.high - given[0], self.across * self.wide - given[1]

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calculate it."""
        top, right = self.missing(x.shape[1:])
        padded = np.pad(x, ((0, 0), (top, 0), (0, right), (0, 0)))
        strips = padded.reshape(len(x), self.down, self.high, self.across, -1)
        return strips.swapaxes(2, 3).reshape(len(x), self.down * self.across, -1)

    def shape(self, given: Shape) -> Shape:
        """Patches in rows."""
        top, right = self.missing(given) if len(given) == 3 else (-1, -1)
        if not (0 <= top < self.high and 0 <= right < self.wide):
            raise ValueError(
                f"it cuts images of {self.down * self.high} x {self.across * self.wide} pixels into patches, "
                f"not {_words(given)}"
            )
        return self.down * self.across, self.high * self.wide * given[2]


@dataclass(frozen=True, eq=False)
class Weighted(Layer):
    """A layer with weights and an activation, one of `ACTIVATIONS`."""

    weighted = True
    axes: ClassVar[int]
    weight: NDArray[Any] = field(repr=False)
    bias: NDArray[Any] = field(repr=False)
    activation: str = "none"

    def __post_init__(self) -> None:
        """Check the arrays, and keep what 32 bits hold of them, as a file does, in 64."""
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"its activation is {self.activation!r:.40}; it must be one of {', '.join(ACTIVATIONS)}")
        if self.weight.ndim != self.axes or self.bias.shape != self.weight.shape[:1] or not self.weight.size:
            raise ValueError(f"its weights are {_words(self.weight.shape)}, its bias is {_words(self.bias.shape)}")
        for name in ("weight", "bias"):
            object.__setattr__(self, name, getattr(self, name).astype(np.float32).astype(np.float64))


@dataclass(frozen=True, eq=False)
class Linear(Weighted):
    """The last axis times a matrix, `weight` (b, a), plus `bias` (b,)."""

    kind = "linear"
    axes = 2

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calculate it."""
        return ACTIVATIONS[self.activation](x @ self.weight.T + self.bias)

    def shape(self, given: Shape) -> Shape:
        """The same but for the last axis."""
        if not given or given[-1] != self.weight.shape[1]:
            raise ValueError(f"its weights are {_words(self.weight.shape)}, but it is given {_words(given)}")
        return *given[:-1], self.weight.shape[0]

    def work(self, made: Shape) -> int:
        """A row of the matrix for each number."""
        return prod(made) * int(self.weight.shape[1])


@dataclass(frozen=True, eq=False)
class Convolution(Weighted):
    """An image, with a margin of `padding` zeros, convolved with `weight` (filters, rows, columns, channels)."""

    kind = "convolution"
    axes = 4
    step: int = 1
    padding: int = 0

    def __post_init__(self) -> None:
        """Check the numbers."""
        super().__post_init__()
        _check_whole(self, ("step",), 1)
        _check_whole(self, ("padding",), 0)

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calculate it."""
        margin, step = (self.padding, self.padding), self.step
        padded = np.pad(x, ((0, 0), margin, margin, (0, 0))).transpose(0, 3, 1, 2)
        rows, columns, filters = self.shape(x.shape[1:])
        _, high, wide, channels = self.weight.shape
        seen = np.empty((len(x), channels, high, wide, rows, columns))  # what each weight of a filter is multiplied by
        for i in range(high):
            for j in range(wide):
                seen[:, :, i, j] = padded[:, :, i : i + step * rows : step, j : j + step * columns : step]
        weight = self.weight.transpose(0, 3, 1, 2).reshape(filters, -1)
        made = weight @ seen.reshape(len(x), -1, rows * columns) + self.bias[:, None]
        return ACTIVATIONS[self.activation](made).reshape(len(x), filters, rows, columns).transpose(0, 2, 3, 1)

    def shape(self, given: Shape) -> Shape:
        """A smaller image, with a channel for each filter."""
        filters, high, wide, channels = self.weight.shape
        if len(given) != 3 or given[2] != channels:
            raise ValueError(f"its filters have {channels} channels, but it is given {_words(given)}")
        rows, columns = (
            (side + 2 * self.padding - kernel) // self.step + 1
            for side, kernel in zip(given[:2], (high, wide), strict=True)
        )
        if rows < 1 or columns < 1 or max(high, wide) <= self.padding:
            raise ValueError(f"its filters are {high} x {wide} with a margin of {self.padding}, for {_words(given)}")
        return rows, columns, filters

    def work(self, made: Shape) -> int:
        """A filter for each number."""
        return prod(made) * prod(self.weight.shape[1:])


LAYERS: Mapping[str, type[Layer]] = {
    one.kind: one for one in (Flatten, Scale, Pool, Edges, Standardize, Patches, Linear, Convolution)
}
"""The layers by their kinds."""


def _check_numbers(layer: Any) -> None:
    for name, least in (("middle", -1e6), ("spread", 1e-6)):
        value = getattr(layer, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= 1e6:
            raise ValueError(f"its {name} is {value!r:.40}; it must be a number from {least:g} to 1e6")


def _check_whole(layer: Any, names: tuple[str, ...], least: int) -> None:
    for name in names:
        value = getattr(layer, name)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST_SIDE:
            raise ValueError(f"its {name} is {value!r:.40}; it must be a whole number from {least} to {MOST_SIDE}")


def _words(shape: Shape) -> str:
    return " x ".join(map(str, shape)) or "a single number"
