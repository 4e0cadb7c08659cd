"""`racer tune`: ranges read from comments, a search that finds, gives up, stops and goes on, and the file it writes."""

import ast
import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from typer.testing import CliRunner

from racer.cli import app
from racer.errors import RunError
from racer.lab import (
    Budget,
    Event,
    Experiment,
    LabFolder,
    Outcome,
    Search,
    Source,
    Task,
    changed,
    ranges_of,
    score,
)
from racer.racing import load_agent
from racer.replay import mark_of
from racer.sim import CARS
from racer.track import load_track

pytest.importorskip("optuna", reason="Optuna is not installed: pip install 'racer[tune]'")

TEXT = '''"""Ä reward with constants."""

GRIP = 2.5  # of the tyres, m/s²; tune: 0.5 to 5.0
"""Ümlauts before it."""
POWER = 2; LANES = 3  # tune: 1 to 5
SIDE = "left"  # tune: one of "left", "right"
RATE = 1e-3  # tune: 1e-4 to 1e-2 log
OTHER = 7.0  # not marked


def reward_function(params):
    GRIP = 1.0
    return params["speed"] ** POWER
'''


def source(text: str, name: str = "r") -> Source:
    return Source(name, f"/somewhere/{name}.py", text)


def constants(text: str) -> dict[str, object]:
    """What a file's constants are when Python runs it."""
    found: dict[str, object] = {}
    exec(compile(text, "r.py", "exec"), found)
    return {name: value for name, value in found.items() if name.isupper()}


def test_ranges_are_read_from_comments() -> None:
    found = {one.name: one for one in ranges_of(source(TEXT), ["OTHER: 1.0 to 9.0"])}
    assert list(found) == ["GRIP", "LANES", "SIDE", "RATE", "OTHER"]
    assert (found["GRIP"].low, found["GRIP"].high, found["GRIP"].log) == (0.5, 5.0, False)
    assert found["LANES"].whole and (found["LANES"].low, found["LANES"].high) == (1, 5)
    assert found["SIDE"].choices == ("left", "right")
    assert found["RATE"].log and str(found["RATE"]) == "0.0001 to 0.01 log"
    assert ranges_of(source(TEXT), ["GRIP: 2.0 to 3.0"])[0].low == 2.0


def test_a_recipes_ranges_are_those_of_its_class() -> None:
    recipe = load_agent("ppo")
    found = ranges_of(Source(recipe.name, str(recipe.path), recipe.text), ["n_epochs: 3 to 10"])
    assert {"gamma", "learning_rate", "n_epochs"} <= {one.name for one in found}
    text = changed(Source(recipe.name, str(recipe.path), recipe.text), {"gamma": 0.5})
    assert "    gamma = 0.5  # a reward 50 steps" in text


NUMBERS = st.floats(-1e9, 1e9) | st.integers(-1000, 1000) | st.booleans() | st.text(max_size=20)


@given(st.dictionaries(st.sampled_from(["GRIP", "POWER", "LANES", "SIDE", "RATE", "OTHER"]), NUMBERS))
def test_a_changed_file_differs_in_the_values_alone(values: dict[str, object]) -> None:
    text = changed(source(TEXT), values)
    assert constants(text) == {**constants(TEXT), **values}
    same = changed(source(text), {name: constants(TEXT)[name] for name in values})
    assert ast.dump(ast.parse(same)) == ast.dump(ast.parse(TEXT))
    for old, new in zip(TEXT.splitlines(), text.splitlines(), strict=True):
        assert new.endswith(old[old.index("  # ") :] if "  # " in old else "")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("A = 1.0  # tune: 2.0 to 1.0", "the first number must be less"),
        ("A = 1.0  # tune: 0 to 2 log", "begins above 0"),
        ("A = 1.0  # tune: fast", "is no range"),
        ("A = 1.0  # tune: 0 to __import__('os')", "is no range"),
        ("A = 9.0  # tune: 0 to 2", "A is 9.0, which is not from 0 to 2"),
        ("A = 1  # tune: 0.5 to 2", "write 1.0 if it may be any number"),
        ("A = 'x'  # tune: 1 to 2", "no number"),
        ("A = 1  # tune: one of 2, 3", "which is none of 2, 3"),
        ("A = 1  # tune: one of 1", "no list of different values"),
        ("A = [1, 2]  # tune: 1 to 2", "belongs behind a constant"),
        ("# tune: 1 to 2", "belongs behind a constant"),
        ("def f():\n    A = 1  # tune: 0 to 2", "belongs behind a constant"),
    ],
)
def test_what_cannot_be_searched_over_names_its_line(line: str, said: str) -> None:
    with pytest.raises(RunError, match=r"/somewhere/r\.py, line [12]: ") as wrong:
        ranges_of(source(line))
    assert said in str(wrong.value)
    with pytest.raises(RunError, match="sets no constant 'B' to one value; those that it sets: A"):
        ranges_of(source("A = 1"), ["B: 1 to 2"])


