"""A leaderboard as one HTML page: its tables, and the best laps to play."""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from racer.errors import LeaderboardError, RacerError
from racer.leaderboard.reverifying import drive_of, kept
from racer.leaderboard.simple import Standings
from racer.leaderboard.storage import opened
from racer.leaderboard.text import ranked_by
from racer.replay import PlayedLap, html_page, player_data
from racer.shelf import write_atomically

__all__ = ["as_page", "save_page"]

MOST_LAPS = 10  # that play on the page of one board
MOST_EACH, MOST_PLAYERS = 3, 10  # laps of each, and boards with laps, on a page of several
MOST_ROWS = 1000  # of a table


def save_page(tables: Sequence[Standings], path: str | Path, *, overwrite: bool = False) -> None:
    """Write tables as one HTML page that needs no other file and no network.

    Raises:
        LeaderboardError: the name is taken, or the database cannot be read.
        FileError: the file cannot be written; what was there is untouched.
    """
    if os.path.lexists(path) and not overwrite:
        raise LeaderboardError(f"{path} exists already and is kept; choose another name, or replace it (--force)")
    write_atomically(path, as_page(tables))


def as_page(tables: Sequence[Standings]) -> str:
    """Give tables as one HTML page, with the best laps of those that were driven with this racer's physics.

    Raises:
        LeaderboardError: the database cannot be read.
    """
    parts: list[str] = []
    players: list[dict[str, Any]] = []
    title = tables[0].board.name if len(tables) == 1 else "Leaderboard"
    most = MOST_LAPS if len(tables) == 1 else MOST_EACH
    for table in tables:
        data = _player(table, most) if table.current and len(players) < MOST_PLAYERS else None
        parts.append(_table(table, None if data is None else len(players), len(tables) == 1))
        if data is not None:
            players.append(data)
    body = f"<h1>{escape(title)}</h1>\n" + "\n".join(parts)
    return html_page(title, body, players)


def _player(table: Standings, most: int) -> dict[str, Any] | None:
    """The best laps of a board on one track; None if none can be played."""
    board = table.board
    laps: list[PlayedLap] = []
    first = [row.entry for row in table.rows[:most]]
    with opened(board.db, write=False) as connection:
        known = kept(connection, board, first)
    for entry in first:
        try:
            replay = drive_of(board, entry, known.get(entry.id))
        except RacerError:  # an entry that cannot be shown moving is still in the table
            continue
        best = min(
            (lap for lap in replay.laps if lap.complete), key=lambda lap: (lap.resets > 0, lap.time_s), default=None
        )
        if best is not None:
            laps.append(PlayedLap(entry.driver, f"{best.time_s:.3f} s", replay, best))
    return player_data(laps[0].replay.track, laps) if laps else None


def _table(table: Standings, player: int | None, alone: bool) -> str:
    board = table.board
    with_teams = any(row.entry.team for row in table.rows)
    head = [("rank", True), ("driver", False), *([("team", False)] if with_teams else [])]
    head += [(ranked_by(board), True), ("gap", True), ("interval", True), ("tries", True), ("when (UTC)", False)]
    lines = []
    for row in table.rows[:MOST_ROWS]:
        entry = row.entry
        name = entry.driver + (f" (as {entry.copy_of})" if entry.copy_of else "")
        gaps = [f"+{gap / 1000.0:.3f}" if gap else "" for gap in (row.gap_ms, row.interval_ms)]
        cells = [str(row.rank), name, *([entry.team or ""] if with_teams else []), f"{entry.time_ms / 1000.0:.3f} s"]
        cells += [*gaps, str(row.attempts), entry.submitted[:16].replace("T", " ")]
        lines.append(_line("td", cells, [number for _, number in head]))
    tracks = ", ".join(map(str, board.courses))
    old = "" if table.current else f" Driven with an earlier physics ({table.physics})."
    closed = "" if board.state == "open" else f" This board is {board.state}."
    about = f"{tracks}, car {board.car}, ranked by {ranked_by(board)}.{old}{closed}"
    place = "" if player is None else f'<div data-player="player-{player}"></div>\n'
    more = len(table.rows) - MOST_ROWS
    rest = f"<p>… and {more} more</p>" if more > 0 else ""
    return (
        f"<section>\n{'' if alone else f'<h2>{escape(board.name)}</h2>'}\n<p>{escape(about)}</p>\n{place}"
        f'<div class="scroll"><table>\n<thead>{_line("th", [name for name, _ in head], [number for _, number in head])}'
        f"</thead>\n<tbody>\n{chr(10).join(lines)}\n</tbody>\n</table></div>{rest}\n</section>"
    )


def _line(tag: str, cells: Sequence[str], numbers: Sequence[bool]) -> str:
    marks = [' class="number"' if number else "" for number in numbers]
    inside = "".join(f"<{tag}{mark}>{escape(cell)}</{tag}>" for cell, mark in zip(cells, marks, strict=True))
    return f"<tr>{inside}</tr>"
