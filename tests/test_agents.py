"""Agents: what every file on the shelf promises, what was learned kept and given back, no code in data."""

import ast
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from drives import ring
from hypothesis import given, strategies as st

from racer import shelf
from racer.env import TimeTrialVector
from racer.errors import AgentError, RacerError, ReplayError, TrackError
from racer.racing import Driver, Learner, load_agent, load_state, restore, save_state
from racer.racing.race import actions_of
from racer.replay import load_replay
from racer.track import load_track

CARS = 4
REPO = Path(__file__).resolve().parents[1]


def field(count=CARS, **more):
    return TimeTrialVector(count, ring(), None, **more)


def observations(shape=(), seed=0, sensors=("state",)):
    """Observations as they occur: of cars that were driven about."""
    env = field(64, sensors=sensors)
    env.reset(seed=seed)
    rng = np.random.default_rng(seed)
    for _ in range(12):
        seen = env.step(rng.uniform(-1.0, 1.0, (64, 2)).astype(np.float32))[0]
    return each(lambda values: values[: int(np.prod(shape, dtype=int))].reshape(*shape, *values.shape[1:]), seen)


def each(change, seen):
    """An observation with its values changed: those of each sensor, where there are several."""
    return {name: change(values) for name, values in seen.items()} if isinstance(seen, dict) else change(seen)


@pytest.fixture(params=shelf.names("agents"))
def agent_file(request):
    return load_agent(request.param)


@pytest.fixture
def perceived(agent_file):
    return agent_file.sensors()


@pytest.fixture
def agent(agent_file, perceived):
    return agent_file.make(field(sensors=perceived), seed=3)


# --- Every agent on the shelf -------------------------------------------------------------------------------


def test_it_says_what_it_is(agent_file, agent):
    lines = (ast.get_docstring(ast.parse(agent_file.text)) or "").splitlines()
    assert lines and 20 < len(lines[0]) < 120
    assert isinstance(agent, Driver)


@pytest.mark.parametrize("shape", [(), (1,), (7,), (2, 3)])
def test_it_acts_for_any_batch(agent, perceived, shape):
    seen = observations(shape, sensors=perceived)
    kept = each(np.copy, seen)
    actions = agent.act(seen)
    assert actions.shape == (*shape, 2)
    assert actions.dtype == np.float32
    assert np.isfinite(actions).all() and np.abs(actions).max() <= 1.0
    np.testing.assert_equal(seen, kept)
    np.testing.assert_array_equal(agent.act(seen), actions)  # nothing is left to chance
    alone = [agent.act(each(lambda values, at=at: values[at], seen)) for at in np.ndindex(shape)]
    np.testing.assert_allclose(actions, np.array(alone).reshape(actions.shape), atol=1e-5)


def test_it_answers_to_what_it_sees(agent, perceived):
    actions = agent.act(observations((64,), sensors=perceived))
    assert np.ptp(actions, axis=0).min() > 1e-3


@pytest.mark.parametrize("kind", ["narrow", "nan"])
def test_bad_observations_are_no_actions(agent, perceived, kind):
    env = field(sensors=perceived)
    seen = observations((CARS,), sensors=perceived)
    change = {"narrow": lambda values: values[..., 1:], "nan": lambda values: np.full(values.shape, np.nan, "f4")}
    with pytest.raises(AgentError):
        actions_of(agent, each(change[kind], seen), env)


def test_another_track_is_driven_by_the_same_agent(agent_file, perceived):
    agent = agent_file.make(TimeTrialVector(2, "harbor", None, sensors=perceived), seed=0)
    seen, _ = TimeTrialVector(3, "whirlpool", None, sensors=perceived).reset(seed=0)
    assert agent.act(seen).shape == (3, 2)


# --- What a learner learned ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ppo():
    return load_agent("ppo")


