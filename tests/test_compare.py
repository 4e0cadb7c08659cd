"""`racer compare`: from known outcomes to table, JSON and picture; and, slowly, its processes, Ctrl-C and kills."""

import dataclasses
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from racer.cli import app
from racer.lab import Budget, Event, Experiment, LabFolder, LocalWorkers, Outcome, Source, Task, each
from racer.racing import load_agent
from racer.replay import Replay, load_replay, mark_of, percent_of_mark
from racer.reward import load_reward
from racer.sim import CARS
from racer.track import load_track

RUNNER = CliRunner()
SLOWER = "def reward_function(params):\n    return 2.0 - params['speed']\n"
WRITES = """import os, tempfile

def reward_function(params):
    os.makedirs(os.path.join(tempfile.gettempdir(), "notes"), exist_ok=True)
    return params["speed"]
"""
BROKEN = "def reward_function(params):\n    return params['wings']\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test works in an empty folder with three rewards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for name, text in {"a": load_reward("progress").text, "b": SLOWER, "broken": BROKEN}.items():
        Path(f"{name}.py").write_text(text)
    return tmp_path


def asked(*rewards: str, tracks: tuple[str, ...] = ("harbor", "needle"), seeds: int = 5) -> Experiment:
    recipe = load_agent("ppo")
    return Experiment(
        tuple(Source(name, str(Path(f"{name}.py").absolute()), Path(f"{name}.py").read_text()) for name in rewards),
        Source(recipe.name, str(recipe.path.absolute()), recipe.text),
        tuple(load_track(track) for track in tracks),
        seeds,
        Budget(steps=20_000),
    )


def known(folder: str, what: Experiment, lap_time: Callable[[Task], float | None]) -> None:
    """Write down outcomes as if everything had been trained."""
    place = LabFolder(Path("lab") / folder)
    for task in what.tasks:
        place.keep(task, Outcome(task.name, 1.0, lap_time(task), 20_000, 3.0, 4.0, 4.0, replay=b"laps"))


