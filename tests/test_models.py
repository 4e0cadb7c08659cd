"""Models: what is exported acts as the driver does, other tools act alike, and nothing hostile gets in."""

import dataclasses
import json
import os
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import HealthCheck, given, settings, strategies as st
from typer.testing import CliRunner

from racer.cli import app
from racer.env import TimeTrialVector
from racer.errors import AgentError, FileError, ModelError
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
    RaceConditions,
    Scale,
    Standardize,
    drive,
    load_agent,
    load_model,
    load_rulebook,
    middle_time_s,
    model_from_bytes,
    onnx_bytes,
    races_by_rules,
    save_model,
)
from racer.sim import ContinuousActions, DiscreteActions
from racer.track import load_track
from racer.training import RunConfig, model_of, start

FIVE = DiscreteActions(((-30.0, 1.0), (-15.0, 2.0), (0.0, 3.0), (15.0, 2.0), (30.0, 1.0)))
SMALL = "FRONT_FACING_CAMERA:size=40x30:stack=2"
DRIVERS = {
    "ppo": ("ppo", ("state",), ContinuousActions(), {}),
    "ppo with choices": ("ppo", ("state",), FIVE, {"net_arch": (32, 16, 8)}),
    "ppo of two sensors": ("clipped_ppo", ("state", "LIDAR:stack=2"), FIVE, {}),
    "sac": ("sac", ("state",), ContinuousActions((-20.0, 20.0), (1.0, 2.0)), {}),
    "patches": ("ppo_camera", ("FRONT_FACING_CAMERA:size=41x33",), ContinuousActions(), {}),
    "patches beside others": ("ppo_camera", ("state", SMALL), FIVE, {}),
    "convolutions": ("ppo_camera", (SMALL,), FIVE, {"network": "DEEP_CONVOLUTIONAL_NETWORK"}),
    "deep convolutions": ("sac", (SMALL,), ContinuousActions(), {"network": "DEEP_CONVOLUTIONAL_NETWORK_DEEP"}),
}


def driver_of(name):
    """A driver with random weights whose actions reach everywhere, and its environment."""
    agent, sensors, actions, hyperparameters = DRIVERS[name]
    env = TimeTrialVector(64, "bean", None, sensors=sensors, actions=actions)
    driver = load_agent(agent).make(env, 3, hyperparameters, "cpu")
    policy = driver.model.policy
    with torch.no_grad():
        last = policy.actor.mu if hasattr(policy, "actor") else policy.action_net
        last.weight.mul_(60.0)
        for weights in policy.parameters():
            weights.add_(0.01 * torch.randn_like(weights))
    return driver, env


def model_in(name, driver) -> Model:
    agent, sensors, actions, _ = DRIVERS[name]
    return Model(f"a {agent}", "deepracer", sensors, actions, driver.policy_network())


def observations(env, count):
    """What cars observe that drive at random, and as much noise."""
    seen, _ = env.reset(seed=1)
    env.action_space.seed(1)
    rows = [seen]
    while 2 * env.num_envs * len(rows) < count:
        rows.append(env.step(env.action_space.sample())[0])
    spaces = getattr(env.single_observation_space, "spaces", None)
    rng = np.random.default_rng(2)

    def both(name, space):
        driven = np.concatenate([row if name is None else row[name] for row in rows])
        noise = rng.normal(0.0, 1.0, driven.shape) if space.dtype == np.float32 else rng.integers(0, 256, driven.shape)
        return np.concatenate([driven, noise.astype(space.dtype)])

    if spaces is None:
        return both(None, env.single_observation_space)
    return {name: both(name, space) for name, space in spaces.items()}


