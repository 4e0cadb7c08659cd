"""Two pictures: a contact sheet of tracks, and the laps of races drawn on their track, coloured by speed.

Invariant: a speed has the same colour all over a picture. No screen is needed; matplotlib is imported only
when something is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from racer.replay import STEP_S, Lap, Replay, mark_of, percent_of_mark
from racer.track import DIFFICULTIES, Points, Track, load_track
from racer.viewer.plot.canvas import ACCENT, BAD, EDGE, GOOD, ROAD, SOFT, TEXT, Box, Canvas, Place

__all__ = ["SpeedColors", "clock", "contact_sheet", "laps", "short"]

GRADES = dict(zip(DIFFICULTIES, (GOOD, ACCENT, "#fca836", BAD), strict=True))
CARD_IN = (3.5, 3.2)  # of one track on the contact sheet
GAP_IN = 0.14
RACE_IN = (9.6, 6.0)  # of one race on the sheet of laps
SIDE_IN = 2.6  # its column of lap times
LAPS_LISTED = 14
FINE = 6  # points drawn for one step


def contact_sheet(tracks: Iterable[Track | str | Path], path: str | Path) -> None:
    """Draw tracks on one sheet: road, start and direction, length, width, turns, difficulty.

    Args:
        tracks: Tracks, or their names or files; at least one.
        path: The picture; its suffix (`.png`, `.svg`, `.pdf`) chooses the format.

    Raises:
        ValueError: There are no tracks.
        RacerError: A track cannot be loaded, or the picture cannot be written.
    """
    shown = [load_track(track) for track in tracks]
    if not shown:
        raise ValueError("there are no tracks to draw")
    columns = _columns(len(shown))
    rows = math.ceil(len(shown) / columns)
    width, height = CARD_IN[0] + GAP_IN, CARD_IN[1] + GAP_IN
    canvas = Canvas(columns * width + GAP_IN, rows * height + GAP_IN)
    for index, track in enumerate(shown):
        row, column = divmod(index, columns)
        _track_card(canvas, track, Box(GAP_IN + column * width, (rows - row) * height - CARD_IN[1], *CARD_IN))
    canvas.save(path)


def laps(replays: Iterable[Replay] | Replay, path: str | Path) -> None:
    """Draw the laps of each race on its track, coloured by speed, with lap times and a profile of the best.

    Args:
        replays: One race or several; each gets a card, and all share one scale of speed.
        path: The picture; its suffix (`.png`, `.svg`, `.pdf`) chooses the format.

    Raises:
        ValueError: There are no replays.
        FileError: The picture cannot be written.
    """
    shown = [replays] if isinstance(replays, Replay) else list(replays)
    if not shown:
        raise ValueError("there are no replays to draw")
    columns = 1 if len(shown) == 1 else 2
    rows = math.ceil(len(shown) / columns)
    width, height = RACE_IN[0] + GAP_IN, RACE_IN[1] + GAP_IN
    canvas = Canvas(columns * width + GAP_IN, rows * height + GAP_IN)
    colors = SpeedColors(shown)
    for index, replay in enumerate(shown):
        row, column = divmod(index, columns)
        box = Box(GAP_IN + column * width, (rows - row) * height - RACE_IN[1], *RACE_IN)
        _race_card(canvas, replay, box, colors)
    canvas.save(path)


class SpeedColors:
    """The scale of speed that a picture's races share: violet is slow, yellow fast."""

    def __init__(self, replays: list[Replay]) -> None:
        """Span the speeds of all races."""
        import matplotlib as mpl

        speeds = np.concatenate([replay.steps["speed"] for replay in replays] or [np.zeros(0)])
        speeds = speeds[np.isfinite(speeds)] if np.any(np.isfinite(speeds)) else np.zeros(1)
        self.low = math.floor(2.0 * float(np.percentile(speeds, 5.0))) / 2.0
        self.high = max(math.ceil(2.0 * float(speeds.max())) / 2.0, self.low + 0.5)
        self._map = mpl.colormaps["plasma"]

    def __call__(self, speed: NDArray[np.float64]) -> NDArray[np.float64]:
        """Colours of speeds, `(n,)` m/s to RGBA `(n, 4)`; the map's dark end would be lost on the road."""
        share = np.clip((speed - self.low) / (self.high - self.low), 0.0, 1.0)
        return np.asarray(self._map(0.25 + 0.75 * share))

    def bar(self, canvas: Canvas, box: Box) -> None:
        """Draw the scale."""
        scale = np.linspace(self.low, self.high, 256)
        extent = (box.left, box.right, box.bottom, box.top)
        limits = canvas.axes.get_xlim(), canvas.axes.get_ylim()
        canvas.axes.imshow(self(scale)[None], extent=extent, aspect="auto", zorder=4)
        canvas.axes.set(xlim=limits[0], ylim=limits[1])
        canvas.text(box.left, box.bottom - 0.17, f"{self.low:g}", 8.0, SOFT)
        canvas.text(box.right, box.bottom - 0.17, f"{self.high:g} m/s", 8.0, SOFT, ha="right")
        canvas.text(box.left, box.top + 0.07, "SPEED", 7.0, SOFT)


