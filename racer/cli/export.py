"""`racer export`: a trained driver as one file, for leaderboards and for other tools."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from racer.cli import complete, console, inputs, runs
from racer.errors import ModelError

if TYPE_CHECKING:
    from racer.training import Run

__all__ = ["export"]


def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run.", autocompletion=complete.runs)],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="File to write (default: RUN.model, or RUN.tar.gz for a car).", dir_okay=False
        ),
    ] = None,
    car: Annotated[
        bool, typer.Option("--car", help="Write what the physical car takes instead: a .tar.gz to upload.")
    ] = False,
    onnx: Annotated[
        bool, typer.Option("--onnx", help="Also write an ONNX file beside it; needs `pip install 'racer\\[onnx]'`.")
    ] = False,
    agent: Annotated[
        str | None, typer.Option(help="The run's recipe, if it is not on the shelf.", autocompletion=complete.agents)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the files.")] = False,
) -> None:
    """Write a run's best driver as one file: its weights, and a description of them.

    The file is data, without code: leaderboards take it, `racer evaluate` drives
    with it, and neither needs the recipe or PyTorch. It chooses the same actions
    as the run's driver does.

    With --car it is the archive that the software of the physical car takes;
    docs/real-car.md goes on from there.

    Examples:
      [cyan]racer export fast[/cyan]
      [cyan]racer export fast --out fast.model --onnx[/cyan]
      [cyan]racer evaluate fast.model --rules league[/cyan]
      [cyan]racer export floor --car --out floor.tar.gz[/cyan]
    """
    if car and onnx:
        raise typer.BadParameter("a car takes no ONNX file; leave one of the two out", param_hint="--onnx")
    inputs.expect("a run", run, "run")
    with console.busy("Exporting"):
        found = runs.known_run(run, agent)
        written = _for_a_car(found, out, force) if car else _as_model(found, out, onnx, force)
    for path in written:
        console.show(Text(str(path)))
    if car:
        console.note("Upload it in the console of the car; docs/real-car.md goes on from there")
    else:
        console.note(f"Race with it: {console.command('racer', 'evaluate', written[0], '--rules', 'league')}")


def _as_model(run: "Run", out: Path | None, onnx: bool, force: bool) -> list[Path]:
    """Write racer's own file, and perhaps an ONNX file."""
    from racer.racing import onnx_bytes, save_model
    from racer.shelf import write_atomically
    from racer.training import model_of

    model = model_of(run)
    target = Path(f"{run.name}.model") if out is None else out
    beside = target.with_suffix(".onnx")
    if onnx and beside.exists() and not force:
        raise ModelError(f"{beside} exists already and is kept; choose another name, or replace it (--force)")
    converted = onnx_bytes(model) if onnx else b""
    save_model(model, target, overwrite=force)
    if onnx:
        write_atomically(beside, converted)
    return [target, beside] if onnx else [target]


def _for_a_car(run: "Run", out: Path | None, force: bool) -> list[Path]:
    """Write the archive for a car; what it cannot run is refused before anything heavy is loaded."""
    from racer.deepracer.car import car_name, check_car, save_car
    from racer.training import model_of

    target = Path(f"{run.name}.tar.gz") if out is None else out
    car_name(target)
    check_car(run.config.sensors or (), run.config.actions)
    save_car(model_of(run), target, overwrite=force)
    return [target]
