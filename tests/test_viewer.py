"""What `racer watch` shows, pixel by pixel, without a screen."""

import dataclasses
import subprocess
import sys
import time
from pathlib import Path
from threading import Timer

import numpy as np
import pygame
import pytest
from drives import altered
from PIL import Image

import racer.viewer
from racer.errors import FileError, RacerError, ReplayError
from racer.replay import STEP_DTYPE, STEP_S, Drive, Lap, Replay
from racer.sim import CARS
from racer.track import track_from_arrays
from racer.viewer import watch
from racer.viewer.film import LAST_S
from racer.viewer.ground import _clip
from racer.viewer.playback import SPEEDS, Playback, Timeline
from racer.viewer.scene import View, draw_car, draw_path
from racer.viewer.screen import BAD, GOOD, GROUND, ROAD, TYRE, WELL, Layout, SpeedScale, car_colors, clock
from racer.viewer.stage import GHOST_ALPHA, Stage
from racer.viewer.window import default_size, handle

RADIUS = 3.0  # m, of a round track, counter-clockwise from (3, 0)
SIZE = (800, 500)


def ring(radius, rows=361):
    angle = np.linspace(0.0, 2.0 * np.pi, rows)
    line = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    line[-1] = line[0]
    return line


ROUND = track_from_arrays("round", ring(RADIUS), ring(RADIUS - 0.5), ring(RADIUS + 0.5))


def driven(speed=2.0, laps=2, crash_s=None, driver="learner", slow=0.0, track=ROUND):
    """Drive in a circle; `slow` lets the speed swing by that much, `crash_s` ends the first lap."""
    length = track.length
    fine = np.arange(0.0, (laps + 1) * length / (speed - slow), 0.001)
    angle = 0.0
    distance = np.empty(len(fine))
    for row in range(len(fine)):
        distance[row] = angle * RADIUS
        angle += 0.001 * (speed + slow * np.cos(angle)) / RADIUS
    ends = np.interp(np.arange(1, laps + 1) * length, distance, fine)
    starts, runs, tries = 0.0, [], []
    if crash_s is not None:
        runs.append(np.arange(0.0, crash_s - 1e-9, STEP_S))
        tries.append(Lap(1, 0.0, crash_s, complete=False, off_track=True))
        starts, ends = crash_s, ends[:-1]
    runs.append(np.arange(0.0, ends[-1] - 1e-9, STEP_S))
    for end in ends:
        before = tries[-1].start_s + tries[-1].time_s if tries else 0.0
        tries.append(Lap(len(tries) + 1, before, starts + end - before, complete=True, off_track=False))
    steps = np.zeros(sum(map(len, runs)), STEP_DTYPE)
    steps["distance"] = np.concatenate([np.interp(run, fine, distance) for run in runs])
    angle = steps["distance"] / RADIUS
    steps["x"], steps["y"] = RADIUS * np.cos(angle), RADIUS * np.sin(angle)
    steps["heading"] = (angle + np.pi / 2 + np.pi) % (2 * np.pi) - np.pi
    steps["speed"] = steps["speed_command"] = speed + slow * np.cos(angle)
    steps["yaw_rate"] = steps["speed"] / RADIUS
    steps["steering_angle"], steps["steering_command_deg"] = 0.1, np.degrees(0.1)
    steps["reward"] = 1.0
    now = np.arange(len(steps)) * STEP_S
    steps["lap"] = 1 + np.searchsorted([lap.start_s + lap.time_s for lap in tries[:-1]], now + 1e-9)
    steps["restart"][[0] + ([len(runs[0])] if crash_s is not None else [])] = True
    created = "2030-01-01T00:00:00+00:00"
    drive = Drive(driver, "centerline", tuple(tries), steps)
    return Replay(track, CARS["deepracer"], (drive,), 7, created, "1.0")


@pytest.fixture(scope="module")
def replay():
    return driven()


@pytest.fixture(scope="module")
def stage(replay):
    return Stage([replay])


@pytest.fixture(scope="module")
def swinging():
    return Stage([driven(slow=1.0)])


