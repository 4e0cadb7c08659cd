"""Recipes on the shelf: each with every sensor that it takes makes a driver, learns, and comes back whole."""

import dataclasses
import sys
from functools import cache

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import NStepReplayBuffer

from racer import shelf
from racer.env import TimeTrialVector
from racer.errors import RacerError
from racer.racing import Learner, load_agent, load_state, restore, save_state
from racer.sensors.camera import LENSES
from racer.sim import ContinuousActions, DiscreteActions
from racer.training import RunConfig, resume, start, train

CONTINUOUS, FIVE = ContinuousActions(), DiscreteActions(tuple((a, 1.5) for a in (-30.0, -15.0, 0.0, 15.0, 30.0)))
CARS = 4


@cache
def recipe(name):
    """A recipe's file, and its class, to be asked what it takes."""
    file = load_agent(name)
    return file, file.load()


RECIPES = [name for name in shelf.names("agents") if hasattr(recipe(name)[1], "learn")]


def fitting():
    """Every recipe with every sensor that it names, and with several at once; discrete where it can.

    Many networks for pictures take long; the quick suite has each recipe's first camera.
    """
    for name in RECIPES:
        known = recipe(name)[1].sensors
        cameras = [spec for spec in known if spec.split(":")[0] in LENSES]
        others = [spec for spec in known if spec not in cameras]
        several = [(others[0], others[1])] if others[1:] and not cameras else []
        for sensors in [(spec,) for spec in cameras] + [(*cameras[:1], spec) for spec in others] + several:
            slow = [pytest.mark.slow] if cameras and sensors != tuple(cameras[:1]) else []
            for actions in [CONTINUOUS] if name == "sac" else [CONTINUOUS, FIVE]:
                kind = "discrete" if actions is FIVE else "continuous"
                yield pytest.param(name, sensors, actions, id=f"{name}-{'+'.join(sensors)}-{kind}", marks=slow)


def cars(sensors, actions=CONTINUOUS, count=CARS):
    return TimeTrialVector(count, "harbor", "progress", sensors=sensors, actions=actions, time_limit_s=2.0)


def learn(agent, updates=2):
    """Learn until so many updates have been made; returns the reports."""
    reports, begun = [], agent.model._n_updates

    def report(steps, metrics):
        reports.append((steps, dict(metrics)))
        if getattr(agent, "teacher", ""):  # which learns for the first quarter
            return (len(reports) - 1) / 8
        return float(agent.model._n_updates >= begun + updates)

    agent.learn(report)
    return reports


@pytest.mark.parametrize("name, sensors, actions", list(fitting()))
def test_every_recipe_learns_by_every_fitting_sensor_and_comes_back_whole(name, sensors, actions, tmp_path):
    file = quick_sac() if name == "sac" else recipe(name)[0]
    env = cars(sensors, actions)
    agent = file.make(env, 1)
    assert isinstance(agent, Learner)
    assert all(spec.split(":")[0] in agent.description for spec in sensors), agent.description
    before, (seen, _) = agent.state_dict(), env.reset(seed=3)
    reports = learn(agent)
    after = agent.state_dict()
    moved = [part for part in after if part.startswith("policy/") and not (after[part] == before[part]).all()]
    assert moved and reports[-1][0] > reports[0][0] == 0
    assert all(np.isfinite(value) for _, metrics in reports for value in metrics.values())

    save_state(tmp_path / "m.safetensors", after, {})
    read, _ = load_state(tmp_path / "m.safetensors")
    other = file.make(cars(sensors, actions, 1), 2)
    restore(other, read, tmp_path / "m.safetensors")
    acted = agent.act(seen)
    np.testing.assert_array_equal(other.act(seen), acted)
    assert acted.shape == ((CARS,) if actions is FIVE else (CARS, 2))
    assert {key: values.tobytes() for key, values in other.state_dict().items()} == {
        key: values.tobytes() for key, values in after.items()
    }


