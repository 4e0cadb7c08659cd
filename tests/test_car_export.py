"""What is exported for the physical car: the graph, the archive, and what is refused."""

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile

import numpy as np
import pytest
from frozen_graphs import calculate, read_graph
from hypothesis import given, settings, strategies as st
from typer.testing import CliRunner

from racer.cli import app
from racer.deepracer.car import car_archive, car_name, frozen_graph
from racer.deepracer.config import read_model_metadata
from racer.env import TimeTrialVector
from racer.errors import AgentError, ModelError
from racer.racing import (
    Convolution,
    Edges,
    Flatten,
    Linear,
    Model,
    Network,
    NetworkInput,
    Patches,
    Pool,
    Scale,
    Standardize,
    load_agent,
)
from racer.sensors import Camera, make_sensors
from racer.sim import REAL_CAR, ContinuousActions, DiscreteActions
from racer.track import load_track
from racer.training import RunConfig, open_run, start, train

CAMERA = "FRONT_FACING_CAMERA"
SHAPE = (120, 160, 1)
PLACEHOLDER = "main_level/agent/main/online/network_0/FRONT_FACING_CAMERA/FRONT_FACING_CAMERA"
POLICY = "main_level/agent/main/online/network_1/ppo_head_0/policy"
CHOICES = DiscreteActions(((-30.0, 0.8), (0.0, 1.6), (30.0, 0.8)))
TAKEN = ["Placeholder", "Const", "Slice", "AvgPool", "Pad", "Sub", "RealDiv", "Conv2D"]
TAKEN += ["Mean", "Mul", "AddV2", "Sqrt", "BiasAdd", "Relu", "Tanh", "MatMul", "Reshape", "Softmax"]
"""Operations that TensorFlow Lite and OpenVINO were seen to convert; `test_car_converters.py` shows it."""


def linear(rng, a, b, activation="relu"):
    return Linear(rng.normal(0.0, a**-0.5, (b, a)), rng.normal(0.0, 0.1, b), activation)


def filters(rng, size, given, made, step, padding=0):
    weight = rng.normal(0.0, 0.1, (made, size, size, given))
    return Convolution(weight, rng.normal(0.0, 0.1, made), "relu", step, padding)


def pooled(rng):
    """As ppo_car's: cut, pooled, edges made alike, in patches."""
    return (
        Pool(32, 8, 2, 4),
        Edges(),
        Standardize(110.0, 64.0),
        Patches(8, 5, 5, 8),
        Scale(110.0, 64.0),
        linear(rng, 40, 4),
        Flatten(),
    )


def padded(rng):
    """Patches that the picture does not fill."""
    return (Pool(7, 2, 3, 5), Patches(10, 4, 5, 7), Scale(110.0, 64.0), linear(rng, 28, 4), Flatten())


def convolved(rng):
    return (Scale(0.0, 255.0), filters(rng, 8, 1, 2, 8, 4), filters(rng, 3, 2, 3, 2, 1), filters(rng, 3, 3, 2, 2))


LOOKS = {"pooled": pooled, "padded": padded, "convolved": convolved}


def network(look, output, seed=0):
    rng = np.random.default_rng(seed)
    layers = LOOKS[look](rng)
    shape = SHAPE
    for layer in layers:
        shape = layer.shape(shape)
    count = 3 if output == "argmax" else 2
    behind = (linear(rng, int(np.prod(shape)), 6, "tanh"), linear(rng, 6, count, "none"))
    return Network((NetworkInput(CAMERA, SHAPE, layers),), behind, output)


def model(actions=CHOICES, sensors=(CAMERA,), made=None):
    output = "argmax" if isinstance(actions, DiscreteActions) else "clip"
    return Model("mine", "deepracer", sensors, actions, made or network("pooled", output))


def frames(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *SHAPE), dtype=np.uint8)


def unpacked(data):
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data)), mode="r:") as tar:
        return {member.name: tar.extractfile(member).read() for member in tar.getmembers()}


@pytest.mark.parametrize("output", ["argmax", "clip", "tanh"])
@pytest.mark.parametrize("look", LOOKS)
def test_a_graph_calculates_what_its_network_does(look, output):
    made = network(look, output)
    nodes, _ = read_graph(frozen_graph(made))
    seen = frames(12)
    numbers = calculate(nodes, seen)
    acts = made.act({CAMERA: seen})
    if output == "argmax":
        np.testing.assert_array_equal(numbers.argmax(1), acts)
        np.testing.assert_allclose(numbers.sum(1), 1.0)
    else:
        np.testing.assert_allclose(np.clip(numbers, -1.0, 1.0), acts, atol=1e-5)


