"""`racer tournament`: drivers meet in heats of two."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from racer.cli import console
from racer.cli.entrants import entrant
from racer.cli.inputs import new_picture
from racer.cli.race import GRIDS, Drivers, Grid, Penalty, Where, check_choice, contestants, course_of, heat_of
from racer.shelf import make_folder, refuse_existing

if TYPE_CHECKING:
    from racer.racing import HeatResult, Match, Rank, TournamentResult

__all__ = ["tournament"]

KINDS, SEEDINGS = ("round-robin", "double-elimination"), ("qualifying", "named", "random")


def tournament(
    drivers: Drivers,
    kind: Annotated[str, typer.Option("--format", metavar="|".join(KINDS), help="Who meets whom; see above.")] = KINDS[
        0
    ],
    rounds: Annotated[int, typer.Option(min=1, max=99, help="Heats of each match.")] = 2,
    track: Where = None,
    laps: Annotated[int, typer.Option(min=1, max=100, help="Number of laps of a heat.")] = 3,
    grid: Grid = "staggered",
    penalty: Penalty = 5.0,
    seeding: Annotated[str, typer.Option(metavar="|".join(SEEDINGS), help="Who is drawn against whom.")] = SEEDINGS[0],
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the first heat.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Draw the bracket or the cross table.")] = None,
    replays: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Record a replay of every heat there.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the picture and the replays.")] = False,
) -> None:
    """Hold a tournament: two to sixteen drivers meet in heats of two.

    [cyan]round-robin[/cyan]: everybody meets everybody, and who wins more heats ranks
    higher. [cyan]double-elimination[/cyan]: who has lost two matches is out; the
    best two meet in the final. A match has as many heats as --rounds says, and
    the two change places on the grid from heat to heat.

    Drivers are seeded by laps alone on the track, as they are named, or at
    random. Two drivers of one name are numbered.

    Examples:
      [cyan]racer tournament fast old pure_pursuit --out table.png[/cyan]
      [cyan]racer tournament a b c d e --format double-elimination --rounds 3[/cyan]
      [cyan]racer tournament a b c --replays heats --json[/cyan]
    """
    check_choice("--format", kind, KINDS)
    check_choice("--seeding", seeding, SEEDINGS)
    check_choice("--grid", grid, GRIDS)
    new_picture(out, force)
    if replays is not None:
        for old in sorted(make_folder(replays).glob("*.replay")):
            refuse_existing(old, force)
    with console.busy(console.loading("Getting the drivers ready")), console.prints_to_messages():
        from racer.racing import Tournament, run_tournament

        found = [entrant(driver, None, None, seed) for driver in drivers]
        course = course_of(found, track)
        held = Tournament(heat_of(course, laps, grid, penalty, seed), kind, rounds, seeding)  # type: ignore[arg-type]
        field = contestants(found, course)
    with console.counter("Racing", held.most_heats(len(field))) as advance, console.prints_to_messages():

        def on_heat(result: "HeatResult") -> None:
            advance()
            if replays is not None:
                from racer.replay import save_replay

                save_replay(result.replay, replays / _file_name(result), overwrite=force)

        result = run_tournament(held, field, on_heat)
    if out is not None:
        _draw(result, out)
    if json:
        console.print_json(result.as_json())
    else:
        _show(result)
    if out is not None:
        console.note(f"Drew {console.word(out)}")
    if replays is not None:
        console.note(f"Recorded all heats in {console.word(replays)}")


def _file_name(result: "HeatResult") -> str:
    """A name for the replay of a heat: its seed, which is its number, and the drivers."""
    names = "-".join("".join(c if c.isalnum() or c in "_." else "_" for c in d.driver) for d in result.replay.drives)
    return f"{result.replay.seed:03d}-{names[:80]}.replay"


def _show(result: "TournamentResult") -> None:
    """Print the ranking, then the matches."""
    held = result.tournament
    way = " (reverse)" if held.heat.track.reversed else ""
    title = f"{held.kind.replace('-', ' ').capitalize()} on {held.heat.track.name}{way}"
    columns = [">", "driver", "matches>", "heats>", "best lap>", "crashes>?", "retired>?", "seed>?"]
    console.show(console.table(columns, map(_rank, result.ranking), title))
    console.show(console.table(["match", "", "heats>", "", "winner"], map(_match, result.matches)))


def _rank(rank: "Rank") -> list[str | Text]:
    return [
        str(rank.position),
        Text(rank.driver, "bold green" if rank.position == 1 else ""),
        f"{rank.won} of {rank.matches}",
        f"{rank.heats_won} of {rank.heats}",
        "" if rank.best_lap_s is None else f"{rank.best_lap_s:.3f} s",
        str(rank.crashes or ""),
        str(rank.retired or ""),
        str(rank.seed),
    ]


def _match(match: "Match") -> list[str | Text]:
    where = f"round {match.round}" if match.bracket == "league" else f"{match.bracket} {match.round}"
    return [where, match.drivers[0], f"{match.wins[0]}:{match.wins[1]}", match.drivers[1], match.winner]


def _draw(result: "TournamentResult", out: Path) -> None:
    """Draw the brackets, or the cross table."""
    from racer.viewer.plot import Pairing, draw_brackets, draw_cross_table

    pairings = [
        Pairing(one.bracket, one.round, one.slot, one.drivers, one.wins, one.drivers.index(one.winner))
        for one in result.matches
    ]
    heat = result.tournament.heat
    title = f"{heat.laps} lap{'s' * (heat.laps > 1)} of {heat.track.name}, {len(result.seeded)} drivers"
    if result.entries:
        draw_brackets(pairings, result.entries, title, out)
    else:
        draw_cross_table([rank.driver for rank in result.ranking], pairings, title, out)