@pytest.mark.parametrize("name", DRIVERS)
def test_what_is_exported_acts_as_its_driver_does(name, tmp_path):
    """On 10,000 observations, on images on fewer: its driver, the file, Stable-Baselines3 and onnxruntime."""
    driver, env = driver_of(name)
    model = model_in(name, driver)
    save_model(model, tmp_path / "a.model")
    again = load_model(tmp_path / "a.model")
    assert (again.name, again.sensors, again.actions, again.digest) == (
        model.name, model.sensors, model.actions, model.digest,
    )  # fmt: skip
    count = 500 if "convolutions" in name else 2_500 if "patches" in name else 10_000  # as long as they take
    seen = observations(env, count)
    acted = again.act(seen)
    assert len(acted) >= count
    assert (acted == driver.act(seen)).all()
    library = driver.model.predict(seen, deterministic=True)[0]
    feed = seen if isinstance(seen, dict) else {"state": seen}
    session = onnxruntime.InferenceSession(onnx_bytes(again), providers=["CPUExecutionProvider"])
    (other,) = session.run(["action"], feed)
    assert {one.name for one in session.get_inputs()} == set(feed)
    for theirs in (library, other):
        if isinstance(model.actions, DiscreteActions):
            assert len(np.unique(theirs)) > 2
            assert (acted != theirs).mean() <= 2e-4  # where two choices are worth the same in 32 bits
        else:
            assert np.abs(acted).max() <= 1.0 and theirs.std() > 0.1
            np.testing.assert_allclose(acted, theirs, atol=2e-5)


def test_every_layer_is_the_same_in_other_tools():
    """What no recipe of racer's uses, too, beside another sensor."""
    rng = np.random.default_rng(5)
    layers = (
        Pool(2, 4, 3, 4),
        Edges(),
        Standardize(90.0, 40.0),
        Scale(100.0, 50.0),
        Convolution(rng.normal(0.0, 0.5, (3, 3, 2, 1)), rng.normal(size=3), "tanh", 2, 1),
        Patches(2, 2, 2, 3),
        Linear(rng.normal(0.0, 0.3, (4, 18)), rng.normal(size=4), "relu"),
        Flatten(),
    )
    for sensors, actions, output, numbers in (
        (("FRONT_FACING_CAMERA:size=40x30", "SECTOR_LIDAR"), ContinuousActions(), "tanh", 2),
        (("SECTOR_LIDAR", "FRONT_FACING_CAMERA:size=40x30"), FIVE, "argmax", 5),
    ):
        parts = {"FRONT_FACING_CAMERA": NetworkInput("FRONT_FACING_CAMERA", (30, 40, 1), layers)}
        parts["SECTOR_LIDAR"] = NetworkInput(
            "SECTOR_LIDAR", (8,), (Linear(rng.normal(size=(3, 8)), np.zeros(3), "relu"),)
        )
        inputs = tuple(parts[one.split(":")[0]] for one in sensors)
        last = Linear(rng.normal(0.0, 0.3, (numbers, 19)), rng.normal(size=numbers))
        model = Model("all", "deepracer", sensors, actions, Network(inputs, (last,), output))
        again = model_from_bytes(model.as_bytes())
        seen = observations(TimeTrialVector(50, "bean", None, sensors=sensors, actions=actions), 200)
        (other,) = onnxruntime.InferenceSession(onnx_bytes(again)).run(["action"], seen)
        assert (model.act(seen) == again.act(seen)).all() and len(np.unique(other)) > 2
        np.testing.assert_allclose(again.act(seen), other, atol=1e-5)


def test_one_is_as_good_as_many():
    driver, env = driver_of("patches beside others")
    seen = observations(env, 400)
    together = driver.act(seen)
    alone = [driver.act({name: values[k] for name, values in seen.items()}) for k in range(50)]
    assert (together[:50] == alone).all() and alone[0].shape == ()
    shaped = {name: values[:6].reshape(2, 3, *values.shape[1:]) for name, values in seen.items()}
    assert (driver.act(shaped) == together[:6].reshape(2, 3)).all()