@pytest.mark.parametrize(
    "agent, sensors, actions, message",
    [
        ("sac", None, FIVE, "this recipe takes continuous actions only, not 5 to choose from; train with --agent ppo"),
        ("ppo", ("LIDAR",), CONTINUOUS, "cannot drive by LIDAR, only by state; add --sensors state"),
        ("ppo_lidar", ("FRONT_FACING_CAMERA",), CONTINUOUS, "cannot drive by FRONT_FACING_CAMERA, only by LIDAR"),
        ("sac", ("state", "LIDAR", "SECTOR_LIDAR"), CONTINUOUS, "one LIDAR at most"),
        ("sac", ("state", "state"), CONTINUOUS, "each once"),
    ],
)
def test_what_does_not_fit_together_is_refused_before_there_is_a_run(tmp_path, agent, sensors, actions, message):
    with pytest.raises(RacerError) as caught:
        start(RunConfig("harbor", agent=agent, sensors=sensors, actions=actions), str(tmp_path / "none"))
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "none").exists()


def test_a_recipe_drives_by_its_first_sensor_if_nothing_else_is_asked_for():
    for name in RECIPES:
        file, kind = recipe(name)
        assert file.sensors() == kind.sensors[:1]


# --- SAC, which remembers -------------------------------------------------------------------------------------------


def quick_sac():
    """SAC's file, but it remembers and learns from less."""
    file, text = recipe("sac")[0], recipe("sac")[0].text
    for name, value in {"learning_starts": 80, "batch_size": 16}.items():
        (line,) = [line for line in text.splitlines() if line.startswith(f"    {name} = ")]
        text = text.replace(line, f"    {name} = {value}")
    return dataclasses.replace(file, text=text)


