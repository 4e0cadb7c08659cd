"""Entries that strangers made up: each is refused in one line, runs nothing and leaves the database as it was."""

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from drives import drive, otherwise, ring

from racer.errors import RacerError
from racer.leaderboard import Board, add_all, standings
from racer.racing import Linear, Model, Network, NetworkInput, rulebook_from_json, save_model
from racer.replay import pack, save_replay, unpack
from racer.sim import DEFAULT
from racer.track import load_track, save_track


class Bomb:
    """What a pickle can be: a command."""

    def __reduce__(self):
        return os.system, ("touch executed",)


@pytest.fixture(scope="module")
def club(tmp_path_factory):
    """A board with an honest entry, an honest replay and an honest model."""
    folder = tmp_path_factory.mktemp("club")
    (folder / "tracks").mkdir()
    save_track(ring(), folder / "tracks" / "test-ring.csv")
    before = Path.cwd()
    os.chdir(folder)
    track = load_track("test-ring")
    replay = drive(track, laps=3)
    save_replay(otherwise(replay, 1), "good.replay")
    weight = np.zeros((2, 30), np.float32)
    weight[0, 15] = 1.1
    layer = Linear(weight=weight, bias=np.array([0.0, -0.6], np.float32), activation="none")
    network = Network((NetworkInput("state", (30,)),), (layer,), "clip")
    save_model(Model("Ada", "deepracer", ("state",), DEFAULT, network), "good.model")
    board = Board.create("Cup", rulebook_from_json({"tracks": "test-ring", "resets": {"most": 0}}), db="board.sqlite")
    assert not isinstance(board.submit([replay], "Ada")[0], RacerError)
    os.chdir(before)
    return folder


@pytest.fixture(autouse=True)
def folder(club, monkeypatch):
    monkeypatch.chdir(club)
    return club


def refuse(path, *words):
    """Assert that a file is refused by boards with rules and without, in one line, and that nothing came of it."""
    before = Path("board.sqlite").read_bytes()
    board = Board.find("Cup", "board.sqlite")
    for outcomes in (board.submit([path]), add_all([path], db="board.sqlite")):
        (error,) = outcomes
        assert isinstance(error, RacerError), error
        assert str(error).isprintable() and len(str(error)) < 700, error
        for word in words:
            assert word in str(error)
    assert Path("board.sqlite").read_bytes() == before
    assert not Path("executed").exists()


def zipped(name, content):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return data.getvalue()


