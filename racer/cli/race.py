"""`racer race`: several drivers on one track."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.text import Text

from racer.cli import complete, console
from racer.cli.entrants import Entrant, entrant, note_blind
from racer.shelf import DEFAULTS, refuse_existing

if TYPE_CHECKING:
    from racer.racing import Contestant, Heat, HeatResult, Placing
    from racer.track import Track

__all__ = [
    "GRIDS",
    "Drivers",
    "Grid",
    "Penalty",
    "Where",
    "check_choice",
    "contestants",
    "course_of",
    "heat_of",
    "race",
    "show_heat",
]

MOST_CRASHES = 12  # that are listed
GRIDS = ("staggered", "pairs")
ENDS = {"running": "not finished", "retired": "retired"}
Drivers = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN|MODEL|AGENT...",
        help="Drivers: runs, models or agents that need no training.",
        autocompletion=complete.drivers,
    ),
]
Where = Annotated[
    str | None,
    typer.Option(
        help="Track (default: that of the first run, or harbor).", autocompletion=complete.tracks, show_default=False
    ),
]
Grid = Annotated[str, typer.Option(metavar="|".join(GRIDS), help="How they start; see above.")]
Penalty = Annotated[
    float,
    typer.Option(
        metavar="SECONDS", min=0.0, max=60.0, help="How long a car is held after leaving the track or a crash."
    ),
]


def race(
    drivers: Drivers,
    track: Where = None,
    laps: Annotated[int, typer.Option(min=1, max=100, help="Number of laps.")] = 3,
    grid: Grid = "staggered",
    shuffle: Annotated[bool, typer.Option("--shuffle", help="Draw the order of the grid from the seed.")] = False,
    penalty: Penalty = 5.0,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    replay: Annotated[Path | None, typer.Option(metavar="FILE.replay", help="Record a replay.", dir_okay=False)] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the replay file.")] = False,
) -> None:
    """Let two to eight drivers race each other on one track.

    Each drives with its own sensors and actions: a run, an exported model, or an
    agent that needs no training. Who is named first starts in front: with the
    grid [cyan]staggered[/cyan] each car 0.75 m behind the one before it, in the
    outer and the inner lane in turn, as in DeepRacer; with [cyan]pairs[/cyan] two
    abreast.

    A car that leaves the track is put back and held for the penalty, and so is
    one that runs into another: whoever is behind is to blame. A driver that
    raises an error or gives no answer for 5 seconds retires; the others go on.
    The race is over a minute after the winner has finished.

    Examples:
      [cyan]racer race fast old pure_pursuit --track harbor[/cyan]
      [cyan]racer race fast fast --laps 5 --grid pairs --replay duel.replay[/cyan]
      [cyan]racer watch duel.replay[/cyan]
    """
    if len(drivers) < 2:
        raise typer.BadParameter(
            "a race has two drivers or more; `racer evaluate` lets one drive alone", param_hint="DRIVERS"
        )
    check_choice("--grid", grid, GRIDS)
    if replay is not None:
        refuse_existing(replay, force)
    with console.busy(console.loading("Racing")), console.prints_to_messages():
        from racer.racing import run_heat

        found = [entrant(driver, None, None, seed) for driver in drivers]
        course = course_of(found, track)
        result = run_heat(heat_of(course, laps, grid, penalty, seed, shuffle), contestants(found, course))
    note_blind(found)
    if json:
        console.print_json(result.as_json())
    else:
        show_heat(result)
    if replay is not None:
        from racer.replay import save_replay

        save_replay(result.replay, replay, overwrite=force)
        console.note(f"Recorded {console.word(replay)}: {console.command('racer', 'watch', replay)}")


def check_choice(option: str, value: str, among: Sequence[str]) -> None:
    """Refuse what an option does not know."""
    if value not in among:
        raise typer.BadParameter(f"{value!r} is none of {', '.join(among)}", param_hint=option)


def course_of(found: list[Entrant], track: str | None) -> "Track":
    """Where a race takes place: on the track named, else on that of the first run, else on the default one."""
    from racer.track import load_track

    run = next((one.run for one in found if one.run is not None), None)
    if track is not None or run is None:
        return load_track(track or DEFAULTS["tracks"])
    return run.track()


def heat_of(track: "Track", laps: int, grid: str, penalty_s: float, seed: int, shuffle: bool = False) -> "Heat":
    """A heat as the options describe it."""
    from racer.racing import Heat
    from racer.sim import Traffic

    return Heat(track, laps, Traffic(grid=grid, drawn_grid=shuffle), penalty_s, penalty_s, seed)  # type: ignore[arg-type]


def contestants(found: list[Entrant], course: "Track") -> list["Contestant"]:
    """The drivers of names, ready to race on a track."""
    from racer.racing import Contestant

    return [Contestant(one.name, one.driver_on(course), one.conditions) for one in found]


def show_heat(result: "HeatResult") -> None:
    """Print a result table, who ran into whom, and why drivers retired."""
    from racer.replay import STEP_S

    replay = result.replay
    way = " (reverse)" if replay.track.reversed else ""
    title = f"{replay.rules.laps} lap{'s' * (replay.rules.laps > 1)} of {replay.track.name}{way}"
    columns = [">", "driver", "laps>", "time>", "gap>", "best lap>", "crashes>", "off track>?", "grid>?", ""]
    console.show(console.table(columns, [_row(placing) for placing in result.placings], title))
    if replay.crashes:
        rows = [
            [f"{crash.step * STEP_S:.1f} s", replay.crash_text(crash), replay.drives[crash.car].driver]
            for crash in replay.crashes[:MOST_CRASHES]
        ]
        more = len(replay.crashes) - MOST_CRASHES
        console.show(console.table(["crash>", "", "to blame"], rows))
        if more > 0:
            console.note(f"and {more} more crashes; --json lists all")
    for placing in result.placings:
        if placing.reason:
            who = console.word(placing.driver)
            console.note(f"{who} retired after {placing.ended_s:.1f} s: {escape(placing.reason)}")


def _row(placing: "Placing") -> list[str | Text]:
    gap = "" if placing.gap_s is None or placing.position == 1 else f"+{placing.gap_s:.3f} s"
    return [
        str(placing.position),
        placing.driver,
        f"{placing.raced:.2f}" if placing.time_s is None else str(placing.laps),
        _time(placing.time_s),
        gap,
        _time(placing.best_lap_s),
        str(placing.crashes) if placing.crashes else "",
        str(placing.off_tracks) if placing.off_tracks else "",
        str(placing.car + 1),
        "" if placing.end == "finished" else Text(ENDS[placing.end], "yellow"),
    ]


def _time(time_s: float | None) -> str:
    return "" if time_s is None else f"{time_s:.3f} s"