def test_a_driver_acts_by_what_it_has_learned_last():
    env = TimeTrialVector(20, "bean", None, sensors=("state", "LIDAR"))
    driver = load_agent("clipped_ppo").make(env, 0, {"episodes": 1}, "cpu")
    seen, _ = env.reset(seed=1)
    before, reports = driver.act(seen), []
    driver.learn(lambda steps, metrics: float(len(reports) > 1 or reports.append(steps) is not None))
    after = driver.act(seen)
    assert np.abs(after - before).max() > 1e-5
    np.testing.assert_allclose(after, driver.model.predict(seen, deterministic=True)[0], atol=1e-6)


def test_networks_of_a_learners_own_kind_drive_but_are_not_exported():
    _, env = driver_of("ppo")
    driver = load_agent("ppo").make(env, 0, {}, "cpu")
    driver.model.policy.mlp_extractor.policy_net[1] = torch.nn.ELU()
    with pytest.raises(ModelError, match="a layer of the kind ELU in the policy cannot be exported"):
        driver.policy_network()
    seen, _ = env.reset(seed=1)
    assert (driver.act(seen) == driver.model.predict(seen, deterministic=True)[0]).all()
    assert driver.act(seen[0]).shape == (2,)
    with pytest.raises(AgentError, match="this driver observes state; it was given LIDAR"):
        driver.act({"LIDAR": np.zeros(64)})


def test_what_a_model_does_not_observe_is_refused():
    model = model_in("ppo", driver_of("ppo")[0])
    with pytest.raises(AgentError, match="this driver observes state; it was given LIDAR"):
        model.act({"LIDAR": np.zeros(64)})
    with pytest.raises(AgentError, match=r"of the shape \(30,\); it was given \(31,\)"):
        model.act(np.zeros(31))


# --- The way from a run to a race ------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def a_run(name="fast", agent="ppo", **how):
    """A run whose driver has random weights."""
    run = start(RunConfig("bean", agent=agent, steps=1000, logs=False, **how), name)
    env = TimeTrialVector(1, "bean", None, sensors=run.config.sensors, actions=run.config.actions)
    driver = run.agent().make(env, 0, run.config.hyperparameters, "cpu")
    run.save(run.best, driver.state_dict(), {"steps": 0, "seconds": 0.0})
    return run, driver


def cli(*words):
    return CliRunner().invoke(app, list(map(str, words)))


def test_export_writes_a_file_to_race_with(folder):
    run, driver = a_run()
    made = cli("export", "fast", "--onnx")
    assert made.exit_code == 0, made.output
    assert made.stdout.split() == ["fast.model", "fast.onnx"]
    model = load_model("fast.model")
    assert model.as_bytes() == model_of(run).as_bytes() == Path("fast.model").read_bytes()
    driven, same = (
        drive(one, load_track("bean"), 1, RaceConditions(penalty_s=0.5), reward_function=None)
        for one in (model, driver)
    )
    assert driven.digest == same.digest
    assert Path("fast.onnx").read_bytes() == onnx_bytes(model)
    assert cli("export", "fast").exit_code == 1 and "exists already" in cli("export", "fast").stderr
    assert cli("export", "fast", "--onnx", "--out", "b.model").exit_code == 0
    assert cli("export", "fast", "--force").exit_code == 0
    gone = cli("export", "fats")
    assert gone.exit_code == 1 and "there is no run 'fats'. Did you mean 'fast'?" in gone.stderr
    raced = [json.loads(cli("evaluate", who, "--rules", "training", "--json").stdout) for who in ("fast.model", "fast")]
    assert raced[0] == raced[1] and raced[0]["driver"] == "fast"
    assert "fast.model is a model to enter a race with, not a replay or a run" in cli("watch", "fast.model").stderr


def test_agents_of_other_kinds_are_refused_in_a_sentence(folder):
    Path("agents").mkdir()
    Path("agents/own.py").write_text(
        "class Agent:\n    num_envs = 4\n    def __init__(self, env, seed=0): pass\n"
        "    def act(self, observation): return 0\n    def learn(self, report): pass\n"
        "    def state_dict(self): return {}\n    def load_state_dict(self, state): pass\n"
    )
    a_run(agent="own")
    told = cli("export", "fast")
    assert told.exit_code == 1
    assert "own cannot be exported: its Agent has no policy_network()" in told.stderr


