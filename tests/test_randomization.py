"""Randomisation: each part does what it says, evenly, for a car alone as in a batch, and nothing while it is off."""

import dataclasses
import math

import numpy as np
import pytest

from racer.env import TimeTrial, TimeTrialVector
from racer.sensors import Camera, Lidar, camera
from racer.sim import (
    CARS,
    OFF,
    REAL_CAR,
    SIM_TO_REAL,
    STEP_S,
    CarConstants,
    ContinuousActions,
    DiscreteActions,
    Randomization,
    Rules,
    World,
)
from racer.sim.car import RANGES
from racer.sim.randomization import MOST
from racer.track import load_track
from racer.training import Callback, RunConfig, start, train

CAR = CARS["deepracer"]
FRONT = "FRONT_FACING_CAMERA"
ALL = dataclasses.replace(REAL_CAR, delay=3, dropped=0.3)
GO = np.array([0.1, 0.0], np.float32)


def varied(races=40, track="harbor", start="line", car=CAR, **what):
    world = World(load_track(track), races, car=car, rules=Rules(start), randomization=Randomization(**what))
    world.seed(5)
    world.reset()
    return world


def observed(sensor, world):
    out = np.zeros((*world.cars.shape, *sensor.shape), sensor.dtype)
    sensor.observe(world, out)
    return out[:, 0]


# --- Off, alone and in a batch ------------------------------------------------------------------------------


def test_off_is_no_randomization_at_all():
    assert all(value == 0 for value in dataclasses.asdict(OFF).values())
    assert TimeTrialVector(1, randomization=Randomization()).field.world.car_constants is None
    plain, off = (TimeTrial(sensors=("state", FRONT), **more) for more in ({}, {"randomization": OFF}))
    for told, other in ((plain.reset(seed=3)[0], off.reset(seed=3)[0]), (plain.step(GO)[0], off.step(GO)[0])):
        assert all(np.array_equal(told[name], other[name]) for name in told)
    assert World(load_track("harbor")).randomization is OFF


@pytest.mark.parametrize("sensors", [("state", "LIDAR"), (FRONT, "SECTOR_LIDAR"), ("STEREO_CAMERAS",), ("state",)])
def test_a_car_in_a_batch_meets_what_it_meets_alone(sensors):
    sensors = tuple(Camera(size=(40, 30)) if name == FRONT else name for name in sensors)
    rng = np.random.default_rng(1)
    many = TimeTrialVector(5, "needle", sensors=sensors, randomization=ALL, threads=2)
    alone = [TimeTrial("needle", sensors=sensors, randomization=ALL) for _ in range(5)]
    told, _ = many.reset(seed=8)
    singles = [env.reset(seed=8 + i)[0] for i, env in enumerate(alone)]
    begun = 0
    for _ in range(80):
        for i, single in enumerate(singles):
            for name, values in single.items() if isinstance(single, dict) else [(None, single)]:
                assert np.array_equal((told if name is None else told[name])[i], values)
        actions = rng.uniform(-1.0, 1.0, (5, 2)).astype(np.float32)
        told, rewards, terminated, truncated, infos = many.step(actions)
        for i, env in enumerate(alone):
            singles[i], reward, over, cut, _ = env.step(actions[i])
            assert (reward, over, cut) == (rewards[i], terminated[i], truncated[i])
            if over or cut:
                last = infos["final_obs"][i]
                pairs = (
                    [(last, singles[i])]
                    if len(sensors) == 1 and sensors[0] == "state"
                    else [(last[name], singles[i][name]) for name in last]
                )
                assert all(np.array_equal(*pair) for pair in pairs)
                singles[i] = env.reset()[0]
                begun += 1
    assert begun > 3


