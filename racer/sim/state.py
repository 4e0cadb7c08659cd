"""The state of a car in a race: one record, shared by everything that moves, observes or describes it."""

from __future__ import annotations

import numpy as np

from racer.sim.car import MOTION

__all__ = ["CAR_STATE"]

CAR_STATE = np.dtype(
    [
        *MOTION,
        # The front point, m, and where it is along the track.
        ("front_x", "f8"),
        ("front_y", "f8"),
        ("s", "f8"),  # arc length of its projection, m, 0..length
        ("segment", "i8"),  # that projection's centre-line segment
        ("share", "f8"),  # and share of the segment, 0..1
        ("offset", "f8"),  # signed distance from the centre line, m, left positive
        ("start_s", "f8"),  # arc length from which its way counts, m: where the origin was put down, or the grid's line
        ("winding", "i8"),  # how often the start line of the ring was crossed, forwards less backwards
        ("distance", "f8"),  # driven along the line since the start, m; never more than the car's own path allows
        ("last_distance", "f8"),  # the same, one step earlier
        ("wheels_on_track", "i8"),  # wheel centres inside the road polygon
        ("last_x", "f8"),  # the origin, one step earlier, m
        ("last_y", "f8"),
        # The race.
        ("steps", "i8"),  # of this episode; 1 after the reset, which is DeepRacer's prepare step
        ("status", "i8"),  # judged by the newest step; an index into rules.STATUS
        ("laps", "i8"),  # complete
        ("lap_start_s", "f8"),  # race time at which the current lap began, s
        ("lap_time", "f8"),  # of the newest complete lap, s; 0 before
        ("lap_step", "i8"),  # steps at which it was completed
        ("still_steps", "i4"),  # in a row without moving
        ("reversed_steps", "i4"),  # in a row with falling progress
        ("held", "i8"),  # steps that are left of a penalty
        ("resets", "i8"),  # how often it was put back in this episode
        ("hit", "i4"),  # what it crashed into in the newest step; see below; -1: nothing
        ("crashes", "i4"),  # that it is to blame for, in this episode
        # What decides its draws, and how often it was put down.
        ("seed", "u8"),
        ("episode", "i8"),  # 0 for the first
        ("clock", "i8"),  # steps of all episodes
    ],
    align=True,
)
"""Everything there is to know about a car in a race.

`hit` is the number of a box or bot car in the race, as in `World.things`; or, beyond these, their number plus that of a
car. Who is behind is to blame, and who is to blame has the number of what it hit.
"""