def compare(*words: str) -> tuple[int, str, str]:
    done = RUNNER.invoke(app, ["compare", *words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def test_a_clear_difference_is_told(here: Path) -> None:
    what = asked("a", "b")
    known("x", what, lambda task: (8.0 if task.reward.name == "a" else 9.0) + 0.1 * task.seed)
    words = ("a.py", "b.py", "--track", "harbor", "--track", "needle", "--steps", "20000", "--name", "x", "--resume")
    code, out, err = compare(*words)
    assert code == 0, err
    assert "P(a beats b) = 100 % (100 to 100 %)" in out and ": a is better." in " ".join(out.split())
    assert "tell" not in out
    assert "10 of 10" in out
    assert "racer watch lab/x/trainings/*-harbor-*.replay" in err
    picture = np.asarray(Image.open(here / "lab/x/comparison.png").convert("RGB")).astype(int)
    assert (np.abs(picture - (56, 189, 248)).sum(axis=2) < 30).sum() > 100, "the first reward's blue is missing"

    found = json.loads(compare(*words, "--json")[1])
    (pair,) = found["pairs"]
    assert (pair["better"], pair["worse"], pair["probability"], pair["told_apart"]) == ("a", "b", 1.0, True)
    assert len(found["trainings"]) == 20
    cell = next(cell for cell in found["rewards"] if cell["reward"] == "b" and cell["track"] == "needle")
    assert cell["completed"] == 5
    assert cell["lap_time_s"] == pytest.approx(np.mean([9.1, 9.2, 9.3]))
    mark = mark_of(load_track("needle"), CARS["deepracer"])
    middle = [percent_of_mark(time, mark) for time in (9.1, 9.2, 9.3)]
    assert cell["percent"] == pytest.approx(np.mean(middle), rel=1e-6)
    everywhere = next(cell for cell in found["rewards"] if cell["reward"] == "b" and cell["track"] == "")
    assert everywhere["lap_time_s"] is None  # seconds of different tracks have no mean
    assert everywhere["percent"] > 0.0


def test_luck_is_called_luck_and_how_many_seeds_would_do() -> None:
    what = asked("a", "b", tracks=("harbor",))
    known("x", what, lambda task: 8.0 + (0.3 if task.reward.name == "b" else 0.0) + 0.25 * ((3 * task.seed) % 5))
    words = ("a.py", "b.py", "--steps", "20000", "--name", "x", "--resume")
    code, out, err = compare(*words)
    assert code == 0, err
    said = " ".join(out.split())
    assert "The data does not tell a and b apart: P(a beats b) = 76 % (40 to 100 %)" in said
    (pair,) = json.loads(compare(*words, "--json")[1])["pairs"]
    assert not pair["told_apart"]
    assert f"if that holds, {pair['seeds']} seeds would" in said
    assert 10 < pair["seeds"] < 60


def test_a_driver_without_laps_is_slower_than_all_others() -> None:
    what = asked("a", "b", tracks=("harbor",))
    known("x", what, lambda task: None if task.reward.name == "b" and task.seed < 2 else 8.0)
    words = ("a.py", "b.py", "--steps", "20000", "--name", "x", "--resume", "--json")
    found = json.loads(compare(*words)[1])
    assert found["pairs"][0]["probability"] == pytest.approx(0.5 * 3 / 5 + 2 / 5)
    b = next(cell for cell in found["rewards"] if cell["reward"] == "b")
    assert (b["completed"], b["runs"]) == (3, 5)
    assert b["lap_time_s"] is None  # two of five fail: the interquartile mean is infinite
    assert b["completed_interval"] == pytest.approx([0.2307, 0.8824], abs=1e-3)


def test_an_outcome_belongs_to_one_task_alone() -> None:
    task = asked("a").tasks[0]
    other = dataclasses.replace
    same = other(task, reward=other(task.reward, path="/elsewhere/a.py"))
    assert same.name == task.name
    for changed in (
        other(task, seed=7),
        other(task, budget=Budget(seconds=3.0)),
        other(task, reward=other(task.reward, text=task.reward.text + "\n")),
        other(task, recipe=other(task.recipe, text=task.recipe.text + "\n")),
        other(task, track=task.track.reverse()),
        other(task, car="deepracer-v4"),
    ):
        assert changed.name != task.name


def test_nothing_is_overwritten_and_damage_is_named(here: Path) -> None:
    what = asked("a", "b", tracks=("harbor",), seeds=1)
    known("x", what, lambda task: 8.0)
    words = ("a.py", "b.py", "--steps", "20000", "--seeds", "1", "--name", "x")
    code, _, err = compare(*words)
    assert code == 1 and "lab/x exists already; add --resume" in err
    assert "nothing to go on with" in compare(*words[:-1], "y", "--resume")[2]
    path = here / "lab/x/trainings" / f"{what.tasks[0].name}.json"
    for wrong in ("{", "[]", '{"task": "a"}', path.read_text().replace("8.0", "-8.0")):
        path.write_text(wrong)
        code, out, err = compare(*words, "--resume")
        assert code == 1 and str(path.relative_to(here)) in err and out == ""


def test_many_pairs_are_a_table() -> None:
    for name in ("c", "d_with_quite_a_long_name"):
        Path(f"{name}.py").write_text(f"# {name}\n{SLOWER}")
    names = ("a", "b", "c", "d_with_quite_a_long_name")
    what = asked(*names, tracks=("harbor",), seeds=6)
    known("x", what, lambda task: 8.0 + 0.01 * task.seed + {"a": 0.0, "b": 1.0}.get(task.reward.name, 2.0))
    words = (*(f"{name}.py" for name in names), "--seeds", "6", "--steps", "20000", "--name", "x", "--resume")
    code, out, err = compare(*words)
    assert code == 0, err
    rows = out.splitlines()[out.splitlines().index(next(row for row in out.splitlines() if "beats that" in row)) :]
    assert len(rows) == 1 + 6
    assert [row.split()[-1] for row in rows[1:6]] == ["yes"] * 5  # 2 / 924, six times, is below 5 %
    assert "50 %" in rows[6] and "no; by more than 1,000 seeds" in rows[6]


def test_a_folder_that_is_in_use_is_left_alone(here: Path) -> None:
    known("x", asked("a", tracks=("harbor",)), lambda task: 8.0)
    with LabFolder(here / "lab/x").locked():
        code, out, err = compare("a.py", "--steps", "20000", "--name", "x", "--resume")
    assert code == 1 and out == ""
    assert f"lab/x is in use by process {os.getpid()}" in err
    assert compare("a.py", "--steps", "20000", "--name", "x", "--resume")[0] == 0


def test_an_outcome_that_cannot_be_written_counts_and_says_so(here: Path) -> None:
    task = asked("a", tracks=("harbor",)).tasks[0]
    folder = LabFolder(here / "lab/x")
    (here / "lab/x/trainings" / f"{task.name}.replay").mkdir()  # in its place
    outcome = Outcome(task.name, 1.0, 8.0, 1, 1.0, 1.0, 1.0, replay=b"laps")
    event = folder.kept(Event(task, 1.0, outcome))
    assert event.outcome is outcome
    assert "its outcome counts, but is not kept: cannot write" in event.problem
    assert folder.outcome(task) is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("a.py", "a.py"), "same name"),
        (("a.py", "b.py", "--track", "needle", "--track", "needle"), "each track once"),
        (("a.py", "b.py", "--car", "tank"), "'tank' is none of"),
        (("a.py", "b.py", "--steps", "9", "--seconds", "9"), "one of --steps and --seconds"),
    ],
)
def test_wrong_usage(words: tuple[str, ...], said: str) -> None:
    code, out, err = compare(*words)
    assert code == 2 and out == ""
    assert said in " ".join(err.replace("│", " ").split())


