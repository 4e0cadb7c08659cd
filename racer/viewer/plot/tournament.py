"""Pictures of tournaments: the brackets of a double elimination, and the cross table of a league."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from racer.viewer.plot.canvas import ACCENT, EDGE, GOOD, SOFT, TEXT, Box, Canvas

__all__ = ["Pairing", "draw_brackets", "draw_cross_table"]

BOX_IN, GAP_IN, STEP_IN, MARGIN_IN, HEAD_IN = (1.75, 0.52), 0.45, 0.7, 0.35, 1.0
CELL_IN, NAME_IN = (0.72, 0.42), 1.9
LABEL_IN = 0.32  # above a part of the brackets
NAME_LETTERS = 20


@dataclass(frozen=True)
class Pairing:
    """A match as it is drawn.

    Attributes:
        bracket: `"winners"`, `"losers"` or `"final"`; of a league anything.
        round: of it, from 1.
        slot: which match of the round, from 0 at the top.
        names: of the two drivers.
        wins: heats won by each.
        winner: 0 or 1.
    """

    bracket: str
    round: int
    slot: int
    names: tuple[str, str]
    wins: tuple[int, int]
    winner: int


Spot = tuple[float, float]  # the left end and the middle of a match, inches


def draw_brackets(pairings: Sequence[Pairing], size: int, title: str, path: str | Path) -> None:
    """Draw the brackets of a double elimination.

    Args:
        pairings: the matches that were raced; places without one were byes.
        size: how many drivers the brackets were drawn for, a power of two.
        title: in a line.
        path: the picture; its suffix (`.png`, `.svg`, `.pdf`) chooses the format.

    Raises:
        FileError: the picture cannot be written.
    """
    rounds = size.bit_length() - 1
    upper = [size >> number for number in range(1, rounds + 1)]
    lower = [size >> (2 + number // 2) for number in range(2 * (rounds - 1))]
    heights = [max(upper) * STEP_IN, max(lower, default=0) * STEP_IN]
    finals = sum(one.bracket == "final" for one in pairings)
    columns = max(2 * rounds - 1, len(lower)) + finals
    width = 2 * MARGIN_IN + columns * (BOX_IN[0] + GAP_IN) - GAP_IN
    height = HEAD_IN + sum(heights) + (2 if lower else 1) * LABEL_IN + 2 * MARGIN_IN
    canvas = Canvas(max(width, 7.0), height)
    canvas.text(MARGIN_IN, height - 0.5, title, 13.0, TEXT, weight="bold")
    spots: dict[tuple[str, int, int], Spot] = {}
    top = height - HEAD_IN
    for bracket, counts, high in (("winners", upper, heights[0]), ("losers", lower, heights[1])):
        if counts:
            words = "has lost no match" if bracket == "winners" else "has lost one match"
            canvas.text(MARGIN_IN, top, words, 8.0, SOFT)
        for number, count in enumerate(counts):
            column = max(2 * number - 1, 0) if bracket == "winners" else number  # above the losers that it drops
            x = MARGIN_IN + column * (BOX_IN[0] + GAP_IN)
            for slot in range(count):
                spots[bracket, number + 1, slot] = (x, top - LABEL_IN - (slot + 0.5) * high / count)
        top -= high + LABEL_IN + MARGIN_IN
    middle = height - HEAD_IN - LABEL_IN - 0.5 * heights[0]
    for number in range(1, finals + 1):
        spots["final", number, 0] = (MARGIN_IN + (columns - finals - 1 + number) * (BOX_IN[0] + GAP_IN), middle)
    known = {(one.bracket, one.round, one.slot): one for one in pairings}
    for key in known:
        target = _next(key, rounds, len(lower), known)
        if target is not None:
            _connect(canvas, spots[key], spots[target])
    for key, one in known.items():
        _match(canvas, spots[key], one, GOOD if key == ("final", finals, 0) else TEXT)
        if one.bracket == "final":
            x, y = spots[key]
            canvas.text(x, y + 0.5 * BOX_IN[1] + 0.09, "final" if one.round == 1 else "decider", 8.0, SOFT)
    canvas.save(path)


def draw_cross_table(names: Sequence[str], pairings: Sequence[Pairing], title: str, path: str | Path) -> None:
    """Draw who won how many heats against whom, in a league.

    Args:
        names: of the drivers, the best one first.
        pairings: the matches.
        title: in a line.
        path: the picture; its suffix (`.png`, `.svg`, `.pdf`) chooses the format.

    Raises:
        FileError: the picture cannot be written.
    """
    count = len(names)
    width = 2 * MARGIN_IN + NAME_IN + (count + 1) * CELL_IN[0]
    height = HEAD_IN + (count + 1) * CELL_IN[1] + MARGIN_IN
    canvas = Canvas(max(width, 5.0), height)
    canvas.text(MARGIN_IN, height - 0.5, title, 13.0, TEXT, weight="bold")
    wins = {pair: won for one in pairings for pair, won in zip((one.names, one.names[::-1]), one.wins, strict=True)}
    left, top = MARGIN_IN + NAME_IN, height - HEAD_IN

    def middle(row: int, column: int) -> tuple[float, float]:
        return left + (column + 0.5) * CELL_IN[0], top - (row + 1.5) * CELL_IN[1]

    for place, name in enumerate(names):
        x, y = middle(-1, place)
        canvas.text(x, y, str(place + 1), 8.5, SOFT, ha="center", va="center")
        _, y = middle(place, 0)
        canvas.text(MARGIN_IN, y, f"{place + 1}", 8.5, SOFT, va="center")
        canvas.text(MARGIN_IN + 0.25, y, _short(name), 10.0, TEXT if place else GOOD, va="center")
        for other, rival in enumerate(names):
            x, y = middle(place, other)
            box = Box(x - 0.5 * CELL_IN[0], y - 0.5 * CELL_IN[1], *CELL_IN).inset(0.03)
            if (name, rival) not in wins:
                continue
            own, theirs = wins[name, rival], wins[rival, name]
            canvas.card(box)
            color = GOOD if own > theirs else SOFT if own < theirs else TEXT
            canvas.text(x, y, f"{own}:{theirs}", 9.5, color, ha="center", va="center")
        total = sum(won for (first, _), won in wins.items() if first == name)
        x, y = middle(place, count)
        canvas.text(x, y, str(total), 11.0, TEXT, ha="center", va="center", weight="bold")
    x, y = middle(-1, count)
    canvas.text(x, y, "heats", 8.5, SOFT, ha="center", va="center")
    canvas.save(path)


def _next(
    key: tuple[str, int, int], rounds: int, below: int, known: dict[tuple[str, int, int], Pairing]
) -> tuple[str, int, int] | None:
    """The match that a winner goes on to; a bye in between is passed over."""
    bracket, number, slot = key
    if bracket == "final":
        return ("final", 2, 0) if number == 1 and ("final", 2, 0) in known else None
    last = rounds if bracket == "winners" else below
    if number == last:
        return "final", 1, 0
    paired = bracket == "winners" or number % 2 == 0
    target = (bracket, number + 1, slot // 2 if paired else slot)
    return target if target in known else _next(target, rounds, below, known)


def _connect(canvas: Canvas, begin: Spot, end: Spot) -> None:
    x, bend = begin[0] + BOX_IN[0], end[0] - 0.5 * GAP_IN
    points = np.array([[x, begin[1]], [bend, begin[1]], [bend, end[1]], [end[0], end[1]]])
    canvas.line(points, EDGE, 1.4, zorder=-1)


def _match(canvas: Canvas, spot: Spot, one: Pairing, color: str) -> None:
    x, y = spot
    canvas.card(Box(x, y - 0.5 * BOX_IN[1], *BOX_IN))
    for place, name in enumerate(one.names):
        has_won = place == one.winner
        row = y + (0.13 if place == 0 else -0.13)
        style = {"va": "center", "weight": "bold"} if has_won else {"va": "center"}
        canvas.text(x + 0.12, row, _short(name), 9.0, color if has_won else SOFT, **style)
        canvas.text(
            x + BOX_IN[0] - 0.12, row, str(one.wins[place]), 9.0, ACCENT if has_won else SOFT, ha="right", **style
        )


def _short(name: str) -> str:
    return name if len(name) <= NAME_LETTERS else name[: NAME_LETTERS - 1] + "…"
