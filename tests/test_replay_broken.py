"""Replay files that are broken, hostile or lying: each is refused in one message, and none is run."""

import json
import os
import pickle
import zipfile

import numpy as np
import pytest
from drives import drive, ring
from hypothesis import given, settings, strategies as st
from safetensors import safe_open
from safetensors.numpy import save

from racer.errors import ReplayError
from racer.replay import STEP_DTYPE, Replay, load_replay, save_replay, verify


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A sound file of two laps."""
    path = tmp_path_factory.mktemp("original") / "drive.replay"
    save_replay(drive(ring(), laps=2), path)
    return path


@pytest.fixture
def file(original, tmp_path):
    path = tmp_path / "drive.replay"
    path.write_bytes(original.read_bytes())
    return path


@pytest.fixture
def parts(original):
    return taken_apart(original)


def taken_apart(path):
    """The header and the arrays of a replay file, read by the safetensors library alone."""
    with safe_open(path, "np") as content:
        arrays = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118 (it is no mapping)
        return json.loads(content.metadata()["racer-replay"]), arrays


def put_together(path, header, arrays):
    """Write a replay file without any of racer's checks."""
    text = header if isinstance(header, str) else json.dumps(header)
    path.write_bytes(
        save({name: np.asarray(values, order="C") for name, values in arrays.items()}, {"racer-replay": text})
    )
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
    refused(tmp_path / "missing.replay", "no such file")
    refused(tmp_path, "is a folder")
    for name, content, word in [
        ("empty.replay", b"", "it is empty"),
        ("text.replay", b"Dear diary,\n" * 50, "damaged"),
        ("pickle.replay", pickle.dumps({"laps": 3}), "damaged"),
        ("zeros.replay", bytes(5000), "damaged"),
        ("arrays.replay", save({"a": np.zeros(3)}), "no header"),
        ("notes.replay", save({"a": np.zeros(3)}, {"note": "mine"}), "no header"),
        ("nothing.replay", save({}, {"racer-replay": "{}"}), "another kind of file"),
    ]:
        path = tmp_path / name
        path.write_bytes(content)
        assert "racer evaluate" in refused(path, word)
    with pytest.raises(ReplayError):
        load_replay("nul\0character.replay")


def test_what_an_earlier_racer_wrote_is_refused_in_one_line(tmp_path, parts):
    path = tmp_path / "old.replay"
    header, arrays = parts
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    with path.open("wb") as file:
        np.savez_compressed(file, header=text, **arrays)
    assert "\n" not in refused(path, "an earlier racer wrote it", "record the drive again with `racer evaluate")


def test_what_the_racer_before_wrote_is_read(tmp_path, parts, original):
    """Format 4 knew no traffic, no crashes, and no car that ended before the others."""
    header, arrays = parts
    header["version"] = 4
    for key in ("traffic", "crashes"):
        del header[key]
    for record in header["drives"]:
        del record["steps"], record["retired"]
    old = load_replay(put_together(tmp_path / "old.replay", header, arrays))
    new = load_replay(original)
    assert old.steps.tobytes() == new.steps.tobytes() and old.laps == new.laps and old.digest == new.digest
    assert verify(old).ok and (old.traffic, old.crashes, old.things.size) == (None, (), 0)


@pytest.mark.parametrize("size", [16 * 2**20 + 1, 2**40])
def test_one_limit_of_size_is_told(tmp_path, size):
    path = tmp_path / "large.replay"
    with path.open("wb") as file:
        file.truncate(size)
    refused(path, "too large", f"{16 * 2**20:,} bytes")


def test_a_race_too_long_to_be_read_again_is_not_saved(tmp_path):
    replay = drive(ring(), laps=1)
    from drives import altered

    with pytest.raises(ReplayError, match="MiB large; replays have up to 16 MiB"):
        save_replay(altered(replay, steps=np.zeros(170_000, STEP_DTYPE)), tmp_path / "long.replay")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.replay")
    refused(tmp_path / "pipe.replay", "pipe")


