"""How recipes learn: schedules that follow the laps, short budgets, hyperparameters, files beside an agent's."""

import json

import numpy as np
import pytest
import torch
from drives import ring
from hypothesis import given, settings, strategies as st
from typer.testing import CliRunner

from racer.cli import app
from racer.env import TimeTrialVector
from racer.errors import AgentError
from racer.racing import checked_hyperparameters, load_agent, parse_hyperparameters, recipe_for
from racer.sim import DEFAULT, DiscreteActions
from racer.training import RunConfig, open_run, start, train
from racer.training.sb3.muon import JORDAN, POLAR_EXPRESS, Muon
from racer.training.sb3.schedule import PATIENCE, LapSchedule


def cars(count=8, **more):
    return TimeTrialVector(count, ring(), None, **more)


# --- Short budgets ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("reward, steps", [("progress", 110_000), ("speed", 160_000)])
def test_a_short_budget_drives_three_clean_laps(tmp_path, reward, steps):
    run = start(RunConfig("harbor", reward, steps=steps, logs=False), str(tmp_path / "short"))
    assert train(run).completed_laps == 3


episodes = st.lists(st.floats(0.0, 100.0), max_size=5)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 20_000), episodes), min_size=1, max_size=30), st.floats(1.0, 3.0))
def test_a_schedule_refines_from_the_first_laps_to_the_end_of_the_budget(updates, longer):
    schedule, steps, total = LapSchedule(), 0, sum(driven for driven, _ in updates)
    refined = []
    for driven, progress in updates:
        steps += driven
        schedule.update(steps, steps / total, progress)
        refined.append(schedule.refined)
        if schedule.lapping_since is None:
            assert schedule.refined == 0.0
    assert refined == sorted(refined) and 0.0 <= refined[-1] <= 1.0
    lapped = [progress for _, progress in updates if progress and np.mean(np.array(progress) >= 100.0) >= 0.5]
    assert (schedule.lapping_since is not None) == bool(lapped)
    if lapped and schedule.lapping_since < total:
        assert refined[-1] == 1.0

    again = LapSchedule()  # a run that goes on with a larger budget has more to refine
    again.load(schedule.state())
    assert (again.state() == schedule.state()).all()
    again.update(steps, 1.0 / longer, [])
    assert again.lapping_since == schedule.lapping_since and again.refined <= refined[-1]


def test_a_driver_that_gets_no_farther_looks_farther_ahead_until_it_laps():
    agent = load_agent("ppo").make(cars())
    for steps, progress, gamma in (
        (0, [], 0.98),
        (10_000, [40.0], 0.98),
        (9_000 + PATIENCE, [41.0], 0.98),
        (10_000 + PATIENCE, [41.0], 0.99),
        (20_000 + PATIENCE, [60.0], 0.99),
        (30_000 + PATIENCE, [100.0], 0.98),
    ):
        agent.schedule.update(steps, 0.1, progress)
        agent.tune()
        assert agent.model.gamma == agent.env.gamma == agent.model.rollout_buffer.gamma == gamma, steps


def test_updates_are_small_until_it_laps_and_then_as_large_as_the_budget_allows():
    sizes = []
    for total in (200_000, 10_000_000):
        agent = load_agent("ppo").make(cars(256))
        agent.tune()
        assert (agent.model.n_steps, agent.model.batch_size) == (8, 512)
        agent.schedule.update(100_000, 100_000 / total, [100.0])
        agent.tune()
        sizes.append((agent.model.n_steps, agent.model.batch_size))
    assert sizes == [(8, 512), (32, 2048)]


@pytest.mark.parametrize(
    ("given_", "at_first", "at_last"),
    [
        ({"n_steps": 4}, (4, 512), (4, 1024)),
        ({"n_steps": 8}, (8, 512), (8, 2048)),
        ({"n_steps": 8, "batch_size": 256}, (8, 512), (8, 256)),
        ({"n_steps": 2, "batch_size": 64, "first_batch_size": 32}, (2, 32), (2, 64)),
    ],
)
def test_updates_are_as_large_as_is_asked_for(given_, at_first, at_last):
    agent = load_agent("ppo").make(cars(256), 0, given_)
    agent.tune()
    assert (agent.model.n_steps, agent.model.batch_size) == at_first
    agent.schedule.update(100_000, 0.01, [100.0])
    agent.tune()
    assert (agent.model.n_steps, agent.model.batch_size) == at_last


