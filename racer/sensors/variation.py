"""What randomisation does to sensors: other lenses and colours, noise."""

from __future__ import annotations

from math import atan, cos, pi, sin, sqrt, tan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from racer.sim import BEAMS, ENTRIES, PICTURE, PIXELS, TEXTURE, Randomization, chance, gauss, inlined, kernel, varied

FOCAL, PITCH, HEIGHT, LIGHT, COLOURS = range(PICTURE, PICTURE + 5)
CONTRAST, BLUR = range(COLOURS + 6, COLOURS + 8)
MIDDLE = 128.0  # the grey that no contrast changes
DOWN, ACROSS = 4, 5  # patches of a texture
NARROWEST, WIDEST, LOWEST_M = 5.0 * pi / 180.0, 160.0 * pi / 180.0, 0.01
I32, U32, F32 = np.int32, np.uint32, np.float32


def views_of(
    view: NDArray[np.void], width: int, cars: NDArray[np.void], randomization: Randomization
) -> NDArray[np.void]:
    """What the pictures of the cars (n, m) depend on: (n, m) of `racer.sensors.perspective.VIEW`.

    Args:
        view: (1, 1), of the camera as it should be.
        width: of the picture, px.
        cars: their states.
        randomization: of their episodes.
    """
    views = np.repeat(np.repeat(view, cars.shape[0], axis=0), cars.shape[1], axis=1)
    _vary_views(views, width, cars, randomization.constants)
    return views


@kernel
def _vary_views(views: Any, width: int, cars: Any, ranges: Any) -> None:
    for i in range(cars.shape[0]):
        for j in range(cars.shape[1]):
            view, state = views[i, j], cars[i, j]
            field = 2.0 * atan(0.5 * width / view.focal) + ranges.field_of_view * varied(ranges, state, j, FOCAL)
            view.focal = 0.5 * width / tan(0.5 * min(WIDEST, max(NARROWEST, field)))
            turn = ranges.pitch * varied(ranges, state, j, PITCH)
            sine, cosine = view.sine, view.cosine
            view.sine, view.cosine = sine * cos(turn) + cosine * sin(turn), cosine * cos(turn) - sine * sin(turn)
            view.height = max(LOWEST_M, view.height + ranges.height_m * varied(ranges, state, j, HEIGHT))
            light = 1.0 + ranges.light * varied(ranges, state, j, LIGHT)
            apart = 1.0 + ranges.contrast * varied(ranges, state, j, CONTRAST)
            view.ground = _grey(view.ground + ranges.colours * varied(ranges, state, j, COLOURS), apart, light)
            view.line = _grey(view.line + ranges.colours * varied(ranges, state, j, COLOURS + 1), apart, light)
            view.road = _grey(view.road + ranges.colours * varied(ranges, state, j, COLOURS + 2), apart, light)
            view.dash = _grey(view.dash + ranges.colours * varied(ranges, state, j, COLOURS + 3), apart, light)
            sky = ranges.colours * varied(ranges, state, j, COLOURS + 4)
            view.horizon = _grey(view.horizon + sky, apart, light)
            view.zenith = _grey(view.zenith + sky, apart, light)
            view.light = light * (1.0 + ranges.colours / 255.0 * varied(ranges, state, j, COLOURS + 5))


@kernel
def _grey(grey: float, apart: float, light: float) -> float:
    return min(255.0, max(0.0, max(0.0, grey) * apart + MIDDLE * (1.0 - apart)) * light)


@kernel
def blur(pictures: Any, cars: Any, ranges: Any) -> None:
    """Let each pixel of the pictures (n, m, rows, columns, lenses) of the cars (n, m) take a share of its neighbours.

    The share is the same all through an episode, from 0 to `ranges.blur`; above and below first, then to both sides.
    """
    rows, columns, lenses = pictures.shape[2:]
    width = columns * lenses
    above, here, mixed = np.empty(width, np.uint8), np.empty(width, np.uint8), np.empty(width, np.int32)
    for i in range(cars.shape[0]):
        for j in range(cars.shape[1]):
            share = I32(128.0 * ranges.blur * (1.0 + varied(ranges, cars[i, j], j, BLUR)))
            kept = I32(256) - I32(2) * share
            flat = pictures[i, j].reshape(-1)
            here[:] = flat[:width]
            above[:] = here
            for v in range(rows):
                row, below = flat[v * width : (v + 1) * width], min(v + 1, rows - 1) * width
                _mix(mixed, here, above, flat[below : below + width], kept, share)
                above[:] = here
                here[:] = flat[below : below + width]
                _soften(row[lenses:], mixed[lenses:], mixed, mixed[2 * lenses :], kept, share)
                for k in range(lenses):
                    row[k], row[width - lenses + k] = mixed[k], mixed[width - lenses + k]


@kernel
def _mix(mixed: Any, here: Any, above: Any, below: Any, kept: Any, share: Any) -> None:
    for k in range(len(mixed)):
        sides = I32(I32(above[k]) + I32(below[k]))
        mixed[k] = I32(kept * I32(here[k]) + share * sides + I32(128)) >> I32(8)