# --- The car ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["friction", "mass", "lag", "battery"])
def test_cars_differ_evenly_and_within_bounds(name):
    world = varied(races=600, **{name: 0.3})
    changed = [field for field in CarConstants._fields if len(np.unique(world.car_constants[field])) > 1]
    assert (
        changed
        == {
            "friction": ["grip", "rear_grip"],
            "mass": ["speed_lag", "front_stiffness", "rear_stiffness"],
            "lag": ["speed_lag", "dead_time", "steering_lag"],
            "battery": ["speed_gain"],
        }[name]
    )
    for field in changed:
        share = world.car_constants[field] / getattr(CAR, field)
        share = 1.0 / share if name == "mass" and field != "speed_lag" else share
        assert 0.7 <= share.min() < 0.71 and 1.29 < share.max() <= 1.3
        assert share.mean() == pytest.approx(1.0, abs=0.02) and share.std() == pytest.approx(
            0.3 / math.sqrt(3), abs=0.01
        )


def test_constants_stay_within_what_a_car_can_have():
    world = varied(races=300, friction=0.9, mass=0.9, lag=0.9)
    for name, (least, most) in RANGES.items():
        values = world.car_constants[name]
        assert (values >= least).all() and (values <= most).all(), name


def test_a_car_that_differs_drives_as_a_car_with_its_constants():
    world = varied(races=6, friction=0.5, mass=0.5, lag=0.5)
    rng = np.random.default_rng(0)
    commands = np.stack([rng.uniform(-30.0, 30.0, (40, 1)), rng.uniform(0.5, 4.0, (40, 1))], axis=-1)
    commands = np.repeat(commands[:, None], 6, axis=1)
    gained = np.zeros((6, 1))
    for command in commands:
        world.step(command, gained)
    places = set()
    for i in range(6):
        own = dataclasses.replace(CAR, **{name: float(world.car_constants[name][i, 0]) for name in RANGES})
        other = World(world.track, car=own, rules=Rules("line"))
        other.seed(5 + i)
        other.reset()
        for command in commands:
            other.step(command[:1], gained[:1])
        assert other.cars[0, 0] == world.cars[i, 0]
        places.add(float(world.cars[i, 0]["x"]))
    assert len(places) == 6


def test_each_episode_has_a_car_of_its_own_and_keeps_it():
    env = TimeTrialVector(3, randomization=Randomization(friction=0.3))
    env.reset(seed=0)
    grips = [env.field.world.car_constants["grip"].copy()]
    for _ in range(4):
        env.step(np.zeros((3, 2), np.float32))
        assert np.array_equal(env.field.world.car_constants["grip"], grips[0])
    for _ in range(3):
        env.reset()
        grips.append(env.field.world.car_constants["grip"].copy())
    assert len(np.unique(grips)) == 12
    env.reset(seed=0)
    assert np.array_equal(env.field.world.car_constants["grip"], grips[0])


def driven(world, commands):
    """The places of the cars of a world that are given the same commands, (k, n)."""
    gained, places = np.zeros(world.cars.shape), []
    for steering, speed in commands:
        world.step(np.tile([steering, speed], (*world.cars.shape, 1)).astype(float), gained)
        places.append(world.cars["x"][:, 0] + 1j * world.cars["y"][:, 0])
    return np.array(places)


def test_wheels_that_stand_askew_drive_as_a_command_that_is_askew():
    world = varied(races=30, trim=0.1)
    places = driven(world, [(5.0, 1.5)] * 12)
    trims = world.car_constants["trim"][:, 0]
    assert -0.1 <= trims.min() < -0.08 and 0.08 < trims.max() <= 0.1
    for i in range(0, 30, 7):
        plain = World(world.track, rules=Rules("line"))
        plain.seed(5 + i)
        plain.reset()
        np.testing.assert_allclose(driven(plain, [(5.0 + math.degrees(trims[i]), 1.5)] * 12)[:, 0], places[:, i])


