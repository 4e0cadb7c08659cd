"""Stable-Baselines3's update of networks that look at images, with both halves of a mini-batch at the same time.

Networks as small as these gain little where two cores share each of their products, and nearly all where each core has
half of the samples. What is learned is the library's but for rounding: `tests/test_halves.py` holds it against
`PPO.train`.
"""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.policies import ActorCriticPolicy
from torch import Tensor, nn
from torch.nn import functional

from racer.racing import Driver
from racer.training.sb3.vec_env import PRIVILEGED

__all__ = ["update"]


class _Loss(NamedTuple):
    """What a loss depends on.

    Attributes:
        clip: how far the probabilities' ratio counts beyond 1.
        delta: up to which a value's error counts squared.
        entropy, values, imitation: what they are worth.
    """

    clip: float
    delta: float
    entropy: float
    values: float
    imitation: float


def update(
    model: PPO, clip: float, delta: float, side_by_side: bool, teacher: Driver | None = None, imitation: float = 0.0
) -> NDArray[np.float64]:
    """Update the networks by the newest rollout.

    Args:
        model: whose policy, optimizer and rollout.
        clip: how far the probabilities' ratio counts beyond 1.
        delta: up to which a value's error counts squared; beyond it the loss goes on as steeply (Huber 1964).
        side_by_side: whether on two cores, where products do not take both; the result is the same to the bit.
        teacher: drives by what is `PRIVILEGED`. The policy learns to take the same actions, besides what PPO tells it
            (kickstarting, Schmitt et al. 2018, arXiv:1803.03835).
        imitation: the worth of that in the loss: of the squared difference, or of the cross entropy.

    Returns:
        (5,) the policy's loss, the negative entropy, an estimate of the Kullback-Leibler divergence, the share of
        samples that were clipped, and the loss of the values; means over all mini-batches.
    """
    policy, metrics = model.policy, []
    policy.set_training_mode(True)
    parameters, twins = list(policy.parameters()), (_twin(policy), _twin(policy))
    loss = _Loss(clip, delta, float(model.ent_coef), float(model.vf_coef), imitation)
    side_by_side = side_by_side and torch.get_num_threads() == 1
    with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as helper:
        for _ in range(model.n_epochs):
            for batch in model.rollout_buffer.get(model.batch_size):
                first, second = _halves(batch, isinstance(model.action_space, spaces.Discrete), teacher)
                other = helper.submit(_slopes, twins[1], second, loss) if side_by_side else None
                mine, measured = _slopes(twins[0], first, loss)
                theirs, measured_too = other.result() if other else _slopes(twins[1], second, loss)
                for each, one, another in zip(parameters, mine, theirs, strict=True):
                    each.grad = one.add_(another)
                nn.utils.clip_grad_norm_(parameters, model.max_grad_norm)
                policy.optimizer.step()
                metrics.append((measured + measured_too).cpu().numpy())
    return np.asarray(np.mean(metrics, axis=0, dtype=np.float64))


def _twin(policy: ActorCriticPolicy) -> ActorCriticPolicy:
    """The same networks; but what the distribution of actions remembers is its own."""
    twin = copy.copy(policy)
    twin.action_dist = copy.copy(policy.action_dist)
    return twin


def _halves(batch: Any, discrete: bool, teacher: Driver | None) -> list[tuple[Any, ...]]:
    """Both halves of a mini-batch, and how many samples it has.

    A half is its observations, actions, old log-probabilities, advantages, returns, and what a teacher would have done.
    """
    count, advantages = len(batch.advantages), batch.advantages
    if count > 1:
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    actions = batch.actions.long().flatten() if discrete else batch.actions
    right = actions
    if teacher is not None:
        right = torch.from_numpy(teacher.act(batch.observations[PRIVILEGED].cpu().numpy())).to(actions.device)
    rows = actions, batch.old_log_prob, advantages, batch.returns, right
    parts = [slice(None, count // 2), slice(count // 2, None)]
    seen = [{name: values[part] for name, values in batch.observations.items()} for part in parts]
    return [(one, *(row[part] for row in rows), count) for one, part in zip(seen, parts, strict=True)]


def _slopes(policy: ActorCriticPolicy, half: tuple[Any, ...], loss: _Loss) -> tuple[tuple[Tensor, ...], Tensor]:
    """The half's share in the gradient of PPO's loss (Schulman et al. 2017, eq. 7 and 9), and in the metrics."""
    seen, actions, old, advantages, returns, right, count = half
    parameters = list(policy.parameters())
    if not len(old):  # of a mini-batch of one
        return tuple(torch.zeros_like(each) for each in parameters), old.new_zeros(5)
    values, log_prob, entropy = policy.evaluate_actions(seen, actions)
    assert entropy is not None
    change = log_prob - old
    ratio = change.exp()
    gain = torch.min(advantages * ratio, advantages * ratio.clamp(1.0 - loss.clip, 1.0 + loss.clip))
    error = 2.0 * functional.huber_loss(values.flatten(), returns, reduction="none", delta=loss.delta)
    with torch.no_grad():
        clipped = ((ratio - 1.0).abs() > loss.clip).float()
    metrics = torch.stack([each.sum() for each in (-gain, -entropy, ratio - 1.0 - change, clipped, error)]) / count
    whole = metrics[0] + loss.entropy * metrics[1] + loss.values * metrics[4]
    if loss.imitation:
        chosen: Any = policy.action_dist
        discrete = isinstance(policy.action_space, spaces.Discrete)
        wrong = -chosen.log_prob(right) if discrete else (chosen.distribution.mean - right).square()
        whole = whole + loss.imitation * wrong.sum() / count
    return torch.autograd.grad(whole, parameters), metrics.detach()
