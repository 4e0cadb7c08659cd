"""The environments of races: their specifications run, and one face gives what the other gives."""

import doctest
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from shapely import LineString, Point

from racer import env as faces
from racer.env import HeadToBot, HeadToBotVector, ObjectAvoidance, ObjectAvoidanceVector
from racer.reward import KEYS, Params, params_at
from racer.sensors import State, make_sensors
from racer.sim import STATUS, Bots, Boxes, Place, Rules, TrackObject, Traffic, World
from racer.track import load_track

NAMES = (
    *("ObjectAvoidance", "ObjectAvoidanceVector", "HeadToBot", "HeadToBotVector"),
    *("HeadToHead", "HeadToHeadVector", "ParallelHeadToHead"),
)
KINDS = {
    "racer/ObjectAvoidance-v0": {"objects": 5, "random_objects": True},
    "racer/HeadToBot-v0": {"bots": 3, "bot_speed": 0.7, "lane_changes": True},
}
OBJECT_KEYS = [key for key in KEYS if "object" in key or key == "is_crashed"]


@pytest.mark.parametrize("name", NAMES)
def test_the_specification_runs(name):
    found = doctest.DocTestFinder(recurse=False).find(getattr(faces, name), name, globs={})
    assert found and found[0].examples
    assert doctest.DocTestRunner().run(found[0]).failed == 0


@pytest.mark.parametrize(
    ("name", "options"), [*KINDS.items(), ("racer/HeadToHead-v0", {"opponents": ["pure_pursuit"]})]
)
def test_gymnasiums_checker_is_content(name, options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "(.*render_mode|.*maximum value is.*|.*minimum value is).*")
        check_env(gym.make(name, **options).unwrapped, skip_render_check=True)


def driven(rng, seen):
    """Actions that follow the centre line, more or less: the way into boxes and bot cars."""
    seen = seen.reshape(-1, seen.shape[-1])
    steering = 2.0 * seen[:, 13] + rng.normal(0.0, 0.2, len(seen))
    return np.stack([steering.clip(-1.0, 1.0), rng.uniform(-0.8, 0.2, len(seen))], axis=1).astype(np.float32)


@pytest.mark.parametrize(("name", "options"), KINDS.items())
def test_a_car_in_a_batch_is_the_car_alone(name, options):
    options = {**options, "reward_function": "avoid_boxes", "autoreset_mode": "NextStep"}
    many = gym.make_vec(name, num_envs=3, **options)
    options.pop("autoreset_mode")
    alone = [gym.make(name, **options) for _ in range(3)]
    seen, _ = many.reset(seed=4)
    for i, env in enumerate(alone):
        assert np.array_equal(env.reset(seed=4 + i)[0], seen[i])
    rng, over, crashes = np.random.default_rng(0), [False] * 3, 0
    for _ in range(150):
        actions = driven(rng, seen)
        seen, rewards, terminated, truncated, infos = many.step(actions)
        for i, env in enumerate(alone):
            if over[i]:
                one, reward, ended, info = env.reset()[0], 0.0, False, {"status": "in_progress", "crashes": 0}
            else:
                one, reward, ends, cut, info = env.step(actions[i])
                ended = ends or cut
            assert np.array_equal(one, seen[i])
            assert (reward, ended) == (rewards[i], bool(terminated[i] or truncated[i]))
            assert (info["status"], info["crashes"]) == (infos["status"][i], infos["crashes"][i])
            over[i] = ended
            crashes += info["status"] == "crashed"
    assert crashes > 2


def test_params_of_a_running_race_are_those_of_the_pose():
    """Against `params_at`, for every key that tells of objects, in every step; the crash one step later."""
    for env in (ObjectAvoidance(objects=5, random_objects=True), HeadToBot(bots=3, lane_changes=True)):
        seen, _ = env.reset(seed=2)
        rng, crashes = np.random.default_rng(1), 0
        for _ in range(200):
            car, things = env.state.copy(), env.field.world.things[0].copy()
            seen, _, ended, _, _ = env.step(driven(rng, seen)[0])
            given = env.reward_params
            objects = [
                TrackObject(one["x"], one["y"], one["heading"], 0.5 if one["is_bot"] else None) for one in things
            ]
            where = float(car["front_x"]), float(car["front_y"]), float(car["heading"])
            expected = params_at(env.track, *where, objects=objects)
            for key in OBJECT_KEYS:
                assert np.asarray(given[key]) == pytest.approx(np.asarray(expected[key]), abs=1e-9), key
                assert type(given[key]) is type(expected[key]), key
            crashes += given["is_crashed"]
            assert given["is_crashed"] is (STATUS[env.state["status"]] == "crashed")
            if ended:
                seen, _ = env.reset()
        assert crashes > 0


