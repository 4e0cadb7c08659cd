"""Laps as people and scripts read them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from racer.cli import console

if TYPE_CHECKING:
    from racer.racing import Trial
    from racer.replay import Lap, Replay
    from racer.training import Run

__all__ = ["percent", "record", "share_driven", "show", "show_pool", "show_trials", "trial_records"]


def record(replay: "Replay") -> dict[str, Any]:
    """A race as `--json` prints it: times in s, speeds in m/s; the mark is null where none is known."""
    from racer.replay import mark_of, percent_of_mark

    mark = mark_of(replay.track, replay.car)
    return {
        "track": replay.track.name,
        "driver": replay.driver,
        "reward": replay.reward,
        "car": replay.car.name,
        "seed": replay.seed,
        "laps": [_lap(lap) for lap in replay.laps],
        "best_lap_s": _rounded(replay.best_lap_s),
        "mark_s": _rounded(mark.best_lap_s if mark else None),
        "percent_of_mark": _rounded(percent_of_mark(replay.best_lap_s, mark)),
        "completed_laps": replay.completed_laps,
        "off_tracks": int(replay.steps["off_track"].sum()),
        "resets": sum(lap.resets for lap in replay.laps),
        "mean_speed_mps": round(replay.drives[0].mean_speed_mps(), 3),
        "reward_sum": round(float(replay.steps["reward"].sum()), 6),
    }


def show(replay: "Replay") -> None:
    """Print a race as a table, its complete laps in percent of the mark where one is known."""
    from racer.replay import mark_of, percent_of_mark

    best, mark = replay.best_lap_s, mark_of(replay.track, replay.car)
    rows = []
    for lap in replay.laps:
        share = percent(percent_of_mark(lap.time_s if lap.complete else None, mark))
        rows.append([str(lap.index), f"{lap.time_s:.3f} s", share, *_remarks(lap, replay, best)])
    title = f"{replay.driver} on {replay.track.name}{' (reverse)' if replay.track.reversed else ''}"
    console.show(console.table(["lap>", "time>", "of the mark>?", "mean speed>?", ""], rows, title))


def show_pool(run: "Run") -> None:
    """Print how strong the earlier drivers are that a run trained against; nothing where there are none."""
    from racer.training import read_ratings

    rows = [
        [f"{one.steps:,}", f"{one.elo:.0f}", f"{one.points:g}", str(one.meetings)]
        for one in reversed(read_ratings(run))
    ]
    if rows:
        title = f"{run.name} against itself"
        console.show(console.table(["steps>", "Elo>", "points>", "of meetings>?"], rows, title))


def percent(value: float | None) -> str:
    """A share of the mark as it is printed; nothing where it is not known."""
    return "" if value is None else f"{value:.1f} %"


def share_driven(replay: "Replay", lap: "Lap") -> float:
    """How much of an incomplete lap was driven, 0..1."""
    import numpy as np

    along = replay.steps["distance"][replay.steps["lap"] == lap.index]
    laps = along / replay.track.length  # since the start, which may lie laps back
    return float(np.clip(laps.max() - round(laps[0]), 0.0, 0.99)) if len(laps) else 0.0


def trial_records(driver: str, trials: Sequence["Trial"]) -> dict[str, Any]:
    """Races on many tracks as `--json` prints them: times in s, lengths in m."""
    return {
        "driver": driver,
        "clean": sum(trial.completed == len(trial.laps) for trial in trials),
        "races": [
            {
                "track": trial.track.name,
                "direction": _direction(trial),
                "trained": trial.trained,
                "length_m": round(trial.track.length, 3),
                "laps": [_lap(lap) for lap in trial.laps],
                "completed_laps": trial.completed,
                "best_lap_s": _rounded(trial.best_lap_s),
                "mean_lap_s": _rounded(trial.mean_lap_s),
                "percent_of_mark": _rounded(trial.percent_of_mark),
            }
            for trial in trials
        ],
    }


def show_trials(driver: str, trials: Sequence["Trial"]) -> None:
    """Print races on many tracks as tables: those that the driver has trained on, and the others."""
    columns = ["track", "direction", "laps>", "best lap>", "of the mark>?", "mean lap>?", "length>?"]
    trained, others = [trial for trial in trials if trial.trained], [trial for trial in trials if not trial.trained]
    for what, some in (("trained on", trained), ("held out" if trained else "raced", others)):
        if some:
            clean = sum(trial.completed == len(trial.laps) for trial in some)
            title = f"{driver}, {what}: {clean} of {len(some)} races clean"
            console.show(console.table(columns, map(_trial_row, some), title))


def _trial_row(trial: "Trial") -> list[str | Text]:
    whole = trial.completed == len(trial.laps)
    done = f"{trial.completed} of {len(trial.laps)}"
    best, mean = ("" if time is None else f"{time:.3f} s" for time in (trial.best_lap_s, trial.mean_lap_s))
    facts = [best, percent(trial.percent_of_mark), mean, f"{trial.track.length:.1f} m"]
    return [trial.track.name, _direction(trial), done if whole else Text(done, style="yellow"), *facts]


def _direction(trial: "Trial") -> str:
    return "reverse" if trial.track.reversed else "forward"


def _lap(lap: "Lap") -> dict[str, Any]:
    return {
        "time_s": round(lap.time_s, 3),
        "complete": lap.complete,
        "off_track": lap.off_track,
        "resets": lap.resets,
    }


def _rounded(time_s: float | None) -> float | None:
    return None if time_s is None else round(time_s, 3)


def _remarks(lap: "Lap", replay: "Replay", best: float | None) -> list[str | Text]:
    speed = f"{replay.drives[0].mean_speed_mps(lap):.2f} m/s"
    if lap.complete:
        put_back = "put back once" if lap.resets == 1 else f"put back {lap.resets} times" if lap.resets else ""
        remark = "best" if lap.time_s == best else ""
        return [speed, Text(", ".join(filter(None, (remark, put_back))), style="yellow" if put_back else "bold green")]
    ended = "off track" if lap.off_track else "not completed"
    return [speed, Text(f"{ended} after {share_driven(replay, lap):.0%} of the lap", style="yellow")]