def test_a_throttle_is_made_of_a_speed_as_the_physical_car_makes_it():
    """80 % of it at half the greatest speed, and it never exceeds the whole."""
    world = varied(races=400, throttle=1.0)
    world.top_speed = 2.0
    driven(world, [(0.0, 1.0)] * 30)
    reached = (world.cars["speed"][:, 0] - CAR.speed_offset) / CAR.speed_gain
    weights = world.car_constants["throttle"][:, 0]
    np.testing.assert_allclose(reached, 1.0 + weights * 0.6, atol=0.02)
    assert 0.0 <= weights.min() < 0.02 and 0.98 < weights.max() <= 1.0
    driven(world, [(0.0, 2.0)] * 40)
    np.testing.assert_allclose(world.cars["speed"][:, 0], CAR.speed_gain * 2.0 + CAR.speed_offset, atol=0.02)


def test_the_greatest_speed_is_that_of_the_action_space():
    for actions, most in (
        (DiscreteActions(((0.0, 0.7), (20.0, 1.3))), 1.3),
        (ContinuousActions(speed=(0.2, 2.5)), 2.5),
    ):
        assert TimeTrialVector(1, actions=actions).field.world.top_speed == most


def test_shorter_control_steps_drive_the_same_way_in_more_of_them():
    world = varied(races=12, rate=0.5)
    commands = [(8.0, 1.4)] * 60
    places = driven(world, commands)
    plain = varied(races=1)
    way = driven(plain, commands)[:, 0]
    times = np.arange(1, 61) * STEP_S
    shares = world.car_constants["speed_gain"][:, 0] / CAR.speed_gain
    assert 0.5 <= shares.min() < 0.6 and 0.9 < shares.max() <= 1.0
    for i, share in enumerate(shares):
        expected = np.interp(times * share, times, way.real) + 1j * np.interp(times * share, times, way.imag)
        assert np.abs(places[:, i] - expected)[5:].max() < 0.04


# --- The start ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("track", ["harbor", "whirlpool"])
def test_starts_differ_in_place_and_heading_but_not_in_progress(track):
    world = varied(200, track, "random", start_offset_m=0.2, start_heading=0.3)
    plain = World(world.track, 200, rules=Rules("random"))
    plain.seed(5)
    plain.reset()
    moved = np.hypot(world.cars["x"] - plain.cars["x"], world.cars["y"] - plain.cars["y"])
    turned = np.remainder(world.cars["heading"] - plain.cars["heading"] + math.pi, 2 * math.pi) - math.pi
    assert 0.19 < moved.max() <= 0.2 + 1e-9 and moved.mean() == pytest.approx(0.1, abs=0.02)
    assert 0.28 < np.abs(turned).max() <= 0.3 and abs(turned.mean()) < 0.04
    assert (np.abs(world.cars["heading"]) <= math.pi).all()
    assert np.array_equal(world.cars["start_s"], plain.cars["start_s"])
    assert np.abs(world.cars["distance"] - plain.cars["distance"]).max() < 0.15
    assert np.array_equal(world.cars["distance"], world.cars["last_distance"])


def test_no_start_is_off_the_road():
    world = varied(300, "needle", "random", start_offset_m=1.0)
    assert (world.cars["wheels_on_track"] > 0).all()
    assert np.abs(world.cars["offset"]).max() < 0.25


# --- Pictures -----------------------------------------------------------------------------------------------


def test_light_makes_pictures_brighter_or_darker_as_a_whole():
    pictures = observed(Camera(), varied(light=0.3)).astype(float)
    plain = observed(Camera(), varied()).astype(float)
    factors = np.median(pictures[:, 70:], axis=(1, 2, 3)) / camera.GREYS["road"]
    assert 0.69 < factors.min() < 0.8 and 1.2 < factors.max() < 1.31
    scaled = np.minimum(255.0, plain * factors[:, None, None, None])
    assert np.abs(pictures - scaled).mean() < 2.0
    assert np.abs(pictures - scaled)[factors < 1.05].max() < 8.0  # brighter lines are as white as can be


