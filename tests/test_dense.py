"""The gradients that are written out, held against Stable-Baselines3's own PPO, which has autograd find them."""

import copy
from functools import partial
from math import inf

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given, strategies as st
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import CheckpointCallback, StopTrainingOnMaxEpisodes
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.torch_layers import CombinedExtractor
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import DummyVecEnv
from torch.nn import functional

from racer.training.sb3 import DensePolicy, VariablePPO
from racer.training.sb3.clipped import ClippedNormal, log_prob
from racer.training.sb3.muon import Muon

BOX = spaces.Box(-1.0, 1.0, (7,), dtype=np.float32)
OBSERVATIONS = {"vector": BOX, "parts": spaces.Dict({"state": BOX, "beams": spaces.MultiBinary(5)})}
PAIR = spaces.Box(-1.0, 1.0, (2,), dtype=np.float32)
ACTIONS = {"continuous": PAIR, "clipped": PAIR, "discrete": spaces.Discrete(6)}


class Noise(gym.Env):
    """Observations and rewards without sense, and episodes of every length; some are cut short."""

    def __init__(self, observation_space: spaces.Space, action_space: spaces.Space) -> None:
        self.observation_space, self.action_space = observation_space, action_space

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if seed is not None:
            self.observation_space.seed(seed)
        return self.observation_space.sample(), {}

    def step(self, action):
        dice = self.np_random.random()
        return self.observation_space.sample(), float(np.sum(action)) + dice, dice < 0.1, dice > 0.95, {}


def model_of(kind: type, policy, observations: spaces.Space, actions: spaces.Space, epochs: int, **own) -> PPO:
    env = DummyVecEnv([lambda: Noise(observations, actions) for _ in range(4)])
    extractor = {"features_extractor_class": CombinedExtractor} if isinstance(observations, spaces.Dict) else {}
    how = {"activation_fn": torch.nn.ReLU, "net_arch": [16, 8], **extractor, **own}
    model = kind(
        policy, env, n_steps=16, batch_size=64, n_epochs=epochs, ent_coef=0.03, policy_kwargs=how, seed=5,
        learning_rate=0.01, device="cpu",
    )  # fmt: skip
    model.set_logger(Logger(None, []))
    return model


@pytest.mark.parametrize("actions", ACTIONS)
@pytest.mark.parametrize("observations", OBSERVATIONS)
@pytest.mark.parametrize("epochs", [1, pytest.param(8, marks=pytest.mark.slow)])
@pytest.mark.parametrize("clipped, delta", [("neither", inf), ("neither", 0.2), ("policy", inf), ("value", inf)])
@pytest.mark.parametrize("optimizer", [torch.optim.Adam, Muon])
def test_an_update_is_the_librarys(
    observations: str, actions: str, epochs: int, clipped: str, delta: float, optimizer: type, monkeypatch
) -> None:
    how = *(OBSERVATIONS[observations], ACTIONS[actions]), epochs
    ours = model_of(VariablePPO, DensePolicy, *how, optimizer_class=optimizer, clipped_actions=actions == "clipped")
    policy = "MultiInputPolicy" if observations == "parts" else "MlpPolicy"
    theirs = model_of(PPO, policy, *how, optimizer_class=optimizer)
    if actions == "clipped":
        theirs.policy.action_dist = ClippedNormal(2)
    theirs.policy.load_state_dict(ours.policy.state_dict())
    ours.learn(64 * 3)
    ours.huber_delta = delta
    monkeypatch.setattr(functional, "mse_loss", lambda *pair: 2.0 * functional.huber_loss(*pair, delta=delta))
    for model in (ours, theirs):  # what both have learned so far, and the same experience, far from the first policy
        model.rollout_buffer = copy.deepcopy(ours.rollout_buffer)
    theirs.policy.load_state_dict(ours.policy.state_dict())
    theirs.policy.optimizer.load_state_dict(copy.deepcopy(ours.policy.optimizer.state_dict()))
    away = np.linspace(-0.5, 0.5, 64, dtype=np.float32)
    for model in (ours, theirs):
        model.rollout_buffer.log_probs += away.reshape(model.rollout_buffer.log_probs.shape)
        # The library clips the gradient of both networks together: the same where one of them has none.
        model.max_grad_norm = 1e9 if clipped == "neither" else 0.05
        if clipped == "policy":
            model.vf_coef = 0.0
        elif clipped == "value":
            model.rollout_buffer.advantages[:] = model.ent_coef = 0.0
        model.train()
    ours.wait()
    for (name, mine), its in zip(ours.policy.named_parameters(), theirs.policy.parameters(), strict=True):
        torch.testing.assert_close(mine, its, rtol=2e-4, atol=2e-5, msg=name)
    mine, its = (model.policy.optimizer.state_dict()["state"] for model in (ours, theirs))
    torch.testing.assert_close(mine, its, rtol=2e-3, atol=2e-6)
    if epochs == 1:  # later, the library logs the last mini-batch alone
        for name in ("policy_gradient_loss", "value_loss", "entropy_loss", "approx_kl", "clip_fraction", "loss"):
            mine, its = (model.logger.name_to_value[f"train/{name}"] for model in (ours, theirs))
            assert mine == pytest.approx(its, rel=1e-3, abs=1e-6), name
    assert set(ours.logger.name_to_value) == set(theirs.logger.name_to_value)


