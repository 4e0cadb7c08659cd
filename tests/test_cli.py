"""The command line: what it prints where, its exit codes, its advice, and how soon it answers."""

import inspect
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import racer
from racer import shelf
from racer.cli import app
from racer.cli.console import print_json
from racer.cli.leaderboard import leaderboard_app
from racer.shelf.scaffold import TEMPLATES

RUNNER = CliRunner()
COMMAND = [sys.executable, "-m", "racer"]


def run(*arguments: str | Path) -> Result:
    return RUNNER.invoke(app, [str(argument) for argument in arguments])


def told(result: Result) -> str:
    """The one message of a command that failed by the user's doing."""
    assert result.exit_code == 1, (result.output, result.exception)
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.output
    return result.stderr.removeprefix("Error: ").strip()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test works in an empty folder, on a wide screen, with no leaderboard from outside."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("RACER_DB", raising=False)
    return tmp_path


def test_help_teaches_every_command() -> None:
    shown = run("--help")
    assert shown.exit_code == 0
    commands = "new list check train evaluate watch leaderboard import-track new-track demo"
    for name in commands.split():
        assert name in shown.stdout
        help_text = run(name, "--help")
        assert help_text.exit_code == 0
        assert f"racer {name}" in help_text.stdout.split("Examples:")[1], f"{name} shows no example"
    assert run().stdout.startswith(shown.stdout[:200])


def test_help_has_no_lines_that_a_narrow_screen_breaks_in_two() -> None:
    commands = [command.callback for command in (*app.registered_commands, *leaderboard_app.registered_commands)]
    for command in (*commands, leaderboard_app.registered_callback.callback):
        assert command is not None and command.__doc__ is not None
        for paragraph in inspect.cleandoc(command.__doc__).split("Examples:")[0].split("\n\n")[1:]:
            for line in paragraph.splitlines():
                assert len(re.sub(r"\[/?cyan\]", "", line)) <= 78, (command.__name__, line)


@pytest.mark.parametrize(
    "words",
    [
        ("list", "tracks", "--plot"),
        ("sensors", "--plot"),
        ("new-track", "mine", "--plot"),
        ("mark", "--out"),
        ("check", "progress", "--plot"),
        ("compare", "progress", "speed", "--plot"),
        ("tournament", "pure_pursuit", "pure_pursuit", "--out"),
        ("plot", "nobody", "--out"),
    ],
)
def test_pictures_are_refused_before_the_work_where_they_would_replace_a_file_or_are_none(words, folder) -> None:
    (folder / "kept.png").write_text("mine")
    assert told(run(*words, "kept.png")).startswith("kept.png exists already and is kept")
    assert told(run(*words, "letter.doc")) == "cannot draw letter.doc: name the picture .png, .svg or .pdf"
    assert (folder / "kept.png").read_text() == "mine" and [file.name for file in folder.iterdir()] == ["kept.png"]


