"""Worlds of n races of m cars: a race alone is the same race in a batch, on one track or on many, varied or not."""

import numpy as np
import pytest

from racer.reward import Params
from racer.sensors import Observer, make_sensors
from racer.sim import CAR_STATE, OFF, SIM_TO_REAL, Rules, TrackSampler, World, gather, scatter
from racer.track import load_track

SENSORS = ("state", "LIDAR", "FRONT_FACING_CAMERA:size=24x16:stack=2")
RACES, CARS, STEPS = 3, 3, 60
FIELDS = CAR_STATE.names


class Race:
    """A world with its observer and its params, driven by given commands; a race begins anew when a car's ends."""

    def __init__(self, races, cars, seed, where, randomization=OFF, rules=None):
        rules = rules or Rules("random", laps=2)
        self.world = World(where, races, cars, rules=rules, randomization=randomization)
        self.world.seed(seed)
        self.world.reset()
        self.observer = Observer(self.world, make_sensors(SENSORS))
        self.observer.observe()
        self.params = Params(self.world.track, races * cars)
        self.rewards = np.zeros((races, cars))
        self.restarts = 0

    def step(self, commands):
        self.params.describe(self.world, commands)
        self.world.step(commands, self.rewards)
        self.observer.observe()
        ended = self.world.rules.ends[self.world.cars["status"]].any(axis=1)
        if ended.any():
            self.restarts += int(ended.sum())
            self.world.reset(ended)
            self.observer.observe(ended)

    def tables(self):
        """All that is known of the cars, each as (races, cars, ...)."""
        shape = self.world.cars.shape
        params = (self.params.floats, self.params.waypoints, self.params.flags)
        yield from (self.world.cars[name] for name in FIELDS)
        yield from (table.reshape(*shape, -1) for table in params)
        yield from self.observer.values
        yield self.rewards


def commands_of(rng, races, cars):
    return np.stack([rng.uniform(-30.0, 30.0, (races, cars)), rng.uniform(0.5, 4.0, (races, cars))], axis=-1)


def where(name):
    return TrackSampler(2) if name == "random" else load_track(name)


@pytest.mark.parametrize("track", ["needle", "random"])
@pytest.mark.parametrize("randomization", [OFF, SIM_TO_REAL], ids=["plain", "randomised"])
def test_a_race_of_several_cars_is_the_same_alone_and_in_a_batch(track, randomization):
    many = Race(RACES, CARS, 7, where(track), randomization)
    lone = [Race(1, CARS, 7 + i, where(track), randomization) for i in range(RACES)]
    rng = np.random.default_rng(0)
    for _ in range(STEPS):
        commands = commands_of(rng, RACES, CARS)
        many.step(commands)
        for i, race in enumerate(lone):
            race.step(commands[i : i + 1])
            for table, own in zip(many.tables(), race.tables(), strict=True):
                assert np.array_equal(table[i : i + 1], own)
            assert many.params.of(i * CARS + 1) == race.params.of(1)
            assert many.world.tracks.each()[i].digest == race.world.track.digest
            assert np.broadcast_to(many.world.length, RACES)[i] == race.world.length
    assert many.restarts > 2
    rows = many.params.rows(slice(0, RACES * CARS), many.params.floats.tolist())
    assert list(rows) == [many.params.of(k) for k in range(RACES * CARS)]


@pytest.mark.parametrize("penalty_s", [None, 0.5])
def test_cars_of_one_race_drive_as_if_alone(penalty_s):
    """Cars do not touch each other: only what sensors see of the others differs."""
    rules = Rules("line", laps=3, penalty_s=penalty_s)
    track = load_track("harbor")
    crowd, single = World(track, 3, CARS, rules=rules), World(track, 3, 1, rules=rules)
    for world in (crowd, single):
        world.seed(1)
        world.reset()
    rng = np.random.default_rng(2)
    for _ in range(120):
        commands = commands_of(rng, 3, CARS)
        crowd.step(commands, np.zeros((3, CARS)))
        single.step(commands[:, :1].copy(), np.zeros((3, 1)))
        for name in FIELDS:
            assert np.array_equal(crowd.cars[name][:, :1], single.cars[name])
    assert len(np.unique(crowd.cars["x"])) > 3


def test_the_cars_of_a_race_differ_where_they_are_randomised():
    race = Race(2, CARS, 3, load_track("harbor"), SIM_TO_REAL)
    grips = race.world.car_constants["grip"]
    assert grips.shape == (2, CARS) and len(np.unique(grips)) == 2 * CARS
    assert len(np.unique(race.world.cars["offset"])) == 2 * CARS


@pytest.mark.parametrize("track", ["needle", "random"])
def test_races_are_gathered_and_scattered(track):
    one, other = (Race(5, 2, 4, where(track), SIM_TO_REAL).world for _ in range(2))
    some = np.array([3, 0])
    commands = commands_of(np.random.default_rng(1), 5, 2)
    part = gather(one, some)
    assert part.cars.shape == (2, 2)
    assert [t.digest for t in part.tracks.each()] == [one.tracks.each()[k].digest for k in some]
    part.step(commands[some], np.zeros((2, 2)))
    assert np.array_equal(one.cars["steps"], other.cars["steps"]), "copies moved, the races did not"
    scatter(part, one, some)
    rest = np.array([1, 2, 4])
    untouched = gather(other, rest)
    other.step(commands, np.zeros((5, 2)))
    for name in FIELDS:
        assert np.array_equal(one.cars[name][some], other.cars[name][some])
        assert np.array_equal(one.cars[name][rest], untouched.cars[name])


@pytest.mark.parametrize("track", ["needle", "random"])
def test_threads_change_nothing(track):
    one, several = (World(where(track), 5, 2, threads=threads, randomization=SIM_TO_REAL) for threads in (1, 3))
    rng = np.random.default_rng(3)
    for world in (one, several):
        world.seed(0)
        world.reset()
    for _ in range(20):
        commands, gained = commands_of(rng, 5, 2), [np.zeros((5, 2)) for _ in range(2)]
        for world, rewards in zip((one, several), gained, strict=True):
            world.step(commands, rewards)
        assert np.array_equal(*gained) and one.cars.tobytes() == several.cars.tobytes()
    several.close()


def test_seeds_can_be_given_one_for_each_race():
    track = load_track("harbor")
    listed, counted = World(track, 3, 2), World(track, 3, 2)
    listed.seed([5, 6, 7])
    counted.seed(5)
    for world in (listed, counted):
        world.reset()
    assert np.array_equal(listed.cars["s"], counted.cars["s"]) and len(np.unique(listed.cars["s"])) > 3