def test_the_score_is_percent_of_the_mark_and_below_zero_without_laps(tmp_path: Path) -> None:
    task = asked().tasks[0]
    mark = mark_of(task.track, CARS["deepracer"])
    assert mark is not None and mark.best_lap_s is not None

    def outcome(completed: float, time: float | None) -> Outcome:
        return Outcome(task.name, completed, time, 1, 1.0, 1.0, 1.0)

    assert score(task, outcome(0.5, 2.0 * mark.best_lap_s)) == pytest.approx(50.0)
    assert score(task, outcome(0.75, None)) == -25.0
    assert score(task, outcome(0.0, None)) == -100.0


class Formula:
    """Workers whose trainings drive laps as a formula says: fastest with GRIP 2.0, and never with more than 4.5."""

    def __init__(self, size: int, stop_after: int = 10**9) -> None:
        self.size, self.done, self._stop_after = size, 0, stop_after
        self._tasks: list[Task] = []

    def submit(self, task: Task) -> None:
        assert len(self._tasks) < self.size
        self._tasks.append(task)

    def wait(self) -> list[Event]:
        if self.done >= self._stop_after:
            raise KeyboardInterrupt
        self.done += 1
        task = self._tasks.pop(0)
        grip = float(str(constants(task.reward.text)["GRIP"]))
        if grip > 4.5:
            return [Event(task, 0.3, problem="too much grip")]
        time = 7.0 + (grip - 2.0) ** 2 + 0.02 * ((task.seed * 7) % 5)
        return [Event(task, 1.0, Outcome(task.name, 1.0, time, 1, 1.0, 1.0, 1.0, replay=b"x"))]

    def __enter__(self) -> "Formula":
        return self

    def __exit__(self, *error: object) -> None:
        return


GRIP = 'GRIP = 3.5  # tune: 0.5 to 5.0\n\ndef reward_function(params):\n    return params["speed"] ** GRIP\n'


def asked(text: str = GRIP, seeds: int = 5) -> Experiment:
    recipe = load_agent("ppo")
    other = Source(recipe.name, str(recipe.path.absolute()), recipe.text)
    return Experiment((source(text),), other, (load_track("harbor"),), seeds, Budget(steps=1000))


def search(folder: Path, candidates: int, seed: int = 0, text: str = GRIP) -> Search:
    what = asked(text)
    return Search(what, ranges_of(what.rewards[0]), candidates, LabFolder(folder), seed)


@pytest.mark.parametrize("size", [1, 3])
def test_a_search_finds_what_is_best_and_gives_up_what_is_not(tmp_path: Path, size: int) -> None:
    looking, workers = search(tmp_path / "x", 30), Formula(size)
    list(looking.run(workers))
    tried = looking.tried
    assert len(tried) == 30 and looking.left == 0
    assert tried[0].values == {"GRIP": 3.5} and tried[0].state == "complete" and len(tried[0].scores) == 5
    best = looking.best
    assert best.values["GRIP"] == pytest.approx(2.0, abs=0.3)
    assert best.mean == max(one.mean for one in tried if one.state == "complete")
    assert constants(looking.text(best.values))["GRIP"] == best.values["GRIP"]
    given_up = [one for one in tried if one.state == "given up"]
    assert len(given_up) > 8 and all(len(one.scores) == 3 for one in given_up if one.values["GRIP"] > 4)
    assert workers.done < 30 * 5 - 15
    failed = [one for one in tried if one.state == "failed"]
    assert len(failed) == len(looking.problems)
    assert all(one.values["GRIP"] > 4.5 for one in failed)


