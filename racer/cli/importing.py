"""`racer import-model`: a model that DeepRacer trained, to drive, to evaluate and to train on."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.text import Text

from racer.cli import complete, console, inputs

__all__ = ["import_model"]


def import_model(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="An archive for the physical car (.tar.gz), or its graph (.pb).")
    ],
    name: Annotated[
        str | None, typer.Option(help="Name of the run below runs/, or a path (default: the file's name).")
    ] = None,
    track: Annotated[
        str | None, typer.Option(help="Track to drive it on (default: harbor).", autocompletion=complete.tracks)
    ] = None,
    reward: Annotated[
        str | None, typer.Option(help="Reward function to train on with.", autocompletion=complete.rewards)
    ] = None,
) -> None:
    """Make a run of a model that DeepRacer trained.

    Reads model_metadata.json and the weights of the frozen graph, if it is one
    of RL Coach's three networks for a camera, trained by clipped PPO. Nothing in
    the file is run. What it learned with Gazebo's pictures it sees in racer's:
    docs/real-car.md says what to expect.

    Examples:
      [cyan]racer import-model my-model.tar.gz --name old[/cyan]
      [cyan]racer evaluate old[/cyan]
      [cyan]racer train --from old --seconds 600 --name older[/cyan]
    """
    inputs.expect("a DeepRacer model", file, "model archive", "log archive")
    with console.busy("Reading"):
        from racer.deepracer.car import read_car_model
        from racer.training import RunConfig, adopt, free_name

        model, metadata = read_car_model(file)
        given: dict[str, Any] = {"tracks": track, "reward": reward}
        asked = {key: value for key, value in given.items() if value is not None}
        run = adopt(model, RunConfig(agent="clipped_ppo", **asked), name or free_name(model.name))
    console.show(Text(str(run.folder)))
    for note in metadata.notes:
        console.note(escape(note[0].upper() + note[1:]))
    network = run.config.hyperparameters["network"]
    console.note(f"{escape(', '.join(model.sensors))} through {network}; next:")
    console.note(f"  {console.command('racer', 'evaluate', run.called)}")
    console.note(f"  {console.command('racer', 'train', '--from', run.called, '--seconds', '600')}")