def test_sac_goes_on_by_its_policy_and_learns_only_when_it_remembers_enough():
    file = quick_sac()
    agent = file.make(cars(("state",)), 0)
    learn(agent)
    actor = agent.model.actor
    actor.mu.weight.data.zero_(), actor.log_std.weight.data.zero_()
    actor.mu.bias.data[:], actor.log_std.bias.data[:] = 1.0, -10.0  # a policy that nobody takes for chance
    state = agent.state_dict()
    other = file.make(cars(("state",)), 1)
    other.load_state_dict(state)
    assert (worth := state["log_ent_coef"]) == other.state_dict()["log_ent_coef"] and worth != np.log(np.float32(0.2))
    updated = []
    other.learn(lambda steps, _: updated.append((steps, other.model._n_updates)) or float(len(updated) > 4))
    assert updated[0] == (state["steps"], 0)
    assert [steps for steps, updates in updated if updates and steps - state["steps"] < 80] == []
    assert updated[-1][1] > 0
    driven = other.model.replay_buffer.actions[: 80 // CARS - 1]
    np.testing.assert_allclose(driven, np.tanh(1.0), atol=1e-3)


@pytest.mark.slow
def test_sac_trains_a_run_and_resumes_it(tmp_path):
    path = tmp_path / "quick.py"
    path.write_text(quick_sac().text)
    run = start(RunConfig("harbor", agent=path, steps=2_000, hyperparameters={"alpha": 0.0}), str(tmp_path / "run"))
    train(run)
    first = run.load(run.checkpoint)[0]
    again = resume(run.folder, steps=4_000, agent=path)
    train(again)
    second, notes = again.load(again.checkpoint)
    assert notes["steps"] >= 4_000 > first["steps"]
    key = next(name for name in first if name.startswith("actor.optimizer") and name.endswith("step"))
    assert second[key] > first[key] > 0


def test_sac_tries_less_and_less_from_the_first_laps_on():
    agent = recipe("sac")[0].make(cars(("state",)), 0)
    rates = []
    for steps in (0, 500, 1000):
        agent.schedule.update(steps, steps / 1000, [100.0])
        agent.tune()
        rates.append((agent.model.lr_schedule(1.0), agent.model.target_entropy))
    assert rates == sorted(rates, reverse=True) and rates[0][0] > rates[2][0] and rates[0][1] > rates[2][1]


def test_sac_adds_up_rewards_for_several_sensors_as_the_library_does_for_one():
    kind, draw = recipe("sac")[1], np.random.default_rng(0)
    box = spaces.Box(-1.0, 1.0, (3,))
    ours = sys.modules[kind.__module__].Senses(
        40, spaces.Dict(a=box, b=box), box, "cpu", n_envs=2, n_steps=3, gamma=0.9
    )
    theirs = NStepReplayBuffer(40, box, box, "cpu", n_envs=2, n_steps=3, gamma=0.9)
    for _ in range(30):  # more than are remembered
        seen, told, actions = draw.uniform(-1.0, 1.0, (3, 2, 3)).astype(np.float32)
        rewards, done = draw.uniform(size=2), draw.random(2) < 0.2
        infos = [{"TimeLimit.truncated": bool(cut)} for cut in done & (draw.random(2) < 0.5)]
        ours.add({"a": seen, "b": -seen}, {"a": told, "b": -told}, actions, rewards, done, infos)
        theirs.add(seen, told, actions, rewards, done, infos)
    drawn = []
    for memory in (ours, theirs):
        np.random.seed(5)  # what the library draws by
        drawn.append(memory.sample(64))
    for part in ("observations", "next_observations"):
        expected = getattr(drawn[1], part)
        assert torch.equal(getattr(drawn[0], part)["a"], expected) and torch.equal(
            getattr(drawn[0], part)["b"], -expected
        )
    for part in ("actions", "rewards", "dones", "discounts"):
        assert torch.equal(getattr(drawn[0], part), getattr(drawn[1], part)), part
    assert len(set(drawn[1].discounts.ravel().tolist())) == 3, "episodes must end on the way, or this tells nothing"


# --- Where it learns --------------------------------------------------------------------------------------------------


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_all_learn_on_the_cpu_and_say_why(tmp_path):
    for name, why in (
        ("ppo", " (faster than a GPU for networks without images)"),
        ("ppo_camera", ", as there is no GPU"),
    ):
        file = recipe(name)[0]
        agent = file.make(cars(file.sensors()))
        assert f"on the CPU{why}" in agent.description and {part.device.type for part in weights(agent)} == {"cpu"}
    with pytest.raises(RacerError, match="PyTorch finds no GPU here; train with --device cpu"):
        start(RunConfig("harbor", agent="ppo_camera", device="cuda"), str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_on_a_gpu_it_learns_pictures_there_and_comes_back_whole():
    file = recipe("ppo_camera")[0]
    env = cars(file.sensors())
    agent = file.make(env, 1)
    learn(agent)
    assert "on the GPU, for its pictures" in agent.description and {part.device.type for part in weights(agent)} == {
        "cuda"
    }
    other = file.make(cars(file.sensors()), 2, device="cpu")
    other.load_state_dict(agent.state_dict())
    seen = env.reset(seed=3)[0]
    np.testing.assert_allclose(other.act(seen), agent.act(seen), atol=1e-3)


def weights(agent):
    return list(agent.model.policy.parameters())


def test_a_recipe_that_acts_in_its_own_way_is_frozen_as_it_is(tmp_path):
    (tmp_path / "slow.py").write_text(
        "import numpy as np\nfrom racer.training.sb3 import PPORecipe\n\n\n"
        "class Agent(PPORecipe):\n    num_envs, sensors = 8, ('state',)\n\n"
        "    def act(self, observation):\n        return np.full((*np.shape(observation)[:-1], 2), (0.0, -1.0))\n"
    )
    agent = recipe("ppo")[0].make(cars(("state",)), 1)
    seen = np.random.default_rng(3).normal(size=(5, 30)).astype(np.float32)
    np.testing.assert_array_equal(agent.frozen().act(seen), agent.act(seen))
    assert agent.frozen() is not agent
    own = load_agent(str(tmp_path / "slow.py")).make(cars(("state",)), 1)
    assert own.frozen() is own
