"""`racer leaderboard` with boards: making and listing them, entering, other forms, what a teacher does."""

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from drives import altered, drive, otherwise, ring
from typer.testing import CliRunner, Result

from racer.cli import app
from racer.racing import Linear, Model, Network, NetworkInput, save_model
from racer.replay import save_replay
from racer.sim import DEFAULT
from racer.track import load_track, save_track

RUNNER = CliRunner()
RULES = """title = "Ring cup"
tracks = ["test-ring"]
[race]
laps = 3
[timing]
method = "total-time"
[resets]
most = 0
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """A club's folder: a track, rules, two replays and a model."""
    folder = tmp_path_factory.mktemp("club")
    (folder / "tracks").mkdir()
    save_track(ring(), folder / "tracks" / "test-ring.csv")
    (folder / "cup.toml").write_text(RULES)
    track = load_track(folder / "tracks" / "test-ring.csv")
    replay = drive(track, laps=3)
    for number, (name, one) in enumerate({"Ada": replay, "Grace": drive(track, laps=3, speed=2.3)}.items()):
        save_replay(altered(otherwise(one, number), driver=name), folder / f"{name}.replay")
    save_replay(altered(otherwise(replay, 7), driver="Ada"), folder / "again.replay")
    weight = np.zeros((2, 30), np.float32)
    weight[0, 15] = 1.1
    layer = Linear(weight=weight, bias=np.array([0.0, -0.6], np.float32), activation="none")
    network = Network((NetworkInput("state", (30,)),), (layer,), "clip")
    save_model(Model("Robo", "deepracer", ("state",), DEFAULT, network), folder / "robo.model")
    return folder


