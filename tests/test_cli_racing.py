"""The main road through the command line: check, train, go on, evaluate, watch, compare, demo."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from racer.cli import app
from racer.replay import load_replay, verify

RUNNER = CliRunner()
STEPS = "20000"  # enough to go through everything, not enough to drive well


def run(*arguments: str | Path) -> Result:
    result = RUNNER.invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def told(result: Result) -> str:
    assert (result.exit_code, result.stdout) == (1, "")
    return result.stderr


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A learner's folder with one small training in it."""
    folder = tmp_path_factory.mktemp("learner")
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert run("new", ".").exit_code == 0
        trained = run("train", "--track", "my_track", "--reward", "my_reward", "--steps", STEPS, "--name", "first")
        assert trained.exit_code == 0, trained.output
        assert "racer evaluate first" in trained.stderr
    finally:
        os.chdir(before)
    return folder


@pytest.fixture(autouse=True)
def at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.delenv("RACER_DB", raising=False)


def test_check_tells_what_drives_earn() -> None:
    shown = run("check", "my_reward")
    assert shown.exit_code == 0
    assert "fast lap" in shown.stdout and "circling" in shown.stdout
    assert "Fine: good driving pays best" in shown.stderr
    report = json.loads(run("check", "my_reward", "--json").stdout)
    assert report["verdict"]["level"] == "fine" and report["findings"] == []
    assert len(report["drives"]) == 15 and report["drives"][0]["name"] == "fast lap"
    assert report["drives"][0]["end"] == ["lap_complete"] * 3


def test_check_warns_of_a_reward_that_pays_for_crawling(home: Path) -> None:
    (home / "lazy.py").write_text("def reward_function(params):\n    print('so?')\n    return 5.0 - params['speed']\n")
    shown = run("check", "lazy.py")
    assert "Wrong: the slow lap pays " in shown.stderr and "To mend it: " in shown.stderr
    assert "The reward function prints" in shown.stderr
    report = json.loads(run("check", "lazy.py", "--json", "--gamma", "0.9").stdout)
    assert report["verdict"] == report["findings"][0] and report["verdict"]["judgement"] == "Laps"


@pytest.mark.slow
def test_check_draws_and_trains(home: Path) -> None:
    shown = run("check", "speed", "--plot", "speed.png", "--train", "0.1")
    assert shown.exit_code == 0 and "After 0.1 s of training" in shown.stderr
    assert (home / "speed.png").read_bytes().startswith(b"\x89PNG")
    assert "exists already" in told(run("check", "speed", "--plot", "speed.png"))
    report = json.loads(run("check", "speed", "--plot", "speed.png", "--force", "--train", "0.1", "--json").stdout)
    assert report["training"]["steps"] > 0 and 0.0 <= report["training"]["completed"] <= 1.0
    assert run("check", "speed", "--watch", "--json").exit_code == 2


@pytest.mark.slow
def test_check_watches_a_file(home: Path) -> None:
    """A good reward, then one with a mistake, then a bad one, each as it is saved; Ctrl-C ends."""
    file = home / "watched.py"
    file.write_text("def reward_function(params):\n    return params['speed']\n")
    command = [sys.executable, "-m", "racer", "check", file.name, "--watch"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        try:
            for said, following in (
                ("Fine: ", "def reward_function(params):\n    return params['sped']\n"),
                ("Did you mean", "def reward_function(params):\n    return 5.0 - params['speed']\n"),
                ("Wrong: ", ""),
            ):
                heard = ""
                while "waiting for" not in (line := process.stderr.readline()):
                    assert line, heard
                    heard += line
                assert said in heard
                if following:
                    file.write_text(following)
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 130
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def reward_function(params):\n    return 1 / 0\n", "line 2"),
        ("def reward_function(params):\n    return params['sped']\n", "sped"),
        ("def reward_function(params):\n    return float('nan')\n", "nan"),
        ("def reward_function(params:\n", "line 1"),
        ("import no_such_module\ndef reward_function(params): return 1.0\n", "no_such_module"),
    ],
)
def test_a_reward_that_fails_has_one_message(home: Path, source: str, message: str) -> None:
    (home / "broken.py").write_text(source)
    assert message in told(run("check", "broken.py"))
    assert message in told(run("train", "--reward", "broken.py", "--steps", STEPS))


def test_evaluate_a_run(home: Path) -> None:
    race = json.loads(run("evaluate", "first", "--json", "--laps", "2").stdout)
    assert (race["track"], race["driver"], len(race["laps"])) == ("my_track", "first", 2)
    assert set(race["laps"][0]) == {"time_s", "complete", "off_track", "resets"}
    assert race["completed_laps"] == sum(lap["complete"] for lap in race["laps"])
    assert "first on my_track" in run("evaluate", "runs/first").stdout


def test_evaluate_records_a_replay_that_holds(home: Path) -> None:
    race = json.loads(run("evaluate", "pure_pursuit", "--track", "pebble", "--replay", "p.replay", "--json").stdout)
    replay = load_replay(home / "p.replay")
    assert verify(replay).ok
    assert race["best_lap_s"] == pytest.approx(replay.best_lap_s, abs=5e-4)
    assert race["completed_laps"] == 3
    assert race["best_lap_s"] == min(lap["time_s"] for lap in race["laps"])
    assert "exists" in told(run("evaluate", "pure_pursuit", "--replay", "p.replay"))
    assert run("evaluate", "pure_pursuit", "--track", "pebble", "--replay", "p.replay", "--force").exit_code == 0