@pytest.fixture
def screen(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    pygame.display.init()
    yield pygame.display.set_mode(SIZE)
    pygame.display.quit()


def picture(stage, time_s, size=SIZE, hints=False, **chosen):
    state = dataclasses.replace(stage.playback(), time_s=time_s, **chosen)
    surface = pygame.Surface(size, depth=32)
    stage.draw(surface, state, hints)
    return surface


def pixels(surface):
    return pygame.surfarray.array3d(surface).astype(int)


def colors(surface):
    return len(np.unique(pygame.surfarray.array2d(surface)[::3, ::3]))


def at(surface, point):
    x, y = np.rint(point).astype(int).tolist()
    return np.array(surface.get_at((x, y))[:3])


def near(color, other, within=6):
    return np.abs(np.asarray(color, dtype=int) - other).max() <= within


# Time


def test_a_pose_between_two_rows_lies_on_the_line_that_was_driven(replay):
    timeline = Timeline(replay)
    for instant in (0.5, 2.51, 4.333, 6.0):
        moment = timeline.moment(instant)
        angle = 2.0 * instant / RADIUS
        assert np.hypot(moment.x - RADIUS * np.cos(angle), moment.y - RADIUS * np.sin(angle)) < 1e-3
        assert np.cos(moment.heading - angle - np.pi / 2) == pytest.approx(1.0, abs=1e-6)


def test_headings_turn_the_short_way(replay):
    timeline = Timeline(replay)
    row = int(np.argmin(np.diff(replay.steps["heading"])))  # from pi to -pi
    assert replay.steps["heading"][row + 1] < -3.0
    between = timeline.moment((row + 0.5) * STEP_S).heading
    assert abs(between) > 3.0


def test_nothing_is_interpolated_across_a_restart():
    replay = driven(crash_s=2.0)
    timeline = Timeline(replay)
    assert np.flatnonzero(replay.steps["restart"]).tolist() == [0, 30]
    before, after = timeline.moment(1.999), timeline.moment(2.001)
    angle = 2.0 * 1.999 / RADIUS
    assert np.hypot(before.x - RADIUS * np.cos(angle), before.y - RADIUS * np.sin(angle)) < 0.01
    assert np.hypot(after.x - RADIUS, after.y) < 0.01
    pieces, _ = timeline.path(3)
    assert np.hypot(*(pieces[:, 1] - pieces[:, 0]).T).max() < 0.06


def test_the_instant_of_a_finish_shows_the_finished_lap(replay):
    timeline = Timeline(replay)
    lap = replay.laps[0]
    during, finish, next_lap = (timeline.moment(lap.time_s + after) for after in (-0.1, 0.0, 0.1))
    assert (during.lap.index, during.best_s, during.last) == (1, None, None)
    assert (finish.lap.index, finish.best_s, finish.last) == (1, lap.time_s, lap)
    assert finish.lap_time_s == pytest.approx(lap.time_s, abs=1e-9)
    assert finish.lap_ended and not finish.crashed
    assert next_lap.lap.index == 2
    assert next_lap.lap_time_s == pytest.approx(0.1, abs=1e-6)
    assert timeline.moment(1e9).lap_time_s == replay.laps[-1].time_s


def test_a_crash_ends_a_lap_without_a_time():
    moment = Timeline(driven(crash_s=2.0)).moment(2.0)
    assert moment.crashed
    assert moment.best_s is None
    assert [sector.done for sector in moment.sectors] == [False, False, False]


def test_sectors_are_thirds_and_deltas_are_against_the_first_replay(replay):
    first = Timeline(replay)
    second = Timeline(driven(speed=1.6), first)
    third = ROUND.length / 3.0
    moment = second.moment(second.laps[0].time_s)
    assert [sector.time_s for sector in moment.sectors] == pytest.approx([third / 1.6] * 3, abs=2e-3)
    assert [sector.delta_s for sector in moment.sectors] == pytest.approx([third / 1.6 - third / 2.0] * 3, abs=3e-3)
    assert moment.gap_s == pytest.approx(second.laps[0].time_s - first.laps[0].time_s, abs=1e-6)
    assert sum(sector.time_s for sector in moment.sectors) == pytest.approx(second.laps[0].time_s)
    running = second.moment(third / 1.6 + 0.5)
    assert [sector.done for sector in running.sectors] == [True, False, False]
    assert running.sectors[1].time_s == pytest.approx(0.5, abs=2e-3)
    assert running.sectors[2].time_s is None
    assert running.gap_s == pytest.approx((third / 1.6 + 0.5) * (1.0 - 1.6 / 2.0), abs=5e-3)
    assert first.moment(3.0).gap_s is None


def test_gaps_need_a_lap_to_compare_with():
    never = Timeline(driven(crash_s=2.0, laps=2))
    never.laps = never.laps[:1]
    assert Timeline(driven(), never).moment(3.0).gap_s is None
    after_a_crash = Timeline(driven(crash_s=2.0, laps=2), Timeline(driven()))
    assert abs(after_a_crash.moment(4.0).gap_s) < 0.05  # as fast, whatever came before


def test_rewards_add_up_over_the_lap(replay):
    timeline = Timeline(replay)
    moment = timeline.moment(15.5 * STEP_S)
    assert (moment.reward, moment.lap_reward, len(moment.recent_rewards)) == (1.0, 16.0, 16)
    assert timeline.moment(replay.laps[1].start_s + 0.5).lap_reward < 16


def test_playback_keeps_within_its_bounds():
    state = Playback(10.0, cars=2)
    state.advance(4.0)
    assert state.time_s == 4.0
    state.advance(100.0)
    assert (state.time_s, state.paused) == (10.0, True)
    state.toggle_pause()
    assert (state.time_s, state.paused) == (0.0, False)
    for _ in range(20):
        state.pace(1)
    assert state.speed == SPEEDS[-1] == 8.0
    for _ in range(20):
        state.pace(-1)
    assert state.speed == SPEEDS[0] == 0.25
    state.advance(1.0)
    assert state.time_s == 0.25
    state.step(-1)
    assert (state.time_s, state.paused) == (pytest.approx(3 * STEP_S), True)
    state.advance(1.0)
    assert state.time_s == pytest.approx(3 * STEP_S)


def test_clock():
    assert [clock(seconds) for seconds in (0.0, 9.0004, 59.9996, 75.25)] == [
        "0.000",
        "9.000",
        "1:00.000",
        "1:15.250",
    ]


# The scene


def test_road_border_and_ground_have_their_colours(stage):
    surface = picture(stage, 0.0)
    view = stage.view(SIZE, stage.playback())
    lane = 0.2  # m beside the dashes
    for angle in (0.7, 1.9, 4.0, 5.5):
        away = np.array([np.cos(angle), np.sin(angle)])
        assert near(at(surface, view.to_screen(away * (RADIUS + lane))), ROAD)
        assert near(at(surface, view.to_screen(away * 1.55)), GROUND)
        border = pixels(surface)[
            tuple(np.indices((3, 3)) + np.rint(view.to_screen(away * 3.5)).astype(int)[:, None, None] - 1)
        ]
        assert border.min(axis=-1).max() > 150  # white, blended with what is beside it
    assert near(surface.get_at((2, 250))[:3], GROUND)


def test_the_start_line_is_chequered(stage):
    surface = picture(stage, 5.0, follow=False)
    view = stage.view(SIZE, stage.playback())
    left, top = np.floor(view.to_screen((2.6, 0.06))).astype(int)
    right, bottom = np.ceil(view.to_screen((3.4, -0.06))).astype(int)
    square = pixels(surface)[left:right, top:bottom].mean(axis=2)
    assert (square > 190).mean() > 0.2
    assert (square < 40).mean() > 0.15


def test_the_whole_track_fits_beside_the_instruments(stage):
    for size in ((640, 420), SIZE, (1280, 800), (1920, 1080), (700, 1000)):
        view, layout = stage.view(size, stage.playback()), Layout(*size)
        seen = view.to_screen(ROUND.outer)
        assert (seen >= layout.area.topleft).all()
        assert (seen <= layout.area.bottomright).all()
        assert not layout.area.colliderect(layout.side)
        assert not layout.area.colliderect(layout.bar)


def test_the_following_camera_keeps_the_car_in_the_middle_and_to_scale(stage):
    state = dataclasses.replace(stage.playback(), time_s=2.0, follow=True)
    whole, close = stage.view(SIZE, stage.playback()), stage.view(SIZE, state)
    moment = stage.timelines[0].moment(2.0)
    assert close.scale > 1.25 * whole.scale
    assert close.to_screen((moment.x, moment.y)) == pytest.approx(Layout(*SIZE).area.center, abs=1.0)


def body_point(view, moment, share=0.7):
    """A place on the body's left side, where its own colour is."""
    left = np.array([-np.sin(moment.heading), np.cos(moment.heading)])
    return view.to_screen(np.array([moment.x, moment.y]) + left * share * CARS["deepracer"].width / 2.0)


@pytest.mark.parametrize("time_s", [0.0, 1.3, 3.7])
def test_the_car_is_where_it_should_be_in_its_colour(stage, time_s):
    size = (1600, 1000)
    surface = picture(stage, time_s, size, follow=True)
    view = stage.view(size, dataclasses.replace(stage.playback(), time_s=time_s, follow=True))
    assert near(at(surface, body_point(view, stage.timelines[0].moment(time_s))), car_colors(8)[0], 2)


def test_a_ghost_lets_the_road_shine_through():
    stage = Stage([driven(), driven(speed=1.8, driver="other")])
    size = (1600, 1000)
    surface = picture(stage, 3.0, size, follow=True)
    view = stage.view(size, dataclasses.replace(stage.playback(), time_s=3.0, follow=True))
    ghost = at(surface, body_point(view, stage.timelines[1].moment(3.0)))
    assert near(ghost, np.array(car_colors(8)[1]) * GHOST_ALPHA + np.array(ROAD) * (1.0 - GHOST_ALPHA), 4)
    solid = at(picture(stage, 3.0, size, follow=True, focus=1), np.array(Layout(*size).area.center))
    assert not near(solid, ghost, 4)


def test_front_wheels_steer_and_rear_wheels_do_not():
    view = View(400.0, 0.0, 0.0, 100.0, 100.0)
    straight, steered = (pygame.Surface((200, 200), depth=32) for _ in range(2))
    for surface, angle in ((straight, 0.0), (steered, 0.4)):
        surface.fill(ROAD)
        draw_car(surface, view, CARS["deepracer"], (0.0, 0.0, 0.0), angle, car_colors(8)[0], 1.0)
    change = np.abs(pixels(straight) - pixels(steered)).max(axis=2)
    assert change[110:].max() > 100  # ahead, to the right
    assert change[:100].max() == 0
    car = CARS["deepracer"]
    for x, y in ((car.front_axle, car.wheel_offset_front), (car.rear_axle, -car.wheel_offset_rear)):
        assert near(at(straight, view.to_screen((x, y))), TYRE)
    tip = view.to_screen((car.front_axle + 0.0237, car.wheel_offset_front + 0.0209))  # if steered to the left
    assert near(at(steered, tip), TYRE)
    assert not near(at(straight, tip), TYRE, 40)


def test_the_trail_has_the_colours_of_its_speeds(swinging):
    size = (1600, 1000)
    timeline = swinging.timelines[0]
    end = timeline.laps[0].time_s
    surface, view = picture(swinging, end - 0.3, size), swinging.view(size, swinging.playback())
    seen = []
    for angle in (0.5, np.pi, 5.0):
        expected = swinging.scale.colors(2.0 + np.cos(angle))
        found = at(surface, view.to_screen(RADIUS * np.array([np.cos(angle), np.sin(angle)])))
        assert near(found, expected, 12)
        seen.append(found)
    assert not near(seen[0], seen[1], 60)  # fast and slow
    before = at(picture(swinging, 1.0, size), view.to_screen(RADIUS * np.array([-1.0, 0.0])))
    assert not near(before, seen[1], 40)  # not driven yet


def test_the_trail_ends_at_the_car():
    stage, size, row = Stage([driven(laps=1, speed=6.0)]), (1600, 1000), 12  # 0.4 m a step
    for part in (0.1, 0.9):
        angle = 6.0 * (row + part) * STEP_S / RADIUS
        surface, view = picture(stage, (row + part) * STEP_S, size), stage.view(size, stage.playback())
        for ahead, driven_over in ((-0.08, True), (-0.2, True), (0.09, False), (0.2, False)):
            place = RADIUS * np.array([np.cos(angle + ahead), np.sin(angle + ahead)])
            color = at(surface, view.to_screen(place))
            assert (np.ptp(color) > 60) == driven_over  # colourful or grey


def test_clipping_changes_nothing_that_is_seen():
    rng = np.random.default_rng(5)
    for _ in range(40):
        angle = np.sort(rng.uniform(0.0, 2.0 * np.pi, 60))
        radius = rng.uniform(50.0, 900.0, 60)
        star = np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius[:, None] + rng.uniform(-200.0, 500.0, 2)
        whole, clipped = (pygame.Surface((300, 300), depth=32) for _ in range(2))
        pygame.draw.polygon(whole, TYRE, star.tolist())
        pygame.draw.polygon(clipped, TYRE, _clip(star, -2.0, 302.0).tolist())
        assert (pixels(whole) != pixels(clipped)).any(axis=2).mean() < 0.03  # slanted edges are rounded anew
    assert len(_clip(star, -2.0, 302.0)) < len(star)
    assert _clip(star + 9000.0, -2.0, 302.0).max() <= 302.0


def test_a_line_is_as_wide_as_asked_and_smooth():
    surface = pygame.Surface((100, 60), depth=32)
    pieces = np.array([[[0.1, 0.30], [0.5, 0.30]], [[0.5, 0.30], [0.9, 0.30]]])
    draw_path(surface, View(100.0, 0.0, 0.0, 0.0, 60.0), pieces, np.full((2, 3), 200.0), 5.0)
    column = pixels(surface)[50, :, 0]
    assert column.sum() == pytest.approx(5.0 * 200.0, rel=0.05)
    assert column.max() == 200


def test_speed_colours_rise_from_low_to_high():
    scale = SpeedScale.over(np.concatenate([[0.0], np.full(60, 1.2), np.full(60, 3.1)]))
    assert (scale.low, scale.high) == (1.0, 3.5)
    light = scale.colors(np.linspace(0.0, 5.0, 50)).astype(int).sum(axis=1)
    assert (np.diff(light) >= 0).all()
    assert scale.colors(9.0).tolist() == scale.colors(3.5).tolist()


# The instruments


def test_the_knob_of_the_time_bar_moves(stage):
    seek = Layout(*SIZE).seek
    duration = stage.playback().duration_s
    for share in (0.0, 0.4, 1.0):
        surface = picture(stage, share * duration)
        assert near(at(surface, (seek.left + share * seek.width, seek.centery)), car_colors(8)[0])
    assert near(at(picture(stage, 0.4 * duration), (seek.left + 0.8 * seek.width, seek.centery)), WELL)


def test_the_instruments_follow_the_time(stage):
    side = Layout(*SIZE).side
    first, again, later = (pixels(picture(stage, instant).subsurface(side)) for instant in (2.0, 2.0, 2.6))
    assert (first == again).all()
    changed = np.argwhere((first != later).any(axis=2))
    assert len(changed) > 200
    unit = Layout(*SIZE).unit
    clock_rows = (changed[:, 1] > 80 * unit) & (changed[:, 1] < 160 * unit)
    assert clock_rows.sum() > 50


@pytest.mark.parametrize(("speed", "color"), [(1.9, BAD), (2.1, GOOD)])
def test_deltas_are_red_behind_and_green_ahead(speed, color):
    stage, size = Stage([driven(), driven(speed=speed)]), (1280, 800)
    for focus, expected in ((0, False), (1, True)):
        shown = pixels(picture(stage, 8.0, size, focus=focus).subsurface(Layout(*size).side))
        lap, sectors = shown[:, 70:130], shown[:, 200:270]
        for part in (lap, sectors):
            assert (np.abs(part - color).max(axis=2) < 40).any() == expected


def test_texts_name_driver_and_cars():
    one, other = driven(driver="ada"), driven(driver="grace", speed=1.8)
    size = (1280, 800)
    head = pygame.Rect(Layout(*size).side.topleft, (200, 45))
    tower = Layout(*size, 2).tower
    stage = Stage([one, other])
    focus = [pixels(picture(stage, 1.0, size, focus=number)) for number in (0, 1)]
    for box in (head, tower):
        area = np.s_[box.left : box.right, box.top : box.bottom]
        assert (focus[0][area] != focus[1][area]).any()
    alone = pixels(picture(Stage([one]), 1.0, size))[tower.left : tower.left + 40, tower.top : tower.bottom]
    assert near(alone.max(axis=(0, 1)), GROUND, 40)  # no list of cars
    assert Stage([one, one, other]).names == ["ada 1", "ada 2", "grace"]


def test_many_cars_have_a_running_order_and_colours_of_their_own():
    speeds = np.random.default_rng(0).permutation(np.linspace(1.6, 2.4, 30))
    stage = Stage([driven(driver=f"driver {k}", speed=float(speed)) for k, speed in enumerate(speeds)])
    assert len(set(stage.colors)) == 30
    state = dataclasses.replace(stage.playback(), time_s=3.0)
    fastest_first = np.argsort(-speeds).tolist()
    for size in ((1280, 800), (480, 320)):
        for focus in (fastest_first[0], fastest_first[11], fastest_first[-1]):
            state.focus = focus
            listed = stage.listed(size, state)
            assert listed[0] == fastest_first[0] and focus in listed
            assert [car for car in fastest_first if car in listed] == listed
            tower = Layout(*size, 30).tower
            assert tower.bottom <= Layout(*size, 30).bar.top and len(listed) * 17 <= tower.height
    rows = pixels(picture(stage, 3.0, (1280, 800)))
    state.focus = 0
    for row, car in enumerate(stage.listed((1280, 800), state)[:5]):
        box = Layout(1280, 800, 30).tower_row(row)
        assert (np.abs(rows[box.left : box.right, box.top : box.bottom] - stage.colors[car]).sum(axis=2) < 12).any()


def test_names_on_the_track_do_not_pile_up():
    crowd = [driven(driver=f"driver {k}", speed=2.0 + 0.001 * k) for k in range(30)]
    road = Layout(1280, 800, 30).area
    few, many = (pixels(picture(Stage(crowd[:count]), 3.0, (1280, 800))) for count in (4, 30))
    dark = [(np.abs(one - GROUND)[road.left : road.right].sum(axis=2) < 25).mean() for one in (few, many)]
    assert abs(dark[1] - dark[0]) < 0.02, "thirty names would cover much of the road"


def test_help_covers_the_middle(stage):
    size = (1280, 800)
    plain, helping = picture(stage, 1.0, size), picture(stage, 1.0, size, help=True)
    middle = pygame.Rect(400, 200, 480, 400)
    letters = (pixels(helping.subsurface(middle)).min(axis=2) > 200).sum()
    assert letters > 1000
    assert pixels(helping).sum() < pixels(plain).sum()


def test_hints_are_for_windows_only(stage):
    assert (pixels(picture(stage, 1.0)) != pixels(picture(stage, 1.0, hints=True))).any()


@pytest.mark.parametrize("size", [(400, 300), (480, 320), (1000, 320), (320, 900), (2560, 1440)])
def test_every_size_can_be_drawn(size):
    stage = Stage([driven(crash_s=2.0), driven(driver="x" * 200), driven(driver="\u4e2d\u6587 \ud800\n")])
    for follow in (False, True):
        surface = picture(stage, 2.0, size, hints=True, follow=follow, help=follow, focus=2)
        assert colors(surface) > 50


def test_a_picture_does_not_depend_on_those_before(replay):
    stage = Stage([replay, driven(speed=1.7)])
    for instant, follow in ((6.0, True), (1.0, False), (9.0, True), (3.0, False)):
        picture(stage, instant, follow=follow)
    fresh = Stage([replay, driven(speed=1.7)])
    for follow in (False, True):
        assert (pixels(picture(stage, 3.0, follow=follow)) == pixels(picture(fresh, 3.0, follow=follow))).all()


def test_a_car_far_away_does_no_harm(replay):
    steps = replay.steps.copy()
    steps["x"][40:] = 9e5
    steps["reward"][30] = -9e5
    surface = picture(Stage([altered(replay, steps=steps)]), 3.0, follow=True)
    assert surface.get_size() == SIZE


def test_an_open_track_is_drawn_as_a_strip():
    x = np.linspace(0.0, 6.0, 61)
    lines = [np.stack([x, np.full(61, y)], axis=1) for y in (0.0, 0.5, -0.5)]
    straight = track_from_arrays("straight", *lines)
    stage = Stage([dataclasses.replace(driven(), track=straight)])
    surface, view = picture(stage, 0.0), stage.view(SIZE, stage.playback())
    assert near(at(surface, view.to_screen((3.3, 0.25))), ROAD)
    assert near(at(surface, view.to_screen((3.3, 0.95))), GROUND)


def test_frames_are_quick_enough_for_sixty_a_second():
    stage = Stage([driven(speed=2.0 - 0.1 * number, driver=f"ghost {number}") for number in range(4)])
    surface, state, spent = pygame.Surface((1280, 800), depth=32), stage.playback(), []
    for frame in range(120):
        state.seek(3.0 + frame / 60.0)
        begin = time.process_time()
        stage.draw(surface, state, hints=True)
        spent.append(time.process_time() - begin)
    assert np.median(spent) < 1.0 / 60.0


# The window


def press(key, text="", mod=0):
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key, unicode=text, mod=mod))


