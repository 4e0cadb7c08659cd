"""Draws the pictures of docs/sensors.md into this folder: `python docs/images/sensors/draw.py`."""

from __future__ import annotations

from dataclasses import replace
from math import cos, sin, tan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from racer.sensors import DASH_EDGE, GREYS, GROUND_EDGE, LINE_EDGE, TEXEL_M, Camera, Lidar, ground_of
from racer.sim import BOX, SIM_TO_REAL, World
from racer.track import Track, load_track
from racer.viewer.plot import Box, Canvas, Place, View, draw_above, draw_beams, draw_camera, draw_sectors, places, sheet

HERE = Path(__file__).parent
DPI = 144  # of the sheets
WIDE, HIGH = 480 / DPI, 360 / DPI  # three dots to a pixel of a camera
GAP, LABEL = 0.16, 0.34
HARBOR = load_track("harbor")


def at(track: Track, share: float, aside: float = 0.0, turn: float = 0.0) -> Place:
    """A place at a share of the lap, m and rad to the left of the centre line."""
    s = share * track.length
    k = int(np.searchsorted(track.s, s, side="right")) - 1
    (x0, y0), (x1, y1) = track.center[k], track.center[k + 1]
    part, heading = (s - track.s[k]) / (track.s[k + 1] - track.s[k]), float(np.arctan2(y1 - y0, x1 - x0))
    x, y = x0 + part * (x1 - x0), y0 + part * (y1 - y0)
    return Place(x - aside * sin(heading), y + aside * cos(heading), heading + turn, track.name)


def grid(columns: int, rows: int, wide: float = WIDE, high: float = HIGH) -> tuple[Canvas, list[Box]]:
    """A sheet of tiles with room for a label above each."""
    canvas = Canvas(columns * (wide + GAP) + GAP, rows * (high + LABEL) + GAP)
    tiles = []
    for row in range(rows):
        for column in range(columns):
            bottom = GAP + (rows - 1 - row) * (high + LABEL)
            tiles.append(Box(GAP + column * (wide + GAP), bottom, wide, high))
    return canvas, tiles


def roads() -> None:
    """The default camera on six roads."""
    canvas, tiles = grid(3, 2)
    for tile, (name, share, aside, turn) in zip(
        tiles,
        (
            ("harbor", 0.985, 0.0, 0.0),
            ("odyssey", 0.135, 0.1, 0.1),
            ("thunder", 0.30, -0.2, 0.12),
            ("needle", 0.42, 0.0, 0.25),
            ("whirlpool", 0.60, 0.0, 0.1),
            ("fjord", 0.16, 0.2, -0.15),
        ),
        strict=True,
    ):
        track = load_track(name)
        picture = Camera().look(track, [at(track, share, aside, turn)[:3]])[0, ..., 0]
        draw_camera(canvas, picture, tile, name)
    canvas.save(HERE / "roads.png")


def far() -> None:
    """A far stretch of road: one sample a pixel against what the camera draws, while the car creeps on."""
    camera = Camera()
    canvas, tiles = grid(3, 2, WIDE, WIDE * 24 / 80)
    for column, step in enumerate((0.0, 0.012, 0.024)):
        place = at(HARBOR, 0.02 + step / HARBOR.length, 0.0, 0.02)
        smooth = camera.look(HARBOR, [place[:3]])[0, ..., 0]
        for row, (picture, name) in enumerate(
            ((_sampled(camera, place), "one sample a pixel"), (smooth, "the camera"))
        ):
            label = name + (f", {step * 1000:.0f} mm further on" if step else "")
            draw_camera(canvas, picture[24:48, 40:120], tiles[3 * row + column], label)
    canvas.save(HERE / "far.png")


