"""Races with boxes, bot cars and rivals: collisions against Shapely, blame, and what follows from them."""

import math

import numpy as np
import pytest
import shapely
from drives import ring

from racer.sim import (
    CAR_STATE,
    CARS,
    SIM_TO_REAL,
    STATUS,
    STEP_S,
    THING,
    Bots,
    Boxes,
    Place,
    Rules,
    TrackSampler,
    Traffic,
    World,
)
from racer.sim.meeting import overlap
from racer.track import load_track

CAR = CARS["deepracer"]
STRAIGHT_ON, STAND = (0.0, 2.0), (0.0, 0.0)


def polygons(rows):
    """Shapely's rectangles of rows x, y, heading, length, width."""
    x, y, heading, length, width = (column[:, None] for column in rows.T)
    along, left = 0.5 * length * np.array([1, -1, -1, 1]), 0.5 * width * np.array([1, 1, -1, -1])
    c, s = np.cos(heading), np.sin(heading)
    return shapely.polygons(np.stack([x + c * along - s * left, y + s * along + c * left], axis=-1))


def test_rectangles_overlap_where_shapelys_do():
    rng = np.random.default_rng(0)
    count = 100_000
    one, other = (
        np.column_stack(
            [rng.normal(0.0, 0.25, (count, 2)), rng.uniform(-4, 4, count), rng.uniform(0.05, 0.6, (count, 2))]
        )
        for _ in range(2)
    )
    other[:1000, 2] = one[:1000, 2] + rng.integers(0, 4, 1000) * (0.5 * math.pi)  # parallel ones, too
    expected = shapely.area(shapely.intersection(polygons(one), polygons(other)))
    found = np.array([overlap(*a, *b) for a, b in zip(one.tolist(), other.tolist(), strict=True)])
    sure = ~((expected < 1e-12) & (shapely.distance(polygons(one), polygons(other)) < 1e-9))
    assert sure.mean() > 0.999
    assert (found == (expected > 0.0))[sure].all()
    assert 0.3 < found.mean() < 0.7


def world_of(traffic, races=1, cars=1, track=None, **rules):
    world = World(track or ring(3.0, 120), races, cars, rules=Rules(**{"start": "line", **rules}), traffic=traffic)
    world.seed(5)
    world.reset()
    return world


def step(world, *commands):
    rewards = np.zeros(world.cars.shape)
    rows = np.array(commands or [STRAIGHT_ON], dtype=np.float64)
    world.step(np.broadcast_to(rows, (*world.cars.shape, 2)).copy(), rewards)
    return rewards


def put(car, s, offset=0.0, radius=3.0, **values):
    """Put a car on the ring, at rest."""
    angle, r = s / radius, radius - offset
    car["x"], car["y"], car["heading"] = r * math.cos(angle), r * math.sin(angle), angle + 0.5 * math.pi
    car["front_x"] = car["x"] + CAR.front_point * math.cos(car["heading"])
    car["front_y"] = car["y"] + CAR.front_point * math.sin(car["heading"])
    car["s"], car["segment"], car["offset"] = (
        s + CAR.front_point,
        int((s + CAR.front_point) / 2 / math.pi / radius * 120),
        offset,
    )
    car["distance"] = car["last_distance"] = car["s"] - car["start_s"]
    for name, value in values.items():
        car[name] = value


def test_boxes_spread_evenly_stand_in_both_lanes_in_turn():
    world = world_of(Traffic(Boxes(5)))
    boxes, length = world.things[0], world.track.length
    np.testing.assert_allclose(boxes["s"], np.linspace(2.0, length - 1.0, 5), atol=0.03)
    np.testing.assert_allclose(boxes["offset"], [0.225, -0.225, 0.225, -0.225, 0.225], atol=0.01)
    away = (boxes["heading"] - np.arctan2(boxes["y"], boxes["x"]) - 0.5 * np.pi + np.pi) % (2 * np.pi) - np.pi
    np.testing.assert_allclose(away, 0.0, atol=0.02)
    assert set(boxes["length"]) == {0.5}
    assert set(boxes["width"]) == {0.4}
    assert not boxes["speed"].any()


