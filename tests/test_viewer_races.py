"""What `racer watch` shows of a race of several cars: who leads, how far the others are behind, who is out."""

import dataclasses

import numpy as np
import pygame
import pytest
from test_heats import Circler, heat

from racer.racing import heat_result
from racer.replay import STEP_S
from racer.sim import Bots, Boxes, Traffic, World
from racer.viewer import watch
from racer.viewer.playback import Timeline
from racer.viewer.running import RunningOrder
from racer.viewer.screen import BAD, Layout, car_colors
from racer.viewer.stage import Stage
from racer.viewer.things import BOT, CARDBOARD, boxes_around_car
from racer.viewer.window import handle

SIZE = (1280, 800)
NAMES = ["fast", "gives up", "leaves", "slow"]
FAST, GIVES_UP, LEAVES, SLOW = range(4)


@pytest.fixture(scope="module")
def race():
    """Four cars: a fast one, one that retires after 4 s, one that leaves the track once, and a slow one."""

    class Leaver(Circler):
        def act(self, observation):
            actions = super().act(observation)
            return np.array([[-1.0, 1.0]], np.float32) if 30 < self.calls < 50 else actions

    drivers = Circler(2.0), Circler(1.9, lambda: 1 / 0, 60), Leaver(1.6), Circler(1.45)
    return heat(*drivers, names=NAMES, penalty_s=3.0)


@pytest.fixture(scope="module")
def stage(race):
    return Stage([race.replay])


@pytest.fixture(scope="module")
def order(race):
    return RunningOrder([Timeline(one) for one in race.replay.alone], race=True)


def picture(stage, time_s, **chosen):
    surface = pygame.Surface(SIZE, depth=32)
    stage.draw(surface, dataclasses.replace(stage.playback(), time_s=time_s, **chosen))
    return surface


def near(picture, color, box, within=40):
    """How many pixels in a box are about of a colour."""
    pixels = pygame.surfarray.array3d(picture.subsurface(box)).astype(int)
    return int((np.abs(pixels - color).max(axis=2) < within).sum())


def test_the_order_at_the_end_is_the_result(race, order, stage):
    end_s = stage.playback().duration_s
    result = [placing.car for placing in heat_result(race.replay).placings]
    assert order.cars(end_s) == result
    standings = order.standings(end_s)
    for placing in race.placings:
        standing = standings[placing.car]
        assert standing.place == placing.position
        assert standing.state == {"running": "stopped"}.get(placing.end, placing.end)
        if placing.position > 1 and placing.gap_s is not None:
            assert standing.gap_s == pytest.approx(placing.gap_s, abs=1e-6)


def test_the_order_and_the_gaps_on_the_way(race, order):
    tracks = [drive.steps["distance"] for drive in race.replay.drives]
    for instant in (2.0, 3.0, 6.0, 9.0):
        row = round(instant * 15)
        going = [car for car in range(4) if row < len(tracks[car])]
        along = {car: tracks[car][row] for car in going}
        running = [car for car in order.cars(instant) if car in going]
        assert running == sorted(going, key=lambda car: -along[car])
        standings = order.standings(instant)
        assert standings[running[0]].gap_s is None
        for car in running[1:]:
            when = np.interp(along[car], np.maximum.accumulate(tracks[running[0]]), np.arange(len(tracks[running[0]])))
            assert standings[car].gap_s == pytest.approx(instant - when / 15.0, abs=0.08)


def test_states_on_the_way(race, order):
    held = np.flatnonzero(race.replay.drives[LEAVES].steps["held"])
    assert 40 <= len(held) <= 50, "it is held once, for 3 s"
    assert order.standings((held[0] + 5) / 15.0)[LEAVES].state == "held"
    assert order.standings((held[-1] + 5) / 15.0)[LEAVES].state == "going"
    assert [order.standings(instant)[GIVES_UP].state for instant in (3.5, 4.5)] == ["going", "retired"]
    finish_s = race.placings[0].time_s
    assert [order.standings(finish_s + late)[FAST].state for late in (-0.1, 0.1)] == ["going", "finished"]


def test_the_tower_lists_all_cars(stage):
    tower, colors = Layout(*SIZE, 4, True).tower, car_colors(4)
    shown = picture(stage, 3.0)
    assert all(near(shown, color, tower, 12) > 20 for color in colors)
    assert stage.listed(SIZE, stage.playback()) == [0, 1, 2, 3], "on the grid"
    held = picture(stage, 4.5)
    assert near(held, BAD, tower) > near(picture(stage, 1.0), BAD, tower) + 20, "the word penalty"


def test_penalties_are_marked_on_the_time_bar(stage, race):
    bar, layout = stage.layout(*SIZE).seek.inflate(0, 24), stage.layout(*SIZE)
    with_penalty, without = (picture(stage, 0.0, focus=focus) for focus in (LEAVES, FAST))
    marked = near(with_penalty, BAD, bar, 12)
    penalty_s = race.replay.drives[LEAVES].steps["held"].sum() / 15.0
    wide = penalty_s / stage.playback().duration_s * layout.seek.width
    assert marked == pytest.approx(3 * wide, rel=0.1) and near(without, BAD, bar, 12) == 0