def test_a_cluster_that_is_not_there() -> None:
    code, out, err = compare("a.py", "b.py", "--ray", "127.0.0.1:1")
    assert code == 1 and out == ""
    assert "there is no Ray cluster at 127.0.0.1:1" in err or "racer[ray]" in err


@pytest.mark.slow
def test_processes_outlive_tasks_that_fail_and_end_with_their_parent(here: Path) -> None:
    Path("deadly.py").write_text("import os\ndef reward_function(params):\n    os.kill(os.getpid(), 9)\n")
    tasks = asked("broken", "deadly", "a", tracks=("harbor",), seeds=2).tasks
    tasks = [dataclasses.replace(task, budget=Budget(steps=1)) for task in tasks]
    with LocalWorkers(2) as workers:
        ended = {event.task.name: event for event in each(workers, tasks) if event.ended}
        processes = multiprocessing.active_children()
        assert 1 <= len(processes) <= 2
    assert len(ended) == 6
    for event in ended.values():
        if event.task.reward.name == "a":
            assert event.outcome is not None and event.outcome.steps > 0 and event.outcome.replay
            assert load_replay_bytes(here, event.outcome.replay).track.name == "harbor"
        else:
            said = {"broken": "broken.py, line 2: KeyError: 'wings'", "deadly": "ended 2 times, last by SIGKILL"}
            assert said[event.task.reward.name] in event.problem
    assert not multiprocessing.active_children()


def load_replay_bytes(folder: Path, data: bytes) -> Replay:
    (folder / "one.replay").write_bytes(data)
    return load_replay(folder / "one.replay")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_a_comparison_that_is_stopped_goes_on(here: Path, sign: signal.Signals) -> None:
    (here / "temporary").mkdir()
    Path("a.py").write_text(WRITES)
    environment = {**os.environ, "TMPDIR": str(here / "temporary")}
    words = ["compare", "a.py", "broken.py", "--steps", "2000", "--jobs", "1", "--name", "x"]
    command = [sys.executable, "-m", "racer", *words]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = ""
        while "seed 0: " not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        process.send_signal(sign)
        said += process.stderr.read()
    assert process.returncode == (130 if sign == signal.SIGINT else -sign)
    if sign == signal.SIGINT:
        assert "go on with the same command and --name x --resume" in said
        assert "Traceback" not in said
    kept = {path: path.stat().st_mtime_ns for path in (here / "lab/x/trainings").iterdir()}
    assert 2 <= len(kept) < 10
    deadline = time.monotonic() + 30.0
    while list((here / "temporary").iterdir()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not list((here / "temporary").iterdir()), "a process or its files outlived the command"
    if sign == signal.SIGKILL:
        return
    done = subprocess.run([*command, "--resume", "--json"], env=environment, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert [training["seed"] for training in found["trainings"]] == [0, 1, 2, 3, 4]
    assert found["problems"]["broken"]["trainings"] == 5
    assert "KeyError: 'wings'" in found["problems"]["broken"]["first"]
    assert all(path.stat().st_mtime_ns == before for path, before in kept.items())