def test_every_truncation_is_refused(file):
    whole = file.read_bytes()
    for length in [*range(0, 100, 7), *range(100, len(whole), 997), len(whole) - 1]:
        file.write_bytes(whole[:length])
        refused(file)
    file.write_bytes(whole + b"\0")
    refused(file)


def test_a_bomb_is_only_a_file_of_another_kind(tmp_path):
    path = tmp_path / "bomb.replay"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.npy", bytes(100 * 2**20))
    refused(path, "earlier racer")


def framed(header, content=b""):
    """A safetensors file with a header of one's own."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content


@pytest.mark.parametrize(
    "content",
    [
        framed({}),
        framed([]),
        framed({"__metadata__": 3}),
        framed({"__metadata__": {"racer-replay": 3}}),
        framed({"__metadata__": None}),
        framed(b"[" * 100_000),
        framed(b'{"a": ' + b"9" * 5000 + b"}"),
        framed({"steps.x": {"dtype": "F64", "shape": [2**40, 2**20], "data_offsets": [0, 8]}}, bytes(8)),
        framed({"steps.x": {"dtype": "F64", "shape": [0, 2**62], "data_offsets": [0, 0]}}),
        framed({"steps.x": {"dtype": "F64", "shape": [1], "data_offsets": [8, 16]}}, bytes(16)),
        framed({"steps.x": {"dtype": "F64", "shape": [1], "data_offsets": [0, 2**70]}}, bytes(16)),
        framed({"steps.x": {"dtype": "F64", "shape": [-1], "data_offsets": [0, 8]}}, bytes(8)),
        framed({"steps.x": {"dtype": "O", "shape": [1], "data_offsets": [0, 8]}}, bytes(8)),
        framed({"steps.x": {"dtype": "BF16", "shape": [4], "data_offsets": [0, 8]}}, bytes(8)),
        framed({"steps.x": {"dtype": "F8_E4M3", "shape": [8], "data_offsets": [0, 8]}}, bytes(8)),
        framed({"a": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}} | {"\x1b[2J": 1}, bytes(8)),
        (2**63).to_bytes(8, "little") + b"{}",
        (10**7).to_bytes(8, "little") + b" " * 1000,
    ],
)
def test_containers_that_lie(tmp_path, content):
    path = tmp_path / "lie.replay"
    path.write_bytes(content)
    refused(path)


FLOATS = [name for name in STEP_DTYPE.names if STEP_DTYPE[name].kind == "f"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused_wherever_it_is(tmp_path, parts, value):
    header, arrays = parts
    for name in [f"steps.{name}" for name in FLOATS] + ["track.center", "track.inner", "track.outer"]:
        spoiled = arrays[name].copy()
        spoiled[3] = value
        path = put_together(tmp_path / "spoiled.replay", header, {**arrays, name: spoiled})
        refused(path, repr(name), "row 3")


def test_every_array_is_needed_and_of_its_kind(tmp_path, parts):
    header, arrays = parts
    path = tmp_path / "part.replay"
    for name, array in arrays.items():
        rest = {key: value for key, value in arrays.items() if key != name}
        refused(put_together(path, header, rest), repr(name))
        refused(put_together(path, header, {**rest, name: array.astype(np.float16)}), repr(name))
        refused(put_together(path, header, {**rest, name: array.astype(np.int64)}), repr(name))
        refused(put_together(path, header, {**rest, name: array[None]}), repr(name))
        refused(put_together(path, header, {**rest, name: array[:0]}))
        refused(put_together(path, header, {**rest, name: array[:-1]}))
        refused(put_together(path, header, {**rest, name: np.repeat(array, 2, axis=1)}))
    refused(put_together(path, header, {**arrays, "steps.wings": arrays["steps.x"]}), "'steps.wings'", "does not write")


def test_a_flag_is_true_or_false(tmp_path, parts):
    header, arrays = parts
    path = put_together(tmp_path / "flag.replay", header, arrays)
    content = bytearray(path.read_bytes())
    end = 8 + int.from_bytes(content[:8], "little")
    content[end + json.loads(content[8:end])["steps.off_track"]["data_offsets"][0] + 7] = 2
    path.write_bytes(content)
    refused(path, "neither true nor")


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

    for key in ("engine", "physics", "arithmetic", "created", "seed", "track", "car", "drives", "version", "imported"):
        yield f"without {key}", drop(key), repr(key)
        yield f"{key} null", set_(key, to=None), repr(key)
    for key in ("driver", "reward", "laps"):
        yield f"without {key}", drop("drives", 0, key), repr(key)
        yield f"{key} null", set_("drives", 0, key, to=None), repr(key)
    yield "without rules", drop("rules"), "'rules'"
    yield "without a rule", drop("rules", "start"), "'rules'"
    yield "other steps", set_("step_s", to=0.1), "'step_s'"
    yield "no cars", set_("drives", to=[]), "0 cars"
    yield "too many cars", set_("drives", to=[{}] * 101), "101 cars"
    yield (
        "more cars than columns",
        lambda header: header["drives"].append(header["drives"][0]),
        "for its steps and cars",
    )
    for value in (None, 0, 10**6, "7"):
        yield f"steps {value}", set_("drives", 0, "steps", to=value), "steps"
    yield "retired at length", set_("drives", 0, "retired", to="x" * 3000), "'retired'"
    yield "no traffic", drop("traffic"), "'traffic'"
    for value in (7, {"cats": 3}, {"boxes": {"count": -1}}, {"boxes": {"places": 3}}, {"grid": "heap"}):
        yield f"traffic {value}", set_("traffic", to=value), "'traffic'"
    yield "boxes nowhere", set_("traffic", to={"boxes": {"count": 3}}), "no array 'things.x'"
    for value in (7, [[1]], [[0, 0, 5]], [[-1, 0, 0]], [[0, 3, 0]], [[10**6, 0, 0]], [[0, 0, 1.5]], [[True, 0, 0]]):
        yield f"crashes {value}", set_("crashes", to=value), "crashes"
    yield "drive is no record", set_("drives", 0, to=7), "not a record"
    yield "other file", set_("format", to="racer run"), "another kind of file"
    yield "newer", set_("version", to=6), "update racer"
    yield "older", set_("version", to=2), "'version'"
    yield "penalty too long", set_("rules", "penalty_s", to=61.0), "'rules'"
    yield "penalty below 0", set_("rules", "penalty_s", to=-1), "'rules'"
    yield "no laps to drive", set_("rules", "laps", to=0), "'rules'"
    yield "another rule", set_("rules", "luck", to=1), "'rules'"
    yield "no time", set_("created", to="yesterday"), "'yesterday'"
    yield "seed true", set_("seed", to=True), "'seed'"
    yield "long name", set_("drives", 0, "driver", to="x" * 300), "'driver'"
    yield "escape", set_("drives", 0, "driver", to="\x1b[2J"), "'driver'"
    yield "sensors null", set_("drives", 0, "sensors", to=None), "'sensors'"
    yield "sensor of an escape", set_("drives", 0, "sensors", to=["\x1b[2J"]), "'sensors'"
    yield "sensors without end", set_("drives", 0, "sensors", to=["state"] * 11), "11 sensors"
    yield "no laps", set_("drives", 0, "laps", to=[]), "laps are not those"
    yield "lap is no record", set_("drives", 0, "laps", 0, to=7), "not a record"
    yield "lap without time", drop("drives", 0, "laps", 0, "time_s"), "'time_s'"
    yield "lap of infinite time", set_("drives", 0, "laps", 0, "time_s", to=1e999), "Infinity is not a JSON number"
    yield "huge integer", set_("drives", 0, "laps", 0, "time_s", to=10**3000), "'time_s'"
    yield "lap complete 1", set_("drives", 0, "laps", 0, "complete", to=1), "'complete'"
    yield "faster", set_("drives", 0, "laps", 0, "time_s", to=2.0), "lap 1 lasts 2.000 s"
    yield "negative", set_("drives", 0, "laps", 1, "time_s", to=-1.0), "lap 2 lasts -1.000 s"
    yield "late", set_("drives", 0, "laps", 0, "start_s", to=3.0), "lap 1 lasts"
    yield "numbered from 2", set_("drives", 0, "laps", 0, "index", to=2), "laps are not those"
    yield "one lap fewer", drop("drives", 0, "laps", 1), "laps are not those"
    yield "given up", set_("drives", 0, "laps", 0, "complete", to=False), "lap 2 does not begin as lap 1 ended"
    yield "car of another racer", set_("car", "wings", to=2.0), "car is described in another way"
    yield "car without grip", drop("car", "grip"), "car is described in another way"
    yield "car with grip as text", set_("car", "grip", to="much"), "'grip'"
    yield "car divides by nothing", set_("car", "speed_lag", to=0.0), "speed_lag is 0"
    yield "car of a giant", set_("car", "front_point", to=1e9), "front_point is 1e+09"
    yield "track without digest", drop("track", "digest"), "'digest'"
    yield "track renamed to an escape", set_("track", "name", to="\x1b[2J"), "'name'"
    yield "track other way", set_("track", "reversed", to="no"), "'reversed'"
    yield "track metadata of numbers", set_("track", "metadata", to={"title": 3}), "'title'"


@pytest.mark.parametrize(("edit", "word"), [pytest.param(e, w, id=i) for i, e, w in edits()])
def test_headers_that_lie(tmp_path, parts, edit, word):
    header, arrays = parts
    edit(header)
    refused(put_together(tmp_path / "lie.replay", header, arrays), word)


@pytest.mark.parametrize(
    ("header", "word"),
    [
        ("", "not JSON"),
        ("[1, 2]", "not a record"),
        ('{"seed": NaN}', "NaN"),
        ("[" * 100_000, "not JSON"),
        ('{"a": ' + "9" * 5000 + "}", "not JSON"),
        (" " * 300_000, "longer than 256 KiB"),
    ],
)
def test_headers_that_are_none(tmp_path, parts, header, word):
    refused(put_together(tmp_path / "broken.replay", header, parts[1]), word)


def test_steps_that_contradict_themselves(tmp_path, parts):
    header, arrays = parts
    path = tmp_path / "steps.replay"
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
    refused(put_together(tmp_path / "track.replay", header, moved), "track was changed")
    swapped = {**arrays, "track.outer": arrays["track.inner"], "track.inner": arrays["track.outer"]}
    refused(put_together(tmp_path / "track.replay", header, swapped), "cannot be driven")


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
    path = tmp_path_factory.mktemp("fuzz") / "drive.replay"
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
    survives(path.with_name("flipped.replay"), bytes(content[: len(content) - end % 50 if end % 2 else None]) + tail)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_flipped_bytes_in_the_headers(specimen, data):
    path, whole = specimen
    content = bytearray(whole)
    reach = 8 + int.from_bytes(whole[:8], "little")
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, reach - 1))
        content[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    survives(path.with_name("edited.replay"), bytes(content))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("part", ["rules", "traffic"])
def test_names_that_clear_the_screen_are_not_printed(specimen, part):
    path, _ = specimen
    header, arrays = taken_apart(path)
    header[part] = {**(header[part] or {}), "start": {"\x1b[2J": None}, "grid": {"\x1b[2J": None}}
    written = put_together(path.with_name("made.replay"), header, arrays)
    with pytest.raises(ReplayError) as refused:
        load_replay(written)
    assert "2J" in str(refused.value) and str(refused.value).isprintable()


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
    survives(path.with_name("header.replay"), put_together(path.with_name("made.replay"), header, arrays).read_bytes())