@pytest.mark.parametrize("reverse", [False, True])
def test_boxes_stand_where_they_are_put(reverse):
    track = load_track("harbor").reverse() if reverse else load_track("harbor")
    world = world_of(Traffic(Boxes(places=(Place(0.3, "outer"), Place(0.9, "inner")), as_cars=True)), track=track)
    boxes = world.things[0]
    np.testing.assert_allclose(boxes["s"], [0.3 * track.length, 0.9 * track.length], atol=0.1)
    rings = shapely.LinearRing(track.outer), shapely.LinearRing(track.inner)
    for box, here, there in zip(boxes, rings, rings[::-1], strict=True):
        point = shapely.Point(box["x"], box["y"])
        assert point.distance(here) < point.distance(there)
    assert set(boxes["length"]) == {CAR.length}


def test_drawn_boxes_keep_their_gap_and_are_others_in_each_episode():
    traffic = Traffic(Boxes(5, drawn=True, gap_m=1.8))
    world = world_of(traffic, races=200)
    length = world.track.length
    first = world.things.copy()
    assert (np.diff(first["along"], axis=1) >= 1.8 - 1e-9).all()
    assert first["along"].min() >= 2.0
    assert first["along"].max() <= length - 1.0
    assert 0.4 < (first["left"] == 1.0).mean() < 0.6
    assert len(np.unique(first["along"][:, 0])) == 200
    world.reset(np.arange(200) < 100)
    assert (world.things["along"][:100] != first["along"][:100]).all()
    assert (world.things[100:] == first[100:]).all()
    counts, _ = np.histogram(first["along"], bins=5, range=(2.0, length - 1.0))
    assert counts.min() > 0.6 * counts.max(), "some places are hardly ever drawn"


def test_a_car_starts_in_the_other_lane_of_a_box():
    box = Boxes(places=(Place(0.98, "inner"),))
    assert world_of(Traffic(box)).cars["offset"].item() == pytest.approx(-0.225, abs=0.01)
    box = Boxes(places=(Place(0.02, "outer"),))
    assert world_of(Traffic(box)).cars["offset"].item() == pytest.approx(0.225, abs=0.01)
    assert world_of(Traffic(Boxes(places=(Place(0.2),)))).cars["offset"].item() == pytest.approx(0.0, abs=0.01)


def test_bots_drive_at_their_speed_along_their_lanes():
    world = world_of(Traffic(bots=Bots(3, 0.6)), track=ring(3.0, 240))
    start = world.things[0].copy()
    np.testing.assert_allclose(start["s"], [2.0, 4.0, 6.0], atol=0.02)
    world.cars["held"] = 10**6  # the car stands aside
    for _ in range(450):
        before = world.things[0].copy()
        step(world)
        way = np.hypot(world.things[0]["x"] - before["x"], world.things[0]["y"] - before["y"])
        np.testing.assert_allclose(way, 0.6 * STEP_S * (3.0 - start["offset"]) / 3.0, rtol=0.02)
    np.testing.assert_allclose(world.things[0]["s"], (start["s"] + 0.6 * 30.0) % world.track.length, atol=0.02)
    np.testing.assert_allclose(world.things[0]["offset"], start["offset"], atol=0.01)


