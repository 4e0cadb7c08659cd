"""Track files that are broken, absurd or hostile: one clear message each, and soon."""

import math
import os
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from roads import route, stadium, write_csv

from racer.errors import RacerError, TrackError
from racer.track import import_track, load_track, track_from_arrays, track_summary
from racer.track.files import npy_bytes

ROWS = len(stadium())


def message_of(path, expected=TrackError):
    with pytest.raises(expected) as refused:
        load_track(path)
    text = str(refused.value)
    assert path.name in text, "the message names the file"
    assert len(text) < 400, text
    return text


def edited(tmp_path, change, rows=None):
    """A good CSV whose lines were changed."""
    path = write_csv(tmp_path / "broken.csv", stadium() if rows is None else rows)
    lines = path.read_text().splitlines()
    change(lines)
    path.write_text("\n".join(lines) + "\n")
    return path


def put(line, text):
    def change(lines):
        lines[line - 1] = text

    return change


CELLS = {
    "nan": ("1.0, nan, 0.4, 0.4", "line 12: y_m is nan"),
    "inf": ("1.0, 0.0, inf, 0.4", "line 12: w_tr_right_m is inf"),
    "text": ("1.0, 0.0, 0.4, wide", "line 12: w_tr_left_m is 'wide', not a number"),
    "three columns": ("1.0, 0.0, 0.4", "line 12: 3 columns"),
    "five columns": ("1, 0, 0.4, 0.4, 7", "line 12: 5 columns"),
    "empty cell": ("1.0,, 0.4, 0.4", "line 12: y_m is '', not a number"),
    "spaces for commas": ("1.0 0.0 0.4 0.4", "line 12: 1 columns"),
    "no width": ("2.55, 0.0, 0.4, 0.0", "line 12: w_tr_left_m is 0"),
    "negative width": ("2.55, 0.0, -0.4, 0.4", "line 12: w_tr_right_m is -0.4"),
    "far away": ("1e300, 0.0, 0.4, 0.4", "line 12"),
    "wide": ("2.55, 0.0, 4.0, 4.0", "line 12: the road is 8 m wide"),
    "spike": ("2.6, 2.0, 0.4, 0.4", "line 1"),
    "very long": ("9" * 5000, "line 12: 1 columns"),
    "long number": ("9" * 400 + ", 0, 0.4, 0.4", "line 12"),
}


@pytest.mark.parametrize("case", CELLS)
def test_a_bad_row_is_named(tmp_path, case):
    text, expected = CELLS[case]
    assert expected in message_of(edited(tmp_path, put(12, text)))


def test_a_repeated_row_is_named_by_its_line(tmp_path):
    path = edited(tmp_path, lambda lines: lines.insert(12, lines[11]))
    assert "line 13: the point" in message_of(path)


def test_comments_and_empty_lines_count_as_lines(tmp_path):
    def change(lines):
        lines[11] = "oops"
        lines[5:5] = ["", "# a remark"]

    assert "line 14: 1 columns" in message_of(edited(tmp_path, change))


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_file_cut_short_at_a_line_is_not_closed(tmp_path, kept):
    rows = stadium()
    path = write_csv(tmp_path / "cut.csv", rows[: int(kept * len(rows))])
    assert "is the file cut short?" in message_of(path)


def test_a_file_cut_short_within_a_line_says_which(tmp_path):
    path = write_csv(tmp_path / "cut.csv", stadium())
    text = path.read_text()
    path.write_text(text[: text.rindex(",") - 4])
    assert f"line {ROWS}: 3 columns" in message_of(path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty"),
        (b"\n\n# title: nothing\n", "is empty"),
        (b"1, 2, 0.4, 0.4\n", "rows"),
        (b"1, 2, 0.4, 0.4\n" * 30, "repeats the one before"),
        (b"0, 0, 1, 1\n0, 1, 1, 1\n1, 1, 1, 1\n", "has 4 rows"),
        (bytes(range(256)), "not text"),
        ("x, y\nκ, ψ\n".encode("utf-16"), "not text"),
        (b"\x00" * 1000, "1 columns"),
        (b"<html><body>Not Found</body></html>", "line 1: 1 columns"),
    ],
    ids=["empty", "comments", "one row", "one point", "three rows", "bytes", "utf-16", "zeros", "html"],
)
def test_what_is_no_table_is_said_to_be_none(tmp_path, content, expected):
    path = tmp_path / "broken.csv"
    path.write_bytes(content)
    assert expected in message_of(path)


@pytest.mark.parametrize("name", ["missing.csv", "missing.npy", "missing"])
def test_missing_files(tmp_path, name):
    message_of(tmp_path / name, RacerError)


