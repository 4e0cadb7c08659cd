"""What a leaderboard shows beside its tables: a driver's history, teams, progress, and every lap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from racer.cli import console
from racer.errors import RacerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from racer.leaderboard import Board, Standings

__all__ = ["print_csv", "show_view"]

# Columns that stay on a narrow screen.
NEEDED = {"rank", "team", "driver", "entry", "lap", "time_s", "complete", "mean_time_s", "gain_s", "to_best_before_s"}


def show_view(
    tables: Sequence[Standings], driver: str | None, teams: bool, progress: bool, forms: tuple[bool, bool]
) -> None:
    """Show something else than the table of each board: a driver's history, teams, progress, or else all laps.

    Args:
        tables: of the boards.
        driver: whose history; None for nobody's.
        teams, progress: whether to rank teams, or to show who improved most.
        forms: whether to print JSON, and whether to print CSV.

    Raises:
        RacerError: there is no such driver.
    """
    from racer.leaderboard import laps_as_records

    boards = [table.board for table in tables if table.current]
    records: list[dict[str, Any]] = []
    for board in boards:
        if driver is not None:
            records += _history(board, driver)
        elif teams:
            rows = board.teams()
            records += [
                {"board": board.name, "rank": row.rank, "team": row.team, "mean_time_s": round(row.time_ms / 1000.0, 3)}
                | {"best_time_s": row.best_ms / 1000.0, "drivers": row.drivers}
                for row in rows
            ]
        elif progress:
            records += [
                {"board": board.name, "driver": one.driver, "gain_s": one.gain_ms / 1000.0}
                | {"first_time_s": one.first_ms / 1000.0, "best_time_s": one.best_ms / 1000.0, "tries": one.attempts}
                for one in board.progress()
            ]
        else:
            records += laps_as_records(board, board.entries())
    if driver is not None and not records:
        raise RacerError(f"no driver {driver!r} is on these boards")
    if forms[0]:
        console.print_json(records)
    elif forms[1]:
        print_csv(records)
    elif records:
        _show_records(records)
    else:
        console.note("There are no teams yet: enter with --team" if teams else "There is nothing to show yet")


def _history(board: Board, driver: str) -> list[dict[str, Any]]:
    """A driver's entries on a board: how much faster each was than the best one before."""
    from racer.leaderboard import clean_name

    best: int | None = None
    records = []
    name = clean_name(driver, "driver's", len(driver) + 1)
    for entry in board.entries():
        if entry.driver == name:
            change = None if best is None else (entry.time_ms - best) / 1000.0
            best = entry.time_ms if best is None else min(best, entry.time_ms)
            records.append(
                {"board": board.name, "entry": entry.id, "time_s": entry.time_ms / 1000.0, "to_best_before_s": change}
                | {"best_lap_s": entry.best_lap_ms / 1000.0, "laps": entry.laps, "kind": entry.kind}
                | {"submitted": entry.submitted, "driver": entry.driver}
            )
    return records


def _show_records(records: list[dict[str, Any]]) -> None:
    """Print records as a table for each board."""
    for board in dict.fromkeys(record["board"] for record in records):
        rows = [
            {key: value for key, value in one.items() if key != "board"} for one in records if one["board"] == board
        ]
        columns = [
            f"{name.replace('_', ' ')}{'>' if _is_number(rows, name) else ''}{'' if name in NEEDED else '?'}"
            for name in rows[0]
        ]
        console.show(console.table(columns, [[_cell(value) for value in row.values()] for row in rows], board))


def _is_number(rows: list[dict[str, Any]], name: str) -> bool:
    return any(isinstance(row[name], int | float) for row in rows)


def _cell(value: object) -> str:
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def print_csv(records: list[dict[str, Any]]) -> None:
    """Print records on stdout as CSV; say so where there are none."""
    if records:
        console.print_csv(list(records[0]), [list(record.values()) for record in records])
    else:
        console.note("There is nothing to list yet")
