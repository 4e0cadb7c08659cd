"""What a name means, what a list shows, and that listing runs nothing."""

from pathlib import Path

import pytest
from hypothesis import example, given, strategies as st

from racer import shelf
from racer.errors import ShelfError

REWARD = '"""Pay for {}."""\n\n\ndef reward_function(params):\n    return 1.0\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with a `reward_functions/` shelf."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reward_functions").mkdir()
    return tmp_path


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def entry(name: str, shelf_name: str = "reward_functions") -> shelf.Entry:
    return next(each for each in shelf.entries(shelf_name) if each.name == name)


@pytest.mark.parametrize("name", list(shelf.SHELVES))
def test_every_shipped_entry_is_sound_and_says_what_it_is(name: str, folder: Path) -> None:
    found = shelf.entries(name)
    assert shelf.DEFAULTS[name] in [each.name for each in found]
    for each in found:
        assert each.origin == "racer"
        assert each.problem is None, f"{each.path}: {each.problem}"
        assert each.summary, f"{each.path} does not say what it is"
        assert shelf.resolve(name, each.name) == each.path
    assert shelf.names(name) == [each.name for each in found]


def test_a_checkout_lists_its_shelves_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shelf.shipped_folder("tracks").parent)
    names = [each.name for each in shelf.entries("tracks")]
    assert names == sorted(set(names))
    assert {each.origin for each in shelf.entries("tracks")} == {"racer"}


def test_the_nearest_file_wins_and_the_other_is_marked(folder: Path) -> None:
    default = shelf.DEFAULTS["reward_functions"]
    own = put(folder, f"reward_functions/{default}.py", REWARD.format("something else"))
    near, far = (each for each in shelf.entries("reward_functions") if each.name == default)
    assert (near.origin, near.shadowed, near.summary) == ("folder", False, "Pay for something else.")
    assert (far.origin, far.shadowed) == ("racer", True)
    assert shelf.resolve("reward_functions", default).resolve() == own
    assert shelf.names("reward_functions").count(default) == 1


def test_of_two_suffixes_the_first_wins(folder: Path) -> None:
    put(folder, "tracks/oval.npy", "")
    put(folder, "tracks/oval.csv", "# title: An oval\n1, 2, 3, 4\n")
    assert shelf.resolve("tracks", "oval") == Path("tracks/oval.csv")
    assert shelf.resolve("tracks", "oval.npy") == Path("tracks/oval.npy")
    assert [each.shadowed for each in shelf.entries("tracks") if each.name == "oval"] == [False, True]


def test_names_and_paths(folder: Path) -> None:
    put(folder, "reward_functions/mine.py", REWARD.format("speed"))
    put(folder, "elsewhere/other.py", REWARD.format("speed"))
    put(folder, "loose.py", REWARD.format("speed"))
    for given_name, found in [
        ("mine", "reward_functions/mine.py"),
        ("mine.py", "reward_functions/mine.py"),
        ("reward_functions/mine", "reward_functions/mine.py"),
        ("./elsewhere/other.py", "elsewhere/other.py"),
        (str(folder / "elsewhere" / "other.py"), str(folder / "elsewhere" / "other.py")),
        ("loose.py", "loose.py"),
        (Path("loose"), "loose.py"),
    ]:
        assert shelf.resolve("reward_functions", given_name) == Path(found)
    with pytest.raises(ShelfError, match="no reward function 'loose'"):
        shelf.resolve("reward_functions", "loose")


def test_home_is_understood(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    put(folder, "mine.py", REWARD.format("speed"))
    assert shelf.resolve("reward_functions", "~/mine.py") == folder / "mine.py"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mein", "no reward function 'mein'. Did you mean 'mine'"),
        ("Mine", "Did you mean 'mine'"),
        ("xyzzy", "no reward function 'xyzzy'. `racer list rewards` lists them"),
        ("elsewhere/othr.py", "no reward function file elsewhere/othr.py. Did you mean 'other'"),
        ("elsewhere", "elsewhere is a folder, not a reward function"),
        ("reward_functions", "is a folder, not a reward function"),
        ("", "no reward function was named"),
        (".", "is a folder"),
        ("n" * 5000, "no reward function"),
        ("a\0b", "no reward function"),
    ],
)
def test_an_unknown_name_says_what_may_have_been_meant(folder: Path, name: str, message: str) -> None:
    put(folder, "reward_functions/mine.py", REWARD.format("speed"))
    put(folder, "elsewhere/other.py", REWARD.format("speed"))
    with pytest.raises(ShelfError) as caught:
        shelf.resolve("reward_functions", name)
    assert message in str(caught.value)