def test_bots_change_lanes_in_time_and_face_where_they_drive():
    world = world_of(Traffic(bots=Bots(2, 0.5, lane_changes=True)), races=50, track=ring(3.0, 240))
    world.cars["held"] = 10**6
    offsets, changing = [], []
    for _ in range(300):
        before = world.things.copy()
        step(world)
        things = world.things
        dx, dy = things["x"] - before["x"], things["y"] - before["y"]
        turned = np.abs((np.arctan2(dy, dx) - things["heading"] + np.pi) % (2 * np.pi) - np.pi)
        assert turned.max() < 0.1
        assert np.hypot(dx, dy).max() < 0.06
        offsets.append(things["offset"].copy())
        changing.append(things["changed"] < 1.0)
    begins = np.argwhere(np.diff(np.array(changing).astype(int), axis=0) == 1)
    first = np.full((50, 2), 10**6)
    np.minimum.at(first, (begins[:, 1], begins[:, 2]), begins[:, 0])
    seconds = first * STEP_S
    assert 2.8 < seconds.min() < 3.3
    assert 4.7 < seconds.max() < 5.2
    assert np.array(changing).sum(axis=0).max() <= 300 * 2 / 5.0
    assert np.abs(np.array(offsets)).max() < 0.27
    assert (world.things["changes"] >= 2).all()


def run_into(traffic, car=0, **rules):
    """A world whose car stands 1 m behind the first thing, facing it, and drives at it until it crashes."""
    world = world_of(traffic, **rules)
    thing = world.things[0, 0]
    put(world.cars[0, 0], float(thing["s"]) - 0.7, float(thing["offset"]))
    for _ in range(40):
        step(world, (8.0, 2.0))
        if world.cars["hit"][0, 0] >= 0:
            break
    return world


BOX_AHEAD = Traffic(Boxes(places=(Place(0.3, "inner"), Place(0.6, "outer"))))


def test_a_crash_with_a_box_ends_an_episode_in_training():
    world = run_into(BOX_AHEAD)
    car = world.cars[0, 0]
    assert (STATUS[car["status"]], int(car["hit"]), int(car["crashes"]), int(car["held"])) == ("crashed", 0, 1, 0)
    assert world.rules.ends[car["status"]]
    box = world.things[0, 0]
    assert 0.2 < float(box["s"] - car["s"]) + 0.14 < 0.45  # it stopped where it met the box
    world.reset()
    assert (int(world.cars["hit"].item()), int(world.cars["crashes"].item())) == (-1, 0)


def test_after_a_crash_in_a_race_it_stands_behind_the_box_in_the_other_lane():
    world = run_into(BOX_AHEAD, penalty_s=1.0, crash_penalty_s=2.0)
    car, box = world.cars[0, 0], world.things[0, 0]
    assert (STATUS[car["status"]], int(car["held"]), int(car["resets"])) == ("crashed", 30, 1)
    assert not world.rules.ends[car["status"]]
    assert float(car["s"]) - CAR.front_point == pytest.approx(float(box["s"]) - 1.0, abs=0.02)
    assert float(car["offset"]) == pytest.approx(-float(box["offset"]), abs=0.02)
    assert float(car["speed"]) == 0.0
    assert float(car["distance"]) == pytest.approx(float(car["s"]), abs=1e-6)
    for _ in range(30):
        gained = step(world)
        assert STATUS[world.cars["status"].item()] == "pause"
        assert gained.item() == 0.0
    step(world, (8.0, 2.0))
    assert STATUS[world.cars["status"].item()] == "in_progress"


def test_the_crash_after_the_last_reset_ends_the_race():
    world = run_into(BOX_AHEAD, penalty_s=1.0, resets=0)
    assert (STATUS[world.cars["status"].item()], world.cars["held"].item()) == ("crashed", 0)


def test_who_leaves_the_track_beside_a_box_goes_behind_it():
    world = world_of(BOX_AHEAD, penalty_s=0.5)
    box = world.things[0, 0]
    put(world.cars[0, 0], float(box["s"]) + 0.4, -1.5, wheels_on_track=0)
    step(world)
    car = world.cars[0, 0]
    assert (STATUS[car["status"]], int(car["crashes"])) == ("off_track", 0)
    assert float(car["s"]) - CAR.front_point == pytest.approx(float(box["s"]) - 1.0, abs=0.02)


