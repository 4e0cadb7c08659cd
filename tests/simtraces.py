"""Logs as DeepRacer writes them, made up for tests: a car that drives along the centre line."""

import numpy as np

from racer.deepracer.logs.simtrace import COLUMNS, ROW
from racer.sim import STEP_S
from racer.track import point_at

FORMATS = [
    "d",
    ".0f",
    ".4f",
    ".4f",
    ".4f",
    ".2f",
    ".2f",
    "",
    ".4f",
    "",
    "",
    ".4f",
    "d",
    ".2f",
    "",
    "",
    ".2f",
    "d",
    ".4f",
]


def episode(track, steps=10_000, *, number=0, speed=2.0, start=0.0, clock=10.0, lasting=STEP_S, action="2"):
    """Rows of an episode, the prepare step first, that ends with the lap or after so many steps.

    Args:
        track: a closed one.
        steps: after the prepare step.
        number: of the episode.
        speed: m/s of simulated time, if a step lasts 1/15 s.
        start: share of a lap.
        clock: s, at the prepare step.
        lasting: s by the clock, of each step.
        action: as it is written.
    """
    way = np.arange(steps + 1) * speed * STEP_S
    driven = way[: int(np.argmax(way >= track.length)) + 1] if way[-1] >= track.length else way
    rows = np.zeros(len(driven) + 1, ROW)
    driven = np.append(0.0, driven)
    s = np.mod(start * track.length + driven, track.length)
    rows["X"], rows["Y"] = point_at(track.center, s).T
    ahead = point_at(track.center, np.mod(s + 0.01, track.length)) - point_at(track.center, s)
    rows["yaw"] = np.degrees(np.arctan2(ahead[:, 1], ahead[:, 0]))
    rows["episode"], rows["steps"] = number, np.arange(1.0, len(rows) + 1)
    rows["throttle"], rows["action"], rows["reward"] = speed, action, 1.0
    rows["all_wheels_on_track"], rows["track_len"] = True, track.length
    rows["progress"] = np.minimum(100.0, driven / track.length * 100.0)
    rows["tstamp"], rows["wall_clock"] = clock + np.arange(len(rows)) * lasting, 1.7e9 + np.arange(len(rows)) * lasting
    rows["episode_status"] = "in_progress"
    rows["episode_status"][0], rows["reward"][0] = "prepare", 0.0
    rows["done"][-1] = True
    rows["episode_status"][-1] = "lap_complete" if rows["progress"][-1] == 100.0 else "off_track"
    return rows


def text_lines(rows, fields=17):
    """The `SIM_TRACE_LOG` lines with so many fields, as that generation of DeepRacer printed them."""
    lines = []
    for row in rows:
        values = dict(zip(COLUMNS, row.tolist(), strict=True))
        if fields == 15:
            values |= {"yaw": np.radians(values["yaw"]), "steer": np.radians(values["steer"])}
        shown = [format(value, how) for value, how in zip(values.values(), FORMATS, strict=True)]
        shown[9:11] = [str(bool(row["done"])), str(bool(row["all_wheels_on_track"]))]
        lines.append("SIM_TRACE_LOG:" + ",".join(shown[:fields]))
    return lines
