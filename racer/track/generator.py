"""Random tracks: closed circuits of racer's own, as many as there are seeds.

A circuit is laid out as a designer would: first the corners, then the way from one to the next, then the bends.

1. Corners spread over an ellipse, each as far from the others as the best of a few candidates (Mitchell, "Spectrally
   optimal sampling for distribution ray tracing", SIGGRAPH 1991).
2. A way through all of them that does not cross itself: 2-opt moves from a random order (Croes 1958; as a source of
   random polygons: Auer and Held, "Heuristics for the generation of random polygons", CCCG 1996). Half of the ways are
   made as short as such moves can, the other half are only disentangled: those wind.
3. Some long sides are broken, by a displaced middle (Fournier, Fussell and Carpenter, CACM 1982) or by a chicane.
4. Each corner is rounded by an arc of a radius of its own, as wide as its sides allow, and the whole line is averaged
   over half a metre, so that a straight becomes an arc gradually, as on real roads.

What comes out too tight for its width or too near to itself is laid out anew, with a corner less every few tries.

Invariant: the same seed gives the same track, and every track passes `racer.track.checks` as one from a CSV would.
"""

import cmath
import math
from itertools import count, pairwise
from random import Random

import numpy as np
from numpy.typing import NDArray

from racer.errors import TrackError
from racer.track.borders import with_offset_borders
from racer.track.files import Rows
from racer.track.geometry import Points, arc_length, headings, resample
from racer.track.track import Track, track_of

__all__ = ["make_track"]

LENGTH_M = (12.0, 70.0)
WIDTH_M = (0.7, 1.2)
SHORTEST = (14.5, 18.0)  # m, and widths: no shorter lap is aimed at, it would hardly be more than a ring
SPACING_M = 0.15  # of the rows
FINE_M = 0.03  # of the rows while the line is drawn
EASING_M = 0.5  # what the line is averaged over
INSIDE_M = 0.15  # radius of a bend's inner border, at least
GAP_M = 0.3  # between two stretches of road, at least
CUT = 1.08  # of the way's length to the line's, about: bends cut corners
STRAIGHT_KAPPA = 0.1  # 1/m: what bends less is a straight

CANDIDATES = 6
LONGEST_ELLIPSE = 2.6  # length to width
WINDING = 0.5  # share of the ways that are only disentangled
ROOM = (8.0, 1.7)  # road widths and gaps of length to a corner, at most and at least
SIMPLER = 0.98  # after each try that fails, so many of the corners are asked for
LEAST_TURN = math.radians(15.0)  # of a corner; what would turn less is left out
BOTH_WAYS = math.radians(35.0)  # some corner of every circuit turns more, to the left, and another to the right
WIDEST_BEND = 8.0  # times the tightest one

Corner = complex  # x + iy, m


def make_track(seed: int) -> Track:
    """Make a random closed circuit: 12 to 70 m long, 0.7 to 1.2 m wide, with bends to both sides.

    It begins in the middle of its longest straight, and its rows are 0.15 m apart.

    Args:
        seed: A whole number from 0. The same one gives the same track, which is called `random-<seed>`.

    Raises:
        TrackError: The seed is below 0.
    """
    if seed < 0:
        raise TrackError(f"the seed of a track is a whole number from 0, not {seed}")
    # Python promises the same random() in every version; NumPy's generators promise no such thing.
    rng = Random(int(seed))
    width = round(_between(rng, *WIDTH_M), 2)
    length = _between(rng, max(SHORTEST[0], SHORTEST[1] * width), LENGTH_M[1])
    room = length / (width + GAP_M)
    corners = _between(rng, room / ROOM[0] + 3.0, room / ROOM[1])
    for tried in count():
        center = _line(rng, max(round(corners * SIMPLER**tried), 4), length, width)
        if center is None:
            continue
        rows = _rows(seed, center, _widths(rng, len(center), width))
        try:
            track = track_of(f"random-{seed}", rows)
        except TrackError:
            continue
        if not track.notes:
            return track
    raise AssertionError("unreachable: the tries never end")


def _between(rng: Random, low: float, high: float) -> float:
    return low + (high - low) * rng.random()


