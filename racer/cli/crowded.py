"""`racer evaluate --race`: what a driver does among boxes and bot cars."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from racer.cli import console
from racer.cli.entrants import Entrant, note_blind
from racer.cli.race import course_of
from racer.shelf import refuse_existing

if TYPE_CHECKING:
    from racer.racing import CrowdedResult, TrialResult
    from racer.sim import Traffic

__all__ = ["evaluate_among"]

MOST_ROWS = 20  # races that are listed


def evaluate_among(
    who: Entrant,
    traffic: "Traffic",
    where: str | None,
    races: tuple[int, int, int],
    json: bool,
    files: tuple[Path | None, bool],
) -> None:
    """Let a driver race among boxes or bot cars under several seeds, and print how it fared.

    Args:
        who: the driver.
        traffic: what is on the track.
        where: a track; None for that of the driver's run.
        races: laps of each, how many, and the seed of the first.
        json: whether to print JSON.
        files: where to record a replay of the first race, if anywhere, and whether that may be replaced.
    """
    (laps, count, seed), (replay, force) = races, files
    if replay is not None:
        refuse_existing(replay, force)
    with console.busy(console.loading("Racing")), console.prints_to_messages():
        from racer.racing import Contestant, Heat, evaluate_crowded, run_heat

        course = course_of([who], where)
        driver = who.driver_on(course)
        seeds = range(seed, seed + count)
        result = evaluate_crowded(driver, course, traffic, seeds, laps, who.conditions, name=who.name)
        if replay is not None:
            from racer.replay import save_replay

            held_s = who.conditions.penalty_s or 0.0
            heat = Heat(course, laps, traffic, held_s, held_s, seed)
            save_replay(run_heat(heat, [Contestant(who.name, driver, who.conditions)]).replay, replay, overwrite=force)
    note_blind([who])
    if json:
        console.print_json(result.as_json())
    else:
        _show(result)
    if replay is not None:
        watch = console.command("racer", "watch", replay)
        console.note(f"Recorded the first race, {console.word(replay)}, where a crash is no end: {watch}")


def _show(result: "CrowdedResult") -> None:
    """Print what the races came to, and each of them."""
    way = " (reverse)" if result.track.reversed else ""
    count, what = result.traffic.count, "boxes" if result.traffic.boxes else "bot cars"
    title = f"{result.driver} on {result.track.name}{way} among {count} {what}"
    times = result.lap_times_s
    mean = sum(times) / len(times) if times else None
    facts = [
        ("laps completed", f"{result.completion:.0%} of {result.laps * len(result.races)}"),
        ("races without a mistake", f"{result.clean} of {len(result.races)}"),
        ("crashes per lap", f"{result.crashes_per_lap:.2f}"),
        ("mean lap", "" if mean is None else f"{mean:.3f} s"),
        ("best lap", f"{min(times):.3f} s" if times else ""),
        ("mean speed", "" if result.mean_speed_mps is None else f"{result.mean_speed_mps:.2f} m/s"),
    ]
    console.show(Text(title, "bold"))
    console.show(console.table([f"{len(result.races)} races", ""], facts))
    columns = ["seed>", "laps>", "mean lap>", "crashes>", "off track>?", "end"]
    console.show(console.table(columns, map(_row, result.races[:MOST_ROWS])))
    if len(result.races) > MOST_ROWS:
        console.note(f"and {len(result.races) - MOST_ROWS} more races; --json lists all")


def _row(race: "TrialResult") -> list[str | Text]:
    times = [lap.time_s for lap in race.laps if lap.complete]
    crashes, off_tracks = (sum(getattr(lap, name) for lap in race.laps) for name in ("crashes", "off_tracks"))
    end = "" if race.end == "lap_complete" else f"{race.end.replace('_', ' ')} after {race.progress:.0f} % of the lap"
    mean = f"{sum(times) / len(times):.3f} s" if times else ""
    return [str(race.seed), str(len(times)), mean, str(crashes or ""), str(off_tracks or ""), Text(end, "yellow")]