def drain(state):
    return all([handle(event, state, SIZE) for event in pygame.event.get()])


@pytest.mark.usefixtures("screen")
def test_keys_drive_the_playback():
    state = Playback(20.0, cars=3, time_s=5.0)
    press(pygame.K_RIGHT)
    assert drain(state)
    assert state.time_s == 6.0
    press(pygame.K_LEFT)
    press(pygame.K_LEFT)
    assert drain(state)
    assert (state.time_s, state.paused) == (4.0, False)
    press(pygame.K_RIGHT, mod=pygame.KMOD_LSHIFT)
    assert drain(state)
    assert (state.time_s, state.paused) == (pytest.approx(4.0 + STEP_S), True)
    press(pygame.K_SPACE)
    press(pygame.K_UP)
    press(pygame.K_c, "c")
    press(pygame.K_TAB)
    press(pygame.K_TAB)
    press(pygame.K_SLASH, "?", pygame.KMOD_LSHIFT)
    assert drain(state)
    assert (state.paused, state.speed, state.follow, state.focus, state.help) == (False, 2.0, True, 2, True)
    press(pygame.K_ESCAPE)  # closes the help alone
    press(pygame.K_DOWN)
    press(pygame.K_DOWN)
    press(pygame.K_TAB)
    press(pygame.K_r, "r")
    assert drain(state)
    assert (state.help, state.speed, state.focus, state.time_s) == (False, 0.5, 0, 0.0)
    for key in (pygame.K_q, pygame.K_ESCAPE):
        press(key)
        assert not drain(state)
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    assert not drain(state)


