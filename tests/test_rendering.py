"""Pictures of the environments: the car is where it should be, and everything that films an environment films them."""

import os
import subprocess
import sys

import gymnasium as gym
import imageio_ffmpeg
import numpy as np
import pytest
from drives import ring
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import HumanRendering, RecordVideo
from stable_baselines3.common.vec_env import DummyVecEnv, VecVideoRecorder

from racer.env import ConcatVectorEnv, TimeTrial, TimeTrialVector
from racer.errors import RacerError
from racer.track import load_track
from racer.training.sb3 import VecTimeTrial

NAME = "racer/TimeTrial-v0"
BODY = np.array([56, 189, 248])  # the colour of the first car
SLOW = np.array([0.1, -0.9], dtype=np.float32)


@pytest.fixture
def screen(monkeypatch):
    """A screen that nobody sees."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


def painted(**more):
    env = gym.make(NAME, track="harbor", render_mode="rgb_array", **more)
    env.reset(seed=1)
    return env


def car_at(frame):
    """Where the first car's body is, px."""
    rows, columns = np.nonzero(np.abs(frame.astype(int) - BODY).sum(axis=2) < 40)
    assert len(rows) > 20, "there is no car in the picture"
    assert np.ptp(rows) < 40 and np.ptp(columns) < 40, "one car, in one place"
    return np.array([columns.mean(), rows.mean()])


@pytest.fixture(scope="module")
def camera():
    """Scale (px per m) and offset (px) of the pictures of harbor, found by looking at cars at known places."""
    env = TimeTrial("harbor", render_mode="rgb_array")
    places, pixels = [], []
    for seed in range(12):
        env.reset(seed=seed)
        places.append([float(env.state["x"]), float(env.state["y"])])
        pixels.append(car_at(env.render()))
    places, pixels = np.array(places), np.array(pixels)
    scale = np.ptp(pixels[:, 0]) / np.ptp(places[:, 0])
    offset = (pixels - places * [scale, -scale]).mean(axis=0)
    return scale, offset, places, pixels


def pixel(camera, points):
    scale, offset, *_ = camera
    return np.asarray(points) * [scale, -scale] + offset


def test_the_car_is_where_it_should_be_and_so_is_the_road(camera):
    *_, places, pixels = camera
    assert np.abs(pixel(camera, places) - pixels).max() < 3.0, "to scale, in one place, north up"
    frame, track = painted(start="line").render(), load_track("harbor")
    columns, rows = np.rint(pixel(camera, track.left)).astype(int).T
    border = np.stack([frame[rows + i, columns + j].max(axis=1) for i in range(-2, 3) for j in range(-2, 3)])
    assert (border.max(axis=0) > 200).mean() > 0.95, "the borders are drawn bright"
    columns, rows = np.rint(pixel(camera, 0.7 * track.center + 0.3 * track.left)).astype(int).T
    road = frame[rows, columns].astype(int)
    assert (np.abs(road - [46, 51, 60]).max(axis=1) < 12).mean() > 0.9, "and the road between them is grey"


def test_frames_change_with_the_drive_alone(camera):
    env = painted(start="line")
    first = env.render()
    assert first.shape == (500, 800, 3) and first.dtype == np.uint8
    np.testing.assert_array_equal(env.render(), first)
    for _ in range(10):
        env.step(SLOW)
        later = env.render()
    assert (later != first).any()
    state = env.unwrapped.state
    assert np.abs(car_at(later) - pixel(camera, [state["x"], state["y"]])).max() < 3.0
    env.reset(seed=1)
    np.testing.assert_array_equal(env.render(), first), "the line that it drove is gone with the episode"
    first[:] = 0
    assert env.render().any(), "a picture is its receiver's own"


def test_the_line_behind_the_car_is_what_it_drove(camera):
    env, driven = painted(start="line"), []
    for _ in range(40):
        driven.append([float(env.unwrapped.state[name]) for name in ("x", "y")])
        env.step(SLOW)
        frame = env.render()
    (columns, rows), state = np.rint(pixel(camera, driven[2:])).astype(int).T, env.unwrapped.state
    line = frame[rows, columns].astype(int)
    away = np.linalg.norm(np.array(driven[2:]) - [float(state["x"]), float(state["y"])], axis=1)
    violet = (line[:, 0] > 90) & (line[:, 1] < 90) & (line[:, 2] > 90)  # what slow looks like
    assert violet[away > 0.4].mean() > 0.9


