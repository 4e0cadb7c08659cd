"""Replay files that are broken, hostile or lying: each is refused in one message, and none is run."""

import io
import json
import os
import pickle
import zipfile

import numpy as np
import pytest
from drives import drive, ring
from hypothesis import given, settings, strategies as st

from racer.errors import ReplayError
from racer.replay import STEP_DTYPE, Replay, load_replay, save_replay


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A sound file of two laps."""
    path = tmp_path_factory.mktemp("original") / "drive.npz"
    save_replay(drive(ring(), laps=2), path)
    return path


@pytest.fixture
def file(original, tmp_path):
    path = tmp_path / "drive.npz"
    path.write_bytes(original.read_bytes())
    return path


@pytest.fixture
def parts(original):
    return taken_apart(original)


def taken_apart(path):
    """The header and the arrays of a replay file, read by NumPy alone."""
    with np.load(path, allow_pickle=False) as content:
        arrays = {name: content[name] for name in content.files}
    return json.loads(arrays.pop("header").tobytes()), arrays


def put_together(path, header, arrays):
    """Write a replay file without any of racer's checks."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    np.savez_compressed(path, header=np.frombuffer(text, np.uint8), **arrays)
    return path


def refused(path, *words):
    """Assert that a file is refused with one message that names it."""
    with pytest.raises(ReplayError) as caught:
        load_replay(path)
    message = str(caught.value)
    for word in (str(path), *words):
        assert word in message
    assert message.isprintable() and len(message) < 1500
    return message


def test_files_that_are_no_replays(tmp_path):
    refused(tmp_path / "missing.npz", "no such file")
    refused(tmp_path, "is a folder")
    for name, content, word in [
        ("empty.npz", b"", "it is empty"),
        ("text.npz", b"Dear diary,\n" * 50, "damaged"),
        ("pickle.npz", pickle.dumps({"laps": 3}), "damaged"),
        ("zeros.npz", bytes(5000), "damaged"),
        ("large.npz", bytes(17 * 2**20), "larger than 16 MiB"),
    ]:
        path = tmp_path / name
        path.write_bytes(content)
        assert "racer evaluate" in refused(path, word)
    with pytest.raises(ReplayError):
        load_replay("nul\0character.npz")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    refused(tmp_path / "pipe.npz", "not a plain file")


def test_every_truncation_is_refused(file):
    whole = file.read_bytes()
    for length in [*range(0, 100, 7), *range(100, len(whole), 997), len(whole) - 1]:
        file.write_bytes(whole[:length])
        refused(file)


def test_a_zip_bomb_is_not_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.npy", bytes(100 * 2**20))
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("the bomb was unpacked"))
    refused(path, "100 MiB")


