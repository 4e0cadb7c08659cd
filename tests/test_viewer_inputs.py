"""The viewer's table of params, and its heat maps."""

import os

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")

import numpy as np
import pygame
import pytest
from typer.testing import CliRunner

from racer.cli import app
from racer.env import TimeTrialVector
from racer.racing import drive, load_agent
from racer.replay import HEAT_COLORS, HEAT_MAPS, heat_map, samples_of, save_replay
from racer.reward import KEYS, keys_read
from racer.track import load_track
from racer.viewer import Looks
from racer.viewer.inputs import next_map, params_of_step
from racer.viewer.stage import Stage
from racer.viewer.window import handle

SIZE = (1280, 800)


@pytest.fixture(scope="module")
def raced():
    """Two laps, and the params that the reward function was given in each step."""
    told = []

    def reward(params):
        told.append(dict(params))
        return params["speed"]

    track = load_track("pebble")
    env = TimeTrialVector(1, track, None)
    replay = drive(load_agent("pure_pursuit").make(env), track, 2, reward_function=reward)
    return replay, told


def drawn(stage, time_s, **choices):
    state = stage.playback()
    state.seek(time_s)
    for name, value in choices.items():
        setattr(state, name, value)
    surface = pygame.Surface(SIZE, depth=32)
    stage.draw(surface, state)
    return pygame.surfarray.array3d(surface).astype(int)


def test_the_table_holds_what_the_reward_was_given(raced):
    replay, told = raced
    (timeline,) = Stage([replay]).timelines
    assert len(told) >= len(replay.steps)
    for row in range(0, len(replay.steps), 3):
        found, given = params_of_step(timeline, row), told[row]
        assert set(found) == set(KEYS)
        for key in KEYS:
            if "object" in key or key == "sim_time":
                continue
            if isinstance(given[key], float):
                assert found[key] == pytest.approx(given[key], abs=1e-3), (row, key)
            else:
                assert found[key] == given[key], (row, key)


def test_the_keys_that_a_source_reads_are_known_without_running_it():
    source = 'raise SystemExit\ndef reward_function(p):\n    return p["speed"] + p.get("x") + len("no key")'
    assert keys_read(source) == {"speed", "x"}
    assert keys_read("no python (") == frozenset()


def test_the_table_is_drawn_beside_the_instruments(raced):
    replay, _ = raced
    plain, with_table = drawn(Stage([replay]), 3.0), drawn(Stage([replay]), 3.0, params=True)
    changed = np.argwhere(np.abs(plain - with_table).sum(axis=2) > 30)
    left, right = changed[:, 0].min(), changed[:, 0].max()
    assert 250 < right - left < 290
    bright = drawn(Stage([replay], Looks(params=True, reads=frozenset({"speed"}))), 3.0)
    assert bright.sum() < drawn(Stage([replay], Looks(params=True)), 3.0).sum(), "what is not read is dimmer"


@pytest.mark.parametrize("kind", HEAT_MAPS)
def test_the_road_is_coloured_where_the_car_was(raced, kind):
    replay, _ = raced
    stage = Stage([replay])
    view = stage.view(SIZE, stage.playback())
    found = heat_map(replay.track, samples_of(replay.drives[0]), kind)
    picture = drawn(stage, 0.0, heat=kind)
    hits = 0
    for corners, level in zip(found.corners, found.levels, strict=True):
        x, y = view.to_screen(corners.mean(axis=0)).round().astype(int)
        color = [int(HEAT_COLORS[level][k : k + 2], 16) for k in (1, 3, 5)]
        hits += np.abs(picture[x, y] - color).sum() < 12
    assert hits > 0.8 * len(found.levels), "but for what the car and the lines hide"
    assert found.ends[0] <= found.ends[1]


def test_keys_change_map_and_table(raced):
    stage = Stage([raced[0]])
    state = stage.playback()

    def press(key, letter):
        handle(pygame.event.Event(pygame.KEYDOWN, key=key, mod=0, unicode=letter), state, SIZE)

    seen = []
    for _ in range(4):
        press(pygame.K_m, "m")
        seen.append(state.heat)
    assert seen == [*HEAT_MAPS, ""] and next_map("visits") == ""
    press(pygame.K_p, "p")
    assert state.params


def test_from_the_command_line(raced, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_replay(raced[0], tmp_path / "a.replay")
    for words, code in ((("--map", "reward", "--params"), 0), (("--map", "rewards"), 2)):
        done = CliRunner().invoke(app, ["watch", "a.replay", *words, "--record", f"{code}.png"])
        assert done.exit_code == code, done.output
    assert (tmp_path / "0.png").is_file()
