"""What the watcher sees of what the car sees: its camera's picture in a corner, its LIDAR's beams on the road."""

import dataclasses
import os

import numpy as np
import pytest

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
import pygame
from drives import drive
from typer.testing import CliRunner

from racer.cli import app
from racer.replay import save_replay
from racer.sensors import Camera, Lidar
from racer.track import load_track
from racer.viewer import Looks
from racer.viewer.scene import View
from racer.viewer.screen import BAD, Layout
from racer.viewer.sensors import EDGE, LABEL, SensorView
from racer.viewer.stage import Stage
from racer.viewer.window import handle

SIZE = (1280, 800)


@pytest.fixture(scope="module")
def replay():
    return drive("harbor", laps=1, speed=1.5, limit_s=6.0)


def drawn(stage, time_s, size=SIZE, **choices):
    """Pixels (width, height, 3) of an instant."""
    state = stage.playback()
    state.seek(time_s)
    for name, value in choices.items():
        setattr(state, name, value)
    surface = pygame.Surface(size, depth=32)
    stage.draw(surface, state)
    return pygame.surfarray.array3d(surface).astype(int)


def card_of(stage, size=SIZE):
    layout = Layout(*size)
    return SensorView(stage.track)._best_corner(layout, View.fit(stage.track, layout.area))


@pytest.mark.parametrize("size", [SIZE, (800, 500), (1920, 1200)])
def test_the_corner_shows_the_picture_of_this_instant(replay, size):
    stage = Stage([replay], Looks(camera=True))
    card, layout = card_of(stage, size), Layout(*size)
    left, top = card.left + layout.px(EDGE), card.top + layout.px(LABEL)
    width, height = card.width - 2 * layout.px(EDGE), card.height - layout.px(EDGE) - layout.px(LABEL)
    for time_s in (0.5, 3.0, 5.7):
        shown = drawn(stage, time_s, size)[left : left + width, top : top + height]
        assert (shown == shown[..., :1]).all()
        moment = stage.timelines[0].moment(time_s)
        wanted = Camera().look(stage.track, [(moment.x, moment.y, moment.heading)])[0, ..., 0].astype(float)
        rows = np.linspace(0, 119, 40).round().astype(int)
        columns = np.linspace(0, 159, 40).round().astype(int)
        there = shown[..., 0].T
        down = ((rows + 0.5) / 120 * height).astype(int)
        right = ((columns + 0.5) / 160 * width).astype(int)
        error = np.abs(there[np.ix_(down, right)] - wanted[np.ix_(rows, columns)])
        assert np.median(error) < 2.0 and error.mean() < 8.0


