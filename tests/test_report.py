"""`racer report`: a training on one page, what it shows and what a real browser makes of it."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from drives import drive, ring
from pages import assert_alone, shown
from test_train import CLIMBER
from typer.testing import CliRunner

from racer.cli import app
from racer.deepracer.logs import TrainingLogs
from racer.errors import FileError, RunError
from racer.lab import report_page, save_report
from racer.lab.charts import Series, chart
from racer.lab.heat import picture_of
from racer.replay import load_replay, samples_of
from racer.training import RunConfig, open_run, read_metrics, start, train

REWARD = '''\
"""Pays for progress. </pre><script>alert(1)</script>"""


def reward_function(params):
    return params["progress"] + len("</script>")  # and for nothing else
'''


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A short training of a small recipe, with logs."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "climber.py").write_text(CLIMBER)
    (folder / "mine.py").write_text(REWARD)
    config = RunConfig("pebble", folder / "mine.py", folder / "climber.py", steps=9600)
    made = start(config, str(folder / "runs" / "<i>first"))
    train(made, [TrainingLogs(made.folder)])
    return made


@pytest.fixture(scope="module")
def page(run) -> str:
    return report_page(run)


def test_the_page_is_small_and_fetches_nothing(page):
    assert len(page.encode()) < 3_000_000
    assert_alone(page)
    assert "<i>first" not in page and "&lt;i&gt;first" in page
    assert "<script>alert" not in page and "alert(1)" in page


def test_it_tells_what_the_run_folder_holds(run, page):
    text = re.sub(r"<[^>]*>", "", page)
    replay = load_replay(run.replay)
    assert f"{replay.best_lap_s:.3f} s" in text and "9,600" in text and "seed 0, 9,600 steps" in text
    for lap in replay.laps:
        assert f"lap {lap.index}" in text and f"{lap.time_s:.3f}" in text
    assert "return params[" in text and "class Agent" in text, "both sources"
    evaluations = int(np.isfinite(read_metrics(run.folder)["eval/success_rate"]).sum())
    assert evaluations and page.count("completion in evaluations: ") == evaluations
    for kind in ("reward", "speed", "visits", "exits"):
        assert f"map of {kind}" in page
    assert "episodes of the training" in text and page.count("best model") >= 2


def test_without_logs_the_maps_are_of_the_best_laps(run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(run.folder, copy)
    shutil.rmtree(copy / "training-simtrace")
    assert "3 laps of the best driver" in report_page(open_run(copy))
    (copy / "best.replay").unlink()
    assert 'data-player="' not in report_page(open_run(copy))
    (copy / "best.safetensors").unlink()
    with pytest.raises(RunError, match="no trained driver yet"):
        report_page(open_run(copy))


def test_nothing_is_overwritten_unasked(run, tmp_path):
    target = tmp_path / "a.html"
    target.write_text("mine")
    with pytest.raises(FileError, match="exists"):
        save_report(run, target)
    assert target.read_text() == "mine"
    save_report(run, target, overwrite=True)
    assert target.read_text().startswith("<!DOCTYPE html>")


def test_from_the_command_line(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["report", str(run.folder), "--out", "a.html"])
    assert done.exit_code == 0 and "kB" in done.stderr and Path("a.html").stat().st_size < 3_000_000
    done = CliRunner().invoke(app, ["report", "nobody"])
    assert done.exit_code == 1 and "there is no run 'nobody'" in done.stderr


def test_a_browser_plays_the_laps_without_a_complaint(page, browser, tmp_path):
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    dom, console = shown(browser, tmp_path / "page.html")
    assert console == "" and dom.count("<canvas") == 1 and "alert(1)</script>" not in dom
    assert len(re.findall(r'<span class="player-name">lap \d', dom)) == 3
    assert re.search(r'<span class="player-note">\d\.\d\d m/s', dom), "the player has drawn its first frame"


# The pictures in it


def test_a_curve_stands_where_its_values_are():
    steps = np.array([0.0, 500.0, 1000.0])
    rising = Series("rising", "c1", steps, np.array([0.0, np.nan, 100.0]), " %", dots=True)
    picture = chart([rising, Series("unknown", "c2", steps, np.full(3, np.nan))], left=(0.0, 100.0), best=500.0)
    (path,) = re.findall(r'<path class="c1" d="M([^"]*)"', picture)
    (x0, y0, x1, y1) = map(float, path.split())
    best = float(re.search(r'class="best" x1="([\d.]+)"', picture).group(1))
    assert best == pytest.approx((x0 + x1) / 2) and y1 < y0
    assert "unknown" not in picture and picture.count("<circle") == 2
    assert "rising: 100 % after 1,000 steps" in picture
    assert chart([Series("unknown", "c2", steps, np.full(3, np.nan))]) == ""


def corners(picture: str) -> np.ndarray:
    """Of all coloured cells, (k, 4, 2) cm, y up."""
    cells = [
        cell for path in re.findall(r'd="((?:M[\d\s.-]+Z)+)" fill="#', picture) for cell in path.split("Z") if cell
    ]
    numbers = [list(map(float, cell[1:].split())) for cell in cells]
    return np.array([n for n in numbers if len(n) == 8]).reshape(-1, 4, 2) * (1.0, -1.0)


@pytest.mark.parametrize("kind", ["reward", "speed", "visits"])
def test_a_map_is_coloured_where_the_car_was(kind):
    replay = drive(ring(), laps=2)
    cells = corners(picture_of(replay.track, samples_of(replay.drives[0]), kind))
    assert len(cells)
    middles = cells.mean(axis=1)
    places = 100.0 * np.stack([replay.steps["x"], replay.steps["y"]], axis=1)
    far = np.array([np.hypot(*(places - middle).T).min() for middle in middles])
    assert far.max() < 15.0, "no cell without a car"
    near = np.array([np.hypot(*(middles - place).T).min() for place in places])
    assert near.max() < 15.0, "no car without a cell"
    assert len(cells) <= len(replay.steps)


def test_exits_are_where_the_car_left():
    replay = drive(ring(), laps=2, leave_in_lap=2)
    picture = picture_of(replay.track, samples_of(replay.drives[0]), "exits")
    (x, y) = map(float, re.search(r'<circle cx="(-?\d+)" cy="(-?\d+)"', picture).groups())
    off = replay.steps[replay.steps["off_track"]][0]
    assert np.hypot(x / 100.0 - off["x"], -y / 100.0 - off["y"]) < 0.6
    assert "1 left the road here" in picture
    assert "No car left the road" in picture_of(replay.track, samples_of(drive(ring(), laps=1).drives[0]), "exits")