@pytest.mark.parametrize("stop_after", [1, 7, 22])
def test_a_search_that_is_stopped_goes_on_and_does_nothing_twice(tmp_path: Path, stop_after: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        list(search(tmp_path / "x", 12).run(Formula(2, stop_after)))
    kept = set((tmp_path / "x/trainings").glob("*.json"))
    again, workers = search(tmp_path / "x", 12), Formula(2)
    list(again.run(workers))
    assert len(again.tried) == 12 and again.left == 0
    assert again.tried[0].values == {"GRIP": 3.5}
    problems = len([one for one in again.tried if one.state == "failed"])
    trained = set((tmp_path / "x/trainings").glob("*.json"))
    assert kept <= trained
    assert workers.done <= len(trained - kept) + problems
    more = search(tmp_path / "x", 14)
    list(more.run(Formula(2)))
    assert len(more.tried) == 14
    assert more.best.mean >= again.best.mean


def test_a_folder_belongs_to_one_search(tmp_path: Path) -> None:
    list(search(tmp_path / "x", 2).run(Formula(1)))
    with pytest.raises(RunError, match=r"holds the search .*GRIP 0.5 to 5.*choose another --name"):
        search(tmp_path / "x", 2, text=GRIP.replace("0.5 to", "0.7 to"))
    with pytest.raises(RunError, match=r"holds the search .*choose another --name"):
        search(tmp_path / "x", 2, text=GRIP.replace("** GRIP", "* GRIP"))
    what = dataclasses.replace(asked(), budget=Budget(steps=2000))
    with pytest.raises(RunError, match=r"1,000 steps on harbor .*2,000 steps on harbor"):
        Search(what, ranges_of(what.rewards[0]), 2, LabFolder(tmp_path / "x"))


def test_a_file_that_fails_with_its_own_values_ends_the_search(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"r\.py fails with its own values: too much grip"):
        list(search(tmp_path / "x", 5, text=GRIP.replace("3.5", "4.9")).run(Formula(1)))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def test_the_command_says_what_it_needs(here: Path) -> None:
    Path("plain.py").write_text("def reward_function(params):\n    return 1.0\n")
    done = CliRunner().invoke(app, ["tune", "plain.py"])
    assert done.exit_code == 1
    assert "plain.py does not say what to search over: mark constants" in done.stderr
    done = CliRunner().invoke(app, ["tune", "nothing_like_it"])
    assert done.exit_code == 1 and "nothing_like_it" in done.stderr
    done = CliRunner().invoke(app, ["tune", "plain.py", "--range", "X: 1 to 2", "--out", "plain.py"])
    assert done.exit_code == 1 and "plain.py exists already and is kept" in done.stderr
    done = CliRunner().invoke(app, ["tune", "plain.py", "--range", "X: 1 to 2", "--out", "plain.py", "--force"])
    assert done.exit_code == 1 and "exists already" not in done.stderr and "'X'" in done.stderr
    assert not Path("lab").exists()


@pytest.mark.slow
def test_the_command_searches_and_writes_a_new_file(here: Path) -> None:
    Path("r.py").write_text(GRIP)
    Path("r_tuned.py").write_text("mine")
    words = ["tune", "r.py", "--steps", "1", "--seeds", "1", "--candidates", "3", "--jobs", "1", "--name", "t"]
    done = subprocess.run([sys.executable, "-m", "racer", *words, "--json"], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert [one["number"] for one in found["candidates"]] == [0, 1, 2]
    assert Path("r.py").read_text() == GRIP
    assert Path("r_tuned.py").read_text() == "mine"
    if found["best"]["number"] == 0:
        assert found["written"] is None
    else:
        assert Path(found["written"]).name == "r_tuned_2.py"
        assert constants(Path(found["written"]).read_text())["GRIP"] == found["best"]["values"]["GRIP"]
    again = subprocess.run(
        [sys.executable, "-m", "racer", *words, "--json", "--resume"], capture_output=True, text=True, check=True
    )
    assert json.loads(again.stdout)["candidates"] == found["candidates"]
