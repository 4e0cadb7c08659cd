"""What notebooks show: tracks, replays, runs, and `racer.show`."""

import builtins
import html
import re

import pytest
from drives import drive, ring
from pages import assert_alone, shown

import racer
from racer.errors import RacerError
from racer.replay import save_replay
from racer.training import RunConfig, start


@pytest.fixture(scope="module")
def replay():
    return drive(ring(), laps=2, leave_in_lap=2)


def framed(text: str) -> str:
    assert re.search(r'sandbox="allow-scripts"', text)
    return html.unescape(re.search(r'<iframe srcdoc="(.*?)"', text, flags=re.DOTALL).group(1))


def test_a_replay_shows_the_player_in_a_frame_of_its_own(replay, browser, tmp_path):
    page = framed(replay._repr_html_())
    assert_alone(page)
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    dom, console = shown(browser, tmp_path / "page.html")
    assert console == "" and dom.count("<canvas") == 1
    assert re.findall(r'<span class="player-name">(.*?)</span>', dom) == ["lap 1", "lap 2"]
    assert "not completed" in dom and "test driver on test-ring" in dom


def test_a_run_shows_its_laps_once_there_are_some(replay, tmp_path):
    run = start(RunConfig("pebble", "progress", steps=10), str(tmp_path / "runs" / "<b>x"))
    assert "no laps yet" in run._repr_html_() and "<b>x" not in run._repr_html_()
    save_replay(replay, run.replay)
    page = framed(run._repr_html_())
    assert "lap 1" in page and "&lt;b&gt;x" in page


def test_show_takes_replays_runs_and_their_names(replay, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_replay(replay, tmp_path / "a.replay")
    run = start(RunConfig("pebble", "progress", steps=10), "first")
    assert racer.show(replay) is replay and racer.show(run) is run
    assert racer.show("a.replay").digest == replay.digest and racer.show("first").folder == run.folder
    with pytest.raises(RacerError, match="'nobody' is no replay and no run"):
        racer.show("nobody")
    seen = []
    monkeypatch.setattr(builtins, "display", seen.append, raising=False)
    assert racer.show(replay) is None and seen == [replay]