@pytest.mark.usefixtures("screen")
def test_the_mouse_drags_the_time():
    state, seek = Playback(20.0), Layout(*SIZE).seek

    def mouse(kind, share, y=seek.centery, **more):
        pygame.event.post(pygame.event.Event(kind, pos=(round(seek.left + share * seek.width), y), **more))
        assert drain(state)

    mouse(pygame.MOUSEMOTION, 0.9)
    assert state.time_s == 0.0
    mouse(pygame.MOUSEBUTTONDOWN, 0.5, button=1)
    assert state.time_s == pytest.approx(10.0, abs=0.05)
    mouse(pygame.MOUSEMOTION, 0.25, y=10)
    assert (state.time_s, state.dragging) == (pytest.approx(5.0, abs=0.05), True)
    mouse(pygame.MOUSEBUTTONUP, 3.0, button=1)
    mouse(pygame.MOUSEMOTION, 0.9)
    assert (state.time_s, state.dragging) == (pytest.approx(5.0, abs=0.05), False)
    mouse(pygame.MOUSEBUTTONDOWN, 0.5, y=100, button=1)  # on the track
    assert state.time_s == pytest.approx(5.0, abs=0.05)
    pygame.event.post(pygame.event.Event(pygame.MOUSEBUTTONDOWN, pos=Layout(*SIZE).bar.move(20, 20).topleft, button=1))
    assert drain(state)
    assert state.paused


