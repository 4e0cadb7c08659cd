"""Laps in a browser: what the player is given, and what it makes of it in a real browser."""

import base64
import hashlib
import html
import json
import re

import numpy as np
import pytest
from drives import drive, otherwise, ring
from pages import shown

from racer.errors import LeaderboardError
from racer.leaderboard import add, save_page, standings
from racer.replay import STEP_S, PlayedLap, html_page, player_data

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</script><b>&amp;",
    "'; DROP TABLE x; --",
    "Zoë",
]


@pytest.fixture(scope="module")
def replay():
    return drive(ring(), laps=2)


@pytest.fixture(scope="module")
def page(replay, tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("page")
    db = folder / "board.sqlite"
    for number, name in enumerate([*HOSTILE, *(f"driver {k}" for k in range(8))]):
        add(
            otherwise(replay, number),
            name,
            db,
        )
    save_page(standings(db=db), folder / "page.html")
    with pytest.raises(LeaderboardError, match="exists already"):
        save_page(standings(db=db), folder / "page.html")
    return (folder / "page.html").read_text(encoding="utf-8")


def players(page: str) -> list[dict]:
    found = re.findall(r'<script type="application/json" id="player-\d+">(.*?)</script>', page)
    return [json.loads(text) for text in found]


def test_the_player_gets_each_step_in_centimetres(replay):
    data = player_data(replay.track, [PlayedLap("Ada", "note", replay, lap) for lap in replay.laps])
    assert np.abs(np.array(data["center"]) / 100.0 - replay.track.center).max() <= 0.0051
    for played, lap in zip(data["laps"], replay.laps, strict=True):
        steps = replay.steps[replay.steps["lap"] == lap.index]
        assert np.abs(np.array(played["x"]) / 100.0 - steps["x"]).max() <= 0.0051
        assert np.abs(np.array(played["speed"]) / 100.0 - steps["speed"]).max() <= 0.0051
        turn = np.array(played["heading"]) - np.degrees(steps["heading"])
        assert np.abs(turn).max() <= 0.51
        ends_ms = played["start"] + 1000.0 * STEP_S * (len(steps) - 1)
        assert 0 <= played["start"] < 1000.0 * STEP_S
        assert 0.0 <= 1000.0 * lap.time_s - ends_ms <= 1000.0 * STEP_S + 1.0


def test_the_page_is_small_and_fetches_nothing(page):
    assert len(page.encode()) < 1_000_000
    (data,) = players(page)
    assert len(data["laps"]) == 10
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', page).group(1)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    assert len(scripts) == 1, "no name has made one"
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy
    outside = re.sub(r"<td>.*?</td>|<script type=.*?</script>", "", page)
    assert not re.findall(r"(?:src|href|action)=|@import|url\(", outside)
    assert "http" not in page.replace('http-equiv="Content', "")


def test_names_are_only_text(page):
    rows = re.findall(r"<tr><td class=\"number\">\d+</td><td>(.*?)</td>", page)
    assert {html.unescape(row) for row in rows} >= set(HOSTILE) and len(rows) == len(HOSTILE) + 8
    assert not any("<" in row for row in rows)
    assert {lap["name"] for lap in players(page)[0]["laps"]} >= set(HOSTILE)


def test_a_browser_shows_it_without_a_complaint(page, browser, tmp_path):
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    dom, console = shown(browser, tmp_path / "page.html")
    assert console == ""
    names = re.findall(r'<span class="player-name">(.*?)</span>', dom)
    assert {html.unescape(name) for name in names} >= set(HOSTILE)
    assert len(names) == 10 and dom.count("<canvas") == 1 and "alert(1)</script>" not in dom


def test_it_plays_and_seeks(replay, browser, tmp_path):
    """A script of the test's own, which the page's policy would not let run, uses the controls as a hand would."""
    data = player_data(replay.track, [PlayedLap("Ada", "", replay, lap) for lap in replay.laps])
    page = html_page("Test", '<div data-player="player-0"></div>', [data])
    script = """<script>
        const seek = document.querySelector("input[type=range]"), clock = document.querySelector("output");
        const log = (name) => { document.body.dataset[name] = clock.textContent; };
        seek.value = 3000; seek.dispatchEvent(new Event("input")); log("sought");
        const key = (name) => document.querySelector("canvas").dispatchEvent(new KeyboardEvent("keydown", {key: name}));
        key("ArrowUp"); log("stepped");
        const play = document.querySelector("button");
        document.querySelector("select").value = 4;
        play.click();
        log("began");
        setInterval(() => { if (play.textContent === "Play") log("ended"); }, 50);
    </script></body>"""
    frames = "<script>requestAnimationFrame = (draw) => setTimeout(() => draw(performance.now()), 16);</script>"
    page = re.sub("<meta http-equiv.*?>", frames, page).replace("</body>", script)
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    dom, console = shown(browser, tmp_path / "page.html")
    assert console == ""
    told = dict(re.findall(r'data-(\w+)="([\w. ]+)"', re.search("<body.*?>", dom).group()))
    assert (told["sought"], told["stepped"], told["began"]) == ("3.000 s", "4.000 s", "4.000 s")
    slowest = max(lap["start"] + 1000.0 * STEP_S * (len(lap["x"]) - 1) for lap in data["laps"])
    assert float(told["ended"].split()[0]) == pytest.approx(slowest / 1000.0, abs=0.002)
    speeds = re.findall(r"(\d\.\d\d) m/s", dom)
    assert len(speeds) == 2 and all(1.8 < float(speed) < 2.2 for speed in speeds)
