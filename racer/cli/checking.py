"""`racer check`: what a reward pays for, and what a driver would learn from it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from racer.cli import complete, console, inputs
from racer.shelf import DEFAULTS

if TYPE_CHECKING:
    from racer.reward import Earned, Finding, Report

__all__ = ["check"]

COLOR = {"wrong": "red", "doubtful": "yellow", "fine": "green"}


def check(
    reward: Annotated[str, typer.Argument(metavar="REWARD", help="A name or a file.", autocompletion=complete.rewards)],
    track: Annotated[str, typer.Option(help="Where.", autocompletion=complete.tracks)] = DEFAULTS["tracks"],
    gamma: Annotated[
        float,
        typer.Option(min=0.01, max=0.9999, help="Discount of the driver that will learn (default: 0.98, racer's)."),
    ] = 0.98,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts and editors.")] = False,
) -> None:
    """Try a reward function: would a driver learn fast laps from it?

    Fifteen scripted drives, good and bad, show what it pays. A driver learns what
    pays best: the verdict says whether that is a fast lap (fine), may be something
    else (doubtful), or is something else (wrong), and how to mend it.

    Examples:
      [cyan]racer check my_reward[/cyan]
      [cyan]racer check reward_functions/my_reward.py --track dune[/cyan]
      [cyan]racer check my_reward --json[/cyan]
    """
    with console.busy(console.loading("Driving fifteen ways")):
        inputs.expect("a reward function", reward, "reward")
        inputs.expect("a track", track, "route")
        from racer.reward import check as try_out, load_reward
        from racer.track import load_track

        report = try_out(load_reward(reward), load_track(track), gamma)
    if json:
        console.print_json({"reward": reward, "track": track, **_record(report)})
    else:
        _show(report, f"{reward} on {track}")


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