def test_a_bomb_that_declares_too_little_is_refused(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.npy", bytes(100 * 2**20))
    size = (100 * 2**20).to_bytes(4, "little")
    content = buffer.getvalue()
    assert content.count(size) == 2  # local header and directory
    (tmp_path / "liar.npz").write_bytes(content.replace(size, (1000).to_bytes(4, "little")))
    refused(tmp_path / "liar.npz", "damaged")


def test_archives_of_other_kinds(tmp_path, parts):
    path = tmp_path / "other.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for k in range(1000):
            archive.writestr(f"{k}.npy", b"")
    refused(path, "1000 arrays")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("header.npy", b"{}")
    refused(path, "compressed in a way")
    with pytest.warns(UserWarning), zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.npy", b"{}")
        archive.writestr("header.npy", b"{}")
    refused(path, "two arrays of one name")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", b"hello")
    refused(path, "no header")
    encrypted = bytearray(put_together(path, *parts).read_bytes())
    for mark in (b"PK\x03\x04", b"PK\x01\x02"):
        encrypted[encrypted.index(mark) + (6 if mark[2] == 3 else 8)] |= 1
    path.write_bytes(encrypted)
    refused(path)


class Trap:
    """Something that must never be unpickled."""

    def __reduce__(self):
        return pytest.fail, ("a pickle in a replay was run",)


def test_nothing_is_unpickled(tmp_path, parts):
    header, arrays = parts
    arrays["steps.reward"] = np.array([Trap()] * len(arrays["steps.x"]), dtype=object)
    path = put_together(tmp_path / "trap.npz", header, arrays)
    with pytest.raises(pytest.fail.Exception):
        np.load(path, allow_pickle=True)["steps.reward"]  # the trap is armed
    refused(path, "'steps.reward'", "does not write")


def test_an_array_that_declares_more_than_it_has_is_not_allocated(tmp_path, parts):
    header, arrays = parts
    path = put_together(tmp_path / "lie.npz", header, arrays)
    rows = len(arrays["steps.y"])
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    old = f"({rows},), }}".encode()
    lie = members["steps.y.npy"].replace(old, b"(999999999,), }", 1)
    members["steps.y.npy"] = lie.replace(b" " * (15 - len(old)) + b"\n", b"\n", 1)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    refused(path, "'steps.y'", "size it declares")


FLOATS = [name for name in STEP_DTYPE.names if STEP_DTYPE[name].kind == "f"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused_wherever_it_is(tmp_path, parts, value):
    header, arrays = parts
    for name in [f"steps.{name}" for name in FLOATS] + ["track.center", "track.inner", "track.outer"]:
        spoiled = arrays[name].copy()
        spoiled[3] = value
        path = put_together(tmp_path / "spoiled.npz", header, {**arrays, name: spoiled})
        refused(path, repr(name), "row 3")


def test_every_array_is_needed_and_of_its_kind(tmp_path, parts):
    header, arrays = parts
    path = tmp_path / "part.npz"
    for name, array in arrays.items():
        rest = {key: value for key, value in arrays.items() if key != name}
        refused(put_together(path, header, rest), repr(name))
        refused(put_together(path, header, {**rest, name: array.astype(complex)}), repr(name))
        refused(put_together(path, header, {**rest, name: array.astype(np.int64)}), repr(name))
        refused(put_together(path, header, {**rest, name: array[None]}), repr(name))
        refused(put_together(path, header, {**rest, name: array[:0]}))
        refused(put_together(path, header, {**rest, name: array[:-1]}))


def test_a_flag_is_true_or_false(tmp_path, parts):
    header, arrays = parts
    flags = np.full(len(arrays["steps.x"]), 2, np.uint8).view(np.bool_)
    refused(put_together(tmp_path / "flag.npz", header, {**arrays, "steps.off_track": flags}), "neither true nor")


def edits():
    """Edits of a replay's header, and a word of the message each must give."""

    def set_(*keys, to):
        def edit(header):
            for key in keys[:-1]:
                header = header[key]
            header[keys[-1]] = to

        return edit

    def drop(*keys):
        def edit(header):
            for key in keys[:-1]:
                header = header[key]
            del header[keys[-1]]

        return edit

    for key in ("engine", "created", "driver", "reward", "seed", "track", "car", "laps", "version"):
        yield f"without {key}", drop(key), repr(key)
        yield f"{key} null", set_(key, to=None), repr(key)
    yield "other file", set_("format", to="racer run"), "another kind of file"
    yield "newer", set_("version", to=3), "update racer"
    yield "penalties without a column", set_("version", to=2), "'steps.held'"
    yield "penalty too long", set_("penalty_s", to=61.0), "'penalty_s'"
    yield "penalty below 0", set_("penalty_s", to=-1), "'penalty_s'"
    yield "no time", set_("created", to="yesterday"), "'yesterday'"
    yield "seed true", set_("seed", to=True), "'seed'"
    yield "long name", set_("driver", to="x" * 300), "'driver'"
    yield "escape", set_("driver", to="\x1b[2J"), "'driver'"
    yield "no laps", set_("laps", to=[]), "laps are not those"
    yield "lap is no record", set_("laps", 0, to=7), "not a record"
    yield "lap without time", drop("laps", 0, "time_s"), "'time_s'"
    yield "lap of infinite time", set_("laps", 0, "time_s", to=1e999), "Infinity is not a JSON number"
    yield "huge integer", set_("laps", 0, "time_s", to=10**3000), "'time_s'"
    yield "lap complete 1", set_("laps", 0, "complete", to=1), "'complete'"
    yield "faster", set_("laps", 0, "time_s", to=2.0), "lap 1 lasts 2.000 s"
    yield "negative", set_("laps", 1, "time_s", to=-1.0), "lap 2 lasts -1.000 s"
    yield "late", set_("laps", 0, "start_s", to=3.0), "lap 1 lasts"
    yield "numbered from 2", set_("laps", 0, "index", to=2), "laps are not those"
    yield "one lap fewer", drop("laps", 1), "laps are not those"
    yield "given up", set_("laps", 0, "complete", to=False), "lap 2 does not begin as lap 1 ended"
    yield "car of another racer", set_("car", "wings", to=2.0), "car is described in another way"
    yield "car without grip", drop("car", "grip"), "car is described in another way"
    yield "car with grip as text", set_("car", "grip", to="much"), "'grip'"
    yield "car divides by nothing", set_("car", "speed_lag", to=0.0), "speed_lag is 0"
    yield "car of a giant", set_("car", "front_point", to=1e9), "front_point is 1e+09"
    yield "track without digest", drop("track", "digest"), "'digest'"
    yield "track renamed to an escape", set_("track", "name", to="\x1b[2J"), "'name'"
    yield "track other way", set_("track", "reversed", to="no"), "'reversed'"
    yield "track about numbers", set_("track", "about", to={"title": 3}), "'title'"


@pytest.mark.parametrize(("edit", "word"), [pytest.param(e, w, id=i) for i, e, w in edits()])
def test_headers_that_lie(tmp_path, parts, edit, word):
    header, arrays = parts
    edit(header)
    refused(put_together(tmp_path / "lie.npz", header, arrays), word)


@pytest.mark.parametrize(
    ("header", "word"),
    [
        (b"", "not JSON"),
        (b"[1, 2]", "not a record"),
        (b'{"seed": NaN}', "NaN"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
        (b"\xff\xfe{}", "not JSON"),
        (b" " * 300_000, "not a text"),
    ],
)
def test_headers_that_are_none(tmp_path, parts, header, word):
    refused(put_together(tmp_path / "broken.npz", header, parts[1]), word)


def test_steps_that_contradict_themselves(tmp_path, parts):
    header, arrays = parts
    path = tmp_path / "steps.npz"
    restart = arrays["steps.restart"].copy()
    restart[20] = True
    refused(put_together(path, header, {**arrays, "steps.restart": restart}), "in the middle of a lap")
    refused(put_together(path, header, {**arrays, "steps.restart": ~restart}), "in the middle of a lap")
    lap = arrays["steps.lap"].copy()
    lap[20] = 2
    refused(put_together(path, header, {**arrays, "steps.lap": lap}), "laps are not those")


def test_a_track_that_was_changed_or_cannot_be_driven(tmp_path, parts):
    header, arrays = parts
    moved = {**arrays, "track.outer": arrays["track.outer"] * 1.01}
    refused(put_together(tmp_path / "track.npz", header, moved), "track was changed")
    swapped = {**arrays, "track.outer": arrays["track.inner"], "track.inner": arrays["track.outer"]}
    refused(put_together(tmp_path / "track.npz", header, swapped), "cannot be driven")


def survives(path, content):
    """Whatever the bytes are, they are a replay that holds together or a `ReplayError`."""
    path.write_bytes(content)
    try:
        replay = load_replay(path)
    except ReplayError as error:
        assert str(path) in str(error) and str(error).isprintable()
        return
    assert isinstance(replay, Replay)
    assert replay.completed_laps <= len(replay.laps) == replay.steps["lap"][-1]


@pytest.fixture(scope="module")
def specimen(tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzz") / "drive.npz"
    save_replay(drive(ring(rows=24), laps=1), path)
    return path, path.read_bytes()


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), max_size=8),
    st.integers(0, 2**20),
    st.binary(max_size=40),
)
def test_flipped_and_cut_bytes(specimen, flips, end, tail):
    path, whole = specimen
    content = bytearray(whole)
    for place, value in flips:
        content[-1 - place % len(content)] = value
    survives(path.with_name("flipped.npz"), bytes(content[: len(content) - end % 50 if end % 2 else None]) + tail)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_flipped_bytes_under_a_sound_checksum(specimen, data):
    path, whole = specimen
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = data.draw(st.sampled_from([*members, *["header.npy"] * 20]))
    content = bytearray(members[name])
    reach = len(content) if name == "header.npy" else min(len(content), 160)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, reach - 1))
        content[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for member, old in members.items():
            archive.writestr(member, bytes(content) if member == name else old)
    survives(path.with_name("sealed.npz"), buffer.getvalue())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.data(), JSON)
def test_any_value_anywhere_in_the_header(specimen, data, value):
    path, _ = specimen
    header, arrays = taken_apart(path)
    place = header
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not (isinstance(place[key], dict | list) and place[key]) or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = value
    survives(path.with_name("header.npz"), put_together(path.with_name("made.npz"), header, arrays).read_bytes())
