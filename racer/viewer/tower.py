"""The tower: the list of the cars in running order.

The one invariant: a row shows the place of a car in the whole field, whatever rows there is room for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from racer.viewer.screen import BAD, DIM, GOOD, NARROW_TOWER, SOFT, TEXT, WELL, Canvas, Color, clock

if TYPE_CHECKING:
    from racer.viewer.panel import Rider
    from racer.viewer.running import Standing

__all__ = ["draw_race_tower", "draw_tower"]

STATES = {
    "finished": ("finished", GOOD),
    "retired": ("retired", DIM),
    "stopped": ("stopped", DIM),
    "held": ("penalty", BAD),
}


def draw_tower(
    canvas: Canvas, riders: Sequence[Rider], listed: Sequence[int], places: Sequence[int], focus: int
) -> None:
    """List the cars in running order, each with the time that it is behind the first replay.

    Args:
        canvas: What is drawn on.
        riders: All cars.
        listed: The cars that are listed, from top to bottom.
        places: Each car's place in the race, 1 for the first.
        focus: The car in focus.
    """
    px, layout = canvas.px, canvas.layout
    if len(riders) < 2:
        return
    wide = layout.tower.width > px(NARROW_TOWER)
    for row, number in enumerate(listed):
        rider, box, focussed = riders[number], layout.tower_row(row), number == focus
        if focussed:
            canvas.card(box.inflate(0, -px(2)), 7, WELL, rider.color)
        canvas.write(str(places[number]), (box.left + px(24), box.centery), 12, SOFT if focussed else DIM, "midright")
        canvas.dot((box.left + px(36), box.centery), 4, rider.color)
        gap = None if rider.moment.crashed else rider.moment.gap_s
        right: float = box.right - px(8)
        if wide and gap is not None:
            tint = BAD if gap > 0 else GOOD
            right = canvas.write(f"{gap:+.2f}", (right, box.centery), 12, tint, "midright").left - px(8)
        left = box.left + px(46)
        label = canvas.shorten(rider.name, 13, right - left)
        canvas.write(label, (left, box.centery), 13, TEXT if focussed else SOFT, "midleft")


def draw_race_tower(
    canvas: Canvas, riders: Sequence[Rider], listed: Sequence[int], standings: Sequence[Standing], focus: int
) -> None:
    """List the cars of a race in running order, each with how far it is behind the first, and its last lap.

    Args:
        canvas: What is drawn on.
        riders: All cars.
        listed: The cars that are listed, from top to bottom.
        standings: How each car stands.
        focus: The car in focus.
    """
    px, layout = canvas.px, canvas.layout
    for row, number in enumerate(listed):
        rider, box, standing = riders[number], layout.tower_row(row), standings[number]
        if number == focus:
            canvas.card(box.inflate(0, -px(3)), 7, WELL, rider.color)
        upper, lower = box.top + px(13), box.top + px(28)
        faint = standing.state in ("retired", "stopped")
        color = DIM if faint else TEXT if number == focus else SOFT
        canvas.write(str(standing.place), (box.left + px(24), upper), 12, SOFT if number == focus else DIM, "midright")
        canvas.dot((box.left + px(36), upper), 4, rider.color)
        left, right = box.left + px(46), box.right - px(8)
        canvas.write(canvas.shorten(rider.name, 13, right - left), (left, upper), 13, color, "midleft")
        edge = canvas.write(_gap(rider, standing), (right, lower), 12, color, "midright").left - px(8)
        word, tint = _word(rider, standing)
        if canvas.width(word, 12) <= edge - left:
            canvas.write(word, (left, lower), 12, tint, "midleft")


def _gap(rider: Rider, standing: Standing) -> str:
    """How far a car is behind the first; of the first, which lap it is in."""
    if standing.gap_s is not None:
        return f"+{standing.gap_s:.2f}"
    laps = rider.timeline.replay.rules.laps
    return f"lap {min(rider.moment.lap.index, laps)}/{laps}" if standing.place == 1 else ""


def _word(rider: Rider, standing: Standing) -> tuple[str, Color]:
    """What else there is to say of a car: that it is held or out, or else its last lap; and the colour of that."""
    if standing.state in STATES:
        return STATES[standing.state]
    last = rider.moment.last
    return (clock(last.time_s), DIM) if last is not None and last.complete else ("", DIM)