@pytest.fixture(autouse=True)
def folder(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(files)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("RACER_DB", str(tmp_path / "board.sqlite"))
    return tmp_path


def run(*arguments: str | Path, code: int = 0) -> Result:
    result = RUNNER.invoke(app, ["leaderboard", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, result.stderr
    return result


@pytest.fixture
def cup() -> list[dict]:
    """A board with entries of three drivers; its records."""
    run("create", "Ring cup", "--rules", "cup.toml", "--by", "Ms Frizzle")
    entered = run("submit", "Ada.replay", "Grace.replay", "robo.model", "--board", "Ring cup", "--team", "Blue")
    assert entered.stderr.count("Entered ") == 3 and "rank 1 of 3" in entered.stderr
    return json.loads(run("--board", "Ring cup", "--json").stdout)


def test_entries_rank_by_the_rules(cup):
    assert [(one["rank"], one["driver"], one["kind"]) for one in cup] == [
        (1, "Grace", "replay"),
        (2, "Ada", "replay"),
        (3, "Robo", "model"),
    ]
    assert {(one["board"], one["timing"], one["team"]) for one in cup} == {("Ring cup", "total-time", "Blue")}
    assert all(one["time_s"] == one["total_s"] > one["best_lap_s"] for one in cup)
    assert [one["gap_s"] for one in cup] == [pytest.approx(one["time_s"] - cup[0]["time_s"]) for one in cup]
    shown = run("--board", "#1").stdout
    assert "Ring cup: test-ring, car deepracer" in shown and "total time" in shown
    first = run("--first", "1", "--json").stdout
    assert [one["driver"] for one in json.loads(first)] == ["Grace"]


def test_other_forms(cup, folder):
    rows = list(csv.DictReader(io.StringIO(run("--csv").stdout)))
    assert [row["driver"] for row in rows] == ["Grace", "Ada", "Robo"]
    laps = list(csv.DictReader(io.StringIO(run("--csv", "--laps").stdout)))
    assert [(lap["driver"], lap["lap"]) for lap in laps][:3] == [("Ada", "1"), ("Ada", "2"), ("Ada", "3")]
    assert len(laps) == 9
    assert json.loads(run("--json", "--laps", "--track", "test-ring").stdout)[0]["driver"] == "Ada"
    markdown = run("--markdown").stdout
    assert markdown.startswith("## Ring cup") and "| 1 | Grace | Blue |" in markdown
    page = folder / "cup.html"
    run("--html", page)
    assert page.read_text(encoding="utf-8").count("data-player=") == 1
    assert "exists already" in run("--html", page, code=1).stderr
    run("--html", page, "--force")
    for wrong in (["--json", "--csv"], ["--teams", "--laps"], ["--laps", "--markdown"], ["--html", "x", "--json"]):
        assert run(*wrong, code=2).stdout == ""


def test_history_progress_and_teams(cup):
    run("submit", "again.replay", "--board", "Ring cup")
    history = json.loads(run("--driver", "Ada", "--json").stdout)
    assert len(history) == 2 and history[0]["to_best_before_s"] is None
    assert history[1]["to_best_before_s"] == pytest.approx(history[1]["time_s"] - history[0]["time_s"], abs=1e-6)
    progress = json.loads(run("--progress", "--json").stdout)
    assert [(one["driver"], one["tries"]) for one in progress if one["driver"] == "Ada"] == [("Ada", 2)]
    (team,) = json.loads(run("--teams", "--json").stdout)
    assert (team["team"], team["rank"], team["drivers"]) == ("Blue", 1, 3)
    for view in (["--driver", "Ada"], ["--progress"], ["--teams"], ["--laps"]):
        assert "Ring cup" in run(*view).stdout
    assert "no driver 'Nobody' is on these boards" in run("--driver", "Nobody", code=1).stderr


def test_what_is_refused_does_not_hinder_the_others(cup, folder):
    (folder / "bad.model").write_bytes(b"\x80\x04pickle")
    (folder / "bad.replay").write_bytes(b"PK\x03\x04")
    refused = run(
        "submit", "Ada.replay", folder / "bad.model", folder / "bad.replay", "again.replay", "--board", "#1", code=1
    )
    assert refused.stderr.count("Error: ") == 3 and refused.stderr.count("Entered ") == 1
    assert "no model of racer's" in refused.stderr and "on the board already, entered by Ada" in refused.stderr
    assert (
        "there is no board 'Rnig cup'. Did you mean 'Ring cup'"
        in run("submit", "Ada.replay", "--board", "Rnig cup", code=1).stderr
    )
    assert "name one with --board" in run("add", "robo.model", code=1).stderr


def test_a_teacher_cleans_up_and_the_log_tells(cup):
    (board,) = json.loads(run("boards", "--json").stdout)
    assert (board["name"], board["state"], board["rules"]["title"]) == ("Ring cup", "open", "Ring cup")
    assert "Ring cup" in run("boards").stdout
    run("remove", "Ring cup", "--driver", "Robo", "--by", "Ms Frizzle")
    assert [one["driver"] for one in json.loads(run("--json").stdout)] == ["Grace", "Ada"]
    run("remove", "--entry", str(cup[0]["entry"]))
    run("restore", "Ring cup", "--driver", "Grace")
    run("close", "Ring cup")
    assert "is closed" in run("submit", "again.replay", "--board", "Ring cup", code=1).stderr
    assert "(closed)" in run().stdout
    run("rename", "Ring cup", "Old cup")
    run("rename", "Ada", "Ada L", "--driver")
    run("remove", "Old cup")
    assert "Nobody is on the board" in run().stderr
    assert len(json.loads(run("boards", "--removed", "--json").stdout)) == 1
    run("restore", "Old cup")
    assert [one["driver"] for one in json.loads(run("--json").stdout)] == ["Grace", "Ada L"]
    log = json.loads(run("log", "--json").stdout)
    assert [one["action"] for one in log] == [
        *["create", "remove", "remove", "restore", "close", "rename", "rename", "remove", "restore"]
    ]
    assert [one["who"] for one in log][:2] == ["Ms Frizzle"] * 2 and all(one["who"] for one in log)
    assert "driver Robo on Ring cup" in run("log").stdout
    again = run("reverify", "--everything", "--board", "Old cup")
    assert "2 entries driven again: 2 hold, 0 do not" in again.stderr


def test_rules_that_make_no_board(folder):
    for rules, word in (("nothing", "nothing"), (folder / "wrong.toml", "wrong.toml")):
        (folder / "wrong.toml").write_text("laps = 3\n")
        assert word in run("create", "X", "--rules", rules, code=1).stderr
    run("create", "Open", "--rules", "league")
    assert "already" in run("create", "Open", "--rules", "league", code=1).stderr


def test_the_examples_of_the_page_run(tmp_path, monkeypatch):
    page = Path(__file__).parents[1] / "docs" / "leaderboard.md"
    if not page.is_file():
        pytest.skip("not a checkout")
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    names: dict = {}
    exec(compile(code, str(page), "exec"), names)
    assert names["entry"].driver == "Ada" and names["entry"].team == "Blue"
    assert (tmp_path / "night.html").stat().st_size < 1_000_000