def test_the_window_shows_the_race_until_it_is_closed(monkeypatch, replay):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    shown, flip = [], pygame.display.flip

    def count():
        flip()
        shown.append(pixels(pygame.display.get_surface()))
        if len(shown) == 2:
            pygame.display.set_mode((300, 200))  # smaller than anything that can be drawn
        if len(shown) == 4:
            press(pygame.K_SPACE, " ")
            press(pygame.K_SPACE, " ")  # held: counts once
            Timer(0.7, press, (pygame.K_q, "q")).start()

    monkeypatch.setattr(pygame.display, "flip", count)
    watch([replay], size=SIZE)
    assert [frame.shape[:2] for frame in shown[:4]] == [SIZE] * 2 + [(300, 200)] * 2
    assert shown[0].std() > 20.0
    assert (shown[0] != shown[1]).any()  # time passes
    assert len(shown) <= 8, "a paused window is drawn again only where something changes"
    assert not pygame.display.get_init()


@pytest.mark.parametrize("desktop", [(1366, 768), (1920, 1080), (3840, 2160), (800, 600)])
def test_the_window_fits_the_screen(desktop):
    width, height = default_size(desktop)
    assert width <= desktop[0] and height <= 0.85 * desktop[1]
    assert width >= 0.5 * desktop[0]