def test_noise_may_fall_by_itself_before_there_are_laps_and_then_is_what_the_schedule_says():
    agent = load_agent("ppo").make(cars())
    noise = agent.model.policy.log_std

    def left_to_itself(value, progress, steps=0, used=0.1):
        noise.data[:] = value
        agent.schedule.update(steps, used, progress)
        agent.tune()
        return noise.tolist()

    assert left_to_itself(0.0, [50.0]) == pytest.approx([-0.75, -0.75], abs=0.02)
    assert left_to_itself(-2.0, [50.0]) == [-2.0, -2.0]
    for value in (-2.5, 0.0):
        assert left_to_itself(value, [100.0]) == [-1.0, -1.0]
        assert left_to_itself(value, [100.0], 5_000, 0.5) == [-2.0, -2.0]
        assert left_to_itself(value, [100.0], 10_000, 1.0) == [-3.0, -3.0]


def test_what_a_schedule_has_seen_comes_back_with_what_was_learned():
    agent = load_agent("ppo").make(cars())
    agent.schedule.update(5_000, 0.1, [80.0, 100.0])
    other = load_agent("ppo").make(cars(), 1)
    other.load_state_dict(agent.state_dict())
    assert other.schedule.state().tolist() == [0.9, 5_000, 0, 5_000]


# --- Hyperparameters --------------------------------------------------------------------------------------------------


def test_settings_are_numbers_texts_or_tuples():
    given_ = ["n_epochs=8", "gamma = 0.97", "net_arch=128,128", "net_arch2=64,", "network=DEEP", "learning_rate=1e-3"]
    assert parse_hyperparameters(given_) == {
        "n_epochs": 8,
        "gamma": 0.97,
        "net_arch": (128, 128),
        "net_arch2": (64,),
        "network": "DEEP",
        "learning_rate": 1e-3,
    }


@pytest.mark.parametrize("setting", ["n_epochs", "=8", "n_epochs=", "a b=3", "n-epochs=3"])
def test_what_is_no_setting_is_refused(setting):
    with pytest.raises(AgentError, match="NAME=VALUE"):
        parse_hyperparameters([setting])
    with pytest.raises(AgentError, match="set twice"):
        parse_hyperparameters(["gamma=0.9", "gamma=0.8"])


OWN = {"n_epochs": 5, "gamma": 0.98, "net_arch": (64, 64), "network": "SMALL", "last": None, "quick": False}


@pytest.mark.parametrize(
    "name, value, expected",
    [
        ("n_epochs", 8.0, 8),
        ("gamma", 1, 1.0),
        ("net_arch", [32, 16], (32, 16)),
        ("net_arch", 128, (128,)),
        ("last", "any", "any"),
        ("quick", "true", True),
    ],
)
def test_values_become_what_the_recipes_own_are(name, value, expected):
    checked = checked_hyperparameters({name: value}, OWN, "it")[name]
    assert checked == expected and type(checked) is type(expected)


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("n_epoch", 8, "no hyperparameter 'n_epoch'. Did you mean 'n_epochs'"),
        ("n_epochs", 2.5, "n_epochs is 2.5; it must be a whole number"),
        ("n_epochs", "many", "n_epochs is 'many'"),
        ("gamma", float("nan"), "gamma is nan; it must be a number"),
        ("gamma", True, "gamma is True"),
        ("net_arch", (64, "x"), "net_arch is 'x'"),
        ("network", 3, "network is 3; it must be a text"),
        ("quick", 7, "quick is 7; it must be true or false"),
    ],
)
def test_values_of_another_kind_are_refused(name, value, message):
    with pytest.raises(AgentError) as caught:
        checked_hyperparameters({name: value}, OWN, "it")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "given_",
    [
        {"gamma": 1.5},
        {"last_gamma": 2.0},
        {"n_epochs": 0},
        {"learning_rate": 0.0},
        {"optimizer": "sgd"},
        {"loss_type": "Huber"},
        {"net_arch": (0,)},
        {"network": "X"},
        {"clip_range": -1},
        {"noise_correlation": 1.5},
    ],
)
def test_values_that_no_recipe_learns_with_are_refused(given_):
    with pytest.raises(AgentError, match=next(iter(given_))):
        load_agent("ppo").make(cars(), 0, given_)