def test_an_unknown_shelf() -> None:
    with pytest.raises(ShelfError, match=r"no shelf 'track'\. Did you mean 'tracks'"):
        shelf.entries("track")


@given(st.text(max_size=40))
@example("~nobody-of-that-name")
def test_any_text_is_a_file_or_one_clear_error(text: str) -> None:
    try:
        path = shelf.resolve("agents", text)
    except ShelfError as error:
        assert "racer list agents" in str(error)
    else:
        assert path.is_file()


def test_listing_runs_nothing(folder: Path) -> None:
    trap = "open('ran.txt', 'w').close()\n"
    put(folder, "reward_functions/trap.py", REWARD.format("nothing") + trap)
    put(folder, "agents/trap.py", trap + "class Agent: ...\n")
    assert entry("trap").problem is None
    assert entry("trap", "agents").problem is None
    assert not (folder / "ran.txt").exists()


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("def reward_function(params:\n  return 1\n", "line 1: '(' was never closed"),
        ("x = 1\n  y = 2\n", "line 2: unexpected indent"),
        (
            "def reward_fuction(params): return 1\n",
            "defines no reward_function(params). Did you mean 'reward_fuction'?",
        ),
        ("", "defines no reward_function(params)."),
        ("class C:\n  def reward_function(params): ...\n", "defines no reward_function(params)."),
        ("def reward_function(params): ...", None),
        ("reward_function = lambda params: 1.0", None),
        ("a, reward_function = 1, lambda params: 1.0", None),
        ("reward_function: object = max", None),
        ("from mine import other as reward_function", None),
        ("from mine import *", None),
        ("try:\n  import x\nexcept ImportError:\n  def reward_function(p): ...", None),
        ("if True:\n  pass\nelse:\n  def reward_function(p): ...", None),
        (r"def reward_function(params): return '\d'", None),
    ],
)
def test_problems_that_can_be_seen_without_running(folder: Path, source: str, problem: str | None) -> None:
    put(folder, "reward_functions/odd.py", source)
    assert entry("odd").problem == problem


CHOKING = {
    "null byte": "a\0b",
    "parentheses": "x = " + "(" * 5000 + ")" * 5000,
    "signs": "-" * 100_000 + "1",
    "digits": "x = " + "9" * 10_000,
}


@pytest.mark.parametrize("source", CHOKING.values(), ids=CHOKING)
def test_source_that_python_itself_chokes_on(folder: Path, source: str) -> None:
    put(folder, "reward_functions/odd.py", source)
    assert entry("odd").problem is not None


def test_agents_need_an_agent(folder: Path) -> None:
    put(folder, "agents/odd.py", "class Agnt: ...\n")
    assert entry("odd", "agents").problem == "defines no class Agent. Did you mean 'Agnt'?"


def test_summaries(folder: Path) -> None:
    put(folder, "reward_functions/mine.py", REWARD.format("speed"))
    put(folder, "tracks/titled.csv", "# licence: MIT\n# Title: My oval\n1, 2, 3, 4\n")
    put(folder, "tracks/tum.csv", "# x_m,y_m,w_tr_right_m,w_tr_left_m\n1, 2, 3, 4\n")
    put(folder, "tracks/bare.csv", "1, 2, 3, 4\n# title: too late\n")
    assert entry("mine").summary == "Pay for speed."
    assert entry("titled", "tracks").summary == "My oval"
    assert entry("tum", "tracks").summary == "x_m,y_m,w_tr_right_m,w_tr_left_m"
    assert entry("bare", "tracks").summary == ""


def test_hidden_private_and_foreign_files_are_no_entries(folder: Path) -> None:
    for name in (".mine.1234.tmp.py", "_shared.py", "notes.txt", "sub/inner.py"):
        put(folder, f"reward_functions/{name}", REWARD.format("speed"))
    assert {each.origin for each in shelf.entries("reward_functions")} <= {"racer"}


def test_a_track_that_is_no_text(folder: Path) -> None:
    (folder / "tracks").mkdir()
    (folder / "tracks" / "odd.csv").write_bytes(b"\xff\xfe")
    assert "not UTF-8" in (entry("odd", "tracks").problem or "")
