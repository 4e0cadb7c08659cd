"""Trying a reward function before training with it: what do good and bad drives earn, and what would be learned?

Fifteen drives are scripted on the real track with the real car (`drives`), the function is called on every step of
them, as a training would (`earnings`), and `judging` looks for what pays better than fast laps. A driver learns
whatever is worth most.
"""

from __future__ import annotations

from dataclasses import dataclass

from racer.errors import RewardError
from racer.reward.drives import FAST, SLOW
from racer.reward.earnings import Earned, earnings
from racer.reward.function import RewardFunction
from racer.reward.judging import Finding, Level, judge
from racer.reward.sandbox import OutputBuffer
from racer.reward.traps import Trap, traps_of
from racer.track import Track

__all__ = ["GAMMA", "Report", "check", "verdict"]

GAMMA = 0.98
"""Discount of a step, that of racer's own recipes."""

LEVELS: tuple[Level, ...] = ("wrong", "doubtful", "fine")


@dataclass(frozen=True, eq=False)
class Report:
    """What a check found.

    Attributes:
        drives: what each drive earned, the fast lap first.
        findings: what speaks against the reward, the worst first.
        verdict: the worst of them, or a finding that all is fine.
        traps: what may be a mistake in the source, by line.
        printed: what the function printed, as far as it was kept.
        printed_lines: how many lines that would be.
        call_us: mean time of a call, microseconds, `params` included.
    """

    drives: tuple[Earned, ...]
    findings: tuple[Finding, ...]
    verdict: Finding
    traps: tuple[Trap, ...]
    printed: str
    printed_lines: int
    call_us: float


def check(reward: RewardFunction, track: Track, gamma: float = GAMMA) -> Report:
    """Let a reward function judge good and bad drives on a track, and judge it by that.

    Args:
        reward: the function.
        track: a closed one. Its drives are kept as long as it is: the next check on the same object is quicker.
        gamma: the learner's discount of a reward for each step that it lies ahead.

    Raises:
        RewardError: it fails on one of the drives.
        TrackError: the track is open.
        ValueError: the discount is not between 0 and 1.
    """
    if not 0.0 < gamma < 1.0:
        raise ValueError(f"gamma is {gamma!r}; it must be above 0 and below 1")
    printed = OutputBuffer()
    paid = earnings(reward, track, printed)
    findings = sorted(judge(track, paid, gamma), key=lambda finding: LEVELS.index(finding.level))
    fast, slow = paid.of(FAST).per_step, paid.of(SLOW).per_step
    evidence = f"{fast:.3g} a step for the fast lap, {slow:.3g} for the slow one"
    found = findings[0] if findings else Finding("", "fine", f"good driving pays best ({evidence})", "")
    traps = tuple(traps_of(reward.text))
    return Report(paid.drives, tuple(findings), found, traps, printed.getvalue(), printed.lines, paid.call_us)


def verdict(reward: RewardFunction, track: Track) -> str:
    """What `check` finds, in one sentence without a full stop; of a function that fails the first line of its error."""
    try:
        report = check(reward, track)
        return str(report.traps[0]) if report.verdict.level == "fine" and report.traps else report.verdict.sentence
    except RewardError as wrong:
        return str(wrong).splitlines()[0]
