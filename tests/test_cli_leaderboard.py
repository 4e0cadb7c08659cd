"""`racer leaderboard` and `racer watch` from the command line: several replays, runs by name, narrow screens, CSV."""

import csv
import io
import json
import os
import re
import sys
from pathlib import Path

import pytest
from drives import altered, drive, otherwise, ring
from test_train import CLIMBER, REWARD
from typer.testing import CliRunner, Result

from racer.cli import app
from racer.replay import save_replay
from racer.sim import CARS
from racer.training import RunConfig, start

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.delenv("RACER_DB", raising=False)
    return tmp_path


@pytest.fixture(scope="module")
def replay():
    return drive(ring(), laps=2)


def run(*arguments: str | Path) -> Result:
    result = RUNNER.invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def entered(*arguments: str) -> list[tuple[str, int]]:
    records = json.loads(run("leaderboard", "--json", *arguments).stdout)
    return [(record["driver"], record["attempts"]) for record in records]


def test_several_replays_are_entered_under_their_own_names(replay):
    names = ["Ada", "Grace", "Ada"]
    for number, name in enumerate(names):
        save_replay(altered(otherwise(replay, number), driver=name), f"{number}.replay")
    done = run("leaderboard", "add", "0.replay", "1.replay", "2.replay")
    assert done.exit_code == 0, done.stderr
    assert sorted(entered()) == [("Ada", 2), ("Grace", 1)]
    assert done.stderr.count("Entered ") == 3
    other = run("leaderboard", "add", "0.replay", "1.replay", "--driver", "Eve", "--db", "other.sqlite")
    assert other.exit_code == 0 and entered("--db", "other.sqlite") == [("Eve", 2)]


def test_what_is_refused_does_not_hinder_the_others(replay, folder):
    save_replay(replay, "good.replay")
    save_replay(drive(ring(), laps=1, leave_in_lap=1), "off.replay")
    (folder / "broken.replay").write_bytes(b"no replay")
    done = run("leaderboard", "add", "off.replay", "good.replay", "broken.replay")
    assert done.exit_code == 1
    assert "off.replay has no complete lap" in done.stderr and "broken.replay cannot be opened" in done.stderr
    assert "Entered test driver" in done.stderr and entered() == [("test driver", 1)]
    again = run("leaderboard", "add", "good.replay", "--driver", "Eve")
    assert (again.exit_code, again.stdout) == (1, "")
    assert "on the board already, entered by test driver" in again.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--db", "club.sqlite", "create", "Spring"),
        ("--board", "Spring", "submit", "0.replay"),
        ("--json", "log"),
        ("--json", "boards"),
    ],
)
def test_options_before_a_command_are_refused_not_dropped(words, folder):
    refused = run("leaderboard", *words)
    assert refused.exit_code == 2 and f"Invalid value for {words[0]}" in refused.stderr
    assert not list(folder.iterdir())


def test_hints_name_the_leaderboard_that_was_asked_for(folder):
    made = run("leaderboard", "create", "Cup", "--db", "my cup.sqlite")
    closed = run("leaderboard", "close", "Cup", "--db", "my cup.sqlite")
    nobody = run("leaderboard", "--board", "Cup", "--db", "my cup.sqlite")
    missing = run("leaderboard", "--db", "new one.sqlite")
    for told, command, name in (
        (made, "submit FILE --board Cup", "my cup"),
        (closed, "restore Cup", "my cup"),
        (nobody, "submit FILE --board Cup", "my cup"),
        (missing, "add REPLAY --driver NAME", "new one"),
    ):
        assert f"racer leaderboard {command} --db '{name}.sqlite'" in told.stderr
    assert [file.name for file in folder.iterdir()] == ["my cup.sqlite"]


@pytest.mark.parametrize("form", ["--teams", "--csv", "--laps"])
def test_where_there_is_nothing_to_show_it_says_so(form):
    run("leaderboard", "create", "Cup")
    shown = run("leaderboard", form)
    assert shown.exit_code == 0 and shown.stdout == "" and "There" in shown.stderr


def test_a_drivers_history_is_found_by_any_spelling_of_the_name(replay):
    save_replay(altered(replay, driver="José B"), "0.replay")
    run("leaderboard", "add", "0.replay")
    for spelling in ("José B", "Jose\u0301  B", " José B "):
        found = json.loads(run("leaderboard", "--driver", spelling, "--json").stdout)
        assert [record["driver"] for record in found] == ["José B"]
    assert run("leaderboard", "--driver", "Jose B").exit_code == 1


