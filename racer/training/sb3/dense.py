"""Proximal policy optimization of small fully connected networks, with gradients that are written out.

Half of a training's time went into `PPO.train`, most of it into autograd's bookkeeping of networks this small, and the
interpreter's lock kept the second core idle. So `gradients` has the arithmetic, in kernels, which need no lock.
Everything here computes what Stable-Baselines3 computes, `tests/test_dense.py` holds the one against the other: the
same losses, the same Adam, the same names in the log. What is different: an epoch's samples are shuffled by PyTorch's
generator instead of NumPy's, and metrics are means over all mini-batches of an update, `train/loss` included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from math import log, pi
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.utils import explained_variance
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor, nn

from racer.training.sb3.gradients import continuous_policy_slopes, discrete_policy_slopes, outputs, value_slopes

__all__ = ["DensePolicy", "VariablePPO"]

LARGE = 256  # samples of a mini-batch: to hand over the work on fewer takes longer than the work
METRICS = ("policy_gradient_loss", "entropy_loss", "approx_kl", "clip_fraction", "value_loss")


class DensePolicy(ActorCriticPolicy):
    """Stable-Baselines3's policy of fully connected networks with ReLU, acting and learning without autograd.

    Attributes:
        weights, gradient: of all parameters, which are parts of these, one after another; of each its gradient.
        discrete: whether it chooses between actions.
    """

    def _build(self, lr_schedule: Any) -> None:
        super()._build(lr_schedule)
        self.discrete = isinstance(self.action_space, spaces.Discrete)
        self.weights = self.gradient = torch.zeros(0)
        self.link()
        every = list(self.parameters())
        begins = dict(zip(every, np.cumsum([0, *(each.numel() for each in every[:-1])]), strict=True))
        networks: Any = (
            [*_linear(self.mlp_extractor.policy_net), self.action_net],
            [*_linear(self.mlp_extractor.value_net), self.value_net],
        )
        self._policy, self._value = (
            np.array([(begins[one.weight], begins[one.bias], one.in_features, one.out_features) for one in layers])
            for layers in networks
        )
        self._compile()

    def link(self) -> None:
        """Let all parameters be parts of `weights`, which they no longer are in a copy of this policy."""
        if next(self.parameters()).data_ptr() == self.weights.data_ptr():
            return
        every = list(self.parameters())
        self.weights = torch.cat([each.detach().flatten() for each in every])
        self.gradient = torch.zeros_like(self.weights)
        sizes = [each.numel() for each in every]
        weights, slopes = (torch.split(row, sizes) for row in (self.weights, self.gradient))
        for each, weight, slope in zip(every, weights, slopes, strict=True):
            each.data, each.grad = weight.view_as(each), slope.view_as(each)

    def _compile(self) -> None:
        """Compile the kernels that it needs: not in its first update, while somebody's clock runs."""
        x, one = torch.zeros(1, int(self._value[0, 2])), torch.zeros(1)
        actions = torch.zeros(1, 1 if self.discrete else int(self._policy[-1, 3]))
        self.policy_backward((x, actions, one, one), 0.0, 0.0)
        self.value_backward(x, one, 0.0)
        self._outputs(x, self._value)

    def set_training_mode(self, mode: bool) -> None:
        """Note the mode; these networks do the same in both."""
        self.training = mode

    def flat(self, obs: Any) -> Tensor:
        """Observations in one row of numbers each, (n, numbers)."""
        names = getattr(self.observation_space, "spaces", ())  # in their order, whatever the order of the observations
        parts = [obs[name] for name in names] if isinstance(obs, dict) else [obs]
        rows = [part.flatten(1).float().contiguous() for part in parts]
        return rows[0] if len(rows) == 1 else torch.cat(rows, dim=1)

    @torch.no_grad()
    def forward(self, obs: Any, deterministic: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """Actions, values (n, 1) and log-probabilities (n,) of the actions."""
        self.link()
        x = self.flat(obs)
        output = self._outputs(x, self._policy)
        if self.discrete:
            actions = output.argmax(1) if deterministic else output.softmax(1).multinomial(1).squeeze(1)
        else:
            actions = output if deterministic else output + self.log_std.exp() * torch.randn_like(output)
        return actions, self._outputs(x, self._value), self._log_prob(output, actions)

    @torch.no_grad()
    def predict_values(self, obs: Any) -> Tensor:
        """Values (n, 1)."""
        self.link()
        return self._outputs(self.flat(obs), self._value)

    def _outputs(self, x: Tensor, layers: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(outputs(x.numpy(), self.weights.numpy(), layers))

    def _log_prob(self, output: Tensor, actions: Tensor) -> Tensor:
        if self.discrete:
            return output.log_softmax(1).gather(1, actions[:, None]).squeeze(1)
        z = (actions - output) * (-self.log_std).exp()
        return -(0.5 * z * z + self.log_std + 0.5 * log(2.0 * pi)).sum(1)

    def policy_backward(self, samples: Sequence[Tensor], clip: float, entropy_share: float) -> NDArray[np.float64]:
        """Write the gradient of PPO's policy loss for a mini-batch into the weights; see `gradients`.

        Args:
            samples: observations, actions, their log-probabilities when they were taken, advantages.
            clip: how far the probabilities' ratio counts beyond 1.
            entropy_share: factor of the entropy in the loss.

        Returns:
            The first four of `METRICS`, (4,).
        """
        x, actions, old, advantages = (each.numpy() for each in samples)
        batch, network = (x, actions, old, advantages), (self.weights.numpy(), self.gradient.numpy(), self._policy)
        if self.discrete:
            return discrete_policy_slopes(batch, clip, entropy_share, *network)
        assert self.log_std.grad is not None
        std = self.log_std.detach().numpy(), self.log_std.grad.numpy()
        return continuous_policy_slopes(batch, clip, entropy_share, std, *network)

    def value_backward(self, x: Tensor, returns: Tensor, share: float) -> float:
        """Write the gradient of PPO's value loss for a mini-batch into the weights; returns the squared error."""
        network = self.weights.numpy(), self.gradient.numpy(), self._value
        return float(value_slopes(x.numpy(), returns.numpy(), share, *network))


class VariablePPO(PPO):
    """PPO of which `n_steps` may be changed between two rollouts, and whose `DensePolicy` learns without autograd.

    Attributes:
        side_by_side: whether the two networks learn at the same time, on two cores; they learn the same either way.
    """

    def _setup_model(self) -> None:
        super()._setup_model()
        self.side_by_side = torch.get_num_threads() > 1  # else there is one core, or one for each of several trainings

    def collect_rollouts(
        self, env: VecEnv, callback: BaseCallback, rollout_buffer: RolloutBuffer, n_rollout_steps: int
    ) -> bool:
        """Collect `n_steps` of each car."""
        rollout_buffer.buffer_size = self.n_steps
        return super().collect_rollouts(env, callback, rollout_buffer, self.n_steps)

    def train(self) -> None:
        """Update the networks by the newest rollout."""
        policy = self.policy
        if not isinstance(policy, DensePolicy):
            return super().train()
        policy.link()
        self._update_learning_rate(policy.optimizer)
        buffer, clip = self.rollout_buffer, float(self.clip_range(self._current_progress_remaining))  # type: ignore[operator]
        samples = next(iter(buffer.get()))
        x = policy.flat(samples.observations)
        rows = (x, samples.actions, samples.old_log_prob, samples.advantages, samples.returns)
        metrics, count = np.zeros(len(METRICS)), 0
        with ThreadPoolExecutor(1) as helper:
            meanwhile = helper.submit if self.side_by_side and self.batch_size >= LARGE else _at_once
            for _ in range(self.n_epochs):
                for chosen in torch.split(torch.randperm(len(x)), self.batch_size):
                    *taken, returns = (each.index_select(0, chosen) for each in rows)
                    value_loss = meanwhile(policy.value_backward, taken[0], returns, self.vf_coef)
                    metrics[:-1] += policy.policy_backward(taken, clip, self.ent_coef)
                    metrics[-1] += value_loss.result()
                    count += 1
                    policy.gradient.mul_((self.max_grad_norm / (policy.gradient.norm() + 1e-6)).clamp(max=1.0))
                    policy.optimizer.step()
                self._n_updates += 1
        means = dict(zip(METRICS, (metrics / count).tolist(), strict=True))
        loss = means["policy_gradient_loss"] + self.ent_coef * means["entropy_loss"]
        means["loss"] = loss + self.vf_coef * means["value_loss"]
        means["explained_variance"] = explained_variance(buffer.values.flatten(), buffer.returns.flatten())
        if not policy.discrete:
            means["std"] = policy.log_std.detach().exp().mean().item()
        for name, value in {**means, "clip_range": clip}.items():
            self.logger.record(f"train/{name}", value)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")


def _at_once(function: Callable[..., Any], *arguments: Any) -> Future[Any]:
    """Call a function; what `Executor.submit` gives of a call that is done."""
    done: Future[Any] = Future()
    done.set_result(function(*arguments))
    return done


def _linear(network: nn.Module) -> list[nn.Linear]:
    return [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
