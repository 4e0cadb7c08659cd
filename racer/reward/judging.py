"""Judging what a reward pays: would a learner that maximises it drive fast laps?

Each judgement looks for one way in which something else pays better, as a learner counts it: rewards discounted by
each step that they lie ahead, a complete lap followed by others like it, and nothing after an episode that ends early.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from racer.reward.drives import BRISK, EASY, FAST, SLOW
from racer.reward.earnings import Earned, Earnings
from racer.sim import LAP_COMPLETE, STATUS, STEP_S
from racer.track import Track

__all__ = ["Finding", "Level", "judge"]

Level = Literal["wrong", "doubtful", "fine"]
FloatArray = NDArray[np.float64]

SECTION_M = 1.5  # of the track, each of which a mix of drives may drive its own way
SLOWER = 1.15  # times the fast lap's time: the best paid lap may take so much longer
START_S = 3.0  # in which a fast start must earn more than a slow one
CLEAR, SLIGHT = 0.2, 0.02  # more pay, in steps' usual pay: a learner finds the one for certain, the other perhaps
HALF = 0.5  # of its pay that a lap may lose in later episodes, or by what was driven before
PART = 0.1  # of its pay that it may lose so without a word
NAMED = 3  # drives of a mix that a sentence names

PROGRESS = (
    "pay for the metres gained since the last call, as the reward `progress` does, "
    "or let the pay grow more than the speed does"
)
RESET = "set what the function remembers back where an episode begins: if params['steps'] <= 2"


@dataclass(frozen=True)
class Finding:
    """What one judgement found.

    Attributes:
        judgement: its name.
        level: how bad it is.
        sentence: what pays better than fast laps, with the evidence; without a full stop.
        hint: how to mend it.
    """

    judgement: str
    level: Level
    sentence: str
    hint: str


@dataclass(frozen=True)
class _Case:
    track: Track
    earnings: Earnings
    gamma: float

    @property
    def usual(self) -> float:
        """Size of a step's reward, as the mean over the laps says."""
        return float(np.mean([abs(rewards).mean() for lap in self.laps for rewards in lap.rewards])) or 1.0

    @property
    def fast(self) -> Earned:
        return self.earnings.of(FAST)

    @property
    def laps(self) -> list[Earned]:
        """The complete ones of the laps; the fast one if there are none."""
        return [one for one in self.earnings.drives if one.drive.is_lap and one.drive.completes] or [self.fast]


def judge(track: Track, earnings: Earnings, gamma: float) -> Iterator[Finding]:
    """What speaks against a reward, the gravest kinds first.

    Args:
        track: on which the drives are.
        earnings: what they earned.
        gamma: discount of a reward for each step that it lies ahead.
    """
    case = _Case(track, earnings, gamma)
    if (same := _same(case)) is not None:
        yield same
        return
    if (lost := _lost(case.fast)) is not None:
        yield from _once(case, *lost)
    else:
        ends, start = list(_ends(case)), list(_start(case))
        if start:  # to leave is tempting, and no hurry is paid for: then nothing speaks for laps
            ends = [replace(one, level="wrong") for one in ends]
        yield from (*_history(case), *ends, *_laps(case), *start)


def _same(case: _Case) -> Finding | None:
    """Whether nothing that is done before a lap is complete changes the pay."""
    before = [
        rewards[:-1] if episode.end == STATUS[LAP_COMPLETE] else rewards
        for earned in case.earnings.drives
        for episode, rewards in zip(earned.drive.episodes, earned.rewards, strict=True)
    ]
    values = np.concatenate(before)
    if np.ptp(values) > 1e-9 * max(1.0, float(np.abs(values).max())):
        return None
    ends = np.array([rewards[-1] for earned in case.laps for rewards in earned.rewards])
    if np.ptp(np.append(ends, values[0])) > 1e-9:
        return Finding(
            "Finish",
            "wrong",
            f"until the lap is complete every step earns {values[0]:.4g}, however one drives: "
            "a driver that has never completed a lap cannot learn how",
            "pay a little for every metre on the way: the metres gained since the last call",
        )
    return Finding(
        "Start", "wrong", f"every step of every drive earns {values[0]:.4g}: there is nothing to learn from", PROGRESS
    )


def _lost(fast: Earned) -> tuple[float, float] | None:
    """What the fast lap earns at first, and in a later episode, if that is much less; else None."""
    sums = [float(rewards.sum()) for rewards in fast.rewards]
    lost = (sums[0] - min(sums)) / (float(np.abs(fast.rewards[0]).sum()) or 1.0)
    return (sums[0], min(sums)) if lost > HALF else None