@pytest.mark.parametrize("name", ["ppo", "ppo_lidar", "ppo_camera", "clipped_ppo", "sac"])
def test_every_hyperparameter_of_a_recipe_may_be_given(name):
    file = load_agent(name)
    env = TimeTrialVector(4, ring(), None, sensors=file.sensors())
    own = file.make(env).hyperparameters
    networks = {} if file.make(env).images else {"network"}
    agent = file.make(env, 0, {key: value for key, value in own.items() if key not in networks})
    assert agent.hyperparameters == own == file.load().defaults()
    assert set(file.load().deepracer.values()) <= set(own)


def test_hyperparameters_reach_the_algorithm():
    given_ = {"n_epochs": 3, "net_arch": (16, 8), "gae_lambda": 0.5, "learning_rate": 0.01, "ent_coef": 0.1}
    model = load_agent("ppo").make(cars(), 0, given_).model
    assert (model.n_epochs, model.gae_lambda, model.lr_schedule(1.0), model.ent_coef) == (3, 0.5, 0.01, 0.1)
    layers = [layer.out_features for layer in model.policy.mlp_extractor.policy_net if hasattr(layer, "out_features")]
    assert layers == [16, 8]


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ({}, (0.98, 0.975, 0.97)),
        ({"gamma": 0.9}, (0.9, 0.9, 0.9)),
        ({"gamma": 0.9, "last_gamma": 0.8}, (0.9, 0.85, 0.8)),
        ({"gamma": 0.9, "last_gamma": 0.94}, (0.9, 0.92, 0.94)),
    ],
)
def test_the_discount_falls_to_the_end_unless_one_alone_was_asked_for(given_, expected):
    agent, found = load_agent("ppo").make(cars(), 0, given_), []
    for used in (0.0, 0.5, 1.0):
        agent.schedule.lapping_since, agent.schedule.refined = 0, used
        agent.tune()
        assert agent.model.gamma == agent.env.gamma == agent.model.rollout_buffer.gamma
        found.append(agent.model.gamma)
    assert found == pytest.approx(expected)


def test_noise_is_correlated_where_a_recipe_says_so_and_refused_where_it_cannot_be():
    assert load_agent("ppo").make(cars()).model.policy.bound == 1.0
    assert load_agent("ppo").make(cars(), 0, {"clipped_actions": "false"}).model.policy.bound == np.inf
    for given_, expected in (({}, 0.3), ({"noise_correlation": 0.6}, 0.6)):
        assert load_agent("ppo").make(cars(), 0, given_).model.policy.noise_correlation == expected
    camera = load_agent("ppo_camera")
    env = TimeTrialVector(4, ring(), None, sensors=camera.sensors())
    for name, value in (("noise_correlation", 0.3), ("clipped_actions", True)):
        with pytest.raises(AgentError, match=f"{name} is for networks without images"):
            camera.make(env, 0, {name: value})


def test_losses_of_values_are_chosen_by_deepracers_names():
    for given_, delta in (({}, 0.3), ({"loss_type": "mean squared error"}, np.inf)):
        agent = load_agent("ppo").make(cars(), 0, given_)
        assert agent.model.huber_delta == np.inf, "before there are laps"
        agent.schedule.update(10_000, 0.1, [100.0])
        agent.tune()
        assert agent.model.huber_delta == delta
    for given_, delta in (({}, np.inf), ({"loss_type": "huber"}, 0.3)):  # all the time, as DeepRacer does
        assert load_agent("clipped_ppo").make(cars(), 0, given_).model.huber_delta == delta