BOTS = Traffic(bots=Bots(2, 0.4, gap_m=4.0, stop_s=1.0))


def test_a_car_that_runs_into_a_bot_is_to_blame_and_held_where_it_is():
    world = run_into(BOTS, penalty_s=2.0)
    car = world.cars[0, 0]
    assert (STATUS[car["status"]], int(car["hit"]), int(car["crashes"]), int(car["held"])) == ("crashed", 0, 1, 30)
    at = float(car["x"]), float(car["y"])
    assert not world.things["stopped"].any()
    for _ in range(30):
        step(world)
    assert (float(car["x"]), float(car["y"])) == at
    step(world, (8.0, 0.5))
    assert STATUS[car["status"]] == "in_progress"  # the bot has driven on meanwhile


def test_a_bot_that_runs_into_a_car_is_to_blame_and_all_bots_stop():
    world = world_of(BOTS)
    put(world.cars[0, 0], float(world.things["s"][0, 0]) + 0.4, float(world.things["offset"][0, 0]))
    stopped = 0
    for _ in range(12):
        step(world, STAND)
        assert world.cars["crashes"].item() == 0
        stopped += bool(world.things["stopped"].any())
        assert (world.things["stopped"] > 0).all() or not (world.things["stopped"] > 0).any()
    assert stopped > 5
    assert not world.things["speed"].any()
    for _ in range(20):  # the car drives away; then all go on
        step(world, (8.0, 2.0))
    assert (world.things["speed"] == 0.4).all()


def test_of_two_cars_the_one_behind_is_to_blame():
    world = world_of(Traffic(), cars=2, penalty_s=1.0)
    put(world.cars[0, 0], 4.0)
    put(world.cars[0, 1], 3.6)
    while world.cars["crashes"].sum() == 0:
        step(world, [STAND, (3.0, 2.0)])
    assert world.cars["crashes"].tolist() == [[0, 1]]
    assert world.cars["hit"].tolist() == [[-1, 0]]
    assert world.cars["held"].tolist() == [[0, 15]]
    world.cars["held"][0, 1] = 0
    step(world, [STAND, STAND])
    assert world.cars["crashes"].tolist() == [[0, 2]]


def test_blame_does_not_turn_round_at_the_start_line():
    world = world_of(Traffic(), cars=2)
    put(world.cars[0, 0], 0.0)
    put(world.cars[0, 1], world.track.length - 0.25)
    step(world)
    assert world.cars["hit"].tolist() == [[-1, 0]]


def test_who_is_held_or_through_is_no_obstacle():
    for values in ({"held": 9}, {"laps": 1}):
        world = world_of(Traffic(), cars=2)
        put(world.cars[0, 0], 4.0, **values)
        put(world.cars[0, 1], 3.8)
        step(world)
        assert world.cars["hit"].tolist() == [[-1, -1]]


@pytest.mark.parametrize("grid", ["staggered", "pairs"])
def test_the_grid(grid):
    world = world_of(Traffic(grid=grid, grid_gap_m=0.8), cars=4)
    behind = [0.0, 0.8, 1.6, 2.4] if grid == "staggered" else [0.0, 0.0, 0.8, 0.8]
    np.testing.assert_allclose(world.cars["distance"][0], CAR.front_point - np.array(behind), atol=0.03)
    np.testing.assert_allclose(world.cars["offset"][0], [-0.225, 0.225, -0.225, 0.225], atol=0.01)
    assert not world.cars["start_s"].any(), "all race to the same line"
    for _ in range(500):
        step(world, [(8.0, 1.0)])
        if world.cars["laps"].any():
            break
    assert np.argmax(world.cars["laps"][0]) in (0, 1)