def test_rivals_are_objects_too():
    world = World(load_track("harbor"), 2, 3, traffic=Traffic(Boxes(2)))
    world.seed(0)
    world.reset()
    params = Params(world.track, 6)
    params.describe(world, np.zeros((2, 3, 2)))
    line = LineString(world.track.center)
    for row in range(6):
        race, me = divmod(row, 3)
        rivals = [world.cars[race, k] for k in range(3) if k != me]
        points = [Point(one["x"], one["y"]) for one in [*world.things[race], *rivals]]
        given = params.of(row)
        assert given["objects_location"] == [(point.x, point.y) for point in points]
        assert given["objects_distance"] == pytest.approx([line.project(point) for point in points], abs=1e-6)
        assert given["objects_heading"][2:] == [float(one["heading"]) for one in rivals]
        assert given["objects_speed"] == [0.0] * 4


def test_the_state_tells_of_the_nearest_ahead():
    boxes = Boxes(places=(Place(0.10, "inner"), Place(0.16, "outer"), Place(0.9, "inner")))
    env = ObjectAvoidance(objects=boxes, start="line")
    seen, _ = env.reset(seed=0)
    state, things = env.state, env.field.world.things[0]
    half = 0.5 * env.track.width
    expected = []
    for one in things[:2]:
        along, across = float(one["s"] - state["s"]) / 5.0, float(one["offset"] - state["offset"]) / half
        expected += [along, across, 0.0, 0.8]
    assert seen[30:].tolist() == pytest.approx([*expected, 1.0, 0.0, 0.0, 0.0], abs=1e-3)
    for _ in range(25):
        seen = env.step(np.array([0.0, -0.2], dtype=np.float32))[0]
    assert seen[32] == pytest.approx(-float(env.state["speed"]) / 4.0, abs=1e-5)


def test_an_object_is_ahead_until_it_is_passed():
    world = World(load_track("harbor"), traffic=Traffic(Boxes(places=(Place(0.2),))))
    world.seed(0)
    world.reset()
    out = np.zeros((1, 1, 34), np.float32)
    for gap, there in ((-0.55, 0.8), (-0.65, 0.0), (4.9, 0.8), (5.1, 0.0)):
        world.cars["s"] = world.things["s"] - gap
        State(1).observe(world, out)
        assert out[0, 0, 33] == pytest.approx(there)


def test_a_time_trial_observes_no_objects():
    env = gym.make("racer/TimeTrial-v0", sensors="state:objects=2")
    seen, info = env.reset(seed=1)
    assert seen.shape == (38,)
    assert seen[30:].tolist() == [1.0, 0.0, 0.0, 0.0] * 2
    assert "crashes" not in info
    assert make_sensors(("state",))[0].shape == (30,)


@pytest.mark.parametrize("sensor", ["LIDAR", "FRONT_FACING_CAMERA:size=40x30"])
def test_lidars_and_cameras_see_the_worlds_objects(sensor):
    world = World(
        load_track("harbor"), rules=Rules("line"), traffic=Traffic(Boxes(places=(Place(0.03), Place(0.05, "outer"))))
    )
    world.seed(0)
    world.reset()
    eye = make_sensors((sensor,))[0]
    there, gone = (np.zeros((1, 1, *eye.shape), eye.dtype) for _ in range(2))
    eye.observe(world, there)
    world.things["x"] += 1000.0
    eye.observe(world, gone)
    assert (there != gone).mean() > 0.03


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="At most"):
        ObjectAvoidance(objects=50).reset()
    with pytest.raises(ValueError, match="0 to 200"):
        ObjectAvoidanceVector(2, objects=10_000)
    with pytest.raises(ValueError, match="leave out bot_speed"):
        HeadToBot(bots=Bots(2), bot_speed=2.0)
    with pytest.raises(ValueError, match="leave out random_objects"):
        ObjectAvoidance(objects=Boxes(2), random_objects=True)
    with pytest.raises(ValueError, match=r"state observes 30 objects"):
        HeadToBotVector(2, sensors="state:objects=30")
    with pytest.raises(ValueError, match=r"must be a `racer.sim.Traffic`"):
        gym.make("racer/TimeTrial-v0", traffic="boxes")


def test_with_a_penalty_a_crash_costs_time_alone():
    env = ObjectAvoidance(rules=Rules("line", penalty_s=0.2, crash_penalty_s=0.4))
    env.reset(seed=0)
    held = crashes = 0
    for _ in range(120):
        info = env.step(np.array([0.0, -0.4], dtype=np.float32))[4]
        held += info["status"] == "pause"
        crashes = max(crashes, info["crashes"])
        assert info["status"] in ("in_progress", "crashed", "pause", "off_track")
    assert crashes >= 1
    assert held >= 6


def test_the_picture_shows_boxes():
    pictures = []
    for places in ((Place(0.3), Place(0.7)), (Place(0.5),)):
        env = ObjectAvoidance(objects=Boxes(places=places), render_mode="rgb_array")
        env.reset(seed=1)
        pictures.append(env.render())
        env.close()
    assert 500 < (pictures[0] != pictures[1]).any(axis=2).sum() < 5000