@pytest.mark.usefixtures("screen")
def test_mouse_and_keys_choose_cars_and_views():
    state = Playback(20.0, cars=3)
    layout = Layout(*SIZE, 3)

    def send(kind, **more):
        return handle(pygame.event.Event(kind, **more), state, SIZE, listed=[2, 0, 1])

    send(pygame.MOUSEBUTTONDOWN, pos=layout.tower_row(0).center, button=1)
    assert state.focus == 2
    send(pygame.MOUSEBUTTONDOWN, pos=layout.tower_row(2).center, button=1)
    assert state.focus == 1
    send(pygame.KEYDOWN, key=pygame.K_3, unicode="3", mod=0)
    send(pygame.KEYDOWN, key=pygame.K_9, unicode="9", mod=0)  # there is no such car
    assert state.focus == 2
    send(pygame.MOUSEWHEEL, x=0, y=3)
    assert state.zoom > 1.3
    send(pygame.MOUSEWHEEL, x=0, y=-30)
    assert state.zoom == 1.0
    send(pygame.MOUSEMOTION, pos=(layout.seek.left + layout.seek.width // 2, layout.seek.centery))
    assert state.hover_s == pytest.approx(10.0, abs=0.05) and state.time_s == 0.0
    send(pygame.MOUSEWHEEL, x=0, y=2)
    assert (state.time_s, state.zoom) == (2.0, 1.0)
    send(pygame.MOUSEMOTION, pos=(layout.seek.left, 10))
    assert state.hover_s is None
    for key, name in ((pygame.K_l, "loop"), (pygame.K_f, "fullscreen")):
        send(pygame.KEYDOWN, key=key, unicode="", mod=0)
        assert getattr(state, name)
    assert send(pygame.KEYDOWN, key=pygame.K_ESCAPE, unicode="", mod=0) and not state.fullscreen
    state.advance(30.0)
    assert (state.time_s, state.paused) == (0.0, False), "it begins anew"


def test_the_time_under_the_mouse_is_shown(stage):
    plain, hovering = picture(stage, 1.0), picture(stage, 1.0, hover_s=5.0)
    changed = (pixels(plain) != pixels(hovering)).any(axis=2)
    bar = Layout(*plain.get_size()).bar
    assert changed.any() and not changed[:, : bar.top - 40].any()


def test_zooming_keeps_the_car_in_the_middle(stage):
    area = Layout(*SIZE).area
    for zoom in (2.0, 5.0):
        state = dataclasses.replace(stage.playback(), time_s=3.0, zoom=zoom)
        moment = stage.timelines[0].moment(3.0)
        assert np.abs(stage.view(SIZE, state).to_screen((moment.x, moment.y)) - area.center).max() < 2.0


def test_without_a_screen_it_says_how_to_record(monkeypatch, replay):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(RacerError, match=r"no screen.*--record FILE\.png"):
        watch([replay])
    monkeypatch.setenv("DISPLAY", ":never")
    monkeypatch.setattr(pygame.display, "get_driver", lambda: "offscreen")  # what SDL falls back to
    monkeypatch.setattr(pygame.display, "init", lambda: None)
    with pytest.raises(RacerError, match=r"no screen at DISPLAY=:never.*--record"):
        watch([replay])


# Files


def test_a_picture_is_of_the_best_lap(tmp_path, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    race, path = driven(crash_s=1.0, laps=3), tmp_path / "lap.png"
    watch([race], path)
    assert list(tmp_path.iterdir()) == [path]
    stage = Stage([race])
    best = min((lap for lap in race.laps if lap.complete), key=lambda lap: lap.time_s)
    with Image.open(path) as image:
        assert (image.size, image.format) == ((1280, 800), "PNG")
        found = np.asarray(image.convert("RGB")).swapaxes(0, 1)
    assert (found == pixels(picture(stage, best.start_s + best.time_s, (1280, 800)))).all()
    assert stage.timelines[0].moment(stage.best_instant()).best_s == best.time_s


SHORT = driven(laps=1, speed=12.0)  # a lap of 1.57 s


def test_a_gif_shows_the_race_frame_by_frame(tmp_path):
    path = tmp_path / "lap.gif"
    watch([SHORT], path, (480, 320), quiet=True)
    assert list(tmp_path.iterdir()) == [path]
    duration = len(SHORT.steps) * STEP_S
    stage = Stage([SHORT])
    with Image.open(path) as image:
        assert (image.size, image.format, image.info["loop"]) == ((480, 320), "GIF", 0)
        assert image.n_frames == np.ceil((duration + LAST_S) / 0.07)
        for frame in (0, 11, image.n_frames - 1):
            image.seek(frame)
            assert image.info["duration"] == 70
            found = np.asarray(image.convert("RGB")).swapaxes(0, 1).astype(int)
            expected = pixels(picture(stage, frame * 0.07, (480, 320)))
            assert np.abs(found - expected).mean() < 3.0
            assert (np.abs(found - expected).max(axis=2) < 40).mean() > 0.99
    assert path.stat().st_size < 100_000


def test_an_mp4_has_even_sides_and_every_frame(tmp_path):
    import imageio_ffmpeg

    path = tmp_path / "lap.MP4"
    watch([SHORT], path, (481, 321), speed=2.0, quiet=True)
    assert list(tmp_path.iterdir()) == [path]
    reader = imageio_ffmpeg.read_frames(str(path))
    about = next(reader)
    assert (about["size"], about["fps"], about["codec"]) == ((480, 320), 30.0, "h264")
    assert about["pix_fmt"].startswith("yuv420p")
    frames = [np.frombuffer(frame, np.uint8).reshape(320, 480, 3) for frame in reader]
    assert len(frames) == np.ceil((len(SHORT.steps) * STEP_S / 2.0 + LAST_S) * 30)
    expected = pixels(picture(Stage([SHORT]), 0.0, (480, 320), speed=2.0)).swapaxes(0, 1)
    assert np.abs(frames[0].astype(int) - expected).mean() < 8.0
    assert (frames[0] != frames[5]).any()


def test_a_file_is_kept_unless_told_otherwise(tmp_path, replay):
    path = tmp_path / "lap.png"
    path.write_bytes(b"mine")
    with pytest.raises(FileError, match=r"lap\.png exists already and is kept"):
        watch([replay], path)
    assert path.read_bytes() == b"mine"
    watch([replay], path, overwrite=True)
    with Image.open(path) as image:
        assert image.size == (1280, 800)


@pytest.mark.parametrize("name", ["lap.avi", "lap", "lap.npz"])
def test_other_suffixes_are_refused_with_the_list(tmp_path, replay, name):
    with pytest.raises(FileError, match=r"\.png .*\.gif or \.mp4"):
        watch([replay], tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["lap.gif", "lap.mp4"])
def test_an_interrupted_recording_leaves_nothing(tmp_path, monkeypatch, name):
    draw, count = Stage.draw, 0

    def interrupted(*arguments):
        nonlocal count
        count += 1
        if count == 12:
            raise KeyboardInterrupt
        draw(*arguments)

    monkeypatch.setattr(Stage, "draw", interrupted)
    with pytest.raises(KeyboardInterrupt):
        watch([SHORT], tmp_path / name, (480, 320), quiet=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["lap.png", "lap.gif", "lap.mp4"])
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, name):
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))  # as good as full
    try:
        with pytest.raises(FileError, match=rf"cannot write .*{name}"):
            watch([SHORT], tmp_path / name, (480, 320), quiet=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())