def test_a_picture_may_be_replaced(folder) -> None:
    (folder / "kept.png").write_text("mine")
    for words in (("list", "tracks", "--plot"), ("sensors", "--plot"), ("new-track", "--seed", "7", "--plot")):
        assert run(*words, "kept.png", "--force").exit_code == 0
        assert (folder / "kept.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("words", [("import-log", ""), ("new", ""), ("rescore", ""), ("evaluate", "pure_pursuit", "")])
def test_an_empty_word_is_not_the_folder_that_one_is_in(words, folder) -> None:
    refused = run(*words)
    assert refused.exit_code == 2 and "one of the words is empty" in refused.stderr and not list(folder.iterdir())


@pytest.mark.parametrize(
    "words", [("evaluate", "pure_pursuit"), ("race", "pure_pursuit"), ("tournament", "a", "b"), ("train",)]
)
def test_seeds_begin_at_0(words) -> None:
    refused = run(*words, "--seed", "-1")
    assert refused.exit_code == 2 and "--seed" in refused.stderr and "0" in refused.stderr


def test_a_driver_that_is_evaluated_drives_without_others() -> None:
    refused = run("evaluate", "pure_pursuit", "--race", "head-to-head")
    assert refused.exit_code == 2 and "racer race pure_pursuit OTHER" in refused.stderr


def test_version() -> None:
    assert run("--version").stdout == f"racer {racer.__version__}\n"


def test_a_mistyped_command_gets_a_hint() -> None:
    mistyped = run("trian")
    assert mistyped.exit_code == 2
    assert "Did you mean 'train'" in mistyped.stderr
    assert mistyped.stdout == ""


def test_list_tracks_as_json() -> None:
    listed = run("list", "tracks", "--json")
    tracks = json.loads(listed.stdout)
    assert listed.stderr == ""
    assert tracks[0]["name"] == shelf.DEFAULTS["tracks"]
    assert [track["default"] for track in tracks] == [True] + [False] * (len(tracks) - 1)
    for track in tracks:
        loaded = racer.load_track(track["name"])
        assert track["length_m"] == pytest.approx(loaded.length, abs=1e-3)
        assert track["width_m"] == pytest.approx(loaded.width, abs=1e-3)
        assert track["turns"] == loaded.turns
        assert track["difficulty"] in ("easy", "medium", "hard", "expert")
        assert track["problem"] is None


def test_list_shows_everything_to_people() -> None:
    shown = run("list").stdout
    for name in shelf.SHELVES:
        for entry in shelf.entries(name):
            assert entry.name in shown
            if name != "tracks":
                assert entry.summary in shown


def test_list_as_json_has_all_shelves() -> None:
    listed = json.loads(run("list", "--json").stdout)
    assert list(listed) == ["tracks", "rewards", "agents", "rules"]
    assert listed["rewards"] == json.loads(run("list", "rewards", "--json").stdout)
    assert listed["rewards"][0]["name"] == shelf.DEFAULTS["reward_functions"]
    assert set(listed["agents"][0]) == {"name", "summary", "origin", "path", "shadowed", "problem", "default"}


def test_list_marks_what_is_yours_shadowed_or_broken(folder: Path) -> None:
    (folder / "reward_functions").mkdir()
    (folder / "reward_functions" / "progress.py").write_text('"""Mine."""\ndef reward_function(params): ...\n')
    (folder / "reward_functions" / "odd.py").write_text("def reward_function(params:\n")
    (folder / "tracks").mkdir()
    (folder / "tracks" / "odd.csv").write_text("1, 2, 3\n")
    rewards = {(entry["name"], entry["origin"]): entry for entry in json.loads(run("list", "rewards", "--json").stdout)}
    assert rewards["progress", "folder"]["default"]
    assert rewards["progress", "racer"]["shadowed"]
    assert not rewards["progress", "racer"]["default"]
    assert rewards["odd", "folder"]["problem"].startswith("line 1:")
    shown = run("list").stdout
    assert "shadowed by your progress" in shown
    assert "broken: line 1: '(' was never closed" in shown
    assert "broken: " in next(line for line in shown.splitlines() if line.startswith("odd"))
    track = json.loads(run("list", "tracks", "--json").stdout)[-1]
    assert (track["name"], track["length_m"]) == ("odd", None)
    assert "odd.csv" in track["problem"]


def test_list_what_there_is_not() -> None:
    listed = run("list", "trakcs")
    assert listed.exit_code == 2
    assert "tracks" in listed.stderr


def test_contact_sheet(folder: Path) -> None:
    assert run("list", "tracks", "--plot", "sheet.png").exit_code == 0
    assert (folder / "sheet.png").read_bytes().startswith(b"\x89PNG")
    assert run("list", "rewards", "--plot", "sheet.png").exit_code == 2
    assert "cannot write" in told_after_output(run("list", "tracks", "--plot", "missing/sheet.png"))


def told_after_output(result: Result) -> str:
    """The message of a command that had printed its result before it failed."""
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    return result.stderr


def test_markup_in_names_is_shown_as_it_is(folder: Path) -> None:
    (folder / "reward_functions").mkdir()
    (folder / "reward_functions" / "[bold]x.py").write_text('"""Pay [red]for[/red] speed."""\n')
    assert "[bold]x" in run("list", "rewards").stdout


def test_new_lays_out_a_folder_once(folder: Path) -> None:
    made = run("new", "mine/first")
    assert made.exit_code == 0
    home = folder / "mine" / "first"
    files = {path.relative_to(home) for path in home.rglob("*") if path.is_file()}
    assert files == {path.relative_to(TEMPLATES) for path in TEMPLATES.rglob("*.*")}
    assert {path.parts[0] for path in files if len(path.parts) > 1} == set(shelf.SHELVES)
    (home / "README.md").unlink()
    (home / "reward_functions" / "my_reward.py").write_text("mine now")
    assert "exists already" in told(run("new", "mine/first"))
    assert not (home / "README.md").exists()
    assert (home / "reward_functions" / "my_reward.py").read_text() == "mine now"


def test_new_completes_what_a_full_disk_cut_short(folder: Path) -> None:
    run("new", "mine")
    files = sorted(path for path in (folder / "mine").rglob("*") if path.is_file())
    files[1].unlink()
    again = run("new", "mine")
    assert again.exit_code == 0
    assert again.stdout.split() == [str(files[1].relative_to(folder))]
    assert files[1].is_file()
    assert "exists already" in told(run("new", "mine"))


def test_new_here_says_no_way_to_here(folder: Path) -> None:
    assert "cd " not in run("new", ".").stderr
    assert "Next: cd 'my racing', open" in run("new", "my racing").stderr


def test_a_folder_is_no_agent(folder: Path) -> None:
    (folder / "drivers").mkdir()
    for option, noun in (("--agent", "an agent"), ("--reward", "a reward function"), ("--track", "a track")):
        result = run("train", option, "./drivers")
        assert result.exit_code == 1 and f"drivers is a folder, not {noun}." in result.stderr


def test_what_new_lays_out_is_sound(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("new", ".")
    for name in shelf.SHELVES:
        (own,) = (entry for entry in shelf.entries(name) if entry.origin == "folder")
        assert own.problem is None
        assert own.summary
    assert racer.load_track("my_track").length > 10.0


def test_new_where_nothing_can_be_made(folder: Path) -> None:
    (folder / "file").write_text("")
    assert run("new", "file").exit_code == 2
    assert "cannot" in told(run("new", "file/inner"))


def test_import_track(folder: Path) -> None:
    shipped = shelf.resolve("tracks", shelf.DEFAULTS["tracks"])
    source = folder / "download.csv"
    source.write_bytes(shipped.read_bytes())
    imported = run("import-track", source, "--name", "mine")
    assert imported.exit_code == 0
    assert "racer train --track mine" in imported.stderr
    assert racer.load_track("mine").digest == racer.load_track(shipped).digest
    assert "exists already" in told(run("import-track", source, "--name", "mine"))
    doubled = run("import-track", source, "--name", "mine", "--force", "--scale", "2")
    assert doubled.exit_code == 0
    assert racer.load_track("mine").length == pytest.approx(2 * racer.load_track(shipped).length)
    source.write_text("x, y\n1, nan\n")
    assert "download.csv" in told(run("import-track", source))
    assert "no track 'missing.csv'" in told(run("import-track", "./missing.csv"))


def test_an_empty_leaderboard_says_how_to_enter() -> None:
    assert "racer leaderboard add" in run("leaderboard").stderr
    assert run("leaderboard", "--json", "--csv").exit_code == 2
    assert "there is no replay and no run" in told(run("leaderboard", "add", "missing.replay", "--driver", "Ada"))


def test_json_never_holds_a_nan(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [float("nan"), 1.5, (float("inf"),)], "b": None, "c": "Über"})
    assert json.loads(capsys.readouterr().out) == {"a": [None, 1.5, [None]], "b": None, "c": "Über"}


def complete(words: str) -> list[str]:
    """What the TAB key offers after these words."""
    environment = {**os.environ, "_RACER_COMPLETE": "complete_bash", "COMP_WORDS": words}
    environment["COMP_CWORD"] = str(len(words.split(" ")) - 1)
    script = "from racer.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    return done.stdout.split()


@pytest.mark.slow
def test_the_tab_key(folder: Path) -> None:
    (folder / "runs" / "harbor-fast-1").mkdir(parents=True)
    (folder / "tracks").mkdir()
    (folder / "tracks" / "harbor_of_mine.csv").write_text("")
    (folder / "lap.replay").write_text("")
    assert complete("racer le") == ["leaderboard"]
    assert complete("racer train --track harb") == ["harbor", "harbor_of_mine"]
    assert complete("racer train --track ./tracks/h") == ["./tracks/harbor_of_mine.csv"]
    assert "progress" in complete("racer check prog")
    assert complete("racer evaluate harbor-f") == ["harbor-fast-1"]
    assert complete("racer watch la") == ["lap.replay"]


@pytest.mark.skipif(os.name != "posix", reason="POSIX only")
def test_a_closed_pipe_and_ctrl_c_end_quietly(folder: Path) -> None:
    piped = subprocess.run(
        ["bash", "-c", f"'{sys.executable}' -m racer list | head -1"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert piped.stderr == ""
    script = (
        "import time; from racer.cli import app, main\n"
        "app.command('wait')(lambda: print('waiting', flush=True) or time.sleep(60)); main()\n"
    )
    command = [sys.executable, "-c", script, "wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as waiting:
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == b"waiting\n"
        waiting.send_signal(signal.SIGINT)
        _, errors = waiting.communicate(timeout=20)
    assert waiting.returncode == 130
    assert b"Traceback" not in errors


def test_a_learners_file_may_make_environments(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import gymnasium\nENV = gymnasium.make('racer/TimeTrial-v0')\n"
        "def reward_function(params):\n    return params['speed']\n"
    )
    command = [sys.executable, "-m", "racer", "check", "mine.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_ctrl_c_while_the_command_still_loads_ends_it_without_a_traceback(tmp_path):
    """Typer is the first that loads long; a stand-in presses Ctrl-C there."""
    pressed = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n"
    (tmp_path / "typer.py").write_text(pressed)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", "")))}
    command = [sys.executable, "-m", "racer", "list"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["train", "--help"]])
def test_help_and_list_load_nothing_heavy(arguments) -> None:
    heavy = "numba torch stable_baselines3 pygame matplotlib sqlalchemy shapely tensorboard"
    code = (
        "import sys; from racer.cli import app; app(sys.argv[1:], standalone_mode=False); "
        f"sys.exit(str([name for name in {heavy.split()} if name in sys.modules] or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.stdout and not done.stderr.strip(), done.stderr
