"""`racer watch`: how it looked."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from racer.cli import complete, console, watching
from racer.cli.inputs import replay_file

__all__ = ["watch"]


def watch(
    replays: Annotated[
        list[str],
        typer.Argument(
            metavar="REPLAY|RUN...",
            help="Replay files or runs on one track; the first in focus.",
            autocompletion=complete.replays_and_runs,
        ),
    ],
    record: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a .png, .gif or .mp4 instead of opening a window."),
    ] = None,
    speed: Annotated[float, typer.Option(help="Playback speed, 0.25 to 8.")] = 1.0,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Window size in pixels, such as 1280x800.")] = None,
    camera: Annotated[bool, typer.Option("--camera", help="Show what the driver's camera and LIDAR see, too.")] = False,
    params: Annotated[bool, typer.Option("--params", help="Show what the reward function is given, too.")] = False,
    heat: Annotated[
        str, typer.Option("--map", metavar="KIND", help="Colour the road by reward, speed or visits.")
    ] = "",
    mark: Annotated[
        bool, typer.Option("--mark", help="Add the best lap known as a ghost, and compare sectors with it.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the recorded file.")] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Follow a training that goes on, started with `racer train --watch`.")
    ] = False,
) -> None:
    """Watch replays in a window: the car, its trail, laps, pedals and reward.

    Several replays of one track drive at once, the others as ghosts. A race of
    several drivers is shown with its running order, gaps, crashes and penalties;
    keys 1 to 8 choose whom to follow. Space pauses, arrows seek and change the
    speed, ? shows all the keys. A recording needs no screen.

    Examples:
      [cyan]racer watch first[/cyan]
      [cyan]racer watch first.replay classic.replay --speed 0.5[/cyan]
      [cyan]racer watch first.replay --mark --record first.mp4[/cyan]
      [cyan]racer watch first --map reward --params[/cyan]
      [cyan]racer watch race.replay[/cyan]
      [cyan]racer watch first --live[/cyan]
    """
    pixels = None if size is None else _size(size)
    if live:
        if len(replays) != 1 or camera or mark or params or heat:
            raise typer.BadParameter("one run is followed, as it is", param_hint="--live")
        watching.follow(replays[0], record, pixels, speed, force)
        return
    from racer.replay import HEAT_MAPS, load_replay, mark_of
    from racer.viewer import Looks, watch as show

    if heat and heat not in HEAT_MAPS:
        raise typer.BadParameter(f"{heat!r} is no map; choose one of {', '.join(HEAT_MAPS)}", param_hint="--map")

    files = [replay_file(given) for given in replays]
    shown = [load_replay(file) for file in files]
    looks = Looks(camera, params, heat, _reads(files[0]))
    known = mark_of(shown[0].track, shown[0].car) if mark else None
    if mark and known is None:
        console.note(f"No mark is known of {escape(shown[0].track.name)}; see [cyan]racer mark --help[/cyan]")
    show(shown, record, pixels, speed=speed, looks=looks, overwrite=force, mark=known)
    if record is not None:
        console.note(f"Recorded {escape(str(record))}")


def _reads(file: Path) -> frozenset[str]:
    """The keys of `params` that the reward of a run reads, by its source beside the replay; none if it is not there."""
    from racer.reward import keys_read
    from racer.shelf import LIMITS, read_text

    source = file.with_name("reward.py.txt")
    return keys_read(read_text(source, limit=LIMITS["source"])) if source.is_file() else frozenset()


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise typer.BadParameter(f"{text!r} is no size; write it as 1280x800", param_hint="--size")
    return int(width), int(height)
