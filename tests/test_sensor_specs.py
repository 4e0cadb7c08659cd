"""Sensors in a word, and stacks of what they told: against lone environments, and against what was seen before."""

from math import radians

import numpy as np
import pytest
from drives import ring

from racer.env import TimeTrial, TimeTrialVector
from racer.errors import SensorError
from racer.sensors import Camera, Lidar, Stack, make_sensors
from racer.sim import Randomization

CAMERA, STACKED = "FRONT_FACING_CAMERA:size=24x16", "FRONT_FACING_CAMERA:size=24x16:stack=3"


@pytest.mark.parametrize(
    ("spec", "sensor"),
    [
        ("LEFT_CAMERA", Camera("LEFT_CAMERA")),
        (
            "observation:size=80x60:field_of_view=90:pitch=20:height_m=0.2",
            Camera("observation", (80, 60), radians(90.0), radians(20.0), 0.2),
        ),
        ("LIDAR:blind=rear:walls=no:clip_m=3", Lidar("LIDAR", 3.0, blind="rear", walls=False)),
        ("DISCRETIZED_SECTOR_LIDAR:sectors=4:values=16", Lidar("DISCRETIZED_SECTOR_LIDAR", None, 4, 16)),
        ("SECTOR_LIDAR:stack=2", Stack(Lidar("SECTOR_LIDAR"), 2)),
        ("LIDAR:stack=1", Lidar("LIDAR")),
    ],
)
def test_a_word_says_what_a_record_says(spec, sensor):
    assert make_sensors((spec,)) == (sensor,)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("FRONT_FACING_CAMERA:size=0x60", "0 x 60"),
        ("FRONT_FACING_CAMERA:size=10000x10000", "8 to 1024"),
        ("FRONT_FACING_CAMERA:size=80", "WIDTHxHEIGHT"),
        ("FRONT_FACING_CAMERA:field_of_view=180", "180 degrees"),
        ("FRONT_FACING_CAMERA:field_of_view=nan", "field of view"),
        ("FRONT_FACING_CAMERA:pitch=steep", "'steep'; it must be degrees"),
        ("FRONT_FACING_CAMERA:pitch=1:pitch=2", "twice"),
        ("FRONT_FACING_CAMERA:zoom=2", "size, field_of_view"),
        ("LIDAR:blind=left", "'front' or in the 'rear'"),
        ("LIDAR:walls=maybe", "yes or no"),
        ("state:stack=99", "2 to 16"),
        ("state:stack=0", "2 to 16"),
        ("CAMERA", "the sensors are state"),
    ],
)
def test_what_makes_no_sense_is_refused(spec, said):
    with pytest.raises(SensorError, match="(?s).*" + said.replace("(", r"\(")):
        make_sensors((spec,))


@pytest.mark.parametrize("specs", [("FRONT_FACING_CAMERA:size=80x60", "LEFT_CAMERA"), ("state", "state:stack=2")])
def test_contradictions_are_refused(specs):
    with pytest.raises(SensorError):
        make_sensors(specs)


@pytest.mark.parametrize("randomization", [Randomization(), Randomization(delay=2, dropped=0.2, pixel_noise=5.0)])
def test_a_stack_holds_what_was_told_before(randomization):
    """One environment tells single pictures, the other stacks of them: the same pictures, in their order."""
    single = TimeTrialVector(6, ring(), sensors=(CAMERA,), randomization=randomization)
    stacked = TimeTrialVector(6, ring(), sensors=(STACKED,), randomization=randomization)
    seen = single.reset(seed=5)[0]["FRONT_FACING_CAMERA"]
    told = stacked.reset(seed=5)[0]["FRONT_FACING_CAMERA"]
    assert told.shape == (6, 16, 24, 3)
    past = [[picture] * 3 for picture in seen]
    rng, restarts = np.random.default_rng(0), 0
    for _ in range(50):
        for car in range(6):
            np.testing.assert_array_equal(told[car], np.concatenate(past[car], axis=-1))
        actions = rng.uniform(-1.0, 1.0, (6, 2)).astype(np.float32)
        seen, _, terminated, truncated, _ = single.step(actions)
        told = stacked.step(actions)[0]["FRONT_FACING_CAMERA"]
        for car, picture in enumerate(seen["FRONT_FACING_CAMERA"]):
            began = terminated[car] or truncated[car]
            restarts += began
            past[car] = [picture] * 3 if began else [*past[car][1:], picture]
    assert restarts > 3


def test_a_car_remembers_alone_what_it_remembers_in_a_batch():
    sensors = (STACKED, "SECTOR_LIDAR:stack=2", "state:stack=4")
    field = TimeTrialVector(3, ring(), sensors=sensors)
    cars = [TimeTrial(ring(), sensors=sensors) for _ in range(3)]
    told = field.reset(seed=1)[0]
    lone = [car.reset(seed=1 + i)[0] for i, car in enumerate(cars)]
    rng = np.random.default_rng(1)
    for _ in range(60):
        for name, values in told.items():
            np.testing.assert_array_equal(values, np.stack([seen[name] for seen in lone]))
        actions = rng.uniform(-1.0, 1.0, (3, 2)).astype(np.float32)
        told = field.step(actions)[0]
        for i, car in enumerate(cars):
            lone[i], _, terminated, truncated, _ = car.step(actions[i])
            if terminated or truncated:
                lone[i] = car.reset()[0]