def _columns(count: int) -> int:
    """As many as make the sheet a little wider than high, with few empty places in the last row."""
    ideal = math.sqrt(count * 1.25)
    near = range(max(math.floor(ideal), 1), math.ceil(ideal) + 2)
    return min(near, key=lambda columns: (-count % columns) / columns + 0.5 * abs(columns - ideal))


def _track_card(canvas: Canvas, track: Track, box: Box) -> None:
    canvas.card(box)
    inner = box.inset(0.18)
    canvas.text(inner.left, inner.top - 0.16, track.name, 13.0, weight="bold")
    grade = track.difficulty
    canvas.pill(inner.right, inner.top - 0.13, grade, GRADES.get(grade, SOFT), 7.5)
    canvas.text(inner.left, inner.top - 0.38, _facts(track), 7.8, SOFT)
    place = canvas.road(track, Box(inner.left, inner.bottom + 0.1, inner.width, inner.height - 0.62))
    canvas.scale_bar(place, inner.left, inner.bottom - 0.03)


def _facts(track: Track) -> str:
    spread = track.width_max - track.width_min
    width = f"{track.width:.2f} m"
    if spread > 0.1 * track.width:
        width = f"{track.width_min:.1f} to {track.width_max:.1f} m"
    turns = f"{track.turns} turn{'' if track.turns == 1 else 's'}"
    return f"{track.length:.1f} m   ·   {width} wide   ·   {turns}"


def _race_card(canvas: Canvas, replay: Replay, box: Box, colors: SpeedColors) -> None:
    canvas.card(box)
    inner = box.inset(0.28)
    canvas.text(inner.left, inner.top - 0.2, replay.track.name, 19.0, weight="bold")
    canvas.text(inner.left, inner.top - 0.45, f"{_facts(replay.track)}   ·   reward {replay.reward}", 9.0, SOFT)
    left = inner.width - SIDE_IN
    place = canvas.road(replay.track, Box(inner.left + 0.05, inner.bottom + 1.35, left - 0.3, inner.height - 2.1))
    best = min((lap for lap in replay.laps if lap.complete), key=lambda lap: lap.time_s, default=None)
    shown = best or max(replay.laps, key=lambda lap: lap.time_s, default=None)
    for lap in sorted(replay.laps, key=lambda lap: lap is shown):
        _draw_lap(canvas, replay, lap, place, colors, bold=lap is shown)
    canvas.scale_bar(place, inner.left, inner.bottom + 1.3)
    _profile(canvas, replay, shown, Box(inner.left, inner.bottom, left - 0.3, 1.05), colors)
    side = Box(inner.right - SIDE_IN + 0.1, inner.bottom, SIDE_IN - 0.1, inner.height)
    _lap_list(canvas, replay, best, side)
    _speeds(canvas, replay, best, side)
    colors.bar(canvas, Box(side.left, side.bottom + 0.2, side.width, 0.12))


