"""A leaderboard's tables as plain records, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from racer.leaderboard.board import Board
from racer.leaderboard.records import Entry
from racer.leaderboard.simple import Standings
from racer.replay import find_mark, percent_of_mark

__all__ = ["as_markdown", "as_records", "laps_as_records", "ranked_by", "shares_of_mark"]

METHODS = {"best-lap": "best lap", "average-laps": "average lap", "total-time": "total time"}
"""What the official time of a timing method is called."""


def ranked_by(board: Board) -> str:
    """What a board's official time is called, such as `"best lap"`."""
    return METHODS[board.rulebook.timing.method]


def as_records(tables: Sequence[Standings]) -> list[dict[str, Any]]:
    """Give the rows of tables as plain records for JSON or CSV (s, m/s), all with the same keys."""
    return [
        {
            "rank": row.rank,
            "driver": row.entry.driver,
            "best_lap_s": _seconds(row.entry.best_lap_ms),
            "percent_of_mark": None if share is None else round(share, 2),
            "laps": row.entry.laps,
            "mean_speed_mps": round(row.entry.mean_speed_mps, 3),
            **_where(table.board),
            "engine": row.entry.engine,
            "attempts": row.attempts,
            "submitted": row.entry.submitted,
            "track_digest": table.board.courses[0].track_digest[:12],
            "car_digest": table.board.car_digest[:12],
            "physics": table.physics,
            "current_physics": table.current,
            "board": table.board.name,
            "timing": table.board.rulebook.timing.method,
            "time_s": _seconds(row.entry.time_ms),
            "average_lap_s": _seconds(row.entry.average_ms),
            "total_s": _seconds(row.entry.total_ms),
            "gap_s": _seconds(row.gap_ms),
            "interval_s": _seconds(row.interval_ms),
            "team": row.entry.team,
            "kind": row.entry.kind,
            "copy_of": row.entry.copy_of,
            "entry": row.entry.id,
        }
        for table in tables
        for row, share in zip(table.rows, shares_of_mark(table), strict=True)
    ]


def shares_of_mark(table: Standings) -> list[float | None]:
    """How much of the mark each row's best lap is, percent; None if none is known, or on a board of several tracks."""
    if len(table.board.courses) != 1:
        return [None] * len(table.rows)
    mark = find_mark(table.board.courses[0].track_digest, table.board.car_digest, table.physics)
    return [percent_of_mark(row.entry.best_lap_ms / 1000.0, mark) for row in table.rows]


def laps_as_records(board: Board, entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Give every lap of entries as a plain record for JSON or CSV (s)."""
    return [
        {
            "entry": entry.id,
            "driver": entry.driver,
            "team": entry.team,
            "kind": entry.kind,
            "submitted": entry.submitted,
            "trial": lap.get("trial"),
            "lap": number,
            "time_s": _seconds(lap.get("time_ms")),
            "complete": lap.get("complete"),
            "resets": lap.get("resets"),
            **_where(board),
            "board": board.name,
        }
        for entry in entries
        for number, lap in enumerate(entry.lap_times, 1)
    ]


def as_markdown(tables: Sequence[Standings]) -> str:
    """Give tables as Markdown."""
    return "\n".join(_markdown(table) for table in tables)


def _markdown(table: Standings) -> str:
    board = table.board
    with_teams = any(row.entry.team for row in table.rows)
    head = ["rank", "driver", *(["team"] if with_teams else []), ranked_by(board), "gap", "interval", "tries"]
    lines = [f"## {_escaped(board.name)}", "", _sentence(table), "", _line(head), _line(["---"] * len(head))]
    for row in table.rows:
        name = _escaped(row.entry.driver) + (f" (as {_escaped(row.entry.copy_of)})" if row.entry.copy_of else "")
        team = [_escaped(row.entry.team or "")] if with_teams else []
        gaps = [f"+{gap / 1000.0:.3f}" if gap else "" for gap in (row.gap_ms, row.interval_ms)]
        lines.append(
            _line([str(row.rank), name, *team, f"{row.entry.time_ms / 1000.0:.3f} s", *gaps, str(row.attempts)])
        )
    return "\n".join(lines) + "\n"


def _sentence(table: Standings) -> str:
    board = table.board
    tracks = ", ".join(_escaped(str(course)) for course in board.courses)
    old = "" if table.current else f", driven with an earlier physics ({table.physics})"
    return f"{tracks}, car {_escaped(board.car)}, ranked by {ranked_by(board)}{old}."


def _where(board: Board) -> dict[str, Any]:
    return {
        "track": ", ".join(course.track for course in board.courses),
        "direction": ", ".join(dict.fromkeys(course.direction for course in board.courses)),
        "car": board.car,
    }


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """A text as Markdown shows it: nothing in it is a mark, a link or a tag."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>#|~&:.@" else letter for letter in text)


def _seconds(milliseconds: object) -> float | None:
    return milliseconds / 1000.0 if isinstance(milliseconds, int) else None
