"""`racer sensors`: what a car can observe, as a table and as a picture."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from racer.cli import complete, console, inputs
from racer.shelf import DEFAULTS

__all__ = ["sensors"]


def sensors(
    track: Annotated[str, typer.Option(help="Where the picture is taken.", autocompletion=complete.tracks)] = DEFAULTS[
        "tracks"
    ],
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Also draw what each sensor shows at three places.", dir_okay=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the picture.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """List the sensors of a car; with --plot, draw what they show.

    The names are DeepRacer's. A car has one camera and one LIDAR at most, and
    they can be combined with each other and with the state. Settings stand
    behind a name: FRONT_FACING_CAMERA:size=80x60:field_of_view=90:stack=2,
    LIDAR:blind=rear; docs/sensors.md has them all.

    Examples:
      [cyan]racer sensors[/cyan]
      [cyan]racer sensors --track fjord --plot sensors.png[/cyan]
    """
    inputs.new_picture(plot, force)
    from racer.sensors import DESCRIPTIONS, SENSORS
    from racer.track import load_track

    course = load_track(track)
    if plot is not None:
        from racer.viewer.plot import sheet

        with console.busy(console.loading("Drawing", "picture")):
            sheet(course, plot)
    made = [build() for build in SENSORS.values()]
    if json:
        console.print_json(
            [
                {
                    "name": sensor.name,
                    "shape": list(sensor.shape),
                    "dtype": sensor.dtype.__name__,
                    "low": sensor.low,
                    "high": sensor.high,
                    "about": DESCRIPTIONS[sensor.name],
                }
                for sensor in made
            ]
        )
    else:
        rows = [
            [
                sensor.name,
                " x ".join(str(side) for side in sensor.shape),
                sensor.dtype.__name__,
                f"{sensor.low:g} to {sensor.high:g}",
                DESCRIPTIONS[sensor.name],
            ]
            for sensor in made
        ]
        console.show(console.table(["name", "shape>", "type?", "values>?", "contents"], rows))
    if plot is not None:
        console.note(f"Drew what they show on {escape(track)} in {escape(str(plot))}")
