"""A file that is given to the wrong command is named for what it is, with the command that takes it."""

import io
import json
import sqlite3
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from drives import drive
from safetensors.numpy import save
from typer.testing import CliRunner

from racer.cli import app
from racer.cli.inputs import expect
from racer.errors import FileError
from racer.replay import save_replay


def archive(path: Path, *names: str) -> None:
    with tarfile.open(path, "w:gz") as made:
        for name in names:
            content = tarfile.TarInfo(name)
            content.size = 3
            made.addfile(content, io.BytesIO(b"abc"))


def make(path: Path) -> None:
    """One file of each kind, by its name."""
    match path.name:
        case "sb3.zip":
            with zipfile.ZipFile(path, "w") as made:
                made.writestr("data", "{}")
                made.writestr("policy.pth", "")
        case "old.replay":
            np.savez(path.open("wb"), header=np.zeros(3))
        case "lap.replay":
            save_replay(drive("pebble", laps=1, limit_s=2.0), path)
        case "weights.safetensors":
            path.write_bytes(save({"policy/x": np.zeros(3)}, {"racer": json.dumps({"steps": 1})}))
        case "model.tar.gz":
            archive(path, "model_metadata.json", "agent/model.pb")
        case "logs.tar.gz":
            archive(path, "0-iteration.csv")
        case "0-iteration.csv":
            path.write_text("episode,steps,X,Y,yaw\n0,1,0.1,0.2,0.3\n")
        case "robomaker.log":
            path.write_text("x\nSIM_TRACE_LOG:0,1,0.1,0.2\n")
        case "route.npy":
            np.save(path, np.zeros((3, 6)))
        case "board.sqlite":
            sqlite3.connect(path).execute("create table x (y)")
        case "reward.py":
            path.write_text("def reward_function(params):\n    return 1.0\n")
        case "driver.py":
            path.write_text("class Agent:\n    pass\n")
        case "lap.png":
            path.write_bytes(b"\x89PNG\r\n\x1a\n")
        case "run":
            path.mkdir()
            (path / "run.json").write_text("{}")
        case "model":
            path.mkdir()
            (path / "model_metadata.json").write_text("{}")


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("sb3.zip", "sb3", "Stable-Baselines3"),
        ("old.replay", "old replay", "an earlier racer"),
        ("lap.replay", "replay", "racer watch lap.replay"),
        ("weights.safetensors", "weights", "belongs to a run"),
        ("model.tar.gz", "model archive", "racer train --deepracer model.tar.gz"),
        ("logs.tar.gz", "log archive", "racer import-log logs.tar.gz"),
        ("0-iteration.csv", "log", "racer import-log 0-iteration.csv"),
        ("robomaker.log", "log", "racer import-log robomaker.log"),
        ("route.npy", "route", "racer import-track route.npy"),
        ("board.sqlite", "leaderboard", "racer leaderboard --db board.sqlite"),
        ("reward.py", "reward", "racer check reward.py"),
        ("driver.py", "agent", "racer train --agent driver.py"),
        ("lap.png", "picture", "a picture"),
        ("run", "run", "racer evaluate run"),
        ("model", "model folder", "racer train --deepracer model"),
    ],
)
def test_what_a_file_is(name: str, kind: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make(Path(name))
    expect("x", name, kind)  # this is what the command takes
    other = "replay" if kind != "replay" else "log"
    with pytest.raises(FileError) as refused:
        expect("what is wanted", name, other)
    assert says in str(refused.value) and "not what is wanted" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_names_and_unknown_files_pass(tmp_path: Path) -> None:
    expect("a reward function", "harbor", "reward")
    (tmp_path / "notes.txt").write_text("hello")
    expect("a reward function", tmp_path / "notes.txt", "reward")
    expect("a reward function", "x" * 5000, "reward")
    expect("a reward function", "a\0b", "reward")


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("evaluate lap.replay", "racer watch lap.replay"),
        ("evaluate sb3.zip", "Stable-Baselines3"),
        ("evaluate model.tar.gz", "racer train --deepracer model.tar.gz"),
        ("check lap.replay", "racer watch lap.replay"),
        ("check reward.py --track lap.replay", "racer watch lap.replay"),
        ("train --reward driver.py", "racer train --agent driver.py"),
        ("train --agent reward.py", "racer check reward.py"),
        ("train --tracks 0-iteration.csv,harbor", "racer import-log 0-iteration.csv"),
        ("import-track 0-iteration.csv", "racer import-log 0-iteration.csv"),
        ("import-log lap.replay", "racer watch lap.replay"),
        ("watch route.npy", "racer import-track route.npy"),
        ("leaderboard add weights.safetensors --driver Ada", "belongs to a run"),
    ],
)
def test_commands_say_which_command_takes_a_file(
    command: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [word for words in command.split() for word in words.split(",") if "." in word]:
        make(Path(name))
    done = CliRunner().invoke(app, command.split())
    assert done.exit_code == 1 and says in " ".join(done.output.split()), done.output
    assert not Path("runs").exists()