def _draw_lap(canvas: Canvas, replay: Replay, lap: Lap, place: Place, colors: SpeedColors, *, bold: bool) -> None:
    steps = replay.steps[_rows_of(replay, lap)]
    put_back = np.flatnonzero(steps["held"][1:] & ~steps["held"][:-1]) + 1
    for part in np.split(steps, put_back):
        points, speed = _smooth(part)
        if len(points) < 2:
            continue
        rgba = colors((speed[1:] + speed[:-1]) / 2.0)
        if not bold:  # paler towards the road, not transparent: overlapping segments would show
            rgba[:, :3] = 0.55 * rgba[:, :3] + 0.45 * _rgb(ROAD)
        canvas.trace(place(points), rgba, 2.6 if bold else 1.3, 6.0 if bold else 5.0)
        if part["off_track"][-1]:
            x, y = place(points[-1:])[0]
            canvas.axes.plot(x, y, marker="x", ms=7.0, mew=2.2, color=BAD, zorder=7)


def _lap_list(canvas: Canvas, replay: Replay, best: Lap | None, box: Box) -> None:
    """Driver, best time, and the laps one below the other."""
    canvas.text(box.left, box.top - 0.13, "DRIVER", 7.0, SOFT)
    canvas.text(box.left, box.top - 0.36, short(replay.driver, 24), 12.0, weight="bold")
    canvas.text(box.left, box.top - 0.68, "BEST LAP", 7.0, SOFT)
    canvas.text(
        box.left,
        box.top - 1.03,
        clock(best.time_s) if best else "none",
        22.0,
        GOOD if best else BAD,
        weight="bold",
    )
    share = percent_of_mark(best.time_s if best else None, mark_of(replay.track, replay.car))
    if share is not None:
        canvas.text(box.right, box.top - 1.03, f"{share:.1f} % of the mark", 8.0, SOFT, ha="right")
    y = box.top - 1.42
    room = min(LAPS_LISTED, int((y - box.bottom - 1.4) / 0.21))
    listed = replay.laps if len(replay.laps) <= room else replay.laps[: room - 1]
    for lap in listed:
        color = GOOD if lap is best else TEXT if lap.complete else SOFT
        canvas.text(box.left, y, f"{lap.index}", 8.5, SOFT)
        canvas.text(box.left + 1.05, y, clock(lap.time_s), 9.5, color, ha="right", family="DejaVu Sans Mono")
        canvas.text(box.left + 1.2, y, _remark(replay, lap, best), 8.0, color if lap is best else SOFT)
        y -= 0.21
    if len(listed) < len(replay.laps):
        canvas.text(box.left, y, f"… and {len(replay.laps) - len(listed)} more", 8.0, SOFT)


def _speeds(canvas: Canvas, replay: Replay, best: Lap | None, box: Box) -> None:
    """Mean and top speed of the best lap, side by side."""
    if best is None:
        return
    top = float(replay.steps["speed"][_rows_of(replay, best)].max())
    for share, name, value in (
        (0.0, "MEAN SPEED", replay.drives[0].mean_speed_mps(best)),
        (0.5, "TOP SPEED", top),
    ):
        canvas.text(box.left + share * box.width, box.bottom + 1.1, name, 7.0, SOFT)
        canvas.text(box.left + share * box.width, box.bottom + 0.84, f"{value:.2f} m/s", 11.0, weight="bold")


def _remark(replay: Replay, lap: Lap, best: Lap | None) -> str:
    if not lap.complete:
        return "off track" if lap.off_track else "not finished"
    rows = replay.steps[replay.steps["lap"] == lap.index]
    standing = " (standing start)" if len(rows) and bool(rows["restart"][0]) else ""
    if lap is best:
        return "best" + standing
    return f"+{lap.time_s - best.time_s:.3f}{standing}" if best else standing.strip()


