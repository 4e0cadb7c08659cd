"""Models that DeepRacer trained, as drivers of racer's: graphs of an independent writer, and files that mean harm."""

import gzip
import io
import json
import tarfile

import numpy as np
import pytest
from coach_graphs import ROOT, SCHEMES, Writer, coach_graph, constant, kind, node, numbers, shape_of, text, whole
from typer.testing import CliRunner

from racer.cli import app
from racer.deepracer.car import frozen_graph, network_from_graph, read_car_model
from racer.env import TimeTrialVector
from racer.errors import ModelError
from racer.racing import load_agent, load_model
from racer.sim import ContinuousActions
from racer.training import find_run, model_of

CAMERA = "FRONT_FACING_CAMERA"
SHALLOW = "DEEP_CONVOLUTIONAL_NETWORK_SHALLOW"
POLICY = f"{ROOT}/network_1/ppo_head_0/policy"
FIVE = [{"steering_angle": angle, "speed": 1.2, "index": k} for k, angle in enumerate((-30, -15, 0, 15, 30))]
RANGES = {"steering_angle": {"low": -25, "high": 27}, "speed": {"low": 1, "high": 3.3}}


def metadata(**changes):
    found = {"action_space": FIVE, "action_space_type": "discrete", "sensor": [CAMERA], "version": "5"}
    found |= {"neural_network": "DEEP_CONVOLUTIONAL_NETWORK_SHALLOW", "training_algorithm": "clipped_ppo"}
    return json.dumps({**found, **changes}).encode()


