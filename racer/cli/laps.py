"""Laps as people and scripts read them."""

import math
from typing import TYPE_CHECKING, Any

from rich.text import Text

from racer.cli import console

if TYPE_CHECKING:
    from racer.record import Lap, Replay

__all__ = ["record", "show"]


def record(replay: "Replay") -> dict[str, Any]:
    """A race as `--json` prints it: times in s, speeds in m/s."""
    speed = replay.steps["speed"]
    return {
        "track": replay.track.name,
        "driver": replay.driver,
        "reward": replay.reward,
        "car": replay.car.name,
        "seed": replay.seed,
        "laps": [
            {
                "time_s": round(lap.time_s, 3),
                "complete": lap.complete,
                "off_track": lap.off_track,
                "resets": lap.resets,
            }
            for lap in replay.laps
        ],
        "best_lap_s": None if replay.best_lap_s is None else round(replay.best_lap_s, 3),
        "completed_laps": replay.completed_laps,
        "off_tracks": int(replay.steps["off_track"].sum()),
        "resets": sum(lap.resets for lap in replay.laps),
        "mean_speed_mps": round(float(speed.mean()), 3) if len(speed) else math.nan,
        "reward_sum": round(float(replay.steps["reward"].sum()), 6),
    }


def show(replay: "Replay") -> None:
    """Print a race as a table."""
    best = replay.best_lap_s
    rows = [[str(lap.index), f"{lap.time_s:.3f} s", *_told(lap, replay, best)] for lap in replay.laps]
    title = f"{replay.driver} on {replay.track.name}{' (reverse)' if replay.track.reversed else ''}"
    console.show(console.table(["lap>", "time>", "mean speed>", ""], rows, title))


def _told(lap: "Lap", replay: "Replay", best: float | None) -> list[str | Text]:
    driven = replay.steps["speed"][replay.steps["lap"] == lap.index]
    speed = f"{driven.mean():.2f} m/s" if len(driven) else ""
    if lap.complete:
        put_back = "put back once" if lap.resets == 1 else f"put back {lap.resets} times" if lap.resets else ""
        told = "best" if lap.time_s == best else ""
        return [speed, Text(", ".join(filter(None, (told, put_back))), style="yellow" if put_back else "bold green")]
    return [speed, Text("off track" if lap.off_track else "not completed", style="yellow")]
