"""The exported graph through the car's own two converters, called as `model_optimizer_node.py` of its software does.

They are large and not a part of racer's tests: `pip install 'racer[car-test]'` brings them.
"""

import os

import numpy as np
import pytest
from coach_graphs import SCHEMES, coach_graph
from test_car_export import CAMERA, LOOKS, PLACEHOLDER, POLICY, SHAPE, network

from racer.deepracer.car import frozen_graph, network_from_graph
from racer.env import TimeTrialVector
from racer.sim import REAL_CAR

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
openvino = pytest.importorskip("openvino", reason="needs pip install 'racer[car-test]'")
tf = pytest.importorskip("tensorflow.compat.v1", reason="needs pip install 'racer[car-test]'")

FRAMES = 1000
CASES = [(look, output) for look in LOOKS for output in ("argmax", "clip", "tanh")]


@pytest.fixture(scope="module")
def seen():
    """What cars see that drive anyhow, with everything randomised as in the training of `ppo_car`."""
    env = TimeTrialVector(20, "pebble", sensors=CAMERA, randomization=REAL_CAR)
    rng = np.random.default_rng(0)
    frames = [env.reset(seed=7)[0][CAMERA].copy()]
    while len(frames) < FRAMES // 20:
        frames.append(env.step(rng.uniform(-1.0, 1.0, (20, 2)).astype(np.float32))[0][CAMERA].copy())
    return np.concatenate(frames)


def agree(given, made, seen):
    acts = made.act({CAMERA: seen})
    if made.output == "argmax":
        assert (given.argmax(1) == acts).mean() >= 0.995
        np.testing.assert_allclose(given.sum(1), 1.0, atol=1e-3)
    else:
        assert np.abs(np.clip(given, -1.0, 1.0) - acts).max() <= 0.01


@pytest.mark.parametrize(("look", "output"), CASES)
def test_tensorflow_lite_chooses_the_same(tmp_path, seen, look, output):
    made = network(look, output)
    (tmp_path / "model.pb").write_bytes(frozen_graph(made))
    converter = tf.lite.TFLiteConverter.from_frozen_graph(
        graph_def_file=str(tmp_path / "model.pb"),
        input_shapes={PLACEHOLDER: [1, *SHAPE]},
        input_arrays=[PLACEHOLDER],
        output_arrays=[POLICY],
    )
    converter.allow_custom_ops = True
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    interpreter = tf.lite.Interpreter(model_content=converter.convert())
    interpreter.allocate_tensors()
    (feed,), (fetch,) = interpreter.get_input_details(), interpreter.get_output_details()
    given = []
    for frame in seen.astype(np.float32):
        interpreter.set_tensor(feed["index"], frame[None])
        interpreter.invoke()
        given.append(interpreter.get_tensor(fetch["index"])[0])
    agree(np.array(given), made, seen)


@pytest.mark.parametrize("choices", [5, 0])
@pytest.mark.parametrize("network", SCHEMES)
def test_tensorflow_calculates_what_is_imported(seen, network, choices):
    """Graphs as RL Coach makes them, conditions and all, by TensorFlow 1's own session."""
    data = coach_graph(network, choices, seed=7).as_bytes()
    proto = tf.GraphDef.FromString(data)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(proto, name="")
        with tf.Session(graph=graph) as session:
            given = session.run(f"{POLICY}:0", {f"{PLACEHOLDER}:0": seen[::20].astype(np.float32)})
    acts = network_from_graph(data).act({CAMERA: seen[::20]})
    if choices:
        assert (given.argmax(1) == acts).mean() >= 0.98  # where two are worth the same in 32 bits
        assert given.shape[1] == choices
    else:
        np.testing.assert_allclose(np.clip(given, -1.0, 1.0), acts, atol=1e-3)


@pytest.mark.parametrize(("look", "output"), CASES)
def test_openvino_chooses_the_same(tmp_path, seen, look, output):
    made = network(look, output)
    path = tmp_path / "model.pb"
    path.write_bytes(frozen_graph(made))
    names = [tensor.get_any_name() for tensor in openvino.convert_model(path).inputs]
    ends = [tensor.get_any_name() for tensor in openvino.convert_model(path).outputs]
    (end,) = (name for name in ends if name.startswith(POLICY))
    assert [name.split(":")[0] for name in names] == [PLACEHOLDER]
    model = openvino.convert_model(path, input=[(names[0], [1, *SHAPE])], output=end)
    openvino.save_model(model, tmp_path / "model.xml", compress_to_fp16=True)
    assert 'version="11"' in (tmp_path / "model.xml").read_text()[:300]
    exact = {"INFERENCE_PRECISION_HINT": "f32"}  # as the car's processor calculates; newer ones would take 16 bits
    compiled = openvino.Core().compile_model(tmp_path / "model.xml", "CPU", exact)
    given = np.array([compiled(frame[None])[0][0] for frame in seen.astype(np.float32)])
    agree(given, made, seen)