def test_the_example_driver_completes_its_laps() -> None:
    race = json.loads(run("evaluate", "my_driver", "--track", "my_track", "--json").stdout)
    assert race["completed_laps"] == 3


def test_evaluate_whom_there_is_not(home: Path) -> None:
    assert "no run and no agent 'frst'. Did you mean 'first'?" in told(run("evaluate", "frst"))
    assert "learned nothing yet" in told(run("evaluate", "ppo"))
    assert "no track 'hrbor'. Did you mean 'harbor'?" in told(run("evaluate", "first", "--track", "hrbor"))
    (home / "agents" / "wild.py").write_text("class Agent:\n    def act(self, observation): return 1 / 0\n")
    assert "wild" in told(run("evaluate", "wild"))
    assert run("evaluate", "first", "--laps", "0").exit_code == 2


def test_a_run_goes_on_only_if_asked(home: Path) -> None:
    assert "--resume" in told(run("train", "--name", "first", "--steps", STEPS))
    assert "used up its budget" in told(run("train", "--name", "first", "--resume"))
    assert "no run 'frist'. Did you mean 'first'?" in told(run("train", "--name", "frist", "--resume"))
    assert run("train", "--name", "first", "--resume", "--track", "harbor").exit_code == 2
    assert run("train", "--steps", "1", "--seconds", "1").exit_code == 2
    assert run("train", "--name", "first", "--resume", "--steps", "40000").exit_code == 0


def test_list_runs(home: Path) -> None:
    (home / "runs" / "odd").mkdir()
    (home / "runs" / "odd" / "run.json").write_text("{")
    records = {record["name"]: record for record in json.loads(run("list", "runs", "--json").stdout)}
    assert records["first"]["tracks"] == ["my_track"]
    assert "line 1" in records["odd"]["problem"]
    shown = run("list", "runs").stdout
    assert "damaged: " in next(line for line in shown.splitlines() if line.startswith("odd"))


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="POSIX only")
def test_ctrl_c_keeps_what_was_learnt(home: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "racer",
        "train",
        "--seconds",
        "60",
        "--name",
        "stopped",
        "--track",
        "pebble",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as training:
        assert training.stderr is not None
        for line in training.stderr:
            if "% " in line and " 0 steps" not in line:
                training.send_signal(signal.SIGINT)
                break
        _, rest = training.communicate(timeout=60)
    assert training.returncode == 130
    assert "racer train --name stopped --resume" in rest
    assert "Traceback" not in rest
    assert json.loads(run("evaluate", "stopped", "--json", "--laps", "1").stdout)["driver"] == "stopped"


def test_leaderboard_and_watch(home: Path) -> None:
    run("evaluate", "pure_pursuit", "--track", "harbor", "--replay", "lap.replay", "--force")
    entered = run("leaderboard", "add", "lap.replay", "--driver", "Ada [b]", "--db", "club.sqlite")
    assert "rank 1 of 1" in entered.stderr
    assert "Ada [b]" in entered.stdout
    (row,) = json.loads(run("leaderboard", "--db", "club.sqlite", "--json").stdout)
    assert (row["rank"], row["driver"], row["track"]) == (1, "Ada [b]", "harbor")
    table = run("leaderboard", "--track", "harbor", "--db", "club.sqlite", "--csv").stdout.splitlines()
    assert table[0].startswith("rank,driver,best_lap_s")
    assert len(table) == 2
    assert "on the board already" in told(
        run("leaderboard", "add", "lap.replay", "--driver", "Bob", "--db", "club.sqlite")
    )
    assert "Nobody is on the board on dune" in run("leaderboard", "--track", "dune", "--db", "club.sqlite").stderr
    assert run("watch", "lap.replay", "--record", "lap.png", "--size", "640x400").exit_code == 0
    assert (home / "lap.png").read_bytes().startswith(b"\x89PNG")
    assert "lap.png" in told(run("watch", "lap.replay", "--record", "lap.png"))
    assert run("watch", "lap.replay", "--size", "wide").exit_code == 2
    (home / "cut.replay").write_bytes((home / "lap.replay").read_bytes()[:500])
    assert "cut.replay" in told(run("watch", "cut.replay", "--record", "cut.png"))


@pytest.mark.slow
def test_demo_goes_all_the_way_and_overwrites_nothing(home: Path) -> None:
    demo = ["demo", "--seconds", "4", "--track", "pebble", "--no-watch"]
    shown = run(*demo)
    assert shown.exit_code == 0, shown.output
    assert "demo-1 on pebble" in shown.stdout
    assert "racer watch" in shown.stderr
    folder = home / "runs" / "demo-1"
    assert (folder / "laps.png").read_bytes().startswith(b"\x89PNG")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    again = run(*demo)
    assert again.exit_code == 0, again.output
    assert "demo-1 has been trained already" in again.stderr
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert not (home / "runs" / "demo-2").exists()
    if "No complete lap yet" not in shown.stderr:  # a busy machine may not get that far in four seconds
        (row,) = json.loads(run("leaderboard", "--track", "pebble", "--json").stdout)
        assert (row["driver"], row["attempts"]) == ("demo-1", 1)
