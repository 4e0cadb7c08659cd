"""`racer import-log` and `racer rescore`: laps that DeepRacer logged, to watch, and to try a reward on."""

import csv
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from racer.cli import complete, console, inputs, laps
from racer.errors import LogError

if TYPE_CHECKING:
    from racer.deepracer.logs import Placed, Rescored
    from racer.track import Track

__all__ = ["import_log", "rescore"]

RUN_DEPTH = 4  # folders above a log in which its run is sought

Source = Annotated[
    Path, typer.Argument(metavar="FILE|FOLDER", help="A simtrace CSV, a text log, a folder or an archive of logs.")
]
Where = Annotated[
    str | None,
    typer.Option(help="Track that it was driven on (default: found by its length).", autocompletion=complete.tracks),
]
Number = Annotated[int | None, typer.Option("--episode", metavar="N", help="Only the episode with this number.")]


def import_log(
    log: Source,
    track: Where = None,
    replay: Annotated[
        Path | None,
        typer.Option(metavar="FILE.replay", help="Replay to write (default: the log's name).", dir_okay=False),
    ] = None,
    episode: Number = None,
    everything: Annotated[bool, typer.Option("--all", help="Take all episodes, one after the other.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the replay.")] = False,
) -> None:
    """Make a replay of a DeepRacer log, to watch beside your own.

    Reads N-iteration.csv files and text logs with SIM_TRACE_LOG lines of
    every year, alone, in a folder, or in an archive (.gz, .tar, .tar.gz).
    Takes the fastest complete lap, or else the episode that came farthest.
    You can watch and rescore an imported lap; no leaderboard accepts it.

    Examples:
      [cyan]racer import-log 0-iteration.csv --track reinvent_base.npy[/cyan]
      [cyan]racer import-log model/sim-trace --episode 503 --replay lap.replay[/cyan]
      [cyan]racer watch 0-iteration.replay mine.replay[/cyan]
    """
    if everything and episode is not None:
        raise typer.BadParameter("choose one of --all and --episode", param_hint="--all")
    inputs.expect("a DeepRacer log", log, "log", "log archive", "run", "model folder", "model archive")
    with console.busy("Reading"):
        from racer.deepracer.logs import best, read_episodes, to_replay
        from racer.replay import save_replay

        placed, notices = read_episodes(log, track or _track_of_run(log), episode)
        chosen = placed if everything or episode is not None else [best(placed)]
        named = re.sub(r"(\.(csv|log|txt))?(\.tar)?(\.t?gz)?$", "", log.resolve().name, flags=re.IGNORECASE) or "log"
        driver = named if everything else f"{named} #{chosen[0].episode.number}"
        made = to_replay(chosen, driver, f"the DeepRacer log {log.name}")
        target = Path(f"{named}.replay") if replay is None else replay
        save_replay(made, target, overwrite=force)
    _warn(notices)
    laps.show(made)
    _say_where(placed, track)
    console.note(f"Wrote [bold]{escape(str(target))}[/bold]. Next: {console.command('racer', 'watch', target)}")


def rescore(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="A log, a folder or an archive of logs, or a replay.")],
    reward: Annotated[str, typer.Option(help="Reward function.", autocompletion=complete.rewards)],
    track: Where = None,
    episode: Number = None,
    json: Annotated[bool, typer.Option("--json", help="Print every step as JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print every step as CSV.")] = False,
) -> None:
    """Run a reward function over logged laps: what would it have paid?

    Calls the function for every step of a DeepRacer log, or of a replay, with
    the params of that step, and shows old and new rewards side by side.

    Examples:
      [cyan]racer rescore 0-iteration.csv --reward my_reward[/cyan]
      [cyan]racer rescore runs/fast/best.replay --reward my_reward --csv > steps.csv[/cyan]
    """
    if json and as_csv:
        raise typer.BadParameter("choose one of --json and --csv")
    with console.busy(console.loading("Running the reward function over every step")):
        from racer.deepracer.logs import rescore as run_over
        from racer.reward import OutputBuffer, load_reward

        function, printed = load_reward(reward), OutputBuffer()
        placed, notices = _episodes(log, track, episode)
        found = run_over(placed, function, printed)
    _warn(notices)
    if json:
        name = placed[0].track.name
        console.print_json({"reward": reward, "track": name, "episodes": [_record(one) for one in found]})
    elif as_csv:
        _print_csv(found)
    else:
        _show(found, f"{reward} on {placed[0].track.name}")
        _say_where(placed, track)
    console.show_printed(printed.getvalue(), printed.lines)