@pytest.mark.parametrize("mode", [None, "rgb_array", "human"])
def test_every_mode_is_accepted_by_every_environment(mode, screen):
    assert TimeTrial.metadata["render_modes"] == TimeTrialVector.metadata["render_modes"] == ["human", "rgb_array"]
    assert TimeTrial.metadata["render_fps"] == TimeTrialVector.metadata["render_fps"] == 15
    parts = [TimeTrialVector(2, "harbor", render_mode=mode), TimeTrialVector(1, "pebble", render_mode=mode)]
    for env, shapes in (
        (gym.make(NAME, render_mode=mode), (500, 800, 3)),
        (gym.make_vec(NAME, num_envs=2, render_mode=mode), [(500, 800, 3)] * 2),
        (ConcatVectorEnv(parts), [(500, 800, 3)] * 3),
    ):
        assert env.render_mode == mode
        env.reset(seed=0)
        env.step(env.action_space.sample())
        frames = env.render()
        if mode != "rgb_array":
            assert frames is None
        else:
            assert frames.shape == shapes if isinstance(frames, np.ndarray) else [f.shape for f in frames] == shapes
        env.close()


@pytest.mark.parametrize("wrong", ["ansi", "rgb", 3, True])
def test_other_modes_are_refused(wrong):
    for make in (TimeTrial, TimeTrialVector):
        with pytest.raises(ValueError, match=r"render_mode is .*; it must be None, 'human' or 'rgb_array'"):
            make(render_mode=wrong)
    for env in (TimeTrial(render_mode="rgb_array"), TimeTrialVector(render_mode="rgb_array")):
        with pytest.raises(gym.error.ResetNeeded):
            env.render()


def test_a_car_in_a_batch_looks_as_it_does_alone():
    many = TimeTrialVector(3, "harbor", render_mode="rgb_array")
    many.reset(seed=5)
    alone = [TimeTrial("harbor", render_mode="rgb_array") for _ in range(3)]
    for i, env in enumerate(alone):
        env.reset(seed=5 + i)
    for _ in range(3):
        many.step(np.tile(SLOW, (3, 1)))
        for env, frame in zip(alone, many.render(), strict=True):
            env.step(SLOW)
            np.testing.assert_array_equal(env.render(), frame)


def test_one_picture_shows_all_cars(camera):
    many = TimeTrialVector(6, "harbor", render_mode="rgb_array")
    many.reset(seed=0)
    empty = pixel(camera, [0.0, 0.0])
    frame = many.render_together()
    assert frame.shape == (500, 800, 3) and empty.shape == (2,)
    state = many.state
    for x, y in zip(state["x"], state["y"], strict=True):
        column, row = np.rint(pixel(camera, [x, y])).astype(int)
        patch = frame[row - 3 : row + 4, column - 3 : column + 4].astype(int)
        assert np.ptp(patch, axis=2).max() > 60 or patch.max() > 200, "there is something colourful on the grey road"
    both = ConcatVectorEnv([many, TimeTrialVector(2, "pebble", render_mode="rgb_array")])
    both.reset(seed=0)
    tiles = both.render_together()
    assert tiles.shape == (500, 1600, 3)
    np.testing.assert_array_equal(tiles[:, :800], frame)
    assert (tiles[:, 800:] != frame).any()
    assert TimeTrialVector(2, "harbor").render_together() is None


def test_random_tracks_are_drawn_as_they_come():
    env = TimeTrial("random", render_mode="rgb_array")
    frames = []
    for _ in range(3):
        env.reset(seed=None if frames else 3)
        frames.append(env.render())
    assert (frames[0] != frames[1]).any() and (frames[1] != frames[2]).any()


def test_the_window_shows_the_same_picture(screen):
    import pygame

    env, painter = gym.make(NAME, track="harbor", render_mode="human", start="line"), painted(start="line")
    env.reset(seed=1)
    painter.render()
    for _ in range(3):
        env.step(SLOW)
        painter.step(SLOW)
        shown = pygame.surfarray.array3d(pygame.display.get_surface()).swapaxes(0, 1)
        np.testing.assert_array_equal(shown, painter.render())
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    env.step(SLOW)
    assert not pygame.display.get_init(), "who closes the window wants no other"
    env.step(SLOW)
    env.close()
    assert not pygame.display.get_init()