@pytest.fixture(scope="module")
def learned(ppo):
    """A learner after three updates, and what it reported."""
    reports = []

    def report(steps, metrics):
        reports.append((steps, dict(metrics)))
        return len(reports) / 4

    agent = ppo.make(field(8, time_limit_s=2.0), seed=1)
    agent.learn(report)
    return agent, reports


def test_a_learner_learns_until_it_is_told_to_stop(ppo, learned):
    agent, reports = learned
    assert isinstance(agent, Learner) and ppo.load().num_envs >= 1
    steps = [count for count, _ in reports]
    assert len(reports) == 4 and steps[0] == 0 and np.ptp(np.diff(steps)) == 0
    assert {"rollout/ep_rew_mean", "rollout/ep_progress_mean"} <= set(reports[-1][1])
    assert all(np.isfinite(value) for _, metrics in reports for value in metrics.values())
    fresh = ppo.make(field(8), seed=1)
    assert np.abs(fresh.act(observations((64,))) - agent.act(observations((64,)))).max() > 1e-3


def test_everything_learned_is_named_arrays(learned):
    state = learned[0].state_dict()
    assert len(state) > 10
    for name, values in state.items():
        assert isinstance(name, str) and isinstance(values, np.ndarray) and np.isfinite(values).all()
    before = {name: values.copy() for name, values in state.items()}
    for values in state.values():
        values[...] = 0
    again = learned[0].state_dict()
    assert all((again[name] == before[name]).all() for name in before), "a copy, not the network itself"


def test_what_was_learned_comes_back_whole(ppo, learned, tmp_path):
    state = learned[0].state_dict()
    save_state(tmp_path / "m.safetensors", state, {"note": "ä"})
    read, notes = load_state(tmp_path / "m.safetensors")
    assert notes == {"note": "ä"}
    assert {name: (v.dtype, v.shape, v.tobytes()) for name, v in read.items()} == {
        name: (v.dtype, v.shape, v.tobytes()) for name, v in state.items()
    }
    other = ppo.make(field(8), seed=99)
    seen = observations((64,))
    assert np.abs(other.act(seen) - learned[0].act(seen)).max() > 1e-3
    restore(other, read, tmp_path / "m.safetensors")
    np.testing.assert_array_equal(other.act(seen), learned[0].act(seen))
    assert {name: v.tobytes() for name, v in other.state_dict().items()} == {
        name: v.tobytes() for name, v in state.items()
    }


def test_learning_goes_on_from_what_was_learned(ppo, learned):
    """Steps are counted on, and the optimiser's moments are those that were kept."""
    other = ppo.make(field(8, time_limit_s=2.0), seed=5)
    other.load_state_dict(learned[0].state_dict())
    steps = []
    other.learn(lambda count, metrics: steps.append(count) or len(steps) / 2)
    assert steps[0] == int(learned[0].state_dict()["steps"]) and steps[1] > steps[0]
    moments = [name for name in other.state_dict() if name.startswith("policy.optimizer/") and name.endswith("step")]
    then, now = learned[0].state_dict(), other.state_dict()
    assert moments and all(now[name] > then[name] > 0 for name in moments)


def wrong_states(state):
    policy = next(name for name, values in state.items() if values.ndim == 2)
    scalar = next(name for name, values in state.items() if values.ndim == 0)
    yield "nothing", {}
    yield "an array missing", {name: values for name, values in state.items() if name != policy}
    yield "no counter", {name: values for name, values in state.items() if name != "steps"}
    yield "a foreign array", state | {"policy/nobody.weight": np.zeros(3, np.float32)}
    yield "another shape", state | {policy: state[policy][:-1]}
    yield "a number too many", state | {scalar: np.zeros(2)}
    yield "a name with no end", state | {"policy.optimizer/0": np.zeros(1)}
    yield (
        "a moment of another shape",
        state | {name: np.zeros(3, np.float32) for name in state if name.endswith("exp_avg")},
    )
    yield "another model", {"weights": np.zeros((3, 3), np.float32)}