@pytest.mark.parametrize("follow", [False, True])
def test_beams_end_in_dots_on_the_borders(replay, follow):
    stage = Stage([replay])
    time_s = 3.0
    moment = stage.timelines[0].moment(time_s)
    state = stage.playback()
    state.seek(time_s)
    state.follow = follow
    view = stage.view(SIZE, state)
    pose = (moment.x, moment.y, moment.heading)
    lidar = Lidar()
    distances = lidar.measure(stage.track, [pose])[0]
    angles = lidar.angles[distances < 1.0] + moment.heading
    origin = np.array(pose[:2]) + 0.0291 * np.array([np.cos(pose[2]), np.sin(pose[2])])
    ends = origin + distances[distances < 1.0, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert len(ends) > 20
    picture = drawn(stage, time_s, follow=follow, sensors=True)
    plain = drawn(stage, time_s, follow=follow)
    for x, y in view.to_screen(ends).round().astype(int):
        near = picture[x - 1 : x + 2, y - 1 : y + 2].reshape(-1, 3)
        assert (np.abs(near - BAD).sum(axis=1) < 40).any()
        assert not (np.abs(plain[x - 1 : x + 2, y - 1 : y + 2].reshape(-1, 3) - BAD).sum(axis=1) < 40).any()


def test_v_shows_and_hides_what_the_car_sees(replay):
    stage = Stage([replay])
    state = stage.playback()
    assert not state.sensors and Stage([replay], Looks(camera=True)).playback().sensors
    before = drawn(stage, 2.0)
    event = pygame.event.Event(pygame.KEYDOWN, key=pygame.K_v, mod=0, unicode="v")
    for expected in (True, False):
        assert handle(event, state, SIZE)
        assert state.sensors is expected
    with_sensors = drawn(stage, 2.0, sensors=True)
    assert not np.array_equal(with_sensors, before)
    assert np.array_equal(drawn(stage, 2.0), before)


def with_sensors(replay, *sensors):
    return dataclasses.replace(replay, drives=(dataclasses.replace(replay.drives[0], sensors=sensors),))


@pytest.mark.parametrize("lenses", ["FRONT_FACING_CAMERA", "STEREO_CAMERAS"])
def test_the_picture_is_that_of_the_driver_s_own_camera(replay, lenses):
    stage, other = (
        Stage([with_sensors(replay, f"{lenses}:size=80x32:field_of_view={angle}:stack=2", "state")], Looks(camera=True))
        for angle in (90, 40)
    )
    card, moment = card_of(stage), stage.timelines[0].moment(3.0)
    seen = Camera(lenses, (80, 32), np.pi / 2.0).look(stage.track, [(moment.x, moment.y, moment.heading)])[0]
    wanted = np.concatenate(np.moveaxis(seen, -1, 0), axis=1).astype(float)
    room = Layout(*SIZE).px(LABEL), Layout(*SIZE).px(EDGE)
    area = drawn(stage, 3.0)[card.left + room[1] : card.right - room[1], card.top + room[0] : card.bottom - room[1]]
    height = round(area.shape[0] * wanted.shape[0] / wanted.shape[1])  # in the middle, as wide as there is room
    top = (area.shape[1] - height) // 2
    rows, columns = np.arange(2, wanted.shape[0] - 2), np.arange(2, wanted.shape[1] - 2)
    down = top + ((rows + 0.5) * height / wanted.shape[0]).astype(int)
    right = ((columns + 0.5) * area.shape[0] / wanted.shape[1]).astype(int)
    shown = area[..., 0].T[np.ix_(down, right)]
    assert np.median(np.abs(shown - wanted[np.ix_(rows, columns)])) < 4.0
    assert not np.array_equal(drawn(other, 3.0), drawn(stage, 3.0))


def test_nothing_is_shown_that_the_driver_did_not_have(replay):
    camera, lidar, short, neither, unknown, later = (
        drawn(Stage([with_sensors(replay, *sensors)], Looks(camera=True)), 3.0)
        for sensors in (["observation"], ["LIDAR"], ["LIDAR:clip_m=0.3"], ["state"], [], ["SONAR"])
    )
    card, plain = card_of(Stage([replay])), drawn(Stage([replay]), 3.0)
    inside = np.s_[card.left : card.right, card.top : card.bottom]

    def changed_outside(picture):
        different = (picture != plain).any(axis=2)
        different[inside] = False
        return different.sum()

    assert not np.array_equal(camera[inside], plain[inside]) and not changed_outside(camera)
    assert np.array_equal(lidar[inside], plain[inside]) and changed_outside(lidar) > changed_outside(short) > 0
    assert changed_outside(neither) == changed_outside(unknown) == changed_outside(lidar)
    assert not np.array_equal(neither[inside], unknown[inside])  # they say what they are
    assert np.array_equal(later, unknown)


@pytest.mark.parametrize("name", ["harbor", "odyssey", "whirlpool", "fjord", "thunder"])
@pytest.mark.parametrize("size", [SIZE, (800, 500), (480, 320)])
def test_the_picture_hides_next_to_nothing_of_the_road(name, size):
    track, layout = load_track(name), Layout(*size)
    whole = View.fit(track, layout.area)
    card = SensorView(track)._best_corner(layout, whole)
    assert pygame.Rect(0, 0, *size).contains(card)
    assert not card.colliderect(layout.bar)
    assert layout.side.contains(card) or not card.colliderect(layout.side)
    road = whole.to_screen(np.concatenate([track.inner, track.outer, track.center]))
    assert sum(card.collidepoint(*point) for point in road.tolist()) < 0.07 * len(road)


def test_the_command_line_records_it(tmp_path, replay):
    file = tmp_path / "a.replay"
    save_replay(replay, file)
    pictures = []
    for number, more in enumerate(([], ["--camera"])):
        target = tmp_path / f"{number}.png"
        done = CliRunner().invoke(app, ["watch", str(file), "--record", str(target), *more])
        assert done.exit_code == 0, done.output
        pictures.append(pygame.surfarray.array3d(pygame.image.load(target)))
    card = card_of(Stage([replay]))
    changed = (pictures[0] != pictures[1]).any(axis=2)
    assert changed[card.left : card.right, card.top : card.bottom].mean() > 0.8