def _profile(canvas: Canvas, replay: Replay, lap: Lap | None, box: Box, colors: SpeedColors) -> None:
    """Speed of a lap over the distance from the start line."""
    if lap is None or len(steps := replay.steps[_rows_of(replay, lap)]) < 2:
        return
    length = replay.track.length
    along = np.unwrap(steps["s"], period=length)
    along += length * round(-along[0] / length)
    plot = Box(box.left + 0.25, box.bottom + 0.18, box.width - 0.25, box.height - 0.42)
    points = np.stack(
        [
            plot.left + plot.width * np.clip(along / length, 0.0, 1.0),
            plot.bottom + plot.height * np.clip(steps["speed"] / colors.high, 0.0, 1.0),
        ],
        axis=1,
    )
    name = f"lap {lap.index}{', the best' if lap.complete else ''}"
    canvas.text(box.left, box.top - 0.08, f"Speed along {name}, m/s", 7.5, SOFT)
    for mark in range(0, math.floor(colors.high) + 1, 1 if colors.high < 5 else 2):
        y = plot.bottom + plot.height * mark / colors.high
        canvas.line(np.array([[plot.left, y], [plot.right, y]]), EDGE, 0.7)
        canvas.text(plot.left - 0.07, y, f"{mark}", 6.5, SOFT, ha="right", va="center")
    floor = np.array([[points[-1, 0], plot.bottom], [points[0, 0], plot.bottom]])
    canvas.fill(np.vstack([points, floor]), TEXT, alpha=0.06)
    canvas.trace(points, colors((steps["speed"][1:] + steps["speed"][:-1]) / 2.0), 1.8, 5.0)
    for share, text, side in ((0.0, "start", "left"), (1.0, f"{length:.1f} m", "right")):
        canvas.text(plot.left + share * plot.width, box.bottom, text, 6.5, SOFT, ha=side)


def _rows_of(replay: Replay, lap: Lap) -> NDArray[np.intp]:
    """The steps of a lap, and the one after it, where it ends, unless the car was put back to the start."""
    rows = np.flatnonzero(replay.steps["lap"] == lap.index)
    if len(rows) and rows[-1] + 1 < len(replay.steps) and not replay.steps["restart"][rows[-1] + 1]:
        rows = np.append(rows, rows[-1] + 1)
    return rows


def _smooth(steps: NDArray[np.void]) -> tuple[Points, NDArray[np.float64]]:
    """Points and speeds between the steps too: cubic Hermite curves along the headings."""
    if len(steps) < 2:
        return np.zeros((0, 2)), np.zeros(0)
    here = np.stack([steps["x"], steps["y"]], axis=1)
    ahead = np.stack([np.cos(steps["heading"]), np.sin(steps["heading"])], axis=1)
    reach = ahead * (steps["speed"] * STEP_S)[:, None]
    t = (np.arange(FINE) / FINE)[:, None]
    curve = (
        (1.0 + 2.0 * t) * (1.0 - t) ** 2 * here[:-1, None]
        + t * (1.0 - t) ** 2 * reach[:-1, None]
        + t**2 * (3.0 - 2.0 * t) * here[1:, None]
        + t**2 * (t - 1.0) * reach[1:, None]
    )
    times = np.arange(len(steps))
    fine = np.arange((len(steps) - 1) * FINE + 1) / FINE
    return np.vstack([curve.reshape(-1, 2), here[-1:]]), np.interp(fine, times, steps["speed"])


def _rgb(color: str) -> NDArray[np.float64]:
    return np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)]) / 255.0


def clock(seconds: float) -> str:
    """A lap time as it is written."""
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    return f"{minutes}:{rest / 1000:06.3f}" if minutes else f"{rest / 1000:.3f}"


def short(text: str, most: int) -> str:
    """A text of `most` characters, with an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"