def test_a_mark_takes_no_place(race, order):
    mark = dataclasses.replace(race.replay, drives=race.replay.drives[:1], crashes=())
    stage = Stage([race.replay], mark=mark)
    for instant in (3.0, 9.0, stage.playback().duration_s):
        state = dataclasses.replace(stage.playback(), time_s=instant)
        assert stage.listed(SIZE, state) == [*order.cars(instant), 4]
    assert stage.best_instant() == race.placings[0].time_s


def test_who_is_out_is_drawn_faintly(stage, race):
    last = race.replay.drives[GIVES_UP].steps[-1]
    middle = stage.view(SIZE, stage.playback()).to_screen((last["x"], last["y"])).astype(int)
    box = pygame.Rect(0, 0, 30, 30)
    box.center = middle.tolist()
    color = car_colors(4)[GIVES_UP]
    going, gone = (near(picture(stage, instant, focus=FAST), color, box, 30) for instant in (61 / 15.0, 4.9))
    assert going > 30 and gone < going / 3


@pytest.fixture(scope="module", params=["boxes", "bots"])
def crowd(request):
    """One driver who runs into the last thing of a row, and four of these that it never comes to."""
    traffic = Traffic(Boxes(4)) if request.param == "boxes" else Traffic(bots=Bots(4, 0.5))
    return heat(Circler(1.5), Circler(1.2), laps=1, traffic=traffic, grace_s=0.1).replay


def test_boxes_and_bot_cars_are_where_they_were(crowd):
    stage = Stage([crowd])
    view = stage.view(SIZE, stage.playback())
    color = BOT if crowd.traffic.bots else CARDBOARD
    for instant in (0.0, 3.0):
        shown = picture(stage, instant)
        row = min(round(instant / STEP_S), len(crowd.things) - 1)
        for x, y, _ in crowd.things[row].tolist():
            box = pygame.Rect(0, 0, round(0.5 * view.scale), round(0.5 * view.scale))
            box.center = view.to_screen((x, y)).astype(int).tolist()
            assert near(shown, color, box, 30) > 0.05 * box.width * box.height


def test_crashes_are_marked_on_the_time_bar(crowd):
    stage = Stage([crowd])
    seek, end_s = stage.layout(*SIZE).seek, stage.playback().duration_s
    assert {crash.car for crash in crowd.crashes} <= {0, 1} and crowd.crashes
    shown = [picture(stage, end_s, focus=car) for car in (0, 1)]
    for crash in crowd.crashes:
        x = round(seek.left + crash.step * STEP_S / end_s * seek.width)
        box = pygame.Rect(x - 6, seek.centery - 6, 12, 12)
        assert near(shown[crash.car], BAD, box, 12) > 30


def test_a_crash_flashes(crowd):
    crash, stage = crowd.crashes[0], Stage([crowd])
    steps = crowd.drives[crash.car].steps
    view = stage.view(SIZE, stage.playback())
    at = view.to_screen((steps["x"][crash.step + 1], steps["y"][crash.step + 1])).astype(int)
    box = pygame.Rect(0, 0, 120, 120)
    box.center = at.tolist()
    before, after = (
        near(picture(stage, (crash.step + late) * STEP_S, focus=crash.car), BAD, box, 60) for late in (-0.5, 2)
    )
    assert after > before + 60


def test_the_sensors_see_what_is_around(crowd):
    """The picture of the camera and the beams of the LIDAR are those of a world with the same boxes and cars."""
    stage = Stage([crowd])
    seen, row = [], 20
    for record in (crowd, dataclasses.replace(crowd, traffic=None)):
        other = Stage([record])
        seen.append(pygame.surfarray.array3d(picture(other, row * STEP_S, focus=1, sensors=True)).astype(int))
    assert (seen[0] != seen[1]).any(axis=2).sum() > 200
    moments = [timeline.moment(row * STEP_S) for timeline in stage.timelines]
    boxes = boxes_around_car(crowd, moments, [True, True], 1)
    world = World(crowd.track, 1, 2, rules=crowd.rules, traffic=crowd.traffic)
    world.seed(crowd.seed)
    world.reset()
    commands = np.stack([crowd.table()[:row][name] for name in ("steering_command_deg", "speed_command")], axis=-1)
    world.run(commands[:, None])
    expected = world.boxes()[0, 1]
    for name in boxes.dtype.names:
        np.testing.assert_allclose(boxes[name], expected[name], atol=1e-9)
    assert len(boxes_around_car(crowd, moments, [False, True], 1)) == len(boxes) - 1


def test_keys_choose_whom_to_follow(stage):
    state = stage.playback()
    for number in (3, 1, 4, 8):
        event = pygame.event.Event(pygame.KEYDOWN, key=pygame.K_0 + number, mod=0, unicode=str(number))
        handle(event, state, SIZE)
        assert state.focus == (number - 1 if number <= 4 else 3)
    layout = stage.layout(*SIZE)
    click = pygame.event.Event(pygame.MOUSEBUTTONDOWN, pos=layout.tower_row(1).center, button=1)
    handle(click, state, SIZE, stage.listed(SIZE, state))
    assert state.focus == stage.listed(SIZE, state)[1]


def test_a_race_is_recorded(race, tmp_path):
    watch([race.replay], tmp_path / "race.png", (640, 400))
    assert pygame.image.load(tmp_path / "race.png").get_size() == (640, 400)