def test_contrast_moves_greys_away_from_the_middle_one():
    pictures = observed(Camera(), varied(contrast=0.5)).astype(float)[:, 70:]
    plain = observed(Camera(), varied()).astype(float)[:, 70:]
    factors = (np.median(pictures, axis=(1, 2, 3)) - 128.0) / (camera.GREYS["road"] - 128.0)
    assert 0.48 < factors.min() < 0.6 and 1.4 < factors.max() < 1.52
    expected = np.clip(128.0 + (plain - 128.0) * factors[:, None, None, None], 0.0, 255.0)
    assert np.abs(pictures - expected).mean() < 1.0


def test_blur_is_the_mean_with_neighbours():
    size = (24, 16)
    sharp = observed(Camera(size=size), varied(races=25))[..., 0].astype(np.int64)
    pictures = observed(Camera(size=size), varied(races=25, blur=0.3))[..., 0]
    shares = []
    for one, picture in zip(sharp, pictures, strict=True):
        tried = {}
        for share in range(77):
            mixed = one
            for axis in (0, 1):
                wide = np.pad(mixed, [(1, 1) if k == axis else (0, 0) for k in range(2)], mode="edge")
                sides = np.take(wide, range(one.shape[axis]), axis) + np.take(wide, range(2, one.shape[axis] + 2), axis)
                new = ((256 - 2 * share) * mixed + share * sides + 128) >> 8
                if axis:  # the outermost columns have a neighbour on one side alone, and stay
                    new[:, [0, -1]] = mixed[:, [0, -1]]
                mixed = new
            tried[share] = np.abs(mixed - picture).max()
        shares.append(min(tried, key=tried.get))
        assert tried[shares[-1]] == 0
    assert min(shares) < 10 and max(shares) > 66


@pytest.mark.parametrize("name", [FRONT, "STEREO_CAMERAS"])
def test_texture_is_large_patches_of_light_that_are_others_at_each_step(name):
    world = varied(races=8, texture=20.0)
    plain = observed(Camera(name), varied(races=8)).astype(int)[:, 70:]
    shade = observed(Camera(name), world)[:, 70:].astype(int) - plain
    inner = shade[:, :, :, 0][(plain > 30).all(-1) & (plain < 220).all(-1)]
    assert 12 < inner.max() <= 20 and -20 <= inner.min() < -12 and abs(inner.mean()) < 4.0
    flat = (plain == camera.GREYS["road"]).all(-1)
    for axis in (1, 2):
        both = flat[:, 1:] & flat[:, :-1] if axis == 1 else flat[:, :, 1:] & flat[:, :, :-1]
        assert np.abs(np.diff(shade[..., 0], axis=axis)[both]).max() <= 2
    assert np.array_equal(shade[..., 0][flat], shade[..., -1][flat])
    world.cars["steps"] += 1
    again = observed(Camera(name), world)[:, 70:].astype(int) - plain
    assert np.abs(again - shade)[flat].mean() > 4.0


def test_colours_change_each_for_itself():
    views = [np.unique(picture[70:], return_counts=True) for picture in observed(Camera(), varied(colours=30.0))]
    roads = [values[counts.argmax()] for values, counts in views]
    assert len(set(roads)) > 20
    assert min(roads) >= camera.GREYS["road"] - 31 and max(roads) <= camera.GREYS["road"] + 31
    skies = observed(Camera(), varied(colours=30.0))[:, 25, 0, 0].astype(float)
    assert abs(np.corrcoef(roads, skies)[0, 1]) < 0.5


