"""Muon, held against singular values by LAPACK, and against PyTorch's own."""

import copy

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given, strategies as st
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import nn

from racer.training.sb3.muon import JORDAN, POLAR_EXPRESS, Muon

LEARNING_RATE = 0.1


def parameters(*shapes: tuple[int, ...], seed: int = 0) -> list[nn.Parameter]:
    random = torch.Generator().manual_seed(seed)
    return [nn.Parameter(torch.randn(shape, generator=random)) for shape in shapes]


def change(optimizer: Muon, weights: list[nn.Parameter], slopes: list[torch.Tensor]) -> list[torch.Tensor]:
    before = [weight.detach().clone() for weight in weights]
    for weight, slope in zip(weights, slopes, strict=True):
        weight.grad = slope.clone()
    optimizer.step()
    return [weight.detach() - old for weight, old in zip(weights, before, strict=True)]


@pytest.mark.parametrize(("rounds", "least", "near"), [(POLAR_EXPRESS, 0.02, (0.85, 1.15)), (JORDAN, 0.2, (0.6, 1.3))])
@given(st.integers(16, 40), st.integers(1, 40), st.sampled_from([1e-3, 1.0, 1e3]), st.integers(0, 99))
def test_a_step_goes_equally_far_in_all_directions(rounds, least, near, rows, columns, scale, seed) -> None:
    (weight,) = parameters((rows, columns))
    # Singular values that are not too far apart: five rounds lift the least ones only so far.
    random = np.random.default_rng(seed)
    left, _, right = np.linalg.svd(random.normal(size=(rows, columns)), full_matrices=False)
    slope = torch.tensor(scale * (left * random.uniform(least, 1.0, len(right))) @ right, dtype=torch.float32)
    (moved,) = change(Muon([weight], lr=LEARNING_RATE, rounds=rounds, outputs=0), [weight], [slope])
    along = left.T @ (-moved.numpy() / (LEARNING_RATE * 0.2 * max(rows, columns) ** 0.5)) @ right.T
    assert np.abs(along - np.diag(np.diag(along))).max() < 2e-2
    assert near[0] < np.diag(along).min() <= np.diag(along).max() < near[1]


def test_it_does_what_pytorchs_own_does() -> None:
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("this PyTorch has no Muon yet")
    mine, its = parameters((24, 12), (16, 30)), parameters((24, 12), (16, 30))
    ours = Muon(mine, lr=LEARNING_RATE, rounds=JORDAN, outputs=0)
    theirs = torch.optim.Muon(its, lr=LEARNING_RATE, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    for k in range(10):
        slopes = [torch.randn(weight.shape, generator=torch.Generator().manual_seed(k)) for weight in mine]
        for one, other in zip(change(ours, mine, slopes), change(theirs, its, slopes), strict=True):
            apart = (one - other).norm() / other.norm()
            assert apart < 0.05  # it calculates with 16-bit numbers


def test_everything_else_moves_as_with_adam() -> None:
    shapes = (20, 12), (20,), (16, 4, 3, 3), (30, 20), (1, 20)  # the last two matrices are output layers
    mine, its = parameters(*shapes), parameters(*shapes)
    ours, theirs = Muon(mine, lr=LEARNING_RATE, eps=1e-5), torch.optim.Adam(its, lr=LEARNING_RATE, eps=1e-5)
    for k in range(4):
        slopes = [weight.detach() * 0.1 * k for weight in mine]
        for one, other in zip(change(ours, mine, slopes)[1:], change(theirs, its, slopes)[1:], strict=True):
            torch.testing.assert_close(one, other)


def test_it_goes_on_from_its_state_to_the_bit() -> None:
    weights = parameters((20, 12), (20,), (3, 20))
    first = Muon(weights, lr=LEARNING_RATE)
    slopes = [torch.ones_like(weight) * 0.1 + weight.detach() for weight in weights]
    change(first, weights, slopes)
    twins = [nn.Parameter(weight.detach().clone()) for weight in weights]
    second = Muon(twins, lr=LEARNING_RATE)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for one, other in zip(change(first, weights, slopes), change(second, twins, slopes), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(("net_arch", "choices"), [([16, 24], 21), ([8, 6], 3)])
def test_output_layers_are_no_hidden_ones_however_large(net_arch, choices) -> None:
    env = DummyVecEnv([lambda: gym.make("CartPole-v1")])
    env.action_space = spaces.Discrete(choices)
    policy = PPO("MlpPolicy", env, policy_kwargs={"net_arch": net_arch, "optimizer_class": Muon}).policy
    names = {id(each): name for name, each in policy.named_parameters()}
    hidden = {names[id(each)] for each in policy.optimizer.param_groups[1]["params"]}
    assert hidden == {f"mlp_extractor.{part}_net.{i}.weight" for part in ("policy", "value") for i in (0, 2)}


def test_it_is_whole_after_a_step_that_was_interrupted() -> None:
    optimizer = Muon(parameters((20, 12), (20,)), lr=LEARNING_RATE)
    whole = optimizer.state_dict()

    def interrupted() -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        optimizer.step(interrupted)
    assert optimizer.state_dict() == whole