def test_a_film_that_lost_frames_is_no_film(tmp_path, monkeypatch):
    import imageio_ffmpeg

    monkeypatch.setattr(imageio_ffmpeg, "count_frames_and_secs", lambda path: (3, 0.1))
    with pytest.raises(FileError, match=r"3 of \d+ frames were kept"):
        watch([SHORT], tmp_path / "lap.mp4", (480, 320), quiet=True)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_named(tmp_path, replay):
    with pytest.raises(FileError, match="nowhere does not exist"):
        watch([replay], tmp_path / "nowhere" / "lap.png")


# What cannot be shown


def test_replays_of_different_tracks_are_refused(tmp_path, replay):
    other = track_from_arrays("wider", ring(RADIUS), ring(RADIUS - 0.6), ring(RADIUS + 0.6))
    with pytest.raises(ReplayError, match=r"replay 1 .* 'round', but replay 2 \(learner\) on 'wider'"):
        watch([replay, driven(track=other)], tmp_path / "lap.png")
    with pytest.raises(ReplayError, match="'round' reversed"):
        watch([replay, dataclasses.replace(replay, track=ROUND.reverse())], tmp_path / "lap.png")
    renamed = dataclasses.replace(other, name="round")
    with pytest.raises(ReplayError, match="another version of it"):
        watch([replay, dataclasses.replace(replay, track=renamed)], tmp_path / "lap.png")