@pytest.mark.parametrize("delta", [inf, 0.2])
def test_a_return_that_is_no_number_is_not_hidden_by_the_loss(delta: float) -> None:
    model = model_of(VariablePPO, DensePolicy, BOX, PAIR, 1)
    model.learn(64)
    model.huber_delta = delta
    model.rollout_buffer.returns[:] = np.nan
    model.train()
    model.wait()
    assert np.isnan(model.logger.name_to_value["train/value_loss"])
    assert model.policy.value_net.weight.isnan().all(), "as with the library's"


@given(st.floats(-4.0, 4.0), st.floats(-3.0, 0.5), st.floats(1.0, 30.0), st.floats(1.0, 30.0))
def test_all_clipped_actions_together_are_certain(mean: float, log_std: float, below: float, above: float) -> None:
    centre, width = torch.tensor([[mean]], dtype=torch.float64), torch.tensor([log_std], dtype=torch.float64)
    within = torch.linspace(-1.0, 1.0, 20_001, dtype=torch.float64)[1:-1, None]
    density = log_prob(centre, width, within).exp()
    ends = [log_prob(centre, width, torch.tensor([[end]], dtype=torch.float64)).exp().item() for end in (-below, above)]
    assert density.mean().item() * 2.0 + sum(ends) == pytest.approx(1.0, abs=2e-3)


def test_a_mean_far_beyond_the_bounds_is_left_alone_and_one_within_is_not() -> None:
    model = model_of(VariablePPO, DensePolicy, BOX, PAIR, 1, clipped_actions=True)
    means = torch.tensor([[9.0, -0.2]], requires_grad=True)
    chances = model.policy.action_dist.proba_distribution(means, torch.zeros(2)).log_prob(torch.tensor([[1.3, 0.4]]))
    chances.sum().backward()
    assert abs(means.grad[0, 0]) < 1e-6 and means.grad[0, 1] == pytest.approx(0.6)


def test_with_another_optimizer_the_library_learns() -> None:
    model = model_of(VariablePPO, DensePolicy, BOX, ACTIONS["continuous"], 2, optimizer_class=torch.optim.SGD)
    before = copy.deepcopy(model.policy.state_dict())
    model.learn(64)
    assert not any(torch.equal(weight, before[name]) for name, weight in model.policy.state_dict().items())


@pytest.mark.parametrize("option", [{"target_kl": 1e-4}, {"clip_range_vf": 0.01}, {"normalize_advantage": False}])
def test_options_without_quicker_ways_are_the_librarys(option: dict) -> None:
    learned = []
    for train in (VariablePPO.train, PPO.train):
        model = model_of(Collected, DensePolicy, BOX, ACTIONS["continuous"], 8)
        for name, value in option.items():
            setattr(model, name, (lambda _, value=value: value) if name == "clip_range_vf" else value)
        model.train = partial(train, model)
        learned.append(model.learn(64 * 2))
    ours, theirs = (model.policy.state_dict() for model in learned)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_another_activation_is_refused() -> None:
    with pytest.raises(ValueError, match="leave out activation_fn"):
        model_of(VariablePPO, DensePolicy, BOX, ACTIONS["continuous"], 1, activation_fn=torch.nn.Tanh)


def test_callbacks_of_the_library_work(tmp_path) -> None:
    model = model_of(VariablePPO, DensePolicy, BOX, ACTIONS["continuous"], 1)
    model.side_by_side = True
    stop = StopTrainingOnMaxEpisodes(max_episodes=3)
    model.learn(64 * 50, callback=[CheckpointCallback(3, tmp_path), stop])
    assert stop.n_episodes >= 3 and model.num_timesteps < 64 * 50
    kept = VariablePPO.load(next(tmp_path.glob("*.zip")), device="cpu")
    assert kept.predict(np.zeros(7, np.float32))[0].shape == (2,)


@pytest.mark.parametrize("actions", ACTIONS)
def test_two_cores_learn_what_one_does(actions: str) -> None:
    alone, together = (model_of(VariablePPO, DensePolicy, BOX, ACTIONS[actions], 4) for _ in range(2))
    alone.side_by_side, together.side_by_side = False, True
    alone.learn(64)
    before = copy.deepcopy(alone.policy.state_dict())
    together.policy.load_state_dict(before)
    together.policy.optimizer.load_state_dict(copy.deepcopy(alone.policy.optimizer.state_dict()))
    together.rollout_buffer = copy.deepcopy(alone.rollout_buffer)
    for model in (alone, together):
        set_random_seed(1)
        model.batch_size = 256
        model.train()
        model.wait()
    first, second = alone.policy.state_dict(), together.policy.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not any(torch.equal(first[name], before[name]) for name in first)