def _line(rng: Random, corners: int, length: float, width: float) -> Points | None:
    """One try at a centre line `(n, 2)` m, closed; None if a road of that width does not fit along it."""
    way = _way(_spread(rng, corners), wind=rng.random() < WINDING)
    around = sum(abs(b - a) for a, b in pairwise([*way, way[0]]))
    way = _broken(rng, [point * CUT * length / around for point in way], width)
    bends = _bends(rng, way, width)
    if bends is None:
        return None
    line = resample(_eased(resample(_rounded(way, bends), FINE_M)), SPACING_M)
    if rng.random() < 0.5:
        line = line[::-1]
    return _from_longest_straight(line) if _fits(line, width) else None


def _spread(rng: Random, corners: int) -> list[Corner]:
    """Points spread over an ellipse (Mitchell's best candidates)."""
    stretch = math.sqrt(_between(rng, 1.0, LONGEST_ELLIPSE))
    chosen: list[Corner] = []
    while len(chosen) < corners:
        on_disc = [cmath.rect(math.sqrt(rng.random()), math.tau * rng.random()) for _ in range(CANDIDATES)]
        offered = [complex(stretch * point.real, point.imag / stretch) for point in on_disc]
        chosen.append(max(offered, key=lambda point: min((abs(point - other) for other in chosen), default=0.0)))
    return chosen


def _way(corners: list[Corner], wind: bool) -> list[Corner]:
    """A round trip through all corners that does not cross itself: 2-opt, where `wind` only undoes crossings."""
    way = list(corners)
    improved = True
    while improved:
        improved = False
        for i in range(len(way) - 1):
            for j in range(i + 2, len(way) - (i == 0)):
                a, b, c, d = way[i], way[i + 1], way[j], way[(j + 1) % len(way)]
                gain = abs(b - a) + abs(d - c) - abs(c - a) - abs(d - b)
                if gain > 1e-9 and (not wind or _cross(a, b, c, d)):
                    way[i + 1 : j + 1] = way[j:i:-1]
                    improved = True
    return way


def _cross(a: Corner, b: Corner, c: Corner, d: Corner) -> bool:
    """Whether the sides a-b and c-d cross: each has the other's ends on both of its sides."""
    along, other = (b - a).conjugate(), (d - c).conjugate()
    return ((c - a) * along).imag * ((d - a) * along).imag < 0.0 > ((a - c) * other).imag * ((b - c) * other).imag


def _broken(rng: Random, way: list[Corner], width: float) -> list[Corner]:
    """The way with bends and chicanes in some of its long sides, and without corners that hardly turn."""
    corners: list[Corner] = []
    for a, b in pairwise([*way, way[0]]):
        corners.append(a)
        side, kind, size = abs(b - a), rng.random(), rng.random()
        ahead = (b - a) / side
        left = 1j * ahead if rng.random() < 0.5 else -1j * ahead
        middle = a + _between(rng, 0.35, 0.65) * (b - a)
        if side > 5.0 * width and kind < 0.3:
            corners.append(middle + (0.1 + 0.12 * size) * side * left)
        elif side > 6.0 * width and kind < 0.55:
            out, half = (0.35 + 0.3 * size) * width * left, (0.9 + 0.5 * size) * width * ahead
            corners += [middle - half + out, middle + half - out]
    return [corner for corner, turn in zip(corners, _turns(corners), strict=True) if abs(turn) > LEAST_TURN]


def _turns(corners: list[Corner]) -> list[float]:
    """How far the way turns at each corner, rad, left positive."""
    sides = [corner - corners[i - 1] for i, corner in enumerate(corners)]
    return [cmath.phase(after * before.conjugate()) for before, after in pairwise([*sides, sides[0]])]


def _bends(rng: Random, corners: list[Corner], width: float) -> list[tuple[float, float]] | None:
    """Turn, rad, and radius, m, of each corner; None if it turns one way only, or a side is too short for its arcs."""
    turns = _turns(corners)
    if not (min(turns, default=0.0) < -BOTH_WAYS and max(turns, default=0.0) > BOTH_WAYS):
        return None
    tightest = 0.5 * width + INSIDE_M + 0.05  # averaging makes a bend a little tighter
    flow = rng.random()
    wishes = [tightest * (WIDEST_BEND ** (0.5 * flow + 0.5 * rng.random()) - 1.0) for _ in turns]
    reach = [math.tan(0.5 * abs(turn)) for turn in turns]  # an arc takes its radius times this of both sides
    granted = []
    for i, corner in enumerate(corners):  # of the side that ends there, shared with the corner before
        spare = abs(corner - corners[i - 1]) - tightest * (reach[i - 1] + reach[i])
        if spare < 0.0:
            return None
        wanted = wishes[i - 1] * reach[i - 1] + wishes[i] * reach[i]
        granted.append(1.0 if wanted <= spare else spare / wanted)
    return [
        (turn, tightest + wish * min(before, after))
        for turn, wish, (before, after) in zip(turns, wishes, pairwise([*granted, granted[0]]), strict=True)
    ]