def _episodes(log: Path, track: str | None, episode: int | None) -> "tuple[list[Placed], list[str]]":
    from racer.deepracer.logs import episodes_of, read_episodes
    from racer.replay import load_replay

    if inputs.kind(log) not in ("replay", "old replay"):
        return read_episodes(log, track or _track_of_run(log), episode)
    if track is not None:
        raise LogError(f"{log} is a replay, which brings its track with it; leave --track out")
    placed = episodes_of(load_replay(log))
    chosen = [one for one in placed if episode in (None, one.episode.number)]
    if not chosen:
        raise LogError(f"{log} holds no episode {episode}; it has 0 to {len(placed) - 1}")
    return chosen, []


def _track_of_run(log: Path) -> "Track | None":
    """The track of the run whose folder a log lies in, which no shelf need hold; None if it lies in none."""
    from racer.training import open_run

    for folder in list(log.absolute().parents)[:RUN_DEPTH]:
        if (folder / "run.json").exists():
            return open_run(folder).track()
    return None


def _record(one: "Rescored") -> dict[str, Any]:
    episode, rows = one.placed.episode, one.rows
    steps = zip(rows["steps"], rows["progress"], rows["reward"], one.new, strict=True)
    return {
        "log": episode.where,
        "episode": episode.number,
        "progress": episode.progress,
        "end": one.placed.end,
        "old": float(rows["reward"].sum()),
        "new": float(one.new.sum()),
        "steps": [
            {"step": int(step), "progress": float(progress), "old": float(old), "new": float(new)}
            for step, progress, old, new in steps
        ],
    }


def _print_csv(found: "list[Rescored]") -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    columns = ("episode", "steps", "X", "Y", "yaw", "steer", "throttle", "progress", "reward")
    writer.writerow(["log", *columns[:-1], "old_reward", "new_reward"])
    for one in found:
        where = one.placed.episode.where
        for row, new in zip(one.rows[list(columns)].tolist(), one.new.tolist(), strict=True):
            writer.writerow([where, *row, new])


def _show(found: "list[Rescored]", title: str) -> None:
    rows = []
    for one in found:
        episode, old, new = one.placed.episode, one.rows["reward"], one.new
        count = max(1, len(new))
        rows.append(
            [
                str(episode.number),
                f"{len(new)}",
                f"{episode.progress:.1f} %",
                one.placed.end.replace("_", " "),
                f"{old.sum() / count:.4g}",
                f"{new.sum() / count:.4g}",
                f"{old.sum():.5g}",
                f"{new.sum():.5g}",
            ]
        )
    columns = ["episode>", "steps>?", "progress>", "end", "old/step>?", "new/step>?", "old sum>", "new sum>"]
    console.show(console.table(columns, rows, title))


def _warn(notices: list[str]) -> None:
    for notice in notices:
        console.note(f"[yellow]Notice:[/yellow] {escape(notice)}")


def _say_where(placed: "list[Placed]", given: str | None) -> None:
    found = placed[0].track
    if given is None:
        console.note(f"Driven on {escape(found.name)}, {found.length:.2f} m long")
    backwards = sum(one.track.reversed for one in placed)
    if backwards:
        console.note(f"{backwards} of {len(placed)} episodes were driven against the track's own direction")