def _once(case: _Case, before: float, after: float) -> Iterator[Finding]:
    """What speaks against a reward whose pay is used up: only the first episodes teach anything.

    It is doubtful if they teach fast laps, as every car has its own, and wrong if not. What is paid once in a lifetime
    is a stock, of which a slow lap must not collect more than a fast one.
    """
    drives = (
        replace(one, drive=replace(one.drive, episodes=one.drive.episodes[:1]), rewards=one.rewards[:1])
        for one in case.earnings.drives
    )
    first = replace(case, earnings=replace(case.earnings, drives=tuple(drives)))
    others = [*_ends(first), *_laps(first), *_start(first)]
    slow = first.earnings.of(SLOW).per_episode
    teaches = not others and first.fast.per_episode >= (1.0 - PART) * slow
    yield Finding(
        "Again",
        "doubtful" if teaches else "wrong",
        f"the fast lap earns {before:.4g} in the first episode and {after:.4g} in a later one, "
        + ("so only the first laps of each car teach anything" if teaches else "so what has paid once pays no more"),
        RESET,
    )
    yield from others


def _history(case: _Case) -> Iterator[Finding]:
    """Whether the same lap earns something else after other laps, or by chance."""
    usual, after = case.fast.rewards[-1], case.earnings.after_slow
    size = float(np.abs(usual).mean()) or case.usual
    changed = abs(float(after.mean() - usual.mean())) / size
    chance = float(np.abs(after - usual).mean()) / size - changed
    if changed > PART and (changed > HALF or chance <= CLEAR):
        yield Finding(
            "History",
            "wrong" if changed > HALF else "doubtful",
            f"the same fast lap earns {usual.sum():.4g} after other fast laps and {after.sum():.4g} after slow ones",
            RESET,
        )
    elif chance > CLEAR:
        yield Finding(
            "History",
            "wrong",
            f"the same step of the same lap earns something else each time, {chance:.0%} more or less on average",
            "leave chance and the clock out of the reward, and forget old episodes: " + RESET,
        )


def _ends(case: _Case) -> Iterator[Finding]:
    """Whether an episode that ends early is worth more than driving on.

    It is wrong if that holds for who looks twice as far ahead, too, as recipes do that get no farther.
    """
    others = [earned for earned in case.earnings.drives if not earned.drive.is_lap]
    more = {
        earned: [_gain(case, earned, gamma, case.laps) for gamma in (case.gamma, case.gamma**0.5)] for earned in others
    }
    earned = max(others, key=lambda one: (min(more[one]), max(more[one])))
    pay = f"{earned.drive.name} earns {earned.per_episode:.4g} in {np.mean([len(r) for r in earned.rewards]):.0f} steps"
    if case.fast.per_step < 0.0:
        hint = "let driving earn more than 0 a step, so that the end of an episode is a loss"
    else:
        hint = "pay nothing for what ends an episode, and less for what leads there than for driving on"
    if min(more[earned]) > SLIGHT:
        yield Finding("Ends", "wrong", f"{pay}, which is worth more than any lap to come", hint)
    elif max(more[earned]) > SLIGHT:
        yield Finding("Ends", "doubtful", f"{pay}, worth more than laps to a driver who looks 3 s ahead", hint)
    elif case.laps[0] is case.fast:
        near, far = (case.earnings.of(name) for name in (BRISK, EASY))
        tempting = {
            one: min(_gain(case, one, case.gamma, [near]), _gain(case, one, case.gamma**0.5, [far])) for one in others
        }
        earned = max(others, key=lambda one: tempting[one])
        if tempting[earned] > CLEAR:
            yield Finding(
                "Ends",
                "doubtful",
                f"{earned.drive.name} is worth more than a beginner's laps, so a driver may never learn to brake",
                "let the pay grow less with the speed, its square at most, and pay little near the border",
            )


def _gain(case: _Case, earned: Earned, gamma: float, laps: list[Earned]) -> float:
    """What an early end is worth more than the best of some laps from the same place, as usual pay for good."""
    return max(
        _worth(rewards, gamma) - max(_worth(lap.rewards[k], gamma, lap.per_step) for lap in laps)
        for k, rewards in enumerate(earned.rewards)
    ) * ((1.0 - gamma) / case.usual)


