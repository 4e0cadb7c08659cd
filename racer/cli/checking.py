"""`racer check`: what a reward pays for, and what a driver would learn from it."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from racer.cli import complete, console, inputs
from racer.errors import RacerError
from racer.shelf import DEFAULTS

if TYPE_CHECKING:
    from racer.reward import Earned, Finding, Report
    from racer.track import Track

__all__ = ["check"]

LOOK_S = 0.2  # between two looks at a file that is watched
COLOR = {"wrong": "red", "doubtful": "yellow", "fine": "green"}


def check(
    reward: Annotated[str, typer.Argument(metavar="REWARD", help="A name or a file.", autocompletion=complete.rewards)],
    track: Annotated[str, typer.Option(help="Where.", autocompletion=complete.tracks)] = DEFAULTS["tracks"],
    gamma: Annotated[
        float,
        typer.Option(min=0.01, max=0.9999, help="Discount of the learner (default: 0.98, racer's)."),
    ] = 0.98,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw what it pays on the road: .png, .svg or .pdf.", dir_okay=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the picture.")] = False,
    train: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0.1, max=3600.0, help="Train, too: what does it become? 5 s tell much."),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Check again at every save; Ctrl-C ends.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts and editors.")] = False,
) -> None:
    """Try a reward function: would a driver learn fast laps from it?

    Fifteen scripted drives, good and bad, show what it pays. A driver learns
    what pays best: the verdict says whether that is a fast lap (fine), may be
    something else (doubtful), or is something else (wrong), and how to mend it.

    Examples:
      [cyan]racer check my_reward[/cyan]
      [cyan]racer check reward_functions/my_reward.py --track dune[/cyan]
      [cyan]racer check my_reward --plot my_reward.png --train 5[/cyan]
      [cyan]racer check my_reward --watch[/cyan]
    """
    if watch and json:
        raise typer.BadParameter("JSON is one document; check again from your script instead", param_hint="--watch")
    inputs.new_picture(plot, force)
    with console.busy(console.loading("Driving fifteen ways")):
        inputs.expect("a reward function", reward, "reward")
        inputs.expect("a track", track, "route")
        from racer.track import load_track

        asked = _Asked(reward, load_track(track), gamma, plot, train)
        if not watch:
            record = asked.answer(quiet=json)
    if watch:
        _watch(asked)
    elif json:
        console.print_json(record)


@dataclass
class _Asked:
    """What is to be checked, and what is to be shown of it."""

    reward: str
    track: "Track"
    gamma: float
    plot: Path | None
    train: float | None

    def answer(self, quiet: bool = False) -> dict[str, Any]:
        """Check, show what was found unless `quiet`, and give it for JSON."""
        from racer.reward import check as try_out, landscape, load_reward
        from racer.sim import STEP_S

        function, title = load_reward(self.reward), f"{self.reward} on {self.track.name}"
        report = try_out(function, self.track, self.gamma)
        record = {"reward": self.reward, "track": self.track.name, **_record(report)}
        if not quiet:
            _show(report, title)
        if self.plot is not None:
            from racer.viewer.plot import reward_map

            reward_map(report, landscape(function, self.track), self.track, title, self.plot)
            console.note(f"Drew {console.word(self.plot)}")
        if self.train is not None:
            record["training"] = found = _trained(self.reward, self.track, self.train)
            lap = "" if found["lap_s"] is None else f", the best in {found['lap_s']:.2f} s"
            steps = max(len(rewards) for rewards in report.drives[0].rewards)
            console.note(
                f"[bold]After {self.train:g} s of training[/bold] ({found['steps']:,} steps) it completes "
                f"{found['completed']:.0%} of its laps{lap}; the fast lap of the check takes {steps * STEP_S:.2f} s."
            )
        return record


def _trained(reward: str, track: "Track", seconds: float) -> dict[str, Any]:
    """Train for a moment, and say what became of it: the evaluation in the end."""
    from racer.training import Callback, Progress, RunConfig, start, train

    class Last(Callback):
        state: Progress | None = None

        def on_update(self, progress: Progress) -> None:
            self.state = progress

    last = Last()
    with tempfile.TemporaryDirectory() as folder:
        train(start(RunConfig((track,), reward, seconds=seconds, logs=False), f"{folder}/run"), [last])
    result = last.state and last.state.result
    return {
        "seconds": seconds,
        "steps": last.state.steps if last.state else 0,
        "completed": result.completed if result else 0.0,
        "lap_s": result.best_lap_s if result else None,
    }


def _watch(asked: _Asked) -> None:
    """Check now, and whenever the file is another; what is wrong with it is said, and waited for to be mended."""
    from racer import shelf

    path = shelf.resolve("reward_functions", asked.reward)
    before: object = None
    while True:
        try:
            status = path.stat()
            now = status.st_mtime_ns, status.st_size, status.st_ino
        except OSError:  # an editor is just replacing it
            now = before  # type: ignore[assignment]
        if now != before:
            before = now
            try:
                asked.answer()
            except RacerError as error:
                console.error(str(error))
            console.note(f"[dim]{time.strftime('%H:%M:%S')}: waiting for {escape(str(path))} to be saved[/dim]")
        time.sleep(LOOK_S)


def _record(report: "Report") -> dict[str, Any]:
    """A report for JSON."""
    return {
        "verdict": _finding(report.verdict),
        "findings": [_finding(finding) for finding in report.findings],
        "traps": [{"line": trap.line, "why": trap.why, "fix": trap.fix} for trap in report.traps],
        "drives": [
            {
                "name": earned.drive.name,
                "steps": [len(rewards) for rewards in earned.rewards],
                "end": [episode.end for episode in earned.drive.episodes],
                "per_step": earned.per_step,
                "per_episode": earned.per_episode,
            }
            for earned in report.drives
        ],
        "call_us": report.call_us,
    }


def _finding(finding: "Finding") -> dict[str, str]:
    return {
        "level": finding.level,
        "judgement": finding.judgement,
        "sentence": finding.sentence,
        "hint": finding.hint,
    }


def _show(report: "Report", title: str) -> None:
    """Print what the drives earn, then the verdict and what else was found."""
    columns = ["drive", "reward per step>", "per episode>", "steps>?", "ended by"]
    console.show(console.table(columns, [_row(earned) for earned in report.drives], title))
    console.show_printed(report.printed, report.printed_lines, "; in a training they go to rewards.log")
    found = report.verdict
    console.note(f"[{COLOR[found.level]}]{found.level.capitalize()}:[/] {escape(found.sentence)}.")
    if found.hint:
        console.note(f"[cyan]To mend it:[/cyan] {escape(found.hint)}.")
    for finding in report.findings[1:]:
        console.note(f"[dim]Also {finding.level}:[/dim] {escape(finding.sentence)}.")
    for trap in report.traps:
        console.note(f"[cyan]Hint:[/cyan] {escape(str(trap))}.")
    console.note(f"[dim]A call takes {report.call_us:.0f} µs.[/dim]")


def _row(earned: "Earned") -> list[str]:
    ends = {episode.end: None for episode in earned.drive.episodes}
    steps = sum(len(rewards) for rewards in earned.rewards) / len(earned.rewards)
    return [
        earned.drive.name,
        f"{earned.per_step:.4g}",
        f"{earned.per_episode:.4g}",
        f"{steps:.0f}",
        ", ".join(end.replace("_", " ") for end in ends),
    ]