def test_folders_pipes_and_other_suffixes(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    message_of(tmp_path / "folder.csv", RacerError)
    os.mkfifo(tmp_path / "pipe.csv")
    message_of(tmp_path / "pipe.csv", RacerError)
    (tmp_path / "track.txt").write_text("1, 2, 3, 4\n")
    assert ".csv and .npy" in message_of(tmp_path / "track.txt")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read anything")
def test_unreadable_files(tmp_path):
    path = write_csv(tmp_path / "secret.csv", stadium())
    path.chmod(0)
    message_of(path, RacerError)


# --- shapes that no car could drive ---


def eight(rows=200):
    angle = np.linspace(0.0, 2.0 * np.pi, rows + 1)[:-1]
    return np.stack([5.0 * np.sin(angle), 2.5 * np.sin(2.0 * angle)], axis=1)


def hairpin(neck):
    """Two parallel straights `neck` m apart, joined by tight half circles."""
    radius = neck / 2.0
    angle = np.linspace(-np.pi / 2, np.pi / 2, 20)[:-1]
    bend = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x = np.linspace(0.0, 4.0, 40)[:-1]
    bottom, top = np.stack([x, 0 * x], axis=1), np.stack([4.0 - x, 0 * x + neck], axis=1)
    return np.vstack([bottom, bend + np.array([4.0, radius]), top, -bend + np.array([0.0, radius])])


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (eight(), "crosses itself"),
        (hairpin(0.7), "border folds"),
        (stadium() * 0.02, "long"),
        (stadium() * 500.0, "long"),
        (stadium() + 1e6, "km away"),
        (stadium() * 1e200, "km away"),
        (np.repeat([[0.0, 0.0], [6.0, 0.0], [6.0, 5.0], [0.0, 5.0]], 3, axis=0), "repeats"),
        (stadium()[::25], None),
    ],
    ids=["eight", "hairpin", "tiny", "huge", "far", "absurd", "repeated", "coarse but sound"],
)
def test_impossible_roads(tmp_path, rows, expected):
    path = write_csv(tmp_path / "odd.csv", rows)
    if expected is None:
        load_track(path)
    else:
        assert expected in message_of(path)


@pytest.mark.parametrize("width", [0.05, 8.0])
def test_implausible_widths_are_named(tmp_path, width):
    path = write_csv(tmp_path / "odd.csv", stadium() * 4.0, right=width, left=width)
    assert f"line 1: the road is {2.0 * width:g} m wide" in message_of(path)


def test_two_stretches_that_overlap(tmp_path):
    """A U whose arms' roads overlap: each bend alone is sound."""
    angle = np.linspace(0.0, 2.0 * np.pi, 400)[:-1]
    reach = 4.0 - 2.9 * np.exp(-((np.remainder(angle, 2 * np.pi) - np.pi) ** 2) / 0.02)
    rows = np.stack([reach * np.cos(angle), reach * np.sin(angle)], axis=1)
    text = message_of(write_csv(tmp_path / "overlap.csv", rows, 0.45, 0.45))
    assert "line " in text


def swapped(table):
    table[:, [2, 3, 4, 5]] = table[:, [4, 5, 2, 3]]


def one_side(table):
    table[:, 2:4] = table[:, :2] + 1.2 * (table[:, 4:6] - table[:, :2])


def nan_in_border(table):
    table[17, 4] = np.nan


def open_border(table):
    table[-1, 2] += 0.3


def no_border(table):
    table[:, 2:4] = table[:, :2]


def point_border(table):
    table[:, 2:4] = table[0, 2:4]


def far_border(table):
    table[30, 5] = -1e300


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (swapped, "swapped"),
        (one_side, "row "),
        (nan_in_border, "row 17 (from 0): the outer border"),
        (open_border, "the inner border is an open line"),
        (no_border, "row "),
        (point_border, "row "),
        (far_border, "row 30 (from 0): the outer border"),
    ],
)
def test_borders_that_are_none(tmp_path, change, expected):
    table = route()
    change(table)
    np.save(tmp_path / "odd.npy", table)
    assert expected in message_of(tmp_path / "odd.npy")


# --- .npy ---


def saved(tmp_path, array, **options):
    np.save(tmp_path / "odd.npy", array, **options)
    return tmp_path / "odd.npy"


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.zeros((0, 6)), "rows"),
        (np.zeros((1, 6)), "rows"),
        (np.zeros((50, 6)), "long"),
        (np.zeros((50, 5)), "shape (50, 5)"),
        (np.zeros(50), "shape (50,)"),
        (np.zeros((5, 6, 2)), "shape (5, 6, 2)"),
        (np.zeros((20_000, 6)), "rows"),
        (np.array([["a"] * 6] * 9), "values of type"),
        (np.zeros((9, 6), dtype=complex), "values of type"),
        (np.zeros((9, 6), dtype=bool), "values of type"),
        (np.zeros(9, dtype=[("x", float)]), "values of type"),
        (np.zeros((9, 6), dtype="datetime64[s]"), "values of type"),
        (np.full((9, 6), np.nan), "finite"),
    ],
)
def test_arrays_that_are_no_routes(tmp_path, array, expected):
    assert expected in message_of(saved(tmp_path, array))