class Collected(VariablePPO):
    """Its rollouts are the library's own, with values asked for at each step."""

    collect_rollouts = PPO.collect_rollouts


@pytest.mark.parametrize("actions", ACTIONS)
@pytest.mark.parametrize("observations", OBSERVATIONS)
def test_a_rollout_is_the_librarys(observations: str, actions: str) -> None:
    learned = []
    for kind in (VariablePPO, Collected):
        clipped = actions == "clipped"
        model = model_of(kind, DensePolicy, OBSERVATIONS[observations], ACTIONS[actions], 3, clipped_actions=clipped)
        model.side_by_side = True
        learned.append(model.learn(64 * 4))
    ours, theirs = learned
    mine, its = ours.rollout_buffer, theirs.rollout_buffer
    assert mine.episode_starts.sum() > 5  # some of them cut short, others not: what follows the former counts
    for name in ("actions", "rewards", "episode_starts", "values", "log_probs", "advantages", "returns"):
        np.testing.assert_allclose(getattr(mine, name), getattr(its, name), rtol=1e-3, atol=1e-4, err_msg=name)
    for (name, one), other in zip(ours.policy.named_parameters(), theirs.policy.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4, msg=name)
    assert ours.num_timesteps == theirs.num_timesteps == 64 * 4
    assert [episode["r"] for episode in ours.ep_info_buffer] == [episode["r"] for episode in theirs.ep_info_buffer]


def test_values_that_are_still_learned_while_it_drives_are_waited_for() -> None:
    learned = []
    for side_by_side in (False, True):  # an update takes longer than a rollout
        model = model_of(VariablePPO, DensePolicy, BOX, ACTIONS["continuous"], 30, net_arch=[128, 128])
        model.side_by_side = side_by_side
        learned.append(model.learn(64 * 4).policy.state_dict())
    assert all(torch.equal(learned[0][name], learned[1][name]) for name in learned[0])


@pytest.mark.parametrize("net_arch", [[], [5], [8, 300, 3]])
def test_networks_of_any_depth_answer_as_the_librarys(net_arch: list[int]) -> None:
    env = DummyVecEnv([lambda: Noise(BOX, ACTIONS["continuous"])])
    how = {"activation_fn": torch.nn.ReLU, "net_arch": net_arch}
    ours = VariablePPO(DensePolicy, env, policy_kwargs=how, device="cpu").policy
    theirs = PPO("MlpPolicy", env, policy_kwargs=how, device="cpu").policy
    theirs.load_state_dict(ours.state_dict())
    seen = torch.rand(700, 7) * 4.0 - 2.0
    for mine, its in zip(ours(seen, deterministic=True), theirs(seen, deterministic=True), strict=True):
        torch.testing.assert_close(mine, its, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.predict_values(seen), theirs.predict_values(seen), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("actions", ACTIONS)
def test_a_copy_learns_for_itself(actions: str) -> None:
    model = model_of(VariablePPO, DensePolicy, BOX, ACTIONS[actions], 2)
    model.learn(64)
    first, twin = model.policy, copy.deepcopy(model.policy)
    before = copy.deepcopy(first.state_dict())
    model.policy = twin
    model.train()
    model.wait()
    seen = torch.rand(9, 7)
    torch.testing.assert_close(first.predict_values(seen), first.value_net(first.mlp_extractor(seen)[1]))
    torch.testing.assert_close(twin.predict_values(seen), twin.value_net(twin.mlp_extractor(seen)[1]))
    assert all(torch.equal(weight, before[name]) for name, weight in first.state_dict().items())
    assert not any(torch.equal(weight, before[name]) for name, weight in twin.state_dict().items())


@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_noise_depends_on_the_step_before_as_much_as_it_should(correlation: float) -> None:
    env = DummyVecEnv([lambda: Noise(BOX, ACTIONS["continuous"]) for _ in range(4)])
    how = {"activation_fn": torch.nn.ReLU, "log_std_init": -1.0, "noise_correlation": correlation}
    policy = PPO(DensePolicy, env, policy_kwargs=how, device="cpu", seed=3).policy
    seen = torch.zeros(4, 7)
    best, steps = policy(seen, deterministic=True)[0], 4000
    noise = torch.stack([policy(seen)[0] - best for _ in range(steps)]).reshape(steps, 8).numpy() / np.exp(-1.0)
    assert noise.std(axis=0) == pytest.approx(1.0, abs=0.1)
    for apart in (1, 2, 3):
        found = np.corrcoef(noise[:-apart].T, noise[apart:].T)
        assert np.diag(found, 8) == pytest.approx(correlation**apart, abs=0.1)
    assert np.abs(np.corrcoef(noise.T) - np.eye(8)).max() < 0.15  # each car and each action has its own