def test_optimizers_are_chosen_by_name():
    for given_, kind in (({}, Muon), ({"optimizer": "adam"}, torch.optim.Adam)):
        assert type(load_agent("ppo").make(cars(), 0, given_).model.policy.optimizer) is kind
    assert load_agent("clipped_ppo").load().defaults()["optimizer"] == "adam"  # as DeepRacer's
    for actions, rounds in ((None, POLAR_EXPRESS), (DiscreteActions(((0, 1.0), (9, 2.0))), JORDAN)):
        env = TimeTrialVector(4, ring(), None, actions=actions or DEFAULT)
        assert load_agent("ppo").make(env).model.policy.optimizer.param_groups[1]["rounds"] == rounds


def test_set_goes_from_the_command_line_into_the_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ["train", "--steps", "2000", "--no-logs", "--name"]
    done = CliRunner().invoke(app, [*options, "own", "--set", "n_epochs=2", "--set", "net_arch=16,16"])
    assert done.exit_code == 0, done.output
    run = open_run(tmp_path / "runs/own")
    assert run.config.hyperparameters == {"n_epochs": 2, "net_arch": (16, 16)}
    assert json.loads((tmp_path / "runs/own/run.json").read_text())["hyperparameters"]["net_arch"] == [16, 16]
    assert "Observation: state (30 numbers). PPO, policy and value networks of 16 x 16 units" in " ".join(
        done.stderr.split()
    )
    assert run.driver().act(np.zeros(30, np.float32)).shape == (2,)
    wrong = CliRunner().invoke(app, [*options, "none", "--set", "n_epoch=2"])
    assert wrong.exit_code == 1 and "Did you mean 'n_epochs'" in " ".join(wrong.stderr.split())
    assert not (tmp_path / "runs/none").exists()


# --- Recipes say what they take ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sensors, algorithm, rules, name",
    [
        (("state",), None, False, "ppo"),
        (("LIDAR:stack=2",), None, False, "ppo_lidar"),
        (("state", "SECTOR_LIDAR"), None, False, "ppo_lidar"),
        (("FRONT_FACING_CAMERA:size=16x16", "state"), None, False, "ppo_camera"),
        (("state",), "clipped_ppo", True, "clipped_ppo"),
        (("LEFT_CAMERA",), "clipped_ppo", True, "clipped_ppo"),
        (("state",), "sac", True, "sac"),
    ],
)
def test_the_most_special_recipe_that_takes_the_sensors_is_chosen(sensors, algorithm, rules, name):
    assert recipe_for(sensors, algorithm, rules) == name


def test_an_agent_file_imports_a_module_beside_it(tmp_path):
    (tmp_path / "gains.py").write_text("from factors import TWO\nGAIN = TWO * 0.25\n")
    (tmp_path / "factors.py").write_text("TWO = 2.0\n")
    (tmp_path / "mine.py").write_text(
        "import numpy as np\nimport gains\n\n\nclass Agent:\n    def __init__(self, env, seed=0, more=0.0):\n"
        "        self.more = more\n\n    def act(self, observation):\n        from gains import GAIN\n"
        "        return np.full((*observation.shape[:-1], 2), GAIN + self.more, np.float32)\n"
    )
    file = load_agent(tmp_path / "mine.py")
    assert file.make(cars(2)).act(np.zeros((2, 30)))[0, 0] == 0.5
    assert file.make(cars(2), 0, {"more": 1}).act(np.zeros((2, 30)))[0, 0] == 1.5
    (tmp_path / "other.py").write_text("import wrong\n\n\nclass Agent:\n    def act(self, observation): ...\n")
    (tmp_path / "wrong.py").write_text("x = 1\ny = x / 0\n")
    with pytest.raises(AgentError, match="ZeroDivisionError"):
        load_agent(tmp_path / "other.py").load()
    assert not list(tmp_path.rglob("__pycache__"))


def test_learning_leaves_the_number_of_threads_as_it_was():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        agent, seen = load_agent("ppo").make(cars()), []
        assert torch.get_num_threads() == 2
        agent.learn(lambda steps, metrics: seen.append(torch.get_num_threads()) or float(len(seen) > 1))
        assert seen == [1, 1] and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