def test_a_run_is_entered_and_watched_by_its_name(replay, folder):
    (folder / "climber.py").write_text(CLIMBER)
    (folder / "mine.py").write_text(REWARD)
    made = start(RunConfig("pebble", "mine.py", "climber.py", steps=100), "fast")
    assert "the run fast has no replay yet" in run("leaderboard", "add", "fast").stderr
    save_replay(altered(replay, driver="fast"), made.replay)
    for given in ("fast", "runs/fast"):
        shown = run("watch", given, "--record", "lap.png", "--size", "640x400", "--force")
        assert shown.exit_code == 0, shown.stderr
    assert (folder / "lap.png").read_bytes().startswith(b"\x89PNG")
    assert run("leaderboard", "add", "fast").exit_code == 0
    assert entered() == [("fast", 1)]
    for command in (["watch", "fsat"], ["leaderboard", "add", "fsat"]):
        refused = run(*command)
        assert refused.exit_code == 1 and "there is no replay and no run 'fsat'. Did you mean 'fast'?" in refused.stderr


def test_an_unknown_track_says_did_you_mean(replay):
    save_replay(replay, "good.replay")
    run("leaderboard", "add", "good.replay")
    for wrong, right in (("harbour", "harbor"), ("test-rnig", "test-ring")):
        refused = run("leaderboard", "--track", wrong)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert f"there is no track {wrong!r}. Did you mean {right!r}" in refused.stderr
    assert "Nobody is on the board on harbor yet" in run("leaderboard", "--track", "harbor").stderr


FORMULAS = ["=1+1", "=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)"]


def test_a_spreadsheet_takes_no_name_for_a_formula(replay):
    for number, name in enumerate([*FORMULAS, "Ada = 1"]):
        save_replay(altered(otherwise(replay, number), driver=name), f"{number}.replay")
    assert run("leaderboard", "add", *[f"{number}.replay" for number in range(6)]).exit_code == 0
    rows = list(csv.DictReader(io.StringIO(run("leaderboard", "--csv").stdout)))
    assert sorted(row["driver"] for row in rows) == sorted([*(f"'{name}" for name in FORMULAS), "Ada = 1"])
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
    assert {name for name, _ in entered()} == {*FORMULAS, "Ada = 1"}, "as JSON they are as they were"


def at_width(columns: int, *arguments: str) -> list[str]:
    """What a command prints on a terminal so wide."""
    pty = pytest.importorskip("pty")
    import fcntl
    import struct
    import termios

    child, terminal = pty.fork()
    if child == 0:
        os.environ["TERM"] = "xterm"  # of a dumb one Rich takes 80 columns for granted
        os.environ.pop("COLUMNS", None)
        os.execv(sys.executable, [sys.executable, "-m", "racer", *arguments])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    shown = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # the terminal is closed
            part = b""
        if not part:
            break
        shown += part
    os.waitpid(child, 0)
    os.close(terminal)
    return [line.rstrip() for line in re.sub("\x1b\\[[0-9;]*m|\r", "", shown.decode()).splitlines()]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")
@pytest.mark.parametrize("columns", [80, 60])
def test_the_table_is_readable_on_narrow_screens(replay, columns):
    long = "Forty letters and blanks are a long name"
    assert len(long) == 40
    for number, name in enumerate([long, "Zoë", "李小龙"]):
        save_replay(altered(otherwise(replay, number), driver=name), f"{number}.replay")
    save_replay(drive(ring(), laps=2, car=CARS["deepracer-v4"]), "v4.replay")
    assert run("leaderboard", "add", "0.replay", "1.replay", "2.replay", "v4.replay").exit_code == 0
    lines = at_width(columns, "leaderboard")
    assert max(map(len, lines)) <= columns
    titles = [line for line in lines if line.startswith("test-ring")]
    assert [title.split(", ")[1] for title in titles] == ["car deepracer", "car deepracer-v4"]
    assert all("racer 0." in title for title in titles)
    assert len([line for line in lines if line]) == 2 + 2 + 4, "one line for each entry, title and head"
    for start_ in ("Forty letters", "Zoë", "李小龙"):
        (line,) = [line for line in lines if start_ in line]
        assert f"{replay.best_lap_s:.3f} s" in line


def test_boards_that_read_alike_say_in_what_they_differ(replay):
    save_replay(replay, "one.replay")
    save_replay(drive(ring(rows=61), laps=2), "other.replay")
    save_replay(drive(ring().reverse(), laps=2), "reverse.replay")
    shown = run("leaderboard", "add", "one.replay", "other.replay", "reverse.replay").stdout
    titles = [line.strip() for line in shown.splitlines() if line.startswith("test-ring")]
    roads = {f"road {ring(rows=rows).digest[:6]}" for rows in (60, 61)}
    assert {title.rpartition(", ")[2] for title in titles if "reverse" not in title} == roads
    (reverse,) = [title for title in titles if "reverse" in title]
    assert reverse.startswith("test-ring (reverse), car deepracer, racer ") and "road" not in reverse
