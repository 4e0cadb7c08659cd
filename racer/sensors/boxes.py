"""Boxes as sensors observe them: everything that stands on the track, other cars included.

A camera draws them over the ground, the hidden ones first, each side in one grey with smooth edges; a LIDAR meets
their sides.
"""

from __future__ import annotations

from math import ceil, cos, pi, sin
from typing import Any

import numpy as np

from racer.sim import inlined, kernel

NEAREST_M = 0.02  # in front of the lens, where the picture begins
SUN = 0.6  # rad, the way the light comes from, in the world
TOP_LIGHT, MEAN_LIGHT, SIDE_LIGHT = 1.1, 0.8, 0.2
LINES = 4  # a row of pixels is the mean of so many lines
FACES, CORNERS = 3, 5  # of a box are seen at once: of a face that is cut off in front


@kernel
def draw_boxes(poses: Any, mount_x: float, mount_y: float, views: Any, boxes: Any, out: Any) -> None:
    """Draw boxes over pictures of the ground.

    Args:
        poses, mount_x, mount_y, views, out: as for `racer.sensors.picture.draw`.
        boxes: (n, m, k) of `racer.sim.BOX`, what the cars see, or (1, 1, k), the same for all.
    """
    count, height, width = boxes.shape[2], out.shape[2], out.shape[3]
    plan = np.zeros((count, 4, 2))
    done = np.zeros(count, dtype=np.bool_)
    faces = np.zeros((FACES, CORNERS, 2))
    sizes, greys = np.zeros(FACES, dtype=np.int64), np.zeros(FACES)
    work, clipped = np.zeros((CORNERS, 3)), np.zeros((CORNERS, 3))
    grey, cover = np.zeros(width), np.zeros(width)
    for i in range(poses.shape[0]):
        for j in range(poses.shape[1]):
            view = views[i if len(views) > 1 else 0, j if views.shape[1] > 1 else 0]
            around = boxes[i if len(boxes) > 1 else 0, j if boxes.shape[1] > 1 else 0]
            c, s = cos(poses[i, j, 2]), sin(poses[i, j, 2])
            eye_x = poses[i, j, 0] + c * mount_x - s * mount_y
            eye_y = poses[i, j, 1] + s * mount_x + c * mount_y
            for b in range(count):
                corners(around[b], eye_x, eye_y, c, s, plan[b])
                done[b] = False
            for _ in range(count):
                b = _hindmost(plan, done)
                done[b] = True
                seen = 0
                for side in range(5):
                    if _face(around[b], plan[b], side, view, work, greys, seen):
                        size = _clip(work, 4, clipped)
                        for k in range(size):
                            faces[seen, k, 0] = 0.5 * width + view.focal * clipped[k, 1] / clipped[k, 0]
                            faces[seen, k, 1] = 0.5 * height + view.focal * clipped[k, 2] / clipped[k, 0]
                        if size > 0:
                            sizes[seen] = size
                            seen += 1
                if seen > 0:
                    _fill_faces(faces, sizes, greys, seen, grey, cover, out[i, j])


@kernel
def corners(box: Any, eye_x: float, eye_y: float, c: float, s: float, plan: Any) -> None:
    """Fill `plan` (4, 2) with a box's corners, counter-clockwise: m ahead and left of an eye looking along c, s."""
    cos_box, sin_box = cos(box.heading), sin(box.heading)
    for k in range(4):
        along = 0.5 * box.length * (1.0 if k == 0 or k == 3 else -1.0)
        left = 0.5 * box.width * (1.0 if k < 2 else -1.0)
        x = box.x + cos_box * along - sin_box * left - eye_x
        y = box.y + sin_box * along + cos_box * left - eye_y
        plan[k, 0], plan[k, 1] = c * x + s * y, c * y - s * x


@kernel
def _hindmost(plan: Any, done: Any) -> int:
    """A box, of those not yet done, that hides none of the others from the origin."""
    furthest, most = -1, -1.0
    for a in range(len(plan)):
        if done[a]:
            continue
        hides = False
        for b in range(len(plan)):
            if a != b and not done[b] and not _cannot_hide(plan[a], plan[b]):
                hides = True
                break
        if not hides:
            return a
        away = (plan[a, 0, 0] + plan[a, 2, 0]) ** 2 + (plan[a, 0, 1] + plan[a, 2, 1]) ** 2
        if away > most:
            furthest, most = a, away
    return furthest


