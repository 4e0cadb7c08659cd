"""`racer demo`: the whole of racer in a minute."""

import os
import platform
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from racer.cli import complete, console, laps, leaderboard, mark, screen
from racer.cli.training import run_training
from racer.errors import RacerError
from racer.shelf import DEFAULTS

if TYPE_CHECKING:
    from racer.replay import Replay
    from racer.training import Run

__all__ = ["demo"]


def demo(
    seconds: Annotated[float, typer.Option(help="Train for this long.")] = 30.0,
    track: Annotated[str, typer.Option(help="Track to train on.", autocompletion=complete.tracks)] = DEFAULTS["tracks"],
    reward: Annotated[str, typer.Option(help="Reward function.", autocompletion=complete.rewards)] = DEFAULTS[
        "reward_functions"
    ],
    watch: Annotated[
        bool | None, typer.Option("--watch/--no-watch", help="Open the viewer (default: if there is a screen).")
    ] = None,
) -> None:
    """Train, race, draw, rank and watch a driver: the main road, in a minute.

    Nothing is overwritten. Called again, it goes on where it was interrupted, or
    shows the driver that it has trained already.

    Examples:
      [cyan]racer demo[/cyan]
      [cyan]racer demo --track dune --seconds 60[/cyan]
    """
    with console.busy(console.loading("Loading the engine")):
        from racer import training as engine
        from racer.replay import load_replay
        from racer.training import free_name

        run = _earlier(track, reward, seconds)
        done = run is not None and run.replay.exists()
        if run is None:
            run = engine.start(engine.RunConfig((track,), reward, seconds=seconds), free_name("demo"))
    if done:
        other = console.command("racer", "train")
        console.note(f"{escape(run.name)} has been trained already; for another driver: {other}")
    replay = load_replay(run.replay) if done else run_training(run)
    laps.show(replay)
    mark.offer(replay)

    from racer.viewer.plot import laps as draw

    picture = run.folder / "laps.png"
    if not picture.exists():
        draw(replay, picture)
    console.note(f"The laps are drawn in [bold]{escape(str(picture))}[/bold]")
    if replay.completed_laps:
        _rank(replay, run.name)
    else:
        screen.explain_laps(run, replay)
        console.note(f"Nothing for the leaderboard yet. Go on with: {screen.go_on(run, '--more-seconds', '60')}")
    how = ("racer", "watch", run.replay)
    if _has_screen() if watch is None else watch:
        console.note(f"Opening the viewer; later: {console.command(*how)}")
        from racer.viewer import watch as show

        show([replay])
    else:
        console.note(f"See it drive, on a machine with a screen: {console.command(*how)}")
        console.note(f"Or film it: {console.command(*how, '--record', 'demo.gif')}")


def _earlier(track: str, reward: str, seconds: float) -> "Run | None":
    """A demo that was made before with the same settings, reward and recipe."""
    from racer.training import find_run, run_names

    for name in run_names():
        if name.startswith("demo-"):
            try:
                run = find_run(name)
                config = run and run.config
                same = config and (config.tracks, config.reward, config.seconds) == ((track,), reward, seconds)
                if run and config and same and run.reward() and run.agent().digest == config.agent_digest:
                    return run
            except RacerError:  # a damaged one is left alone
                continue
    return None


def _rank(replay: "Replay", driver: str) -> None:
    from racer.leaderboard import AlreadyEnteredError, add, standings

    try:
        entry = add(replay, driver)
    except AlreadyEnteredError as before:
        entry = before.entry
    except RacerError as error:  # a board that somebody else broke must not spoil the rest
        console.note(f"Not on the leaderboard: {escape(str(error))}")
        return
    leaderboard.show_tables([one for one in standings(board=f"#{entry.board_id}") if one.current])


def _has_screen() -> bool:
    if os.environ.get("CI") or os.environ.get("SDL_VIDEODRIVER") == "dummy":
        return False
    on_linux = platform.system() == "Linux"
    return not on_linux or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
