"""How a training looks while it goes on, and what is worth knowing about it: its pace, and why there is no lap."""

import contextlib
import math
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from racer.cli import console, laps

if TYPE_CHECKING:
    from racer.replay import Replay
    from racer.training import Callback, Progress as State, Run, RunConfig

__all__ = ["explain_laps", "go_on", "shown"]

LINE_EVERY_S = 5.0  # of training, between two lines where there is no terminal to draw a bar on
PACE_AFTER_S = 5.0  # of training, before its pace says anything: the first updates are small and slow
LEAST_REST_S = 5.0  # of training: what is left is not worth a word if it is shorter
SLOW = 0.4  # of the usual pace: below, it is worth a word
EARLY = 0.5  # share of the steps before which a best driver counts as an early one


def go_on(run: "Run", *more: str) -> str:
    """The command that goes on with a run, in markup."""
    return console.command("racer", "train", "--name", run.called, "--resume", *run.unshelved, *more)


@contextlib.contextmanager
def shown(run: "Run") -> "Iterator[Callback]":
    """Shows a training on stderr: a live picture on a terminal, else a line now and then."""
    from racer.replay import mark_of
    from racer.training import Callback

    config, mark = run.config, mark_of(run.track(), run.car)

    class Shown(Callback):
        """Says what learns, then how it goes."""

        def __init__(self, show: Any) -> None:
            self.show = show

        def on_training_start(self, env: Any, learner: Any) -> None:
            if about := getattr(learner, "description", ""):
                console.note(escape(str(about)))

        def on_race_end(self, replay: "Replay", failure: Exception | None = None) -> None:
            if failure is not None:
                console.note("[yellow]All is learned, but the reward function fails in the last laps:[/yellow]")
                console.note(escape(str(failure)))

        def on_update(self, progress: "State") -> None:
            self.show(progress)

    if not sys.stderr.isatty():
        yield Shown(_Lines(config, mark))
        return
    from rich.console import Group
    from rich.live import Live
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.spinner import Spinner
    from rich.text import Text

    bar = Progress(
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[speed]}"),
        console=console.messages(),
    )
    task = bar.add_task("", total=1.0, speed="", start=False)
    with Live(Spinner("dots", console.loading("Preparing")), console=console.messages(), refresh_per_second=8) as live:

        def show(state: "State") -> None:
            if not bar.tasks[0].started:
                bar.start_task(task)
            bar.update(task, completed=state.used, speed=f"{state.steps_per_s:,.0f} steps/s")
            facts = [_facts(state, mark), _pace(state, config)]
            lines = [Text(fact, style="dim") for fact in facts if fact]
            if state.meter is not None:
                lines.append(Text(state.meter.text, style="yellow" if state.meter.warns else "dim"))
            live.update(Group(bar, *lines))

        yield Shown(show)


def explain_laps(run: "Run", replay: "Replay") -> None:
    """Say what is to be said about the best driver's laps: that there are none, or that they came early."""
    if replay.completed_laps:
        _explain_early_best(run)
    else:
        _explain_no_lap(run, replay)


def _explain_no_lap(run: "Run", replay: "Replay") -> None:
    """Say how far a driver got that completed no lap, and what its reward function looks like."""
    from racer.reward import verdict

    farthest = max(laps.share_driven(replay, lap) for lap in replay.laps)
    console.note(f"[yellow]No complete lap yet:[/yellow] the best try got {farthest:.0%} of the way around.")
    console.note(f"The check of its reward function says: {escape(verdict(run.reward(), run.track()))}")


def _explain_early_best(run: "Run") -> None:
    """Say so where the best driver is an early one: all that was learned later drives slower laps."""
    if not (run.best.exists() and run.checkpoint.exists()):
        return
    best, last = (int(run.load(path)[1]["steps"]) for path in (run.best, run.checkpoint))
    if best < EARLY * last:
        console.note(
            f"The best laps came after {best:,} of {last:,} steps; what was learned later drives slower. "
            "The best driver is kept. More steps may not help: try another reward, or --set gamma=0.97"
        )


class _Lines:
    """Prints how a training stands, every few seconds, for logs."""

    def __init__(self, config: "RunConfig", mark: "Replay | None") -> None:
        self._config, self._mark, self._next, self._paced = config, mark, 0.0, False
        self._warned = False

    def __call__(self, state: "State") -> None:
        if state.seconds >= self._next or state.used >= 1.0:
            self._next = state.seconds + LINE_EVERY_S
            console.note(
                f"{state.used:4.0%}  {state.seconds:6.1f} s  {state.steps:>9,} steps  "
                f"{state.steps_per_s:,.0f} steps/s  {_facts(state, self._mark)}"
            )
        if not self._paced and (pace := _pace(state, self._config)):
            self._paced = True
            console.note(f"[yellow]{escape(pace)}[/yellow]")
        warns = state.meter is not None and state.meter.warns
        if state.meter is not None and warns and not self._warned:
            console.note(f"[yellow]{escape(state.meter.text)}[/yellow]")
        self._warned = warns


def _pace(state: "State", config: "RunConfig") -> str:
    """Say what it means where a training is much slower than usual; nothing where it is not."""
    slow = 0.0 < state.steps_per_s < SLOW * state.usual_steps_per_s
    if not slow or state.elapsed_s < PACE_AFTER_S:
        return ""
    times = state.usual_steps_per_s / state.steps_per_s
    said = f"{_rounded(state.steps_per_s):,.0f} steps/s here: about {times:.0f} times slower than usual"
    if config.steps is not None:
        left = max(0.0, 1.0 - state.used) * config.steps / state.steps_per_s
        return f"{said}; the rest takes about {_rounded(left):,.0f} s" if left >= LEAST_REST_S else ""
    return f"{said}; give it --seconds {_rounded((config.seconds or 0.0) * times):.0f}"


def _rounded(number: float) -> float:
    """The number with two significant digits."""
    return float(f"{number:.2g}")


def _facts(state: "State", mark: "Replay | None") -> str:
    """Completion, best lap and reward, as far as known."""
    from racer.replay import percent_of_mark

    facts = [state.phase] if state.phase else []
    if state.result is not None and not state.phase:
        facts.append(f"laps completed {state.result.completed:.0%}")
    if state.best is not None and state.best.best_lap_s is not None:
        share = laps.percent(percent_of_mark(state.best.best_lap_s, mark))
        facts.append(f"best lap {state.best.best_lap_s:.3f} s" + (share and f" ({share} of the mark)"))
    reward = state.metrics.get("rollout/ep_rew_mean", math.nan)
    if math.isfinite(reward):
        facts.append(f"reward per episode {reward:.4g}")
    return "  ".join(facts)