def boxes() -> None:
    """Boxes and cars on the road, from above, in the camera and to the LIDAR."""
    made = np.zeros(6, BOX)
    for box, (s, aside, turn, grey) in zip(
        made,
        (
            (1.15, 0.24, 0.1, 150.0),
            (1.55, -0.2, -0.1, 40.0),
            (2.15, 0.02, -0.3, 150.0),
            (2.5, -0.3, 0.2, 150.0),
            (2.6, 0.3, 0.15, 40.0),
            (4.0, 0.1, 0.0, 40.0),
        ),
        strict=True,
    ):
        spot = at(HARBOR, s / HARBOR.length, aside, turn)
        size = (0.4, 0.3, 0.25) if grey > 100.0 else (0.32, 0.2, 0.22)
        box["x"], box["y"], box["heading"] = spot[:3]
        box["length"], box["width"], box["height"] = size
        box["grey"] = grey
    place = at(HARBOR, 0.0, -0.02, -0.05)
    canvas = Canvas(2 * WIDE + HIGH + 4 * GAP, HIGH + LABEL + GAP)
    plan = Box(GAP, GAP, HIGH, HIGH)
    plain, crowded = Box(plan.right + GAP, GAP, WIDE, HIGH), Box(plan.right + WIDE + 2 * GAP, GAP, WIDE, HIGH)
    view, lidar = View(plan, 1.5, 1.1), Lidar(blind="rear", clip_m=2.5, walls=False)
    draw_above(canvas, HARBOR, place, view, 'Lidar(blind="rear", clip_m=2.5, walls=False)', made)
    draw_beams(canvas, HARBOR, place, lidar, view, made)
    draw_camera(canvas, Camera().look(HARBOR, [place[:3]])[0, ..., 0], plain, "the road alone")
    draw_camera(canvas, Camera().look(HARBOR, [place[:3]], made)[0, ..., 0], crowded, "with boxes and other cars")
    canvas.save(HERE / "boxes.png")


def lidars() -> None:
    """The LIDARs: mounted as in the original and the useful way round, and what the three of them tell."""
    place = places(HARBOR)[1]
    canvas, tiles = grid(4, 1, HIGH, HIGH)
    for tile, lidar, reach, label in (
        (tiles[0], Lidar(), 1.25, 'Lidar(): the original\'s, blind="front"'),
        (tiles[1], Lidar(blind="rear"), 1.25, 'Lidar(blind="rear")'),
        (tiles[2], Lidar("SECTOR_LIDAR", blind="rear"), 0.75, '"SECTOR_LIDAR", blind="rear"'),
        (
            tiles[3],
            Lidar("DISCRETIZED_SECTOR_LIDAR", blind="rear"),
            2.2,
            '"DISCRETIZED_SECTOR_LIDAR", blind="rear"',
        ),
    ):
        view = View(tile, reach)
        draw_above(canvas, HARBOR, place, view, label)
        draw = draw_beams if lidar.name == "LIDAR" else draw_sectors
        draw(canvas, HARBOR, place, lidar, view)
    canvas.save(HERE / "lidars.png")


def randomised() -> None:
    """Twelve episodes of `SIM_TO_REAL`, all at one place; only the last one's noise is louder."""
    canvas, tiles = grid(6, 2, WIDE / 2, HIGH / 2)
    varies = replace(SIM_TO_REAL, start_offset_m=0.0, start_heading=0.0)
    world = World(HARBOR, len(tiles), randomization=varies)
    world.seed(3)
    world.reset()
    place = at(HARBOR, 0.985)
    world.cars["x"], world.cars["y"], world.cars["heading"] = place[:3]
    pictures = np.zeros((len(tiles), 1, *Camera().shape), np.uint8)
    Camera().observe(world, pictures)
    for number, (tile, picture) in enumerate(zip(tiles, pictures[:, 0, ..., 0], strict=True), 1):
        draw_camera(canvas, picture, tile, f"episode {number}")
    canvas.save(HERE / "randomised.png")


def _sampled(camera: Camera, place: Place) -> NDArray[np.uint8]:
    """A picture with one sample in the middle of each pixel."""
    ground = ground_of(HARBOR)
    width, height = camera.size
    focal = 0.5 * width / tan(0.5 * camera.field_of_view)
    v, u = np.indices((height, width)) + 0.5
    down, right = (v - height / 2) / focal, (u - width / 2) / focal
    fall = np.maximum(sin(camera.pitch) + down * cos(camera.pitch), 1e-9)
    ahead = camera.height_m * (cos(camera.pitch) - down * sin(camera.pitch)) / fall + camera.ahead_m
    left = -camera.height_m * right / fall
    c, s = cos(place.heading), sin(place.heading)
    column = np.floor((place.x + c * ahead - s * left - ground.x) / TEXEL_M)
    row = np.floor((place.y + s * ahead + c * left - ground.y) / TEXEL_M)
    rows, columns = ground.profile.shape
    inside = (column >= 0) & (row >= 0) & (column < columns) & (row < rows)
    value = ground.profile[np.where(inside, row, 0).astype(int), np.where(inside, column, 0).astype(int)] & 255
    paint = np.where(inside, np.searchsorted([GROUND_EDGE, LINE_EDGE, DASH_EDGE], value), 0)
    grey = np.array([GREYS[name] for name in ("ground", "line", "road", "dash")])[paint]
    return np.where(fall > 1e-9, grey, GREYS["horizon"]).astype(np.uint8)


if __name__ == "__main__":
    sheet(HARBOR, HERE / "sensors.png")
    for draw in (roads, far, boxes, lidars, randomised):
        draw()