@kernel
def _soften(row: Any, here: Any, left: Any, right: Any, kept: Any, share: Any) -> None:
    for k in range(len(right)):
        row[k] = np.uint8(I32(kept * here[k] + share * I32(left[k] + right[k]) + I32(128)) >> I32(8))


@kernel
def add_texture(pictures: Any, cars: Any, most: float) -> None:
    """Brighten and darken large patches of the pictures (n, m, rows, columns, lenses) of the cars (n, m).

    By numbers from minus to plus `most` at the corners of `DOWN` times `ACROSS` patches, others at each step, and by
    what is between them (bilinear) elsewhere.
    """
    rows, columns, lenses = pictures.shape[2:]
    corners, edge = np.empty((DOWN + 1, ACROSS + 1)), np.empty(ACROSS + 1)
    shade = np.empty(columns, np.float32)
    for i in range(cars.shape[0]):
        for j in range(cars.shape[1]):
            for k in range((DOWN + 1) * (ACROSS + 1)):
                by = most * (2.0 * chance(cars[i, j], j, TEXTURE + k) - 1.0)
                corners[k // (ACROSS + 1), k % (ACROSS + 1)] = by
            flat = pictures[i, j].reshape(-1)
            for v in range(rows):
                at = (v + 0.5) / rows * DOWN
                upper = min(DOWN - 1, int(at))
                for k in range(ACROSS + 1):
                    edge[k] = corners[upper, k] + (at - upper) * (corners[upper + 1, k] - corners[upper, k])
                for k in range(ACROSS):
                    first, last = (columns * k) // ACROSS, (columns * (k + 1)) // ACROSS
                    step = F32((edge[k + 1] - edge[k]) / (last - first))
                    begin = F32(edge[k]) + F32(0.5) * step + F32(0.5)  # half a level more: rounded, not cut
                    for u in range(last - first):
                        shade[first + u] = begin + F32(I32(u)) * step
                for lens in range(lenses):
                    _lighten(flat[v * columns * lenses + lens : (v + 1) * columns * lenses : lenses], shade)


@inlined
def _lighten(pixels: Any, shade: Any) -> None:
    for k in range(len(pixels)):
        pixels[k] = np.uint8(I32(min(F32(255.0), max(F32(0.0), F32(I32(pixels[k])) + shade[k]))))


@kernel
def add_pixel_noise(pictures: Any, cars: Any, deviation: float) -> None:
    """Add noise to the pictures (n, m, ...) of the cars (n, m), other noise at each step."""
    for i in range(cars.shape[0]):
        for j in range(cars.shape[1]):
            key = U32(int(chance(cars[i, j], j, PIXELS) * 4294967296.0))
            # The sum of four even bytes is nearly normal, of this standard deviation.
            _add_to(pictures[i, j].reshape(-1), key, F32(deviation / sqrt((256.0**2 - 1.0) / 3.0)))


@kernel
def _add_to(pixels: Any, key: Any, scale: Any) -> None:
    """Murmur3's finaliser (Appleby 2011) of each pixel's number; all in 32 bits, so that it becomes vector code."""
    for k in range(len(pixels)):
        bits = U32(key ^ U32(U32(k) * U32(0x9E3779B1)))
        bits = U32(U32(bits ^ U32(bits >> U32(16))) * U32(0x85EBCA6B))
        bits = U32(U32(bits ^ U32(bits >> U32(13))) * U32(0xC2B2AE35))
        bits = U32(bits ^ U32(bits >> U32(16)))
        total = I32(I32(U32(bits & U32(255))) + I32(U32(U32(bits >> U32(8)) & U32(255))))
        total = I32(total + I32(U32(U32(bits >> U32(16)) & U32(255))))
        total = I32(total + I32(U32(bits >> U32(24))))
        noisy = F32(I32(pixels[k])) + scale * F32(I32(total - I32(510))) + F32(0.5)
        pixels[k] = np.uint8(I32(min(F32(255.0), max(F32(0.0), noisy))))


@kernel
def add_beam_noise(distances: Any, cars: Any, deviation: float, reach: float) -> None:
    """Add noise to the distances (n, m, beams) that the cars (n, m) measure; what is out of reach stays so."""
    for i in range(cars.shape[0]):
        for j in range(cars.shape[1]):
            for k in range(distances.shape[2]):
                if distances[i, j, k] < reach:
                    noisy = distances[i, j, k] + deviation * gauss(cars[i, j], j, BEAMS + 2 * k)
                    distances[i, j, k] = min(reach, max(0.0, noisy))


@kernel
def add_noise(values: Any, cars: Any, deviation: float, bound: float) -> None:
    """Add noise to the entries (n, m, k) of the cars (n, m), which stay within plus and minus `bound`."""
    for i in range(cars.shape[0]):
        for j in range(cars.shape[1]):
            for k in range(values.shape[2]):
                noisy = values[i, j, k] + deviation * gauss(cars[i, j], j, ENTRIES + 2 * k)
                values[i, j, k] = min(bound, max(-bound, noisy))
