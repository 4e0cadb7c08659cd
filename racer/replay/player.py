"""Laps for a browser: one HTML page that holds all it needs, and the player in it (`player.js`).

Invariant: whatever a name says, it is shown as text. The page fetches nothing, and its content security policy keeps it
from trying: no script runs but the player.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from racer.replay.record import STEP_S, Lap, Replay

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from racer.track import Track

__all__ = ["PlayedLap", "framed", "html_page", "notebook_page", "player_data"]

MOST_LAPS = 10  # in a player
MOST_STEPS = 2700  # of a lap: three minutes

STYLE = """
:root { color-scheme: light dark; --road: #9aa0aa; --border: #3a3f48; --line: #ffe066; --ink: #1c1e21; --paper: #ffffff;
  --faint: #667; --rule: #dde; }
@media (prefers-color-scheme: dark) { :root { --road: #555b66; --border: #c9ccd3; --line: #d9b23a; --ink: #e8e8ea;
  --paper: #16181c; --faint: #99a; --rule: #334; } }
body { margin: 0 auto; max-width: 60rem; padding: 1rem 1.5rem 3rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; } p, footer { color: var(--faint); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .7rem; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th { font-weight: 600; color: var(--faint); } .number { text-align: right; font-variant-numeric: tabular-nums; }
canvas { width: 100%; display: block; border-radius: 6px; }
.player-bar { display: flex; gap: .7rem; align-items: center; margin: .5rem 0; }
.player-bar input { flex: 1; min-width: 3rem; }
.player-bar output { font-variant-numeric: tabular-nums; min-width: 5rem; }
.player-bar button { min-width: 4.5rem; }
.player-laps { list-style: none; padding: 0; display: grid;
  grid-template-columns: repeat(auto-fill, minmax(18rem, 1fr)); }
.player-laps label { display: flex; gap: .4rem; } .player-note { color: var(--faint); white-space: nowrap; }
.player-name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
"""


@dataclass(frozen=True)
class PlayedLap:
    """A lap to play: whose it is, what else there is to say, the race, and which of its laps."""

    name: str
    note: str
    replay: Replay
    lap: Lap


def player_data(track: Track, laps: Sequence[PlayedLap]) -> dict[str, Any]:
    """What `player.js` plays: a road and laps on it, in centimetres and degrees.

    Args:
        track: the road.
        laps: on it; the first ten are taken.
    """
    lines = {"left": track.left, "right": track.right, "center": track.center}
    return {
        "name": track.name,
        **{name: np.rint(100.0 * line).astype(int).tolist() for name, line in lines.items()},
        "laps": [_lap(one) for one in laps[:MOST_LAPS]],
    }


def _lap(one: PlayedLap) -> dict[str, Any]:
    rows = np.flatnonzero(one.replay.steps["lap"] == one.lap.index)[:MOST_STEPS]
    steps = one.replay.steps[rows]
    start_ms = 1000.0 * (rows[0] * STEP_S - one.lap.start_s) if len(rows) else 0.0
    return {
        "name": one.name,
        "note": one.note,
        "start": round(float(start_ms)),
        "x": _rounded(100.0 * steps["x"]),
        "y": _rounded(100.0 * steps["y"]),
        "heading": _rounded(np.degrees(steps["heading"])),
        "speed": _rounded(100.0 * steps["speed"]),
    }


def html_page(title: str, body: str, players: Sequence[dict[str, Any]] = (), style: str = "") -> str:
    """One self-contained page.

    Args:
        title: a text.
        body: HTML, in which every text is escaped; `<div data-player="player-0"></div>` is where the first player
            stands.
        players: what each plays, as `player_data` gives it.
        style: more CSS, for what is in `body`.
    """
    style = STYLE + style
    script = Path(__file__).with_name("player.js").read_text(encoding="utf-8")
    data = "\n".join(
        f'<script type="application/json" id="player-{number}">{_as_script(one)}</script>'
        for number, one in enumerate(players)
    )
    policy = f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{style}</style>
</head>
<body>
{body}
{data}
<script>{script}</script>
</body>
</html>
"""


def notebook_page(replay: Replay, title: str = "") -> str:
    """The laps of a race as one page in a frame, for a notebook: the best lap of the first car first.

    Args:
        replay: the race.
        title: a text above it; by default who drove where.
    """
    best = replay.drives[0].best_lap
    laps = [
        PlayedLap(f"lap {lap.index}", f"{lap.time_s:.3f} s" + ("" if lap.complete else ", not completed"), replay, lap)
        for lap in sorted(replay.laps, key=lambda lap: lap is not best)
    ]
    text = title or f"{replay.driver} on {replay.track.name}"
    body = f'<b>{escape(text)}</b><div data-player="player-0"></div>'
    return framed(html_page(text, body, [player_data(replay.track, laps)]))


def framed(page: str, height_px: int = 680) -> str:
    """A page in a frame of its own, where its scripts run and reach nothing else."""
    return (
        f'<iframe srcdoc="{escape(page)}" sandbox="allow-scripts" width="100%" height="{height_px}" '
        'frameborder="0"></iframe>'
    )


def _as_script(data: Any) -> str:
    """JSON in which nothing ends a script or begins a comment."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _rounded(values: NDArray[np.float64]) -> list[int]:
    return [round(value) for value in values.tolist()]