def test_a_model_is_raced_under_several_seeds():
    """Three laps under five seeds: the middle time counts, and each race is what it is alone."""
    steering = Linear(np.zeros((2, 30)), np.zeros(2))
    steering.weight[0, 11 + 2 * 2] = 2.0  # towards the centre line 0.9 m ahead
    steering.bias[1] = -0.6
    network = Network((NetworkInput("state", (30,)),), (steering,), "clip")
    model = Model("a line of thought", "deepracer", ("state",), ContinuousActions(), network)
    league = dataclasses.replace(load_rulebook("league"), tracks=("bean",))
    races = races_by_rules(lambda track: model, league, model.conditions(), [11, 12, 13, 14, 15])
    times = [race.time_s for race in races]
    assert None not in times and len(set(times)) == 5
    assert middle_time_s(races) == sorted(times)[2]


# --- Hostile files ---------------------------------------------------------------------------------------------------


class Evil:
    def __reduce__(self):
        return os.system, ("touch executed",)


def good_model() -> Model:
    rng = np.random.default_rng(0)
    layers = (
        Linear(rng.normal(0.0, 0.3, (8, 30)), np.zeros(8), "relu"),
        Linear(rng.normal(0.0, 0.3, (2, 8)), np.zeros(2)),
    )
    network = Network((NetworkInput("state", (30,)),), layers, "clip")
    return Model("good", "deepracer", ("state",), ContinuousActions(), network)


def rebuilt(edit=lambda described: None, arrays=None, change=lambda arrays: None) -> bytes:
    """The good model's file with another description or other arrays."""
    from racer.replay import pack, unpack

    texts, found = unpack(good_model().as_bytes())
    described = json.loads(texts["racer-model"])
    edit(described)
    found = dict(found) if arrays is None else arrays
    change(found)
    return pack({"racer-model": json.dumps(described)}, found)


def setting(*keys, to):
    def edit(described):
        for key in keys[:-1]:
            described = described[key]
        described[keys[-1]] = to

    return edit


def with_header(text: bytes, announced: int | None = None, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(text) if announced is None else announced) + text + data


def putting(name, values):
    return lambda arrays: arrays.update({name: values})