@pytest.mark.parametrize(("name", "much"), [("field_of_view", 0.2), ("pitch", 0.2), ("height_m", 0.05)])
def test_lenses_differ_as_cameras_with_those_settings_do(name, much):
    world = varied(races=12, **{name: much})
    pictures = observed(Camera(), world)
    pose = [(world.cars[0, 0]["x"], world.cars[0, 0]["y"], world.cars[0, 0]["heading"])]
    default = getattr(Camera(), name)
    values = np.linspace(default - much, default + much, 81)
    tried = np.stack([Camera(**{name: value}).look(world.track, pose)[0] for value in values]).astype(float)
    best = []
    for picture in pictures:
        error = np.abs(tried - picture).mean(axis=(1, 2, 3))
        assert error.min() < 1.5
        best.append(values[error.argmin()])
    assert len(np.unique(best)) > 8 and np.ptp(best) > much


def test_pixel_noise_is_normal_and_new_at_each_step_and_in_each_lens():
    world = varied(races=4, pixel_noise=8.0)
    noise = observed(Camera("STEREO_CAMERAS"), world).astype(float)
    noise -= observed(Camera("STEREO_CAMERAS"), varied(races=4))
    inner = noise[:, 70:]
    assert inner.std() == pytest.approx(8.0, abs=0.2) and abs(inner.mean()) < 0.1
    assert (np.abs(inner) > 16.0).mean() == pytest.approx(0.04, abs=0.01)
    flat = noise.reshape(4, -1, 2)
    for one, other in ((flat[0, :, 0], flat[0, :, 1]), (flat[0, :, 0], flat[1, :, 0])):
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.03
    again = observed(Camera("STEREO_CAMERAS"), world)
    assert np.array_equal(again, observed(Camera("STEREO_CAMERAS"), world))
    world.cars["steps"] += 1
    assert not np.array_equal(again, observed(Camera("STEREO_CAMERAS"), world))


# --- Other sensors ------------------------------------------------------------------------------------------


def test_beams_are_off_by_as_much_as_told():
    sensor = Lidar(clip_m=6.0)
    true = observed(sensor, varied(races=300))
    noise = (observed(sensor, varied(races=300, lidar_noise_m=0.01)) - true)[(true > 0.2) & (true < 5.9)]
    assert noise.std() == pytest.approx(0.01, rel=0.05) and abs(noise.mean()) < 0.001
    told = observed(Lidar(), varied(races=50, lidar_noise_m=1.0))
    assert told.min() >= np.float32(0.15) and told.max() <= 1.0


def test_states_are_off_by_as_much_as_told():
    env, plain = (
        TimeTrialVector(200, start="line", **k) for k in ({"randomization": Randomization(state_noise=0.05)}, {})
    )
    noise = env.reset(seed=1)[0] - plain.reset(seed=1)[0]
    assert noise.std() == pytest.approx(0.05, rel=0.05) and abs(noise.mean()) < 0.005
    assert env.single_observation_space.contains(env.reset(seed=1)[0][0])


def told_and_true(steps, **what):
    """States of 60 cars as told and as they are, (steps, 60, k), and the steps of their episodes."""
    env, plain = (TimeTrialVector(60, start="line", **k) for k in ({"randomization": Randomization(**what)}, {}))
    told, true, count = [env.reset(seed=4)[0]], [plain.reset(seed=4)[0]], [env.state["steps"].copy()]
    for _ in range(steps):
        told.append(env.step(np.tile(GO, (60, 1)))[0])
        true.append(plain.step(np.tile(GO, (60, 1)))[0])
        count.append(env.state["steps"].copy())
    return np.array(told), np.array(true), np.array(count)


def test_what_is_late_is_late_by_the_same_steps_all_through_an_episode():
    told, true, count = told_and_true(12, delay=3)
    assert (count == np.arange(1, 14)[:, None]).all()  # nobody left the road
    delays = []
    for i in range(60):
        fits = [d for d in range(4) if all(np.array_equal(told[k, i], true[max(0, k - d), i]) for k in range(13))]
        assert len(fits) == 1
        delays += fits
    assert np.bincount(delays, minlength=4).min() >= 6


