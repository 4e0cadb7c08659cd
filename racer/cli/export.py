"""`racer export`: a trained driver as one file, for leaderboards and for other tools."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from racer.cli import complete, console, inputs
from racer.errors import ModelError, RunError

__all__ = ["export"]


def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run.", autocompletion=complete.runs)],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File to write (default: RUN.model).", dir_okay=False)
    ] = None,
    onnx: Annotated[
        bool, typer.Option("--onnx", help="Also write an ONNX file beside it; needs `pip install 'racer[onnx]'`.")
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

    Examples:
      [cyan]racer export fast[/cyan]
      [cyan]racer export fast --out fast.model --onnx[/cyan]
      [cyan]racer evaluate fast.model --rules league[/cyan]
    """
    inputs.expect("a run", run, "run")
    with console.busy("Exporting"):
        from racer.racing import onnx_bytes, save_model
        from racer.shelf import did_you_mean, write_atomically
        from racer.training import find_run, model_of, run_names

        found = find_run(run, agent)
        if found is None:
            raise RunError(f"there is no run {run!r}.{did_you_mean(run, run_names())} `racer list runs` lists them.")
        model = model_of(found)
        target = Path(f"{found.name}.model") if out is None else out
        beside = target.with_suffix(".onnx")
        if onnx and beside.exists() and not force:
            raise ModelError(f"{beside} exists already and is kept; choose another name, or replace it (--force)")
        converted = onnx_bytes(model) if onnx else b""
        save_model(model, target, overwrite=force)
        if onnx:
            write_atomically(beside, converted)
    console.show(Text(str(target)))
    if onnx:
        console.show(Text(str(beside)))
    console.note(f"Race with it: {console.command('racer', 'evaluate', target, '--rules', 'league')}")