def tensors(header, rest=b""):
    """A safetensors file with a header as it is given."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + rest


def one(**fields):
    return {"a": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8], **fields}}


FILES = {
    "a pickle": pickle.dumps(Bomb()),
    "a pickle in a zip": zipped("archive/data.pkl", pickle.dumps(Bomb())),
    "a zip bomb": zipped("steps.npy", bytes(50_000_000)),
    "a zip that leaves its folder": zipped("../../executed", b"x"),
    "NumPy with a pickle": b"\x93NUMPY\x01\x00v\x00"
    + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117)
    + b"\n",
    "nothing": b"",
    "one byte": b"{",
    "10 GB of header announced": struct.pack("<Q", 10**10) + b"{}",
    "the largest header": struct.pack("<Q", 2**64 - 1) + b"{}",
    "10 GB of numbers announced": tensors(one(shape=[1_250_000_000], data_offsets=[0, 10**10])),
    "a negative shape": tensors(one(shape=[-1]), bytes(8)),
    "a shape that overflows": tensors(one(shape=[2**32, 2**32, 2**32]), bytes(8)),
    "offsets that overlap": tensors(one() | {"b": one()["a"]}, bytes(8)),
    "deep JSON": tensors(b"[" * 200_000),
    "deep JSON for a header": tensors({"__metadata__": {"racer-replay": "[" * 100_000}}),
    "deep JSON for a model": tensors({"__metadata__": {"racer-model": "[" * 50_000}}),
    "a number of many digits": tensors({"__metadata__": {"racer-replay": '{"seed": ' + "9" * 100_000 + "}"}}),
    "a million keys": tensors({"__metadata__": {str(k): "" for k in range(300_000)}}),
    "HTML": b"<html><script>alert(1)</script></html>",
    "SQL": b"'); DROP TABLE racer_entries; --",
    "Python": b"import os; os.system('touch executed')",
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("suffix", [".replay", ".model"])
def test_files_of_other_kinds(kind, suffix, tmp_path):
    path = tmp_path / f"entry{suffix}"
    path.write_bytes(FILES[kind])
    refuse(path)


def test_files_without_an_end(tmp_path):
    with (tmp_path / "huge.replay").open("wb") as file:
        file.write(Path("good.replay").read_bytes())
        file.truncate(10 * 2**30)
    refuse(tmp_path / "huge.replay", "too large")
    with (tmp_path / "huge.model").open("wb") as file:
        file.write(Path("good.model").read_bytes())
        file.truncate(10 * 2**30)
    refuse(tmp_path / "huge.model", "too large")
    if Path("/dev/zero").exists():
        refuse("/dev/zero", "not a plain file")
        refuse("/dev/urandom", "not a plain file")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX only")
def test_a_stream_is_not_even_opened(tmp_path):
    os.mkfifo(tmp_path / "stream.replay")
    refuse(tmp_path / "stream.replay", "not a plain file")


def spoiled(path, key, change):
    """A container with its header changed by `change`."""
    metadata, arrays = unpack(Path(path).read_bytes())
    header = json.loads(metadata[key])
    change(header, arrays)
    return pack({key: json.dumps(header)}, arrays)


ODD = {
    "HTML": "<img src=x onerror=alert(1)>",
    "control characters": "a\x1b[2J\x07\r\nb",
    "right to left": "a\u202eb",
    "null": "a\0b",
    "SQL": "'); DROP TABLE racer_entries; --",
    "a path": "../../../etc/passwd",
    "long": "x" * 100_000,
    "no text": 7,
    "a list": [],
    "nothing": None,
}
TEXTS = [
    "created",
    "engine",
    "physics",
    "arithmetic",
    "imported",
    "track.name",
    "track.digest",
    "car.name",
    "drives.driver",
]


@pytest.mark.parametrize("field", TEXTS)
def test_every_text_of_a_replay_is_only_text(field, tmp_path):
    """Either it is refused, or it is stored as it is and shown as text."""
    board = Board.find("Cup", "board.sqlite")
    count = len(board.entries())
    for kind, value in ODD.items():

        def change(header, _, value=value):
            *folders, name = field.split(".")
            for folder in folders:
                header = header[folder]
                header = header[0] if isinstance(header, list) else header
            header[name] = value

        path = tmp_path / "odd.replay"
        path.write_bytes(spoiled("good.replay", "racer-replay", change))
        (outcome,) = board.submit([path])
        if isinstance(outcome, RacerError):
            assert str(outcome).isprintable() and len(str(outcome)) < 700, outcome
            continue
        assert kind in ("HTML", "SQL", "a path"), (kind, outcome)
        if field == "drives.driver":
            assert outcome.driver == value
        from racer.leaderboard import as_page, remove

        assert "<img" not in as_page(standings(db="board.sqlite", board="Cup"))
        remove(entry=outcome.id, db="board.sqlite")
        path.write_bytes(spoiled("good.replay", "racer-replay", lambda header, _: None))
        break  # the drive is known now, whatever else is said of it
    assert len(board.entries()) == count


def faster(header, arrays):
    for lap in header["drives"][0]["laps"]:
        lap["time_s"] -= 0.3


def other_track(header, arrays):
    arrays["track.center"] = arrays["track.center"] * 0.9


def other_car(header, arrays):
    header["car"]["grip"] = 9.0


def quicker_car(header, arrays):
    header["car"]["max_speed"] = 12.0
    arrays["steps.speed_command"] = arrays["steps.speed_command"] * 3.0


def teleported(header, arrays):
    arrays["steps.x"] = arrays["steps.x"].copy()
    arrays["steps.x"][50:] += 1.0


def shortened(header, arrays):
    for name in [name for name in arrays if name.startswith("steps.")]:
        arrays[name] = np.delete(arrays[name], slice(30, 40), axis=0)


def commanded(header, arrays):
    arrays["steps.steering_command_deg"] = arrays["steps.steering_command_deg"] + 1e-9


def no_number(header, arrays):
    arrays["steps.speed"] = arrays["steps.speed"].copy()
    arrays["steps.speed"][3] = np.nan


def other_rules(header, arrays):
    header["rules"]["time_limit_s"] = "long"


def own_arrays(header, arrays):
    arrays["__class__"] = np.zeros(3)


FORGED = [
    faster,
    other_track,
    other_car,
    quicker_car,
    teleported,
    shortened,
    commanded,
    no_number,
    other_rules,
    own_arrays,
]


@pytest.mark.parametrize("change", FORGED, ids=lambda change: change.__name__)
def test_replays_that_were_edited(change, tmp_path):
    path = tmp_path / "forged.replay"
    path.write_bytes(spoiled("good.replay", "racer-replay", change))
    refuse(path)


def weights(value=None, shape=None, dtype=None):
    def change(header, arrays):
        name = next(name for name in arrays if name.endswith("weight"))
        if value is not None:
            arrays[name] = np.full_like(arrays[name], value)
        if shape is not None:
            arrays[name] = np.zeros(shape, np.float32)
        if dtype is not None:
            arrays[name] = arrays[name].astype(dtype)

    return change


def of_model(**fields):
    return lambda header, arrays: header.update(fields)


SPOILED = {
    "not a number": weights(value=np.nan),
    "infinite": weights(value=np.inf),
    "another shape": weights(shape=(2, 31)),
    "no dimension": weights(shape=()),
    "huge": weights(shape=(2, 500_000)),
    "whole numbers": weights(dtype=np.int64),
    "no weights": lambda header, arrays: arrays.clear(),
    "more weights": lambda header, arrays: arrays.update(more=np.zeros(9, np.float32)),
    "a sensor that is none": of_model(sensors=["__import__('os')"]),
    "many sensors": of_model(sensors=["state"] * 1000),
    "a name that is none": of_model(name="\x1b[2J"),
    "no name": of_model(name=""),
    "SQL for a version": of_model(version="1; DROP TABLE racer_entries"),
    "a network of another kind": of_model(network={"kind": "pickle"}),
    "actions of another kind": of_model(actions="exec"),
    "one more field": of_model(code="import os"),
}


@pytest.mark.parametrize("kind", SPOILED)
def test_models_that_are_none(kind, tmp_path):
    path = tmp_path / "spoiled.model"
    try:
        path.write_bytes(spoiled("good.model", "racer-model", SPOILED[kind]))
    except ValueError:
        pytest.skip("the container cannot hold it")
    refuse(path)


SCRIPT = """
import pathlib, resource, sys
from racer.leaderboard import Board, add_all
board = Board.find("Cup", "board.sqlite")
board.submit(["good.replay", "good.model"], "warm")
def most(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = most()
for path in sys.argv[1:]:
    outcomes = [*board.submit([path]), *add_all([path], db="board.sqlite")]
    assert all(isinstance(outcome, Exception) for outcome in outcomes), path
print(most() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")
def test_all_of_them_take_little_memory(tmp_path, club):
    """MiB that reading hostile files takes beyond what honest ones do."""
    paths = []
    for number, data in enumerate(FILES.values()):
        paths.append(tmp_path / f"{number}.replay")
        paths[-1].write_bytes(data)
    for suffix in (".replay", ".model"):
        paths.append(tmp_path / f"huge{suffix}")
        with paths[-1].open("wb") as file:
            file.write(Path(f"good{suffix}").read_bytes())
            file.truncate(15 * 2**20)
    copy = tmp_path / "folder"
    copy.mkdir()
    for name in ("board.sqlite", "good.replay", "good.model"):
        (copy / name).write_bytes(Path(name).read_bytes())
    (copy / "tracks").symlink_to(club / "tracks")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, paths)], cwd=copy, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 200


def test_many_threads_at_once_are_refused_alike(tmp_path):
    """A server may read several strangers' files at a time."""
    path = tmp_path / "bomb.replay"
    path.write_bytes(FILES["deep JSON"])
    found = []
    threads = [threading.Thread(target=lambda: found.extend(add_all([path], db="board.sqlite"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and all(isinstance(error, RacerError) for error in found)