def test_what_another_agent_learned_is_refused(ppo, learned, tmp_path):
    agent = ppo.make(field(8), seed=0)
    for kind, state in wrong_states(learned[0].state_dict()):
        try:
            restore(agent, state, tmp_path / "m.safetensors")
        except AgentError as error:
            assert "m.safetensors does not fit this agent: " in str(error) and "\n" not in str(error)
        else:
            pytest.fail(f"{kind} was taken")
    pursuer = load_agent("pure_pursuit").make(field())
    with pytest.raises(AgentError, match="does not learn"):
        restore(pursuer, learned[0].state_dict(), tmp_path / "m.safetensors")


def test_numbers_that_are_not_finite_are_neither_saved_nor_loaded(tmp_path):
    path = tmp_path / "m.safetensors"
    save_state(path, {"a": np.ones(3)}, {})
    old = path.read_bytes()
    for value in (np.nan, np.inf):
        with pytest.raises(AgentError, match="diverged: b holds"):
            save_state(path, {"a": np.ones(3), "b": np.array([1.0, value])}, {})
    assert path.read_bytes() == old
    start = len(old) - 24
    path.write_bytes(old[:start] + struct.pack("<3d", 1.0, np.nan, 1.0))
    with pytest.raises(AgentError, match=r"m\.safetensors is damaged .*: its array 'a' .* not finite"):
        load_state(path)


# --- Damaged and hostile files ------------------------------------------------------------------------------