@pytest.mark.parametrize("output", ["argmax", "clip", "tanh"])
@pytest.mark.parametrize("look", LOOKS)
def test_a_graph_has_the_names_and_forms_that_the_car_asks_for(look, output):
    nodes, producer = read_graph(frozen_graph(network(look, output)))
    assert producer == 134
    first, last = nodes[0], nodes[-1]
    assert (first.name, first.op, first.inputs) == (PLACEHOLDER, "Placeholder", [])
    assert first.attributes == {"dtype": "<f4", "shape": (-1, 120, 160, 1)}
    assert last.name == POLICY and last.op == {"argmax": "Softmax", "clip": "BiasAdd", "tanh": "Tanh"}[output]
    names = [node.name for node in nodes]
    assert len(set(names)) == len(names)
    used = [name for node in nodes for name in node.inputs]
    assert set(used) == set(names) - {POLICY}  # each is used
    for k, node in enumerate(nodes):
        assert set(node.inputs) <= set(names[:k])
        assert node.op in TAKEN
        if node.op not in ("Placeholder", "Const"):
            assert node.attributes["T"] == "<f4"
        if node.op == "Const":
            assert node.attributes["value"].dtype == node.attributes["dtype"]


@settings(max_examples=25)
@given(st.integers(0, 60), st.integers(0, 50), st.integers(1, 30), st.integers(1, 40), st.integers(0, 9))
def test_cutting_and_pooling_are_means_of_pixels(top, bottom, high, wide, seed):
    layer = Pool(top, bottom, high, wide)
    if (120 - top - bottom) % high or 160 % wide:
        with pytest.raises(ValueError, match="do not cut up 120 x 160 x 1"):
            layer.shape(SHAPE)
        return
    seen = frames(1, seed)
    rows, columns, _ = layer.shape(SHAPE)
    made = layer(seen.astype(np.float64))
    for i in {0, rows // 2, rows - 1}:
        for k in {0, columns - 1}:
            part = seen[0, top + i * high : top + (i + 1) * high, k * wide : (k + 1) * wide]
            np.testing.assert_allclose(made[0, i, k, 0], part.mean())


@settings(max_examples=25)
@given(st.floats(0.2, 1.0), st.floats(-20.0, 20.0), st.integers(0, 9))
def test_pictures_are_made_alike_whatever_the_light(contrast, brighter, seed):
    layer, seen = Standardize(110.0, 64.0), frames(2, seed).astype(np.float64)
    made = layer(seen)
    np.testing.assert_allclose(made.mean((1, 2, 3)), 110.0)
    np.testing.assert_allclose(made.std((1, 2, 3)), 64.0, rtol=1e-3)
    np.testing.assert_allclose(layer(contrast * seen + brighter), made, rtol=1e-2, atol=0.5)
    np.testing.assert_allclose(layer(np.full((1, *SHAPE), 7.0)), 110.0)


@settings(max_examples=25)
@given(st.floats(0.2, 1.0), st.floats(-20.0, 20.0), st.integers(0, 9))
def test_edges_are_where_greys_differ_whichever_is_the_brighter_one(contrast, brighter, seed):
    layer, seen = Edges(), frames(2, seed).astype(np.float64)
    made = layer(seen)
    down, right = np.gradient(seen[:, :, :, 0], axis=(1, 2))  # by central differences but at the margin
    np.testing.assert_allclose(made[..., 0], np.hypot(down, right)[:, 1:-1, 1:-1])
    np.testing.assert_allclose(layer(brighter - contrast * seen), contrast * made, atol=1e-9)
    assert layer.shape(SHAPE) == made.shape[1:] == (118, 158, 1)
    with pytest.raises(ValueError, match="at least 3 x 3 pixels, not 2 x 9 x 1"):
        layer.shape((2, 9, 1))


def test_an_archive_holds_the_graph_and_the_metadata_alone():
    data = car_archive(model())
    files = unpacked(data)
    assert sorted(files) == ["agent/model.pb", "model_metadata.json"]
    assert files["agent/model.pb"] == frozen_graph(network("pooled", "argmax"))
    assert json.loads(files["model_metadata.json"]) == {
        "action_space_type": "discrete",
        "action_space": [
            {"steering_angle": -30.0, "speed": 0.8, "index": 0},
            {"steering_angle": 0.0, "speed": 1.6, "index": 1},
            {"steering_angle": 30.0, "speed": 0.8, "index": 2},
        ],
        "sensor": ["FRONT_FACING_CAMERA"],
        "neural_network": "DEEP_CONVOLUTIONAL_NETWORK_SHALLOW",
        "training_algorithm": "clipped_ppo",
        "version": "5",
    }
    assert car_archive(model()) == data


def test_continuous_actions_are_given_by_their_bounds(tmp_path):
    actions = ContinuousActions((-25.0, 25.0), (0.6, 2.0))
    path = tmp_path / "model_metadata.json"
    path.write_bytes(unpacked(car_archive(model(actions)))["model_metadata.json"])
    assert read_model_metadata(path).actions == actions


def taken(names):
    """The models that `model_loader_node.py` finds among files; its suffixes are the text ".pb", not a list of it."""
    return [name for name in names if os.path.splitext(name)[1] in ".pb"]  # noqa: PTH122


@pytest.mark.parametrize(
    ("names", "models"),
    [
        (["agent/model.pb", "model_metadata.json"], 1),
        (["agent/model.pb", "model_metadata.json", ".coach_checkpoint"], 2),
        (["agent/model.pb", "model_metadata.json", "checkpoint"], 2),
        (["agent/model.pb", "model_metadata.json", "model.p"], 2),
        (["agent/model.pb", "model_metadata.json", "model.onnx", "reward_function.py"], 1),
        (["model_metadata.json"], 0),
    ],
)
def test_the_loader_takes_one_model(names, models):
    assert len(taken(names)) == models


def test_the_loader_takes_what_is_exported():
    files = unpacked(car_archive(model()))
    assert taken(files) == ["agent/model.pb"]
    assert all(not name.startswith(("/", ".")) and ".." not in name for name in files)


@pytest.mark.parametrize("name", ["fast", "a-b_C9", "x" * 64])
def test_names_that_a_car_takes(name):
    assert car_name(f"some/folder.d/{name}.tar.gz") == name


@pytest.mark.parametrize("name", ["fast", "fast.tgz", "v1.2.tar.gz", ".tar.gz", "two words.tar.gz", "ü.tar.gz"])
def test_names_that_a_car_would_not_take(name):
    with pytest.raises(ModelError, match=r"a car takes NAME\.tar\.gz"):
        car_name(name)


@pytest.mark.parametrize(
    ("sensors", "why"),
    [
        (("state",), "a car cannot observe state"),
        ((CAMERA, "LIDAR"), "a car cannot observe LIDAR"),
        (("STEREO_CAMERAS",), "a car cannot observe STEREO_CAMERAS"),
        ((f"{CAMERA}:stack=2",), "one picture at a time, not 2"),
        ((f"{CAMERA}:size=80x32",), "a car's picture has 160 x 120 pixels, not 80 x 32"),
    ],
)
def test_what_a_car_cannot_observe_is_refused_in_one_line(sensors, why):
    inputs = tuple(NetworkInput(one.name, tuple(one.shape)) for one in make_sensors(sensors))
    width = sum(int(np.prod(one.shape)) for one in inputs)
    made = Network(inputs, (linear(np.random.default_rng(0), width, 3, "none"),), "argmax")
    with pytest.raises(ModelError, match=why) as refused:
        car_archive(model(sensors=sensors, made=made))
    assert "\n" not in str(refused.value) and "racer train --agent ppo_car" in str(refused.value)


@pytest.mark.parametrize(
    ("actions", "why"),
    [
        (DiscreteActions(((0.0, 1.0), (0.0, 2.0), (0.0, 3.0))), "no action steers"),
        (DiscreteActions(((-30.0, 0.0), (0.0, 0.0), (30.0, 0.0))), "a car needs some above 0"),
        (DiscreteActions(((-30.0, -1.0), (0.0, 1.0), (30.0, 1.0))), "the speeds go from -1 to 1"),
        (ContinuousActions((-20.0, 30.0), (0.5, 1.0)), "the same angle to both sides"),
    ],
)
def test_actions_that_a_car_cannot_take_are_refused(actions, why):
    with pytest.raises(ModelError, match=why):
        car_archive(model(actions))


# --- The recipe and the command ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of `ppo_car` that has learned next to nothing."""
    folder = tmp_path_factory.mktemp("car")
    few = {"n_steps": 8, "first_n_steps": 8, "batch_size": 128, "first_batch_size": 128}
    config = RunConfig("pebble", "progress", "ppo_car", steps=512, logs=False, hyperparameters=few)
    begun = start(config, str(folder / "runs" / "floor"))
    train(begun, [])
    return open_run(begun.folder)


def test_the_recipe_is_the_cars_own(run):
    assert run.config.sensors == ("FRONT_FACING_CAMERA",) and run.config.randomize == "car"
    assert run.config.actions == load_agent("ppo_car").actions()
    assert max(abs(steering) for steering, _ in run.config.actions.choices) == 30.0


def test_what_is_exported_chooses_as_the_runs_driver_does(run, tmp_path):
    target = tmp_path / "floor.tar.gz"
    done = CliRunner().invoke(app, ["export", str(run.folder), "--car", "--out", str(target)])
    assert done.exit_code == 0, done.output
    assert str(target) in done.stdout.replace("\n", "")
    nodes, _ = read_graph(unpacked(target.read_bytes())["agent/model.pb"])
    track = load_track("pebble")
    s = np.linspace(0.0, track.length, 60, endpoint=False)
    place = np.stack([np.interp(s, track.s, track.center[:, k]) for k in (0, 1)], axis=1)
    ahead = np.roll(place, -1, axis=0) - place
    poses = np.column_stack([place, np.arctan2(ahead[:, 1], ahead[:, 0])])
    seen = Camera().look(track, poses)
    np.testing.assert_array_equal(calculate(nodes, seen).argmax(1), run.driver().act({CAMERA: seen}))


def test_what_learns_sees_what_the_exported_network_pools(run):
    """The recipe pools whole numbers before it learns, the network pools in its first layer: the same numbers."""
    env = TimeTrialVector(6, "pebble", sensors=CAMERA, actions=run.config.actions, randomization=REAL_CAR)
    agent = load_agent("ppo_car").make(env, 3)
    seen = env.reset(seed=4)[0]
    pool, edges, alike, *_ = agent.policy_network().inputs[0].layers
    agent.env.seed(4)
    given, pooled = agent.env.reset()[CAMERA], pool(seen[CAMERA].astype(np.float64))
    np.testing.assert_allclose(given, alike(edges(pooled)), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(given.mean((1, 2, 3)), 110.0, rtol=1e-4)
    assert agent.env.observation_space[CAMERA].shape == (38, 38, 1)
    agent = load_agent("ppo_car").make(env, 3, {"edges": False, "standardize": False})
    agent.env.seed(4)
    np.testing.assert_array_equal(agent.env.reset()[CAMERA], pooled)


def test_an_export_needs_neither_pytorch_nor_tensorflow(run, tmp_path):
    words = ["racer", "export", str(run.folder), "--car", "--out", str(tmp_path / "floor.tar.gz")]
    code = (
        f"import sys; sys.argv = {words!r}; from racer.cli import app; app(standalone_mode=False); "
        "print([name for name in ('torch', 'stable_baselines3', 'tensorflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "[]"
    assert sorted(unpacked((tmp_path / "floor.tar.gz").read_bytes())) == ["agent/model.pb", "model_metadata.json"]


def test_a_run_that_no_car_can_drive_is_refused_in_a_line(tmp_path):
    begun = start(RunConfig("pebble", "progress", "ppo", steps=64, logs=False), str(tmp_path / "runs" / "state"))
    done = CliRunner().invoke(app, ["export", str(begun.folder), "--car", "--out", str(tmp_path / "state.tar.gz")])
    assert done.exit_code == 1
    words = " ".join(done.output.split())
    assert "a car cannot observe state, only one camera of one lens; train one that can" in words
    assert not (tmp_path / "state.tar.gz").exists()


def test_an_archive_is_not_replaced_unasked(run, tmp_path):
    target = tmp_path / "floor.tar.gz"
    target.write_bytes(b"mine")
    words = ["export", str(run.folder), "--car", "--out", str(target)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 1 and target.read_bytes() == b"mine"
    assert CliRunner().invoke(app, [*words, "--force"]).exit_code == 0
    assert sorted(unpacked(target.read_bytes())) == ["agent/model.pb", "model_metadata.json"]


def test_rows_may_be_cut_off_at_one_end_alone():
    env = TimeTrialVector(2, "pebble", sensors=CAMERA)
    agent = load_agent("ppo_car").make(env, 0, {"crop": (0, 8), "pool": (2, 4)})
    assert agent.env.observation_space[CAMERA].shape == (54, 38, 1)


@pytest.mark.parametrize("setting", ["crop=1,2,3", "pool=7,3", "crop=100,30", "pool=40,80"])
def test_a_pool_that_does_not_fit_is_refused(setting):
    env = TimeTrialVector(2, "pebble", sensors=CAMERA)
    name, _, values = setting.partition("=")
    with pytest.raises(AgentError, match="they must be two numbers each, and fit the image"):
        load_agent("ppo_car").make(env, 0, {name: tuple(map(int, values.split(",")))})