def test_empty_and_broken_replays_are_refused(tmp_path, replay):
    with pytest.raises(ReplayError, match="no replay to watch"):
        watch([], tmp_path / "lap.png")
    with pytest.raises(ReplayError, match=r"replay 1 \(learner\) is empty"):
        watch([altered(replay, steps=replay.steps[:0])], tmp_path / "lap.png")
    for column, value in (("x", np.nan), ("speed", np.inf), ("reward", -1e300)):
        steps = replay.steps.copy()
        steps[column][17] = value
        with pytest.raises(ReplayError, match=rf"replay 2 .*, step 17: {column} is"):
            watch([replay, altered(replay, steps=steps)], tmp_path / "lap.png")


@pytest.mark.parametrize(("size", "speed"), [((10, 10), 1.0), ((99999, 800), 1.0), (None, 0.0), (None, np.nan)])
def test_sizes_and_speeds_that_make_no_sense_are_refused(tmp_path, replay, size, speed):
    with pytest.raises(RacerError, match=r"cannot be (drawn|shown); choose"):
        watch([replay], tmp_path / "lap.png", size, speed=speed)


def test_pygame_loads_only_when_something_is_drawn(tmp_path):
    script = (
        "import sys, racer.viewer\n"
        "assert 'pygame' not in sys.modules\n"
        "try: racer.viewer.watch([], 'lap.png')\n"
        "except ValueError: pass\n"
        "assert 'pygame' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert Path(racer.viewer.__file__).name == "__init__.py"