class Bomb:
    """What a pickle can do to whoever loads it."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.fixture(scope="module")
def model(learned, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    save_state(path, learned[0].state_dict(), {"racer": "{}"})
    return path.read_bytes()


def refuses(path, data):
    path.write_bytes(data)
    with pytest.raises(AgentError) as caught:
        load_state(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_model_cut_short_is_refused(model, tmp_path):
    for end in (0, 1, 7, 8, 9, 100, 2000, len(model) // 2, len(model) - 1):
        refuses(tmp_path / "m.safetensors", model[:end])
    refuses(tmp_path / "m.safetensors", model + b"x")


def test_files_of_other_kinds_are_no_models(tmp_path):
    mark = tmp_path / "executed"
    for data in (b"", b"hello", b"PK\3\4" + bytes(50), pickle.dumps(Bomb(mark)), b"\xff" * 8, bytes(8)):
        refuses(tmp_path / "m.safetensors", data)
    header = b'{"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'
    (tmp_path / "m.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(AgentError):
        restore(
            load_agent("ppo").make(field()),
            load_state(tmp_path / "m.safetensors")[0],
            tmp_path / "m.safetensors",
        )
    for missing in (tmp_path / "no.safetensors", tmp_path):
        with pytest.raises(AgentError, match="cannot read"):
            load_state(missing)
    assert not mark.exists()


@given(st.binary(max_size=200))
def test_any_bytes_are_a_model_or_an_agent_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    for content in (
        data,
        struct.pack("<Q", len(data)) + data,
        struct.pack("<Q", len(data)) + data + bytes(64),
    ):
        path.write_bytes(content)
        try:
            state, notes = load_state(path)
        except AgentError as error:
            assert "\n" not in str(error)
        else:
            assert isinstance(state, dict) and isinstance(notes, dict)


@given(st.data())
def test_a_model_with_bytes_changed_is_read_or_refused(model, learned, tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "changed.safetensors"
    damaged = bytearray(model)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, min(len(model) - 1, 3000)))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(damaged))
    try:
        state, notes = load_state(path)
        assert isinstance(notes, dict)
        restore(learned[0], state, path)
    except AgentError:
        pass
    finally:
        path.write_bytes(model)
        restore(learned[0], load_state(path)[0], path)


def test_no_file_that_racer_reads_can_run_code(tmp_path):
    mark = tmp_path / "executed"
    bomb = pickle.dumps(Bomb(mark))
    loaders = {"t.npy": (load_track, TrackError), "r.replay": (load_replay, ReplayError)}
    for name, (load, error) in loaders.items():
        (tmp_path / name).write_bytes(bomb)
        with pytest.raises(error):
            load(tmp_path / name)
    np.save(tmp_path / "t.npy", np.array([Bomb(mark)], dtype=object), allow_pickle=True)
    with pytest.raises(TrackError):
        load_track(tmp_path / "t.npy")
    np.savez(tmp_path / "r.npz", steps=np.array([Bomb(mark)], dtype=object), header=np.array(["{}"]))
    (tmp_path / "r.npz").rename(tmp_path / "r.replay")
    with pytest.raises(ReplayError):
        load_replay(tmp_path / "r.replay")
    assert not mark.exists()


SOURCES = sorted([*(REPO / "racer").rglob("*.py"), *(REPO / "agents").glob("*.py")])


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(REPO)))
def test_nothing_imports_pickle_or_loads_with_it(path):
    banned = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "jsonpickle"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        assert not {name.partition(".")[0] for name in names} & banned
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("torch.load", "th.load", "pandas.read_pickle", "PPO.load"), called
            assert not any(
                word.arg == "allow_pickle" and not (isinstance(word.value, ast.Constant) and not word.value.value)
                for word in node.keywords
            )


# --- Agent files that are wrong -----------------------------------------------------------------------------

WRONG = {
    "syntax": ("class Agent:\n    def act(self, observation)\n", r"line 2: SyntaxError"),
    "no agent": ("'''Nothing.'''\n", "defines no 'Agent'"),
    "no class": ("Agent = 3\n", "must be a class with a method act"),
    "cannot act": ("class Agent:\n    act = None\n", "must be a class with a method act"),
    "raises": ("import math\nmath.sqrt(-1)\nclass Agent: pass\n", r"line 2: ValueError"),
    "leaves": ("import sys\nsys.exit(3)\nclass Agent: pass\n", r"line 2: SystemExit"),
    "missing import": ("import no_such_thing\nclass Agent: pass\n", r"line 1: ModuleNotFoundError"),
    "raises when made": (
        "class Agent:\n    def __init__(self, env, seed):\n        {}['x']\n    def act(self, o): pass\n",
        r"line 3: KeyError",
    ),
    "leaves when made": (
        "class Agent:\n    def __init__(self, env, seed):\n        exit()\n    def act(self, o): pass\n",
        r"line 3: SystemExit",
    ),
    "takes nothing": ("class Agent:\n    def act(self, o): pass\n", "TypeError"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_agent_file_is_told_with_its_line(tmp_path, kind):
    text, message = WRONG[kind]
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(AgentError, match=message) as caught:
        load_agent(path).make(field())
    assert "mine.py" in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\x00", b"\0" * 10, b"class Agent: \xe4"])
def test_what_is_no_text_is_no_agent(tmp_path, data):
    path = tmp_path / "mine.py"
    path.write_bytes(data)
    with pytest.raises(RacerError, match=r"mine\.py"):
        load_agent(path)
    with pytest.raises(RacerError, match="no agent"):
        load_agent(tmp_path / "other.py")


def test_reading_an_agent_does_not_run_it(tmp_path):
    mark = tmp_path / "executed"
    path = tmp_path / "mine.py"
    path.write_text(f"open({str(mark)!r}, 'w')\nclass Agent:\n    def act(self, observation): return observation\n")
    file = load_agent(path)
    assert (file.name, file.path, file.text) == ("mine", path, path.read_text())
    assert not mark.exists()
    file.load()
    assert mark.exists()


def test_two_files_of_one_name_are_two_agents(tmp_path):
    agents = []
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        path = tmp_path / str(number) / "mine.py"
        path.write_text(
            "from dataclasses import dataclass\n\n@dataclass\nclass Agent:\n    env: object\n    seed: int\n"
            f"    number: int = {number}\n    def act(self, observation):\n        return [self.number]\n"
        )
        agents.append(load_agent(path).make(field(), 7))
    assert [(agent.act(None), agent.seed) for agent in agents] == [([1], 7), ([2], 7)]
