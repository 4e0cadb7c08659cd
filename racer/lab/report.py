"""The report of a run: one HTML page that holds all there is to say about a training.

Invariant: a run folder is data, and a report is made of it alone: nothing that lies in the folder is executed, whatever
it says is shown as text, and the page fetches nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from racer.deepracer.logs import read_episodes
from racer.errors import RacerError, RunError
from racer.lab.charts import CHART_STYLE, Series, chart
from racer.lab.heat import picture_of, speeds
from racer.lab.listing import LISTING_STYLE, listing
from racer.replay import (
    PlayedLap,
    Replay,
    Samples,
    best_clean_lap,
    html_page,
    load_replay,
    mark_of,
    percent_of_mark,
    player_data,
    samples_of,
    sector_times,
)
from racer.shelf import LIMITS, read_text, refuse_existing, write_atomically
from racer.track import Track
from racer.training import Run, meter_reading, read_metrics, read_ratings

__all__ = ["report_page", "save_report"]

STYLE = (
    CHART_STYLE
    + LISTING_STYLE
    + """
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .8rem; margin: 1.2rem 0; }
.facts div { border: 1px solid var(--rule); border-radius: 8px; padding: .5rem .8rem; }
.facts b { display: block; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
.facts span { color: var(--faint); font-size: .85rem; }
.maps { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1.2rem; }
.maps figure { margin: 0; } .maps svg { max-width: 100%; height: auto; } figcaption { font-weight: 600; }
.legend { color: var(--faint); font-size: .85rem; } .legend svg { vertical-align: -1px; }
.good { color: var(--c1); } .bad { color: var(--c3); } details { margin: 1rem 0; } summary { cursor: pointer; }
.meter { border-left: 4px solid var(--c2); padding: .2rem .9rem; color: var(--ink); }
.meter.warns { border-color: var(--c3); }
@media print { .player-bar { display: none; } section { break-inside: avoid; } body { max-width: none; } }
"""
)
CAPTIONS = {
    "reward": "Reward: what a step is paid there",
    "speed": "Speed: how fast the cars are there",
    "visits": "Visits: where the cars drive",
    "exits": "Exits: where they leave the road",
}


def save_report(run: Run, path: str | Path, *, overwrite: bool = False) -> None:
    """Write the report of a run as one HTML page that needs no other file and no network.

    Args:
        run: a trained one.
        path: the page.
        overwrite: whether it may replace a file.

    Raises:
        RunError: nothing was learned yet, or the folder is damaged.
        FileError: the name is taken, or the file cannot be written; what was there is untouched.
    """
    refuse_existing(path, overwrite)
    write_atomically(path, report_page(run))


def report_page(run: Run) -> str:
    """The report of a run as HTML.

    Raises:
        RunError: nothing was learned yet, or the folder is damaged.
    """
    metrics, notes, track = read_metrics(run.folder), _notes(run), run.track()
    replay = load_replay(run.replay) if run.replay.exists() else None
    mark = mark_of(track, run.car)
    config = run.config
    description = (
        f"{config.agent} learned with the reward {config.reward} on {', '.join(config.track_names)}, "
        f"seed {config.seed}, {config.budget}."
    )
    parts = [f"<h1>{escape(run.name)}</h1><p>{escape(description)}</p>", _facts(metrics, notes, replay, mark)]
    if said := meter_reading(metrics):
        parts.append(f'<p class="meter{" warns" if said.warns else ""}">{escape(said.text)}</p>')
    parts.append(_curves(metrics, notes, mark))
    players = []
    if replay is not None and replay.laps:
        players.append(player_data(replay.track, _laps(replay, mark)))
        parts.append(
            "<section><h2>Laps</h2><p>The best driver's laps, and the mark where one is known. "
            'Space plays, the arrow keys seek.</p><div data-player="player-0"></div></section>'
        )
        parts.append(_sectors(replay, mark))
    parts.append(_pool(run))
    if (samples := _samples(run, track, replay)) is not None:
        maps = "".join(
            f"<figure><figcaption>{escape(caption)}</figcaption>{picture_of(track, samples, kind)}</figure>"
            for kind, caption in CAPTIONS.items()
        )
        parts.append(
            f"<section><h2>Where on the track</h2><p>{escape(samples.what)}.</p>"
            f'<div class="maps">{maps}</div></section>'
        )
    parts += [_source(run, "reward.py.txt", "The reward function", True), _settings(run)]
    parts.append(_source(run, "agent.py.txt", "The recipe", False))
    parts.append(f"<footer>Made by racer {escape(config.engine)}.</footer>")
    return html_page(f"{run.name}: a training with racer", "\n".join(parts), players, STYLE)


def _notes(run: Run) -> Mapping[str, Any]:
    if not run.best.exists():
        raise RunError(f"{run.folder} holds no trained driver yet, so there is nothing to report; train for longer")
    return run.notes()


def _facts(metrics: Mapping[str, Any], notes: Mapping[str, Any], replay: Replay | None, mark: Replay | None) -> str:
    best = notes.get("best_lap_s")
    if replay is not None and replay.best_lap_s is not None:
        best = replay.best_lap_s if best is None else min(best, replay.best_lap_s)
    share, done = percent_of_mark(best, mark), notes.get("completed")
    facts = [
        ("best lap", "none" if best is None else f"{best:.3f} s"),
        ("of the mark", "not known" if share is None else f"{share:.1f} %"),
        ("laps completed by the best model", "not known" if done is None else f"{done:.0%}"),
        ("car steps", f"{metrics['steps'][-1]:,.0f}"),
        ("of training", f"{metrics['seconds'][-1]:,.0f} s"),
    ]
    cells = "".join(f"<div><b>{escape(value)}</b><span>{escape(name)}</span></div>" for name, value in facts)
    return f'<div class="facts">{cells}</div>'


def _curves(metrics: Mapping[str, NDArray[np.float64]], notes: Mapping[str, Any], mark: Replay | None) -> str:
    steps, best = metrics["steps"], float(notes["steps"])
    nothing = np.full(len(steps), np.nan)

    def of(column: str, factor: float = 1.0) -> NDArray[np.float64]:
        return factor * metrics.get(column, nothing)

    progress = of("eval/ep_progress_mean")
    if not np.isfinite(progress).any():
        progress = of("eval/success_rate", 100.0)
    laps = of("eval/best_lap_s")
    so_far = np.fmin.accumulate(laps)
    graph = chart(
        [
            Series("completion in training", "c2", steps, of("rollout/ep_progress_mean"), " %"),
            Series("completion in evaluations", "c3", steps, progress, " %", dots=True),
            Series("average reward", "c1", steps, of("rollout/ep_rew_mean"), right=True),
        ],
        left=(0.0, 100.0),
        best=best,
        label="average reward and completion",
    )
    mark_lap = None if mark is None else best_clean_lap(mark)
    mine = [
        Series("best lap so far", "c1", steps, so_far, " s"),
        Series("best lap", "c4", steps, laps, " s", dots=True),
    ]
    if mark_lap is not None:
        share = 100.0 * mark_lap.time_s / so_far
        mine.append(Series("best lap so far in percent of the mark", "c2", steps, share, " %", right=True))
    times = chart(mine, best=best, label="best lap, and percent of the mark")
    agrees = chart(
        [
            Series("with progress", "c2", steps, of("meter/reward_progress"), dots=True),
            Series("with fast laps", "c3", steps, of("meter/reward_pace"), dots=True),
        ],
        left=(-1.0, 1.0),
        best=best,
        label="agreement of the reward",
    )
    parts = [f"<section><h2>Learning</h2>{graph}</section>"]
    if times:
        parts.append(f"<section><h2>Lap times</h2>{times}</section>")
    if agrees:
        parts.append(
            "<section><h2>Does the reward agree with what matters?</h2><p>Rank correlation of what laps earned in the "
            "last evaluations with how far they came, and with how fast they were: 1 is agreement, 0 is none, and "
            f"below it the reward pays for the opposite.</p>{agrees}</section>"
        )
    return "".join(parts)


def _laps(replay: Replay, mark: Replay | None) -> list[PlayedLap]:
    best = replay.drives[0].best_lap
    ordered = sorted(replay.laps, key=lambda lap: lap is not best)  # the best first
    shown = [
        PlayedLap(f"lap {lap.index}", f"{lap.time_s:.3f} s" + ("" if lap.complete else ", not completed"), replay, lap)
        for lap in ordered
    ]
    if mark is not None and (lap := best_clean_lap(mark)) is not None:
        shown.insert(1, PlayedLap("the mark", f"{lap.time_s:.3f} s", mark, lap))
    return shown


def _sectors(replay: Replay, mark: Replay | None) -> str:
    length = replay.track.length
    theirs: tuple[float | None, ...] = ()
    rows = []
    if mark is not None and (lap := best_clean_lap(mark)) is not None:
        theirs = sector_times(mark.drives[0], lap, length)
        times = "".join(_cell(time) + "<td></td>" for time in theirs)
        rows.append(
            f"<tr><td>the mark</td>{_cell(lap.time_s)}{times}{_cell(mark.drives[0].mean_speed_mps(lap), 2)}</tr>"
        )
    for lap in replay.laps:
        mine = sector_times(replay.drives[0], lap, length)
        cells = []
        for number, time in enumerate(mine):
            gap = None if not theirs or time is None else time - (theirs[number] or 0.0)
            sign = "" if gap is None else f'<span class="{"bad" if gap > 0.0005 else "good"}">{gap:+.3f}</span>'
            cells.append(f'{_cell(time)}<td class="number">{sign}</td>')
        end = "" if lap.complete else " (off track)" if lap.off_track else " (not completed)"
        name = f"lap {lap.index}{end}"
        speed = _cell(replay.drives[0].mean_speed_mps(lap), 2)
        rows.append(f"<tr><td>{escape(name)}</td>{_cell(lap.time_s)}{''.join(cells)}{speed}</tr>")
    heads = "".join(f'<th class="number">sector {k + 1}, s</th><th></th>' for k in range(3))
    head = f'<tr><th>lap</th><th class="number">time, s</th>{heads}<th class="number">mean speed, m/s</th></tr>'
    return (
        "<section><h2>Sectors</h2><p>A sector is a third of the centre line; differences are to the mark.</p>"
        f'<div class="scroll"><table><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table></div></section>'
    )


def _cell(value: float | None, digits: int = 3) -> str:
    return f'<td class="number">{"" if value is None else f"{value:.{digits}f}"}</td>'


def _pool(run: Run) -> str:
    """How strong the earlier drivers are that a run trained against."""
    rows = "".join(
        f'<tr><td class="number">{one.steps:,}</td>{_cell(one.elo, 0)}{_cell(one.points, 1)}'
        f'<td class="number">{one.meetings}</td></tr>'
        for one in read_ratings(run)
    )
    heads = "".join(f'<th class="number">{head}</th>' for head in ("steps", "Elo", "points", "of meetings"))
    return rows and (
        "<section><h2>Against itself</h2><p>Elo ratings of the drivers that the training kept, by their steps, from "
        f'meetings of two heats, from either place of the grid.</p><div class="scroll"><table>'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def _samples(run: Run, track: Track, replay: Replay | None) -> Samples | None:
    """Where the cars of the training were, as its logs sample it; else the laps of the best driver."""
    with contextlib.suppress(RacerError):
        found, _ = read_episodes(run.folder / "training-simtrace", track)
        placed = [one for one in found if one.track.digest == track.digest]
        if placed:
            exits = [(one.s[-1], one.offset[-1]) for one in placed if one.end == "off_track"]
            return Samples(
                f"{len(placed):,} episodes of the training, from its first to its last",
                s=np.concatenate([one.s for one in placed]),
                offset=np.concatenate([one.offset for one in placed]),
                speed=np.concatenate([speeds(one.rows["X"], one.rows["Y"]) for one in placed]),
                reward=np.concatenate([one.rows["reward"] for one in placed]),
                exits=np.array(exits, dtype=np.float64).reshape(-1, 2),
            )
    return None if replay is None or replay.track.digest != track.digest else samples_of(replay.drives[0])


def _settings(run: Run) -> str:
    config = run.config
    chosen: dict[str, Any] = {
        "tracks": ", ".join(config.track_names),
        "both directions": "yes" if config.both_directions else "no",
        "reward": config.reward,
        "recipe": config.agent,
        "budget": config.budget,
        "random seed": config.seed,
        "car": config.car,
        "actions": config.actions or "the car's whole range",
        "sensors": ", ".join(config.sensors or ()),
        "starts": config.starts,
        "randomize": config.randomize or "off",
        "device": config.device,
        "racer": config.engine,
        **{f"hyperparameter {name}": value for name, value in config.hyperparameters.items()},
    }
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(str(value))}</td></tr>" for name, value in chosen.items())
    return f'<section><h2>Settings</h2><div class="scroll"><table><tbody>{rows}</tbody></table></div></section>'


def _source(run: Run, name: str, title: str, is_open: bool) -> str:
    path = run.folder / name
    if not path.is_file():
        return ""
    text = read_text(path, RunError, LIMITS["source"])
    return (
        f"<section><details{' open' if is_open else ''}><summary><b>{escape(title)}</b></summary>"
        f"{listing(text)}</details></section>"
    )