@pytest.mark.skipif(sys.platform != "linux", reason="Windows and macOS always have a screen")
def test_without_a_screen_the_message_says_what_to_do(monkeypatch):
    for name in ("SDL_VIDEODRIVER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RacerError, match=r'no screen.*render_mode="rgb_array"'):
        TimeTrial(render_mode="human").reset()


def test_gymnasiums_checker_renders_every_mode(screen, recwarn):
    check_env(gym.make(NAME, track="harbor").unwrapped)
    assert [str(one.message) for one in recwarn if "gymnasium" in str(one.message).lower()] == []


def frames_of(path):
    reader = imageio_ffmpeg.read_frames(str(path))
    width, height = next(reader)["size"]
    return [np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in reader]


def test_record_video_films_an_episode(tmp_path):
    pytest.importorskip("moviepy")
    env = RecordVideo(painted(start="line", max_episode_steps=12), str(tmp_path))
    env.reset(seed=1)
    seen = [env.render()]
    truncated = False
    while not truncated:
        _, _, _, truncated, _ = env.step(SLOW)
        seen.append(env.render())
    env.close()
    (film,) = tmp_path.glob("*.mp4")
    frames = frames_of(film)
    if imageio_ffmpeg.__version__.startswith("0.5."):  # its encoder leaves out the last one
        seen.pop()
    assert len(frames) == len(seen) >= 12
    for frame, picture in zip(frames, seen, strict=True):
        assert np.abs(frame.astype(int) - picture).mean() < 6.0, "but for the film's compression"


def test_stable_baselines_films_all_cars(tmp_path):
    pytest.importorskip("moviepy")
    for venv in (
        VecTimeTrial(TimeTrialVector(4, "harbor", render_mode="rgb_array")),
        DummyVecEnv([lambda: TimeTrial("harbor", render_mode="rgb_array")]),
    ):
        folder = tmp_path / type(venv).__name__
        recorder = VecVideoRecorder(venv, str(folder), lambda step: step == 0, video_length=5)
        recorder.reset()
        for _ in range(6):
            recorder.step(np.tile(SLOW, (venv.num_envs, 1)))
        recorder.close()
        (film,) = folder.glob("*.mp4")
        frames = frames_of(film)
        assert len(frames) >= 5 and frames[0].shape == (500, 800, 3) and (frames[0] != frames[-1]).any()


def test_human_rendering_and_collections_of_frames(screen):
    window = HumanRendering(painted())
    window.reset(seed=0)
    window.step(SLOW)
    window.close()
    env = gym.make(NAME, track=ring(), render_mode="rgb_array_list")
    env.reset(seed=0)
    for _ in range(4):
        env.step(SLOW)
    assert len(env.render()) == 5


PLAY = """
import gymnasium, numpy, pygame
from gymnasium.utils.play import play

given = []

def callback(before, after, action, reward, terminated, truncated, info):
    given.append(numpy.asarray(action).tolist())
    if len(given) == 3:
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_w))
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_a))
    if len(given) == 8:
        pygame.event.post(pygame.event.Event(pygame.QUIT))

from racer.sim import DiscreteActions
actions = {actions}
env = gymnasium.make("racer:racer/TimeTrial-v0", track="harbor", render_mode="rgb_array", actions=actions)
play(env, callback=callback, fps=1000, seed=1, noop={noop})
print(given[0], given[-1])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("actions", "noop", "printed"),
    [
        ("DiscreteActions(((-30, 1), (0, 1), (15, 2)))", "1", "1 2"),
        ("__import__('racer').sim.DEFAULT", "numpy.array([0, -1], dtype='float32')", "[0.0, -1.0] [0.6"),
    ],
    ids=["discrete", "continuous"],
)
def test_it_can_be_played(actions, noop, printed):
    script = PLAY.format(actions=actions, noop=noop)
    surroundings = os.environ | {"SDL_VIDEODRIVER": "dummy"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=surroundings)
    assert done.stdout.splitlines()[-1].startswith(printed), done.stderr