def archive(path, **files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    path.write_bytes(gzip.compress(packed.getvalue(), 1))
    return path


def old_model(path, graph, **changes):
    return archive(path, **{"agent/model.pb": graph, "model_metadata.json": metadata(**changes)})


def frames(count, channels=1):
    return np.random.default_rng(1).integers(0, 256, (count, 120, 160, channels), dtype=np.uint8)


@pytest.fixture(scope="module")
def old():
    return coach_graph("DEEP_CONVOLUTIONAL_NETWORK_DEEP").as_bytes()


@pytest.mark.parametrize("choices", [5, 0])
@pytest.mark.parametrize("network", SCHEMES)
def test_a_graph_becomes_the_network_that_it_is(network, choices):
    made = coach_graph(network, choices, seed=len(network) + choices)
    read = network_from_graph(made.as_bytes())
    seen = frames(3)
    expected = made.calculate(seen)
    if choices:
        assert read.output == "argmax" and read.numbers == choices
        np.testing.assert_array_equal(read.act({CAMERA: seen}), expected.argmax(1))
    else:
        np.testing.assert_allclose(read.act({CAMERA: seen}), np.clip(expected, -1.0, 1.0), atol=1e-5)
    assert len(read.inputs[0].layers) == 2 + len(SCHEMES[network][0])


@pytest.mark.parametrize(
    "network", [pytest.param(SHALLOW, marks=pytest.mark.slow), *sorted(SCHEMES.keys() - {SHALLOW})]
)
def test_a_recipe_loads_the_network(network):
    """Its driver, PyTorch's policy and the graph itself give the same numbers."""
    made = coach_graph(network, 0)
    read = network_from_graph(made.as_bytes())
    recipe = load_agent("clipped_ppo")
    env = TimeTrialVector(2, "pebble", None, sensors=CAMERA)
    driver = recipe.make(env, 0, recipe.load().hyperparameters_like(read), "cpu")
    driver.load_network(read)
    seen = frames(2)
    expected = np.clip(made.calculate(seen), -1.0, 1.0)
    library = driver.model.predict({CAMERA: seen}, deterministic=True)[0]
    for acted in (driver.act({CAMERA: seen}), library):
        np.testing.assert_allclose(acted, expected, atol=1e-3)
    for other in ("ppo_car", "clipped_ppo"):
        with pytest.raises(ModelError):
            load_agent(other).make(env, 0).load_network(read)


def test_an_old_model_becomes_a_run(tmp_path, monkeypatch):
    """It is exported and trained on; continuous actions keep their bounds."""
    monkeypatch.chdir(tmp_path)
    made = coach_graph("DEEP_CONVOLUTIONAL_NETWORK_DEEP", 0)
    changes = {"action_space": RANGES, "action_space_type": "continuous"}
    old_model(tmp_path / "my.model-1.tar.gz", made.as_bytes(), **changes)
    done = CliRunner().invoke(app, ["import-model", "my.model-1.tar.gz", "--track", "pebble"])
    assert done.exit_code == 0, done.output
    assert done.stdout.split() == ["runs/my-1"] and "racer evaluate my-1" in done.stderr
    run = find_run("my-1")
    assert run.config.actions == ContinuousActions((-25.0, 27.0), (1.0, 3.3))
    assert (run.config.agent, run.config.sensors, run.config.track_names) == ("clipped_ppo", (CAMERA,), ("pebble",))
    assert CliRunner().invoke(app, ["export", "my-1", "--out", "a.model"]).exit_code == 0
    seen = {CAMERA: frames(4)}
    expected = np.clip(made.calculate(seen[CAMERA]), -1.0, 1.0)
    np.testing.assert_allclose(load_model("a.model").act(seen), expected, atol=1e-5)
    np.testing.assert_array_equal(run.driver().act(seen), model_of(run).act(seen))
    for words in (["report", "my-1"], ["plot", "my-1", "--out", "a.png"]):
        refused = CliRunner().invoke(app, words)
        assert refused.exit_code == 1 and "runs/my-1 was not trained here yet" in refused.stderr


@pytest.mark.slow
def test_an_old_model_is_evaluated_and_trained_on(tmp_path, monkeypatch, old):
    monkeypatch.chdir(tmp_path)
    old_model(tmp_path / "old.tar.gz", old)
    for words in (
        ["import-model", "old.tar.gz", "--track", "pebble", "--name", "old"],
        ["train", "--from", "old", "--steps", "40", "--name", "on", "--set", "episodes=1", "--no-logs"],
        ["evaluate", "old", "--laps", "1", "--json"],
    ):
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, (words, done.output)
    run = find_run("old")
    learned, began = find_run("on").load(find_run("on").checkpoint)[0], run.load(run.best)[0]
    key = next(name for name in began if name.startswith("policy/") and name.endswith(f"{CAMERA}.all.weight"))
    assert 0.0 < abs(learned[key] - began[key]).max() < 0.05


def test_what_racer_exports_of_an_imported_model_is_imported_again(old):
    network = network_from_graph(old)
    again = network_from_graph(frozen_graph(network))
    np.testing.assert_array_equal(again.act({CAMERA: frames(4)}), network.act({CAMERA: frames(4)}))


def test_graphs_lie_beside_their_metadata_too(tmp_path, old):
    (tmp_path / "fast/agent").mkdir(parents=True)
    (tmp_path / "fast/agent/model.pb").write_bytes(old)
    with pytest.raises(ModelError, match=r"there is no model_metadata\.json beside .*model\.pb"):
        read_car_model(tmp_path / "fast/agent/model.pb")
    (tmp_path / "fast/model_metadata.json").write_bytes(metadata())
    model, _ = read_car_model(tmp_path / "fast/agent/model.pb")
    assert model.sensors == (CAMERA,) and len(model.actions.choices) == 5


def test_stereo_and_the_oldest_sensor(tmp_path):
    for camera, channels in (("STEREO_CAMERAS", 2), ("observation", 1)):
        made = coach_graph("DEEP_CONVOLUTIONAL_NETWORK_DEEP", camera=camera, channels=channels)
        model, _ = read_car_model(old_model(tmp_path / "a.tar.gz", made.as_bytes(), sensor=[camera]))
        seen = frames(3, channels)
        np.testing.assert_array_equal(model.act({camera: seen}), made.calculate(seen).argmax(1))


# --- What is refused, and files that mean harm ---------------------------------------------------------------------


def other(graph=b"", **files):
    return {"agent/model.pb": graph, "model_metadata.json": metadata(), **files}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"training_algorithm": "sac", "action_space": RANGES, "action_space_type": "continuous"},
            "racer imports clipped_ppo",
        ),
        ({"sensor": ["LEFT_CAMERA"]}, f"says that it observes LEFT_CAMERA, but .*agent/model.pb observes {CAMERA}"),
        ({"sensor": [CAMERA, "LIDAR"]}, f"observes {CAMERA}, LIDAR, but"),
        ({"action_space": FIVE[:4]}, "its network gives 5 choices.*its actions are 4|its network gives"),
        ({"action_space": RANGES, "action_space_type": "continuous"}, "its network gives"),
    ],
)
def test_metadata_that_do_not_fit_the_graph(tmp_path, old, changes, why):
    with pytest.raises(ModelError, match=why) as refused:
        read_car_model(old_model(tmp_path / "a.tar.gz", old, **changes))
    assert "\n" not in str(refused.value) and "a.tar.gz" in str(refused.value)


