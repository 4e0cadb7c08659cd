"""Entries: put on a board once they are proven, and which of a driver's is the best one."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from racer import __version__
from racer.errors import LeaderboardError
from racer.leaderboard.boards import BoardRecord
from racer.leaderboard.ranking import entries_on
from racer.leaderboard.records import AlreadyEnteredError, Entry, now
from racer.leaderboard.tables import drivers, drives, entries, roads, teams
from racer.leaderboard.terms import Proof
from racer.replay import pack, unpack
from racer.track import Track, track_from_arrays

__all__ = ["keep_road", "measured", "physics_here", "road", "settle", "store"]

LINES = ("center", "inner", "outer")


def physics_here() -> str:
    """The physics of this racer, as entries have it."""
    from racer.sim import physics_version

    return physics_version().motion


def store(
    connection: sa.Connection, board: BoardRecord, proof: Proof, where: str, team: str | None = None
) -> Entry | LeaderboardError:
    """Put a proven file on a board.

    Returns:
        What was stored, or why it was not: the same drive is there (`AlreadyEnteredError`), the board is closed, or it
        takes no more of this driver or none of this kind.
    """
    try:
        return _stored(connection, board, proof, where, team)
    except LeaderboardError as error:
        return error


def _stored(connection: sa.Connection, board: BoardRecord, proof: Proof, where: str, team: str | None) -> Entry:
    board.check_open(proof.kind, where)
    _check_new(connection, board, proof, where)
    driver_id = _driver(connection, proof.driver, team)
    mine = (entries.c.board_id == board.id) & (entries.c.driver_id == driver_id) & ~entries.c.removed
    most = board.rulebook.entries.most_per_driver
    count = connection.execute(sa.select(sa.func.count()).select_from(entries).where(mine)).scalar() or 0
    if most is not None and count >= most:
        raise LeaderboardError(
            f"{where} was refused: {proof.driver} has made {count} entries, and the rules of {board.name} allow {most}"
        )
    values: dict[str, Any] = measured(proof)
    values |= {"board_id": board.id, "driver_id": driver_id, "kind": proof.kind, "removed": False, "best": False}
    values |= {"submitted": now(), "commands_digest": proof.commands_digest}
    (entry_id,) = connection.execute(sa.insert(entries).values(values)).inserted_primary_key or (0,)
    connection.execute(sa.insert(drives).values(entry_id=entry_id, data=proof.data, seeds=proof.seeds))
    for track in proof.tracks:
        keep_road(connection, track)
    settle(connection, board.id, driver_id)
    (entry,) = entries_on(connection, entries.c.id == entry_id)
    return entry


def measured(proof: Proof) -> dict[str, Any]:
    """What is stored of a proof, and changes when it is proven anew."""
    names = ("time_ms", "best_lap_ms", "average_ms", "total_ms", "laps", "lap_times", "mean_speed_mps")
    return {name: getattr(proof, name) for name in names} | {"physics": physics_here(), "engine": __version__}


def _check_new(connection: sa.Connection, board: BoardRecord, proof: Proof, where: str) -> None:
    """Refuse what is on the board, under whatever name."""
    same = (entries.c.board_id == board.id, entries.c.commands_digest == proof.commands_digest)
    for known in entries_on(connection, *same):
        if known.driver != proof.driver and board.rulebook.entries.allow_copies:
            continue
        if known.removed:
            advice = f"and was taken off it; `racer leaderboard restore --entry {known.id}` takes that back"
        elif known.physics != physics_here():
            advice = "with an earlier physics; `racer leaderboard reverify` drives that entry again"
        elif proof.kind == "model":
            advice = "it drives in the very same way; train it further, and export it again"
        else:
            what = "its best lap was driven" if board.open_to_all else "it drives"
            advice = f"{what} in the very same way; record another drive with `racer evaluate … --replay FILE`"
        raise AlreadyEnteredError(
            f"{where} is on the board already, entered by {known.driver} at {known.submitted}: {advice}", known
        )


def _driver(connection: sa.Connection, name: str, team: str | None) -> int:
    """The number of a driver, who is made if need be, and drives for a team from now on if one is named."""
    driver_id = _numbered(connection, drivers, name)
    if team is not None:
        team_id = _numbered(connection, teams, team)
        connection.execute(sa.update(drivers).where(drivers.c.id == driver_id).values(team_id=team_id))
    return driver_id


def _numbered(connection: sa.Connection, table: sa.Table, name: str) -> int:
    found = connection.execute(sa.select(table.c.id).where(table.c.name == name)).scalar()
    if found is None:
        (found,) = connection.execute(sa.insert(table).values(name=name)).inserted_primary_key or (0,)
    return int(found)


def settle(connection: sa.Connection, board_id: int, driver_id: int) -> None:
    """Find out anew which entry of a driver is the best one on a board, for each physics."""
    other = entries.alias("other")
    alike = [other.c[name] == entries.c[name] for name in ("board_id", "driver_id", "physics")]
    fastest = (
        sa.select(other.c.id).where(*alike, ~other.c.removed).order_by(other.c.time_ms, other.c.id).limit(1)
    ).scalar_subquery()
    mine = (entries.c.board_id == board_id) & (entries.c.driver_id == driver_id)
    best = sa.func.coalesce(entries.c.id == fastest, sa.false())
    connection.execute(sa.update(entries).where(mine, entries.c.best != best).values(best=best))


def keep_road(connection: sa.Connection, track: Track) -> None:
    """Keep the lines of a track, if they are not kept yet."""
    if connection.execute(sa.select(roads.c.digest).where(roads.c.digest == track.digest)).scalar() is None:
        data = pack({}, {name: getattr(track, name) for name in LINES})
        connection.execute(sa.insert(roads).values(digest=track.digest, data=data))


def road(connection: sa.Connection, digest: str, name: str, reversed: bool) -> Track:
    """A track by the digest of its road.

    Raises:
        LeaderboardError: it is not kept, or was altered.
    """
    data = connection.execute(sa.select(roads.c.data).where(roads.c.digest == digest)).scalar()
    if data is None:
        raise LeaderboardError(f"the leaderboard does not hold the road of {name!r}: an earlier racer did not keep it")
    try:
        lines = unpack(data)[1]
        track = track_from_arrays(name, *(lines[line] for line in LINES), reversed=reversed)
    except (ValueError, LookupError) as error:
        raise LeaderboardError(f"the leaderboard's road of {name!r} is damaged: {error!s:.100}") from error
    if track.digest != digest:
        raise LeaderboardError(f"the leaderboard's road of {name!r} was altered")
    return track