NAN = np.zeros((2, 8), np.float32)
NAN[1, 3] = np.nan
FIRST = ("network", "layers", 0)
HOSTILE = {
    "nothing": (b"", "no safetensors file"),
    "a pickle": (pickle.dumps(Evil()), "no safetensors file"),
    "an old pickle": (pickle.dumps(Evil(), 0), "no safetensors file"),
    "a zip": (b"PK\x03\x04" + bytes(100), "no safetensors file"),
    "text": (b"import os; os.system('touch executed')\n" * 9, "no safetensors file"),
    "10 GB announced": (with_header(b"{}", 10 * 2**30), "no safetensors file, or cut short"),
    "a header of 2 MB": (with_header(b"{" + b" " * 2**21 + b"}"), "its header has 2,097,154 bytes"),
    "deep header": (with_header(b'{"a":' * 10_000), "cut short, damaged"),
    "10 GB of numbers announced": (
        with_header(b'{"a":{"dtype":"F32","shape":[2684354560],"data_offsets":[0,10737418240]}}'),
        "cut short, damaged",
    ),
    "too large": (bytes(33 * 2**20), "too large, 34,603,008 bytes"),
    "cut short": (rebuilt()[:-8], "cut short, damaged"),
    "other data": (rebuilt() + b"x", "cut short, damaged"),
    "no description": (with_header(b'{"__metadata__":{"format":"pt"}}'), "it holds no description"),
    "deep description": (
        with_header(b'{"__metadata__":{"racer-model":"' + b"[" * 20_000 + b'"}}'), "not valid JSON"
    ),
    "nan": (rebuilt(change=putting("layers.1.weight", NAN)), "not finite, in row 1"),
    "infinite": (rebuilt(change=putting("layers.0.bias", np.full(8, np.inf, np.float32))), "not finite"),
    "wrong shape": (rebuilt(change=putting("layers.0.weight", np.zeros((8, 31), np.float32))), "weights are 8 x 31"),
    "wrong bias": (rebuilt(change=putting("layers.0.bias", np.zeros(9, np.float32))), "its bias is 9"),
    "no axis": (rebuilt(change=putting("layers.0.weight", np.zeros(240, np.float32))), "its weights are 240"),
    "64 bits": (rebuilt(change=putting("layers.0.weight", np.zeros((8, 30)))), "no array 'weight' of 32-bit numbers"),
    "no weights": (rebuilt(arrays={}), "layers.0 has no array 'weight'"),
    "more weights": (rebuilt(change=putting("../../evil", np.zeros(1, np.float32))), "no layer has the array"),
    "three numbers": (
        rebuilt(change=lambda arrays: arrays.update({
            "layers.1.weight": np.zeros((3, 8), np.float32), "layers.1.bias": np.zeros(3, np.float32)
        })),
        "cannot be an action",
    ),
    "another file": (rebuilt(setting("format", to="racer replay")), "its description is none of a model"),
    "a later version": (rebuilt(setting("version", to=2)), "this racer reads version 1"),
    "one key more": (rebuilt(setting("code", to="import os")), "its description must hold format, version"),
    "a layer of code": (rebuilt(setting(*FIRST, "kind", to="os.system")), "its kind must be one of flatten"),
    "a layer with more": (rebuilt(setting(*FIRST, "hook", to="evil")), "layers.0 must hold kind, activation"),
    "an activation of code": (rebuilt(setting(*FIRST, "activation", to="__import__")), "its activation is"),
    "endless layers": (
        rebuilt(setting("network", "layers", to=[{"kind": "flatten"}] * 400)), "must be a list of at most 32"
    ),
    "a huge patch": (
        rebuilt(setting("network", "inputs", 0, "layers", to=[
            {"kind": "patches", "down": 1000, "high": 1000, "across": 1000, "wide": 1000}
        ])),
        "it cuts images of 1000000 x 1000000 pixels into patches",
    ),
    "a huge input": (
        rebuilt(setting("network", "inputs", 0, "shape", to=[100_000, 100_000, 100_000])), "its weights are 8 x 30"
    ),
    "no shape": (rebuilt(setting("network", "inputs", 0, "shape", to=[-30])), "the shape of state is"),
    "an odd input": (rebuilt(setting("network", "inputs", 0, "sensor", to="../x")), "an input is called"),
    "another output": (rebuilt(setting("network", "output", to="exec")), "its output is 'exec'"),
    "choices": (rebuilt(setting("network", "output", to="argmax")), "gives one of 2 choices, but its actions are a"),
    "another sensor": (rebuilt(setting("sensors", to=["LIDAR"])), "its network observes state 30, but its sensors"),
    "no sensor": (rebuilt(setting("sensors", to=["../../etc/passwd"])), "there is no sensor"),
    "a huge sensor": (
        rebuilt(setting("sensors", to=["FRONT_FACING_CAMERA:size=100000x100000"])), "its sensors: "
    ),
    "sensors of numbers": (rebuilt(setting("sensors", to=[7])), "its sensors are no list of names"),
    "no actions": (rebuilt(setting("actions", to={"choices": "x"})), "is no action space"),
    "endless choices": (
        rebuilt(setting("actions", to={"choices": [[0.0, 1.0]] * 1001})), "1,001 actions to choose from"
    ),
    "a car": (rebuilt(setting("car", to="rocket")), "its car is 'rocket'"),
    "a name in HTML": (rebuilt(setting("name", to="<b>" * 50)), "its name is '<b>"),
    "an escape": (rebuilt(setting("name", to="\x1b[2Jx")), "its name is '\\x1b[2Jx'"),
    "a name of numbers": (rebuilt(setting("name", to=7)), "its name is 7"),
    "lone surrogate": (rebuilt(setting("name", to="\ud800")), "its name is"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_in_a_line(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data, words = HOSTILE[name]
    Path("evil.model").write_bytes(data)
    with pytest.raises(ModelError) as caught:
        load_model("evil.model")
    message = str(caught.value)
    assert "evil.model" in message and words in message
    assert message.isprintable() and len(message) < 400
    told = cli("evaluate", "evil.model", "--rules", "training")
    assert told.exit_code == 1 and told.stdout == "" and "evil.model" in told.stderr and words in told.stderr
    assert list(Path().iterdir()) == [Path("evil.model")]


def test_files_without_end_are_refused(tmp_path):
    huge = tmp_path / "huge.model"
    with huge.open("wb") as file:
        file.truncate(10 * 2**30)
    with pytest.raises(ModelError, match=r"too large, 10,737,418,240 bytes"):
        load_model(huge)
    with pytest.raises(ModelError, match="not a plain file but a device"):
        load_model("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelError, match="not a plain file but a pipe"):
        load_model(tmp_path / "pipe")
    with pytest.raises(ModelError, match="no such file"):
        load_model(tmp_path / "none")


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")
def test_hostile_files_take_little_memory(tmp_path):
    """All of them, one after the other, in a process that may have 200 MB and no more."""
    for k, (data, _) in enumerate(HOSTILE.values()):
        (tmp_path / f"{k}.model").write_bytes(data)
    wide = good_model().network.arrays() | {"layers.0.weight": np.full((2**22 - 2**15,), np.nan, np.float32)}
    (tmp_path / "full.model").write_bytes(rebuilt(arrays=wide))
    script = (
        "import sys; from pathlib import Path; from racer.errors import ModelError\n"
        "from racer.racing import load_model\n"
        "for path in Path(sys.argv[1]).iterdir():\n"
        "    try: load_model(path)\n"
        "    except ModelError: continue\n"
        "    sys.exit(f'{path} was taken')\n"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 200 * 1024


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_damage_is_one_clear_error_or_a_model(data):
    content = bytearray(rebuilt())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        model = model_from_bytes(bytes(content), "it")
    except ModelError as wrong:
        assert str(wrong).isprintable()
    else:
        assert model.act(np.zeros(30, np.float32)).shape == (2,)


def test_networks_that_take_too_long_are_none():
    filters = Convolution(np.zeros((64, 11, 11, 4)), np.zeros(64), "relu", 1, 5)
    with pytest.raises(ValueError, match="multiplications for an action; it may take 120,000,000"):
        Network(
            (NetworkInput("image", (120, 160, 4), (filters,)),),
            (Linear(np.zeros((2, 120 * 160 * 64)), np.zeros(2)),),
            "clip",
        )  # fmt: skip
    with pytest.raises(ValueError, match="it cuts images of 4 x 4 pixels into patches, not 5 x 4 x 1"):
        Network((NetworkInput("image", (5, 4, 1), (Patches(2, 2, 2, 2),)),), (), "clip")


def test_huge_weights_give_actions_or_an_error():
    model = good_model()
    huge = {name: np.full_like(values, 3e38) for name, values in model.network.arrays().items()}
    driver = model_from_bytes(rebuilt(arrays=huge))
    assert np.isfinite(driver.act(np.ones(30, np.float32))).all()


def test_what_cannot_be_written_is_said(tmp_path):
    with pytest.raises(FileError, match="cannot write"):
        save_model(good_model(), tmp_path / "none" / "a.model")
    wide = Linear(np.zeros((2, 2**22)), np.zeros(2))
    with pytest.raises(ValueError, match="its weights are 2 x 4194304"):
        Network((NetworkInput("state", (30,)),), (wide,), "clip")