def _rounded(corners: list[Corner], bends: list[tuple[float, float]]) -> Points:
    """The way with its corners rounded: straights and arcs, the arcs with a row every 3°."""
    arcs = []
    for i, (corner, (turn, radius)) in enumerate(zip(corners, bends, strict=True)):
        ahead = (corner - corners[i - 1]) / abs(corner - corners[i - 1])
        begin = corner - radius * math.tan(0.5 * abs(turn)) * ahead
        left = math.copysign(radius, turn) * 1j * ahead
        angle = np.linspace(0.0, turn, 2 + int(abs(turn) / math.radians(3.0)))
        arcs.append(begin + left - left * np.exp(1j * angle))
    line = np.concatenate([*arcs, arcs[0][:1]])
    return np.stack([line.real, line.imag], axis=1)


def _eased(line: Points) -> Points:
    """A closed line whose rows are `FINE_M` apart, averaged over `EASING_M`: it bends gradually."""
    half = round(0.5 * EASING_M / FINE_M)
    sums = np.cumsum(np.vstack([line[-2 - half : -1], line[:-1], line[:half]]), axis=0)
    eased = (sums[2 * half + 1 :] - sums[: -2 * half - 1]) / (2 * half + 1)
    return np.vstack([eased, eased[:1]])


def _fits(center: Points, width: float) -> bool:
    """Whether length, bends, and the ground between any two stretches leave room for the road."""
    length, steps = float(arc_length(center)[-1]), len(center) - 1
    if not LENGTH_M[0] <= length <= LENGTH_M[1]:
        return False
    if np.max(np.abs(_curvature(center))) > 1.0 / (0.5 * width + INSIDE_M):
        return False
    some = center[:-1:2, 0] + 1j * center[:-1:2, 1]
    place = np.arange(0, steps, 2) * length / steps
    along = np.abs(place[:, None] - place)
    other = np.minimum(along, length - along) > 0.5 * math.pi * (width + GAP_M + 0.2)  # not the same bend
    return float(np.min(np.abs(some[:, None] - some), where=other, initial=math.inf)) >= width + GAP_M


def _from_longest_straight(center: Points) -> Points:
    """The same ring from the middle of its longest straight."""
    bent = np.flatnonzero(np.abs(_curvature(center)) > STRAIGHT_KAPPA)
    gaps = np.diff(bent, append=bent[0] + len(center) - 1)
    longest = np.argmax(gaps)
    ring = np.roll(center[:-1], -(bent[longest] + gaps[longest] // 2), axis=0)
    return np.vstack([ring, ring[:1]])


def _curvature(center: Points) -> NDArray[np.float64]:
    """Curvature at each row of a ring of equal steps but the last, `(n - 1,)` 1/m."""
    psi = headings(center)
    turn = np.mod(psi - np.roll(psi, 1) + math.pi, math.tau) - math.pi
    return np.asarray(turn * (len(turn) / arc_length(center)[-1]))


def _widths(rng: Random, rows: int, width: float) -> NDArray[np.float64]:
    """Width at each row, `(rows,)` m: the same all along, or now and then swelling and shrinking below `width`."""
    swells, narrow, waves, begin = (
        rng.random() < 0.25,
        _between(rng, 0.65, 0.85),
        1 + int(2 * rng.random()),
        rng.random(),
    )
    least = max(WIDTH_M[0], narrow * width) if swells else width
    phase = math.tau * (waves * np.linspace(0.0, 1.0, rows) + begin)
    return least + (width - least) * (0.5 + 0.5 * np.cos(phase))


def _rows(seed: int, center: Points, widths: NDArray[np.float64]) -> Rows:
    """The road as a CSV file states it, to a tenth of a millimetre, its lower left corner near the origin."""
    center = np.round(center - center.min(axis=0) + WIDTH_M[1], 4)
    half = np.round(0.5 * widths, 4)
    center[-1], half[-1] = center[0], half[0]
    inner, outer = with_offset_borders(center, right=half, left=half)
    metadata = {"about": f"a random circuit: racer new-track --seed {seed} makes it again"}
    return Rows(f"track 'random-{seed}'", center, inner, outer, metadata, offsets=np.column_stack([half, half]))