def test_archives_that_hold_no_model(tmp_path, old):
    path = tmp_path / "a.tar.gz"
    for files, why in (
        ({"model_metadata.json": metadata()}, "holds no graph"),
        ({"agent/model.pb": old}, "holds no model_metadata.json"),
        ({"a/model.pb": b"", "b/model.pb": b"", "model_metadata.json": metadata()}, "holds 2 graphs"),
        (other(), "has 0 operations"),
        (other(b"\xff" * 100), "no frozen TensorFlow graph, or damaged"),
    ):
        with pytest.raises(ModelError, match=why):
            read_car_model(archive(path, **files))
    whole_file = old_model(path, old).read_bytes()
    for cut in (30, 1000, len(whole_file) // 2):
        path.write_bytes(whole_file[:cut])
        with pytest.raises(ModelError, match=r"a\.tar\.gz is (cut short; fetch it again|a damaged archive)"):
            read_car_model(path)
    for wrong in (b"", b"<html>not found</html>"):
        path.write_bytes(wrong)
        with pytest.raises(ModelError, match=r"a\.tar\.gz is no archive, or it is damaged; fetch it again"):
            read_car_model(path)


def small(edit=lambda made: None):
    """A graph of two small layers, changed before its head is put on."""
    made = Writer()
    made.scaled()
    made.convolution("conv", 1, 2, 8, 40)
    made.flattened()
    made.dense("dense", 3 * 4 * 2, 4)
    made.width = 4
    edit(made)
    made.head(3)
    return made


def loop(made):
    made.parts.append(node("Identity", "b", "a"))
    made.add("Identity", "a", "b")


def bomb(made):
    tensor = whole(1, 1) + text(2, shape_of((60_000, 60_000))) + text(5, np.float32(1.0).tobytes())
    made.parts.append(node("Const", "huge", dtype=kind(1), value=text(8, tensor)))
    made.add("MatMul", "product", made.at, "huge")


def negative(made):
    tensor = whole(1, 1) + text(2, shape_of((-1, -4))) + text(5, np.float32(1.0).tobytes())
    made.parts.append(node("Const", "minus", dtype=kind(1), value=text(8, tensor)))
    made.add("MatMul", "product", made.at, "minus")


def short(made):
    made.parts.append(constant("bias", np.zeros(3, dtype=np.float32)))
    made.add("BiasAdd", "added", made.at, "bias")


def endless(made):
    made.add("BiasAdd", "added", made.at, made.variable("nan", np.full(4, np.nan)))


def long(made):
    for k in range(10_001):
        made.add("Identity", f"i{k}")


def long_way(made):
    for k in range(9_000):
        made.add("Identity", f"i{k}")


def dangling(made):
    made.at = "nowhere"


def twice(made):
    made.add("Relu", "conv/Conv2D")


def stranger(made):
    made.add("PyFunc", "evil")


def condition(made):
    made.parts.append(node("Switch", "s", made.at, made.training))
    made.add("Merge", "m", "s:1", "s:1")


def lone(made):
    made.add("MatMul", "product", made.at)


HARM = {
    loop: "operation '[ab]': it leads back to itself",
    bomb: "operation 'huge': its shape is .*the file is too small",
    negative: "operation 'minus': its shape is .*the file is too small",
    short: "operation 'added': it does not fit 4 numbers",
    endless: "operation 'nan': it holds numbers that are not finite",
    long: r"has 10,\d\d\d operations",
    dangling: "operation 'nowhere': it is missing",
    twice: "two of its operations have the same name",
    stranger: "operation 'evil': it is of the kind 'PyFunc', which no network of RL Coach's has",
    condition: "operation 'm': neither side of its condition",
    lone: "operation 'product': it has 1 inputs",
}


@pytest.mark.parametrize("edit", HARM, ids=lambda edit: edit.__name__)
def test_a_graph_that_means_harm_is_refused_in_a_line(edit):
    with pytest.raises(ModelError, match=HARM[edit]) as refused:
        network_from_graph(small(edit).as_bytes(), "old.pb")
    assert str(refused.value).startswith("old.pb") and "\n" not in str(refused.value)


def test_long_ways_and_small_networks_are_read():
    made = small(long_way)
    seen = frames(3)
    np.testing.assert_array_equal(
        network_from_graph(made.as_bytes()).act({CAMERA: seen}), made.calculate(seen).argmax(1)
    )


@pytest.mark.parametrize(
    ("graph", "why"),
    [
        (node("Placeholder", "x"), "holds no policy of clipped PPO"),
        (node("Identity", POLICY), "it has 0 inputs"),
        (node("Placeholder", POLICY, shape=text(7, shape_of((-1, 64)))), "racer imports policies of one picture"),
        (node("Const", POLICY, shape=numbers(1)), "it has 0 inputs|which no network"),
    ],
)
def test_graphs_of_nothing(graph, why):
    with pytest.raises(ModelError, match=why):
        network_from_graph(graph)


def test_a_network_of_another_kind_drives_but_cannot_be_trained_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    old_model(tmp_path / "a.tar.gz", small().as_bytes(), action_space=FIVE[:3])
    assert read_car_model("a.tar.gz")[0].act({CAMERA: frames(2)}).shape == (2,)
    done = CliRunner().invoke(app, ["import-model", "a.tar.gz"])
    assert done.exit_code == 1
    assert "its filters are 2/8/40, then 4 numbers" in done.stderr.replace("\n", " ")
    assert not (tmp_path / "runs").exists()