def _worth(rewards: FloatArray, gamma: float, after: float = 0.0) -> float:
    """Discounted sum of rewards, and of `after` for each step that follows."""
    return float(rewards @ gamma ** np.arange(len(rewards))) + gamma ** len(rewards) * after / (1.0 - gamma)


def _laps(case: _Case) -> Iterator[Finding]:
    """Whether another lap than the fast one pays better a step."""
    found = _best_mix(case)
    if found.slower <= SLOWER or found.gain <= SLIGHT:
        return
    yield Finding(
        "Laps",
        "wrong" if found.gain > CLEAR else "doubtful",
        f"{found.how} pays {found.pay:.3g} a step, the fast lap {case.fast.per_step:.3g}, "
        f"and takes {found.slower:.1f} times as long",
        PROGRESS,
    )


@dataclass(frozen=True)
class _Mix:
    """The lap that pays most a step.

    Attributes:
        pay: of a step.
        gain: more than the fast lap's, in usual pay.
        slower: its time by that of the fast lap.
        how: it is driven.
    """

    pay: float
    gain: float
    slower: float
    how: str


def _best_mix(case: _Case) -> _Mix:
    """For every section of the track choose the drive, so that the lap pays most a step (Dinkelbach 1967).

    A lap pays R and takes N steps. Whoever maximises R / N maximises R - q N, with q the best R / N: so guess q from
    the fast lap, choose for each section the drive with the largest R - q N, take their R / N for q, and again.
    Sections are places: a driver sees the road, but not how far it is from the start of its episode.
    """
    laps, length = case.laps, case.track.length
    count = max(6, round(length / SECTION_M))
    pay, steps = np.zeros((2, len(laps), count))
    for k, lap in enumerate(laps):
        for episode, rewards in zip(lap.drive.episodes, lap.rewards, strict=True):
            section = np.clip((episode.place / length * count).astype(int), 0, count - 1)
            np.add.at(pay[k], section, rewards)
            np.add.at(steps[k], section, 1.0)
    tie = SLIGHT * case.usual * steps.mean(axis=0)
    sections = np.arange(count)
    best = start = case.fast.per_step
    while True:
        value = pay - best * steps
        chosen = np.where(value >= value.max(axis=0) - tie, steps, np.inf).argmin(axis=0)  # of equals the fastest
        better = float(pay[chosen, sections].sum() / steps[chosen, sections].sum())
        if better <= best + 1e-9 * case.usual:
            break
        best = better
    slower = float(steps[chosen, sections].sum() / steps[0].sum())
    return _Mix(better, (better - start) / case.usual, slower, _in_words([laps[k].drive.name for k in chosen]))


def _in_words(names: list[str]) -> str:
    """How a mix is driven, the most used drives first."""
    kinds = sorted(set(names), key=lambda name: (-names.count(name), name))
    if len(kinds) == 1:
        return f"the {kinds[0]}"
    parts = [f"{name.replace(' lap', '')} on {names.count(name) / len(names):.0%}" for name in kinds[:NAMED]]
    return f"a lap driven {', '.join(parts)} of the way"


def _start(case: _Case) -> Iterator[Finding]:
    """Whether a fast start earns more than a slow one: in the first seconds, and as a learner counts."""
    count, episodes = round(START_S / STEP_S), range(len(case.fast.rewards))
    fast, slow = (case.fast, case.earnings.of(SLOW))
    first = [np.mean([_worth(rewards[:count], case.gamma) for rewards in one.rewards]) for one in (fast, slow)]
    whole = [
        np.mean([_worth(one.rewards[k], case.gamma, one.per_step) for k in episodes]) * (1.0 - case.gamma)
        for one in (fast, slow)
    ]
    more = (first[0] - first[1]) / ((abs(first[0]) + abs(first[1])) or 1.0)
    if (whole[1] - whole[0]) / case.usual > CLEAR:
        yield Finding(
            "Start",
            "wrong",
            f"from the start on, driving slowly is worth {whole[1]:.3g} a step and driving fast {whole[0]:.3g}, "
            "with later rewards discounted, so a driver learns to be slow",
            PROGRESS,
        )
    elif more < SLIGHT:
        yield Finding(
            "Start",
            "wrong" if more < -PART else "doubtful",
            f"the first {START_S:.0f} s earn {first[0]:.3g} when driven fast and {first[1]:.3g} when driven slowly, "
            f"so a driver {'learns to be slow' if more < -PART else 'may complete laps but has no reason to hurry'}",
            PROGRESS,
        )
