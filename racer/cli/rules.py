"""`racer rules`, and `racer evaluate --rules`: rulebooks, and races by them."""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from racer.cli import complete, console

if TYPE_CHECKING:
    from racer.racing import CourseResult, LapResult, RaceResult, Rulebook, TrialResult

__all__ = ["rules_app", "show_race"]

Name = Annotated[str, typer.Argument(metavar="RULES", help="A name or a file.", autocompletion=complete.rules)]

rules_app = typer.Typer(no_args_is_help=True)


@rules_app.callback()
def rules() -> None:
    """Rulebooks: what is agreed before a race.

    A rulebook is a TOML file: what is driven where and how often, what
    counts, and what mistakes cost. racer has some; yours lie in ./rules/.

    Examples:
      [cyan]racer list rules[/cyan]
      [cyan]racer rules show league[/cyan]
      [cyan]racer rules new club --from league[/cyan]
      [cyan]racer evaluate RUN --rules club[/cyan]
    """


@rules_app.command("show")
def show(rulebook: Name, json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False) -> None:
    """Show what a rulebook says, value by value, with what each means.

    Examples:
      [cyan]racer rules show league[/cyan]
      [cyan]racer rules show rules/club.toml --json[/cyan]
    """
    from racer.racing import load_rulebook, rulebook_as_json

    found = load_rulebook(rulebook)
    if json:
        console.print_json(rulebook_as_json(found))
        return
    console.show(console.table(["rule", "value", "meaning"], _rows(found), found.title))


@rules_app.command("check")
def check(
    rulebooks: Annotated[
        list[str], typer.Argument(metavar="RULES...", help="Names or files.", autocompletion=complete.rules)
    ],
) -> None:
    """Look for mistakes: unknown words, values that make no sense, tracks that are not there.

    Examples:
      [cyan]racer rules check club[/cyan]
      [cyan]racer rules check rules/*.toml[/cyan]
    """
    from racer.errors import RacerError
    from racer.racing import load_rulebook

    wrong = False
    for name in rulebooks:
        try:
            found = load_rulebook(name)
            _ = found.rules
            ways = [f"{track.name}{' (reverse)' if track.reversed else ''}" for track in found.courses()]
        except RacerError as error:
            console.error(str(error) if name in str(error) else f"{name}: {error}")
            wrong = True
        else:
            console.show(Text.assemble((f"{name} is sound", "green"), f": {found.title}. Raced on {', '.join(ways)}."))
    if wrong:
        raise typer.Exit(1)


@rules_app.command("new")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name on your shelf, ./rules/.")],
    source: Annotated[
        str, typer.Option("--from", metavar="RULES", help="Rulebook to start from.", autocompletion=complete.rules)
    ] = "league",
    force: Annotated[bool, typer.Option("--force", help="Replace a rulebook of that name.")] = False,
) -> None:
    """Start a rulebook of your own: a copy of another one, to change.

    Examples:
      [cyan]racer rules new club[/cyan]
      [cyan]racer rules new sprint --from knockout[/cyan]
    """
    from racer.racing import copy_rulebook

    stored = copy_rulebook(source, name, overwrite=force)
    console.show(Text(str(stored)))
    console.note(
        f"Change it, then {console.command('racer', 'rules', 'check', name)} and "
        f"{console.command('racer', 'evaluate', 'RUN', '--rules', name)}"
    )


def show_race(race: "RaceResult") -> None:
    """Print a race by a rulebook: a table of laps for each track, then what they amount to."""
    found = race.as_json()
    for course, record in zip(race.courses, found["courses"], strict=True):
        several = ["trial>"] if len(course.trials) > 1 else []
        rows = [_lap_row(course, trial, lap)[not several :] for trial in course.trials for lap in trial.laps]
        columns = [*several, "lap>", "time>", "penalty>", "off>", "crashes>?", "resets>?", "mean speed>?", ""]
        way = " (reverse)" if course.track.reversed else ""
        share = "" if record["percent_of_mark"] is None else f", best lap {record['percent_of_mark']:.1f} % of the mark"
        title = f"{race.driver} on {course.track.name}{way}: {_time(course.score.time_s)}{share}"
        console.show(console.table(columns, rows, title))
    rules, found = race.rulebook.race, found["laps"]
    line = f"Official time: {_time(race.time_s)} ({race.rulebook.timing.method}). "
    line += f"{found['completed']} of {rules.trials * rules.laps * len(race.courses)} laps completed"
    if found["completed"]:
        line += f": mean {found['mean_s']:.3f} s, spread {found['spread_s']:.3f} s, best {found['best_s']:.3f} s"
    console.show(Text(f"{line}."))


def _lap_row(course: "CourseResult", trial: "TrialResult", lap: "LapResult") -> list[str | Text]:
    score = course.score
    counts = score.trial == trial.number and 0 <= lap.number - score.first_lap < score.laps
    remark = Text("counts" if counts else "warm-up" if not lap.number else "", "bold green")
    if not lap.complete:
        remark = Text(f"{trial.end.replace('_', ' ')} at {trial.progress:.0f} %", style="yellow")
    mistakes = [str(count) if count else "" for count in (lap.off_tracks, lap.crashes, lap.resets)]
    times = [f"{lap.time_s:.3f} s", f"{lap.penalty_s:.2f} s" if lap.penalty_s else ""]
    return [str(trial.number), str(lap.number), *times, *mistakes, f"{lap.mean_speed_mps:.2f} m/s", remark]


def _time(time_s: float | None) -> str:
    return "not classified" if time_s is None else f"{time_s:.3f} s"


def _rows(rulebook: "Rulebook") -> list[list[str | Text]]:
    rows: list[list[str | Text]] = []
    for field in dataclasses.fields(rulebook):
        value = getattr(rulebook, field.name)
        if dataclasses.is_dataclass(value):
            rows.append([Text(f"[{field.name}]", "bold"), "", ""])
            rows += [
                [f"  {one.name}", _word(getattr(value, one.name), one), one.metadata["about"]]
                for one in dataclasses.fields(value)
            ]
        elif field.name != "title":
            rows.append([field.name, _word(value, field), field.metadata["about"]])
    return rows


def _word(value: Any, field: "dataclasses.Field[Any]") -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(value) or "-"
    if value is None:
        return str(field.metadata["kind"].none)
    return f"{value:g}" if isinstance(value, float) else str(value)
