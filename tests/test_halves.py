"""Updates in halves, held against Stable-Baselines3's own, which has autograd find the gradient of the whole."""

import copy
from math import inf

import numpy as np
import pytest
import torch
from drives import ring
from stable_baselines3 import PPO
from stable_baselines3.common.logger import Logger
from torch.nn import functional

from racer.env import TimeTrialVector
from racer.sim import ContinuousActions, DiscreteActions
from racer.training.sb3 import CameraExtractor, ImagePolicy, ImageRolloutBuffer, VariablePPO, VecTimeTrial
from racer.training.sb3.device import threads
from racer.training.sb3.muon import JORDAN, Muon
from racer.training.sb3.vec_env import KeepImages

CAMERA = "FRONT_FACING_CAMERA:size=24x12"
ACTIONS = {
    "continuous": ContinuousActions(),
    "discrete": DiscreteActions(((-30, 1.0), (-10, 1.5), (0, 2.0), (10, 1.5), (30, 1.0))),
}


def model_of(kind: type, actions, privileged=None, batch=16, **own) -> PPO:
    env = TimeTrialVector(4, ring(), "progress", sensors=(CAMERA,), actions=actions, time_limit_s=1.0)
    model = kind(
        ImagePolicy, KeepImages(VecTimeTrial(env, privileged)), n_steps=12, batch_size=batch, n_epochs=3,
        ent_coef=0.03, learning_rate=0.003, seed=3, device="cpu", rollout_buffer_class=ImageRolloutBuffer,
        policy_kwargs={"net_arch": [16], "features_extractor_class": CameraExtractor, **own},
    )  # fmt: skip
    model.set_logger(Logger(None, []))
    return model


@pytest.mark.parametrize("actions", ACTIONS)
@pytest.mark.parametrize("privileged", [None, "state"])
@pytest.mark.parametrize("batch", [16, 15, 47])  # the last one leaves a mini-batch of one sample, which has no half
@pytest.mark.parametrize("optimizer, delta", [(torch.optim.Adam, inf), (torch.optim.Adam, 0.1), (Muon, inf)])
def test_an_update_is_the_librarys(
    actions: str, privileged: str | None, batch: int, optimizer: type, delta: float, monkeypatch
) -> None:
    how = ACTIONS[actions], privileged, batch
    # Jordan's rounds, since the others make much of what is only rounding.
    own = {"optimizer_class": optimizer, "optimizer_kwargs": {"rounds": JORDAN} if optimizer is Muon else {}}
    ours, theirs = (model_of(kind, *how, **own) for kind in (VariablePPO, PPO))
    with threads(1):
        ours.learn(48)
        theirs.policy.load_state_dict(ours.policy.state_dict())
        theirs.policy.optimizer.load_state_dict(copy.deepcopy(ours.policy.optimizer.state_dict()))
        away = np.linspace(-0.5, 0.5, 48, dtype=np.float32)  # far from the policy that has driven: some are clipped
        ours.rollout_buffer.log_probs += away.reshape(ours.rollout_buffer.log_probs.shape)
        ours.huber_delta = delta
        monkeypatch.setattr(functional, "mse_loss", lambda *pair: 2.0 * functional.huber_loss(*pair, delta=delta))
        before = [each.detach().clone() for each in ours.policy.parameters()]
        for model in (ours, theirs):
            model.rollout_buffer = copy.deepcopy(ours.rollout_buffer)
            np.random.seed(7)  # what the library shuffles by
            model.train()
    moved = [(now - old).detach().abs().max().item() for now, old in zip(ours.policy.parameters(), before, strict=True)]
    assert min(moved) > 1e-5
    for (name, mine), its in zip(ours.policy.named_parameters(), theirs.policy.parameters(), strict=True):
        torch.testing.assert_close(mine, its, rtol=2e-3, atol=2e-5, msg=name)
    mine, its = (model.logger.name_to_value for model in (ours, theirs))
    for name in ("policy_gradient_loss", "entropy_loss", "value_loss", "clip_fraction", "explained_variance"):
        assert mine[f"train/{name}"] == pytest.approx(its[f"train/{name}"], rel=1e-3, abs=1e-6), name


@pytest.mark.parametrize("actions", ACTIONS)
def test_two_cores_learn_what_one_does(actions: str) -> None:
    """To the bit: otherwise a seed would decide nothing."""
    learned = []
    for side_by_side in (False, True):
        model = model_of(VariablePPO, ACTIONS[actions], "state")
        model.side_by_side = side_by_side
        with threads(1):
            model.learn(48 * 4)
        learned.append(model.policy.state_dict())
    for name, values in learned[0].items():
        assert torch.equal(values, learned[1][name]), name