def test_a_pickle_is_never_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    path = saved(tmp_path, np.array([[Trap()] * 6] * 9, dtype=object), allow_pickle=True)
    assert "pickled" in message_of(path)
    path.write_bytes(pickle.dumps(Trap()))
    message_of(path)
    assert not (tmp_path / "sprung").exists()


def test_a_route_cut_short_or_boasting(tmp_path):
    path = saved(tmp_path, route())
    data = path.read_bytes()
    for size in (0, 5, 64, 127, 128, 200, len(data) - 1):
        path.write_bytes(data[:size])
        message_of(path)
    path.write_bytes(data.replace(str(len(route())).encode() + b", 6", b"99999999999, 6", 1))
    message_of(path)


def test_a_huge_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(200 * 2**20)
    assert "too large" in message_of(path)


@pytest.mark.parametrize("shape", ["zigzag", "spiral", "walk"])
def test_the_most_tangled_lines_are_refused_soon(tmp_path, shape):
    rows = 4_900
    k = np.arange(rows)
    if shape == "zigzag":
        line = np.stack([k * 1e-4, 0.05 * (k % 2)], axis=1)
    elif shape == "spiral":
        line = (2.0 + k[:, None] * 1e-5) * np.stack([np.cos(k * 0.05), np.sin(k * 0.05)], axis=1)
    else:
        line = np.cumsum(np.random.default_rng(0).normal(size=(rows, 2)) * 0.04, axis=0)
    ring = np.vstack([line, line[:1]])
    np.save(tmp_path / "tangle.npy", np.hstack([ring, ring * 0.8, ring * 1.2]))
    message_of(tmp_path / "tangle.npy")
    message_of(write_csv(tmp_path / "tangle.csv", line))


def test_lists_of_anything_are_refused(tmp_path):
    good = route()
    for bad in (None, "x", [[1, 2], [3]], [[1, 2, 3]] * 9, {"a": 1}, np.zeros((9, 2), dtype=complex)):
        with pytest.raises(TrackError, match="odd"):
            track_from_arrays("odd", bad, good[:, 2:4], good[:, 4:6])


# --- what we did not think of ---

quiet = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def load_or_refuse(path):
    try:
        track = load_track(path)
    except RacerError as error:
        assert path.name in str(error)
        return
    assert math.isfinite(track.length + track.width)
    assert track_summary(track)["turns"] >= 0


@given(st.binary(max_size=400), st.sampled_from(["any.csv", "any.npy"]))
@quiet
def test_any_bytes(tmp_path, data, name):
    path = tmp_path / name
    path.write_bytes((b"\x93NUMPY\x01\x00" if name.endswith("npy") and len(data) % 2 else b"") + data)
    load_or_refuse(path)


@given(st.data())
@quiet
def test_any_damage_to_a_route(tmp_path, data):
    content = bytearray(npy_bytes(*np.hsplit(route()[::4], 3)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.npy"
    path.write_bytes(bytes(content))
    load_or_refuse(path)


number = st.floats(allow_nan=False, allow_infinity=False, width=64) | st.sampled_from([0.0, 1e308, -1e-308, 5e-324])


@given(st.data())
@quiet
def test_any_numbers_in_a_route(tmp_path, data):
    table = route()[::4].copy()
    table[-1] = table[0]
    for _ in range(data.draw(st.integers(1, 5))):
        table[data.draw(st.integers(0, len(table) - 1)), data.draw(st.integers(0, 5))] = data.draw(number)
    path = tmp_path / "odd.npy"
    np.save(path, table)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        load_or_refuse(path)


def test_numbers_whose_difference_overflows(tmp_path):
    table = route()[::4].copy()
    table[-1] = table[0]
    table[:2, 0] = 1e308, -8e307
    np.save(tmp_path / "odd.npy", table)
    with np.errstate(over="raise", invalid="raise"), pytest.raises(TrackError, match="km away"):
        load_track(tmp_path / "odd.npy")


@given(st.lists(st.tuples(number, number, number, number), min_size=1, max_size=30))
@quiet
def test_any_numbers_in_a_csv(tmp_path, rows):
    path = tmp_path / "odd.csv"
    path.write_text("\n".join(", ".join(map(repr, row)) for row in rows))
    load_or_refuse(path)


def test_import_refuses_what_load_refuses(tmp_path):
    path = write_csv(tmp_path / "eight.csv", eight())
    with pytest.raises(TrackError, match=r"eight\.csv"):
        import_track(path, tmp_path / "tracks")
    assert not (tmp_path / "tracks").exists(), "nothing is left behind"