@kernel
def _cannot_hide(a: Any, b: Any) -> bool:
    """Whether a side's line parts the two, and the origin is not on the side of `a` alone."""
    for k in range(4):
        if _outside(a, k, 0.0, 0.0) and _all_outside(a, k, b):
            return True
        if not _outside(b, k, 0.0, 0.0) and _all_outside(b, k, a):
            return True
    return False


@inlined
def _outside(plan: Any, k: int, x: float, y: float) -> bool:
    """Whether a point is outside the side of a box from its corner k to the next."""
    n = (k + 1) % 4
    dx, dy = plan[n, 0] - plan[k, 0], plan[n, 1] - plan[k, 1]
    return bool(dx * (y - plan[k, 1]) - dy * (x - plan[k, 0]) <= 0.0)


@kernel
def _all_outside(a: Any, k: int, b: Any) -> bool:
    outside = 0
    for n in range(4):
        if _outside(a, k, b[n, 0], b[n, 1]):
            outside += 1
    return outside == 4


@kernel
def _face(box: Any, plan: Any, side: int, view: Any, work: Any, greys: Any, seen: int) -> bool:
    """Whether a side (4: the top) is seen; its corners go to `work` (4, 3), m along the lens's axis, right, down."""
    if side < 4:
        if not _outside(plan, side, 0.0, 0.0):
            return False
        light = MEAN_LIGHT + SIDE_LIGHT * cos(box.heading + 0.5 * pi * (side + 1) - SUN)
    else:
        if view.height <= box.height:
            return False
        light = TOP_LIGHT
    greys[seen] = min(255.0, box.grey * light * view.light)
    for k in range(4):
        n = k if side == 4 else side if k == 0 or k == 3 else (side + 1) % 4
        top = side == 4 or k > 1
        below = view.height - (box.height if top else 0.0)
        work[k, 0] = plan[n, 0] * view.cosine + below * view.sine
        work[k, 1] = -plan[n, 1]
        work[k, 2] = below * view.cosine - plan[n, 0] * view.sine
    return True


@kernel
def _clip(corners_in: Any, count: int, out: Any) -> int:
    """Cut off what is not in front of the lens (Sutherland and Hodgman 1974, one plane)."""
    size = 0
    for k in range(count):
        n = (k + 1) % count
        here, there = corners_in[k, 0] - NEAREST_M, corners_in[n, 0] - NEAREST_M
        if here >= 0.0:
            for axis in range(3):
                out[size, axis] = corners_in[k, axis]
            size += 1
        if (here >= 0.0) != (there >= 0.0):
            share = here / (here - there)
            for axis in range(3):
                out[size, axis] = corners_in[k, axis] + share * (corners_in[n, axis] - corners_in[k, axis])
            size += 1
    return size


@kernel
def _fill_faces(faces: Any, sizes: Any, greys: Any, count: int, grey: Any, cover: Any, picture: Any) -> None:
    """Fill the faces of one box, which do not overlap, in one go, so that no ground shines through between them."""
    height, width = picture.shape
    most_left, most_right, top, bottom = float(width), 0.0, float(height), 0.0
    for f in range(count):
        for k in range(sizes[f]):
            most_left, most_right = min(most_left, faces[f, k, 0]), max(most_right, faces[f, k, 0])
            top, bottom = min(top, faces[f, k, 1]), max(bottom, faces[f, k, 1])
    first, last = int(max(0.0, most_left)), ceil(min(float(width), most_right))
    for v in range(int(max(0.0, top)), ceil(min(float(height), bottom))):
        for u in range(first, last):
            grey[u] = cover[u] = 0.0
        for f in range(count):
            for n in range(LINES):
                left, right = _cut(faces, f, sizes[f], v + (n + 0.5) / LINES)
                left, right = max(0.0, left), min(float(width), right)
                for u in range(int(left), ceil(right) if left < right else 0):
                    part = (min(right, u + 1.0) - max(left, float(u))) / LINES
                    cover[u] += part
                    grey[u] += part * greys[f]
        for u in range(first, last):
            picture[v, u] = np.uint8(grey[u] + max(0.0, 1.0 - cover[u]) * picture[v, u] + 0.5)


@kernel
def _cut(faces: Any, f: int, size: int, y: float) -> tuple[float, float]:
    """Where a line across the picture enters and leaves a convex face."""
    left, right = 1e9, -1e9
    for k in range(size):
        n = (k + 1) % size
        y0, y1 = faces[f, k, 1], faces[f, n, 1]
        if (y0 <= y) != (y1 <= y):
            x = faces[f, k, 0] + (y - y0) / (y1 - y0) * (faces[f, n, 0] - faces[f, k, 0])
            left, right = min(left, x), max(right, x)
    return left, right