def test_places_on_the_grid_are_drawn():
    world = world_of(Traffic(drawn_grid=True), races=300, cars=3)
    order = np.argsort(-world.cars["distance"], axis=1)
    kinds, counts = np.unique(order, axis=0, return_counts=True)
    assert len(kinds) == 6
    assert counts.min() > 25


WILD = (
    Traffic(Boxes(4, drawn=True), drawn_grid=True),
    Traffic(bots=Bots(3, 0.7, drawn=True, lane_changes=True, change_after_s=(0.5, 1.0))),
    Traffic(),
)


def wild(world, first, steps, episodes=True):
    """Drive about, each race as its seed says: the cars and things after each step."""
    seen = []
    for k in range(steps):
        if episodes and k % 60 == 59:
            world.reset()
        n, m = world.cars.shape
        turn = np.sin(0.07 * k * (1 + first + np.arange(n))[:, None] + np.arange(m))
        commands = np.stack([25.0 * turn, np.full((n, m), 1.0) + np.arange(m)], axis=2)
        world.step(commands, np.zeros((n, m)))
        seen.append((world.cars.copy(), world.things.copy()))
    return seen


@pytest.mark.parametrize("traffic", WILD)
@pytest.mark.parametrize("penalty_s", [None, 0.3])
def test_a_race_in_a_batch_is_the_race_alone(traffic, penalty_s):
    rules = Rules(penalty_s=penalty_s)
    track = load_track("harbor")
    many = World(track, 5, 3, rules=rules, traffic=traffic, threads=2)
    many.seed(11)
    many.reset()
    together = wild(many, 0, 150)
    many.close()
    crashes = 0
    for race in range(5):
        alone = World(track, 1, 3, rules=rules, traffic=traffic)
        alone.seed(11 + race)
        alone.reset()
        for (cars, things), (some, others) in zip(together, wild(alone, race, 150), strict=True):
            assert cars[race].tobytes() == some[0].tobytes()
            assert things[race].tobytes() == others[0].tobytes()
            crashes += (some["hit"] >= 0).sum()
    assert crashes > 0


@pytest.mark.parametrize("traffic", WILD)
def test_several_steps_at_once_are_the_same(traffic):
    rng = np.random.default_rng(3)
    commands = np.stack([rng.uniform(-30, 30, (120, 2, 3)), rng.uniform(0.5, 3.0, (120, 2, 3))], axis=3)
    worlds = [World(load_track("harbor"), 2, 3, rules=Rules(penalty_s=0.2), traffic=traffic) for _ in range(2)]
    for world in worlds:
        world.seed(1)
        world.reset()
    things = np.empty((121, *worlds[0].things.shape), THING)
    states = worlds[0].run(commands, things)
    for k in range(120):
        assert states[k].tobytes() == worlds[1].cars.tobytes()
        assert things[k].tobytes() == worlds[1].things.tobytes()
        worlds[1].step(commands[k], np.zeros((2, 3)))
    assert states[120].tobytes() == worlds[1].cars.tobytes()


def test_randomised_cars_and_random_tracks_have_traffic_too():
    traffic = Traffic(bots=Bots(2, 0.5, lane_changes=True))
    world = World(TrackSampler(), 4, 2, randomization=SIM_TO_REAL, traffic=traffic)
    world.seed(2)
    world.reset()
    seen = wild(world, 0, 80)
    assert (np.ptp([things["along"] for _, things in seen], axis=0) > 1.0).all()
    for races, part in world.by_track():
        assert (part.things == world.things[races]).all()
        assert part.boxes().shape == (len(part.cars), 2, 3)


def test_a_time_trial_has_no_things():
    world = World(load_track("harbor"), 3)
    assert world.traffic is None
    assert world.things.shape == (3, 0)
    assert world.boxes().shape == (1, 1, 0)
    assert world.cars.dtype == CAR_STATE


def test_too_many_boxes_are_refused_where_the_track_is_known():
    with pytest.raises(ValueError, match="At most"):
        world_of(Traffic(Boxes(60)))