def test_what_is_dropped_is_perceived_once_more():
    told, true, _ = told_and_true(12, dropped=0.4)
    lost = 0
    for i in range(60):
        shown = true[0, i]
        for k in range(1, 13):
            fresh = np.array_equal(told[k, i], true[k, i])
            assert fresh or np.array_equal(told[k, i], shown)
            shown = told[k, i]
            lost += not fresh
    assert lost / (60 * 12) == pytest.approx(0.4, abs=0.06)


def test_an_episode_begins_with_what_is_true():
    env = TimeTrialVector(30, "needle", randomization=Randomization(delay=5, dropped=0.5))
    plain = TimeTrialVector(30, "needle")
    told, true = env.reset(seed=0)[0], plain.reset(seed=0)[0]
    begun = 0
    for _ in range(60):
        first = env.state["steps"] == 1
        assert np.array_equal(told[first], true[first])
        begun += first.sum()
        actions = np.tile(np.array([0.9, 0.0], np.float32), (30, 1))
        told, true = env.step(actions)[0], plain.step(actions)[0]
    assert begun > 60


# --- Bad input ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MOST)
@pytest.mark.parametrize("value", [-0.01, math.nan, math.inf, "much", True, None])
def test_what_cannot_be_drawn_is_refused(name, value):
    with pytest.raises(ValueError, match=f"^{name} of a randomization is .* must be a number from 0 to"):
        Randomization(**{name: value})


def test_bounds_are_the_last_that_are_taken():
    for name, most in MOST.items():
        Randomization(**{name: most})
        with pytest.raises(ValueError, match=name):
            Randomization(**{name: most + 1.0})
    with pytest.raises(ValueError, match="whole number of steps"):
        Randomization(delay=1.5)
    assert set(MOST) == {field.name for field in dataclasses.fields(Randomization)}


@pytest.mark.parametrize("ends", [0.0, 0.5, 0.9])
def test_the_share_that_is_asked_for_is_at_the_ends_and_the_rest_is_even(ends):
    told = np.array(
        [
            varied(3000, trim=0.1, ends=ends).car_constants["trim"][:, 0] / 0.1,
            varied(3000, friction=0.2, ends=ends).car_constants["grip"][:, 0] / (0.2 * CAR.grip) - 5.0,
            varied(3000, throttle=0.8, ends=ends).car_constants["throttle"][:, 0] / 0.4 - 1.0,
        ]
    )
    at_ends = np.isclose(np.abs(told), 1.0)
    assert np.abs(told).max() <= 1.0 + 1e-9
    np.testing.assert_allclose(at_ends.mean(1), ends, atol=0.03)
    np.testing.assert_allclose((told[at_ends] > 0.0).mean() if ends else 0.5, 0.5, atol=0.03)
    for row, there in zip(told, at_ends, strict=True):
        between = np.sort(row[~there])
        np.testing.assert_allclose(between, np.linspace(-1.0, 1.0, len(between)), atol=0.2)


@pytest.mark.parametrize("level", ["off", "some"])
def test_a_training_draws_half_of_it_at_the_ends(level, tmp_path):
    class Seen(Callback):
        def on_training_start(self, env, learner):
            self.drawn = env.field.world.randomization

    seen = Seen()
    config = RunConfig("pebble", agent="ppo", steps=64, randomize=level, logs=False)
    train(start(config, str(tmp_path / "run")), [seen])
    assert seen.drawn == (OFF if level == "off" else dataclasses.replace(SIM_TO_REAL, ends=0.5))


def test_a_wider_one_is_wider_in_everything_that_has_room():
    wider = REAL_CAR.times(1.5)
    for name, most in MOST.items():
        value = getattr(REAL_CAR, name) if name == "ends" else min(most, 1.5 * getattr(REAL_CAR, name))
        assert getattr(wider, name) == (2 if name == "delay" else value)
    assert OFF.times(1.5) == OFF
