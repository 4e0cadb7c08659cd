"""Watching a training: clips of the cars as they learn, and the window that follows them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from drives import ring
from hypothesis import given, settings, strategies as st
from PIL import Image
from test_train import CLIMBER

from racer.env import TimeTrialVector
from racer.errors import FileError, RunError
from racer.racing import load_agent
from racer.sim import CARS
from racer.training import ClipWriter, Progress, RunConfig, start
from racer.viewer import CLIP, Clip, ClipFacts, load_clip, save_clip, save_clip_picture

DRIVER = "pure_pursuit"


def progress(steps=0, **more) -> Progress:
    return Progress(steps, 1.0, 0.5, 1.0, {"rollout/ep_rew_mean": 3.0}, None, None, False, **more)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return start(RunConfig("pebble", "progress", steps=10), "first")


def test_a_clip_is_what_the_cars_did(run):
    env = TimeTrialVector(4, run.track(), "progress")
    heard, seen = [], []
    env.step_callback = lambda *step: heard.append(len(step))
    writer = ClipWriter(run)
    writer.on_training_start(env, None)
    driver = load_agent(DRIVER).make(env)
    observations, _ = env.reset(seed=1)
    assert load_clip(run.folder) is None
    for step in range(75):
        observations, _, terminated, truncated, _ = env.step(driver.act(observations))
        ended = terminated | truncated
        seen.append((env.state.copy(), ended))
        if step % 8 == 0:
            writer.on_update(progress(step))
    writer.on_update(progress(4 * 75))
    clip = load_clip(run.folder)
    assert heard == [4] * 75, "who listened before still does"
    assert clip.poses.shape == (75, 4, 5) and clip.facts == ClipFacts(1, 300, 0.5, reward=3.0)
    for k, (state, ended) in enumerate(seen):
        assert (clip.ends[k] == ended).all()
        going = ~ended  # the others stand at their next start already
        for column, name in enumerate(("x", "y", "heading", "steering_angle", "speed")):
            np.testing.assert_allclose(clip.poses[k, going, column], state[name][going], rtol=1e-6, atol=1e-6)
    writer.on_training_end()
    last = load_clip(run.folder)
    assert last.facts.over and last.facts.number == 2 and (last.poses == clip.poses).all()
    assert (run.folder / CLIP).stat().st_size < 100_000


def clip_of(count=3, cars=2) -> Clip:
    poses = np.zeros((count, cars, 5), np.float32)
    poses[:, :, 0] = np.arange(count)[:, None] * 0.2 + 2.0
    return Clip(poses, np.zeros((count, cars), np.bool_), ClipFacts(1, 128, 0.25, 0.5, 7.5, 12.0))


@settings(max_examples=60)
@given(st.data())
def test_a_damaged_clip_is_refused_and_nothing_else_happens(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("clip")
    save_clip(clip_of(), folder)
    content = bytearray((folder / CLIP).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (folder / CLIP).write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    try:
        found = load_clip(folder)
    except RunError as wrong:
        assert CLIP in str(wrong)
    else:
        assert found.poses.shape[2] == 5 and np.isfinite(found.poses).all()


def test_a_picture_shows_the_cars_between_two_steps(tmp_path):
    track, car = ring(), CARS["deepracer"]
    save_clip(clip_of(), tmp_path)
    save_clip_picture(tmp_path, track, car, tmp_path / "a.png", (600, 400))
    with_cars = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).astype(int)
    assert with_cars.shape == (400, 600, 3)
    far = clip_of()
    far.poses[:, :, 0] = -2.0
    save_clip(far, tmp_path)
    save_clip_picture(tmp_path, track, car, tmp_path / "b.png", (600, 400))
    elsewhere = np.asarray(Image.open(tmp_path / "b.png").convert("RGB")).astype(int)
    changed = np.argwhere(np.abs(with_cars - elsewhere).sum(axis=2) > 60)
    assert changed[:, 1].min() < 300 < changed[:, 1].max(), "the cars moved from one side to the other"
    with pytest.raises(FileError, match="exists"):
        save_clip_picture(tmp_path, track, car, tmp_path / "a.png")
    with pytest.raises(FileError, match=r"\.png"):
        save_clip_picture(tmp_path, track, car, tmp_path / "a.gif")
    (tmp_path / CLIP).unlink()
    with pytest.raises(RunError, match="train --watch"):
        save_clip_picture(tmp_path, track, car, tmp_path / "c.png")


def racer(*words, folder, **env):
    command = [sys.executable, "-m", "racer", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, env=os.environ | env)
    return done.returncode, done.stderr


@pytest.mark.slow
def test_train_watch_opens_a_window_that_ends_with_the_training(tmp_path):
    (tmp_path / "climber.py").write_text(CLIMBER)
    words = ("train", "--track", "pebble", "--agent", "climber.py", "--name", "a", "--steps", "9600", "--watch")
    code, said = racer(*words, folder=tmp_path, SDL_VIDEODRIVER="dummy")
    assert code == 0 and "racer watch a --live" in said and "did not open" not in said
    assert load_clip(tmp_path / "runs" / "a").facts.over
    assert racer("watch", "a", "--live", folder=tmp_path, SDL_VIDEODRIVER="dummy")[0] == 0, "it shows the end, and ends"
    assert racer("watch", "a", "--live", "--record", "a.png", folder=tmp_path)[0] == 0
    assert Path(tmp_path / "a.png").is_file()


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a screen is always there")
def test_without_a_screen_the_training_goes_on(tmp_path):
    (tmp_path / "climber.py").write_text(CLIMBER)
    words = ("train", "--track", "pebble", "--agent", "climber.py", "--name", "a", "--steps", "640", "--watch")
    code, said = racer(*words, folder=tmp_path, DISPLAY="", WAYLAND_DISPLAY="", SDL_VIDEODRIVER="")
    assert code == 0 and "The window did not open" in said and "no screen" in said
