"""Proximal policy optimization of small fully connected networks, with gradients that are written out.

Half of a training's time went into `PPO.train`, most of it into autograd's bookkeeping of networks this small.
Everything here computes what Stable-Baselines3 computes, `tests/test_dense.py` holds the one against the other: the
same losses, the same Adam, the same names in the log. What is different: an epoch's samples are shuffled by PyTorch's
generator instead of NumPy's, and metrics are means over all mini-batches of an update, `train/loss` included.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, pi
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.utils import explained_variance
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor, nn

__all__ = ["DensePolicy", "VariablePPO"]

METRICS = ("policy_gradient_loss", "value_loss", "entropy_loss", "approx_kl", "clip_fraction")


class Layers:
    """Fully connected layers with ReLU between them, forwards and backwards."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        """Compute with the weights of `layers`, which stay their owner's."""
        self._layers = layers
        self._inputs: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (n, outputs) for inputs (n, inputs)."""
        self._inputs = [x]
        *hidden, last = self._layers
        for layer in hidden:
            x = torch.addmm(layer.bias, x, layer.weight.t()).relu_()
            self._inputs.append(x)
        return torch.addmm(last.bias, x, last.weight.t())

    def backward(self, slope: Tensor) -> None:
        """Write the gradients of all weights, given the slope (n, outputs) of a loss in the last outputs."""
        for i in reversed(range(len(self._layers))):
            layer, x = self._layers[i], self._inputs[i]
            assert layer.weight.grad is not None and layer.bias.grad is not None
            torch.mm(slope.t(), x, out=layer.weight.grad)
            torch.sum(slope, 0, out=layer.bias.grad)
            if i:
                slope = torch.ops.aten.threshold_backward(slope.mm(layer.weight), x, 0)


class DensePolicy(ActorCriticPolicy):
    """Stable-Baselines3's policy of fully connected networks with ReLU, acting and learning without autograd."""

    def _build(self, lr_schedule: Any) -> None:
        super()._build(lr_schedule)
        self._policy = Layers([*_linear(self.mlp_extractor.policy_net), self.action_net])  # type: ignore[list-item]
        self._value = Layers([*_linear(self.mlp_extractor.value_net), self.value_net])
        self.discrete = isinstance(self.action_space, spaces.Discrete)
        weights = list(self.parameters())
        self.gradient = torch.zeros(sum(each.numel() for each in weights))  # of all weights, one after another
        start = 0
        for each in weights:
            each.grad = self.gradient[start : start + each.numel()].view_as(each)
            start += each.numel()

    def set_training_mode(self, mode: bool) -> None:
        """Note the mode; these networks do the same in both."""
        self.training = mode

    def flat(self, obs: Any) -> Tensor:
        """Observations in one row of numbers each, (n, numbers)."""
        names = getattr(self.observation_space, "spaces", ())  # in their order, whatever the order of the observations
        parts = [obs[name] for name in names] if isinstance(obs, dict) else [obs]
        rows = [part.flatten(1).float() for part in parts]
        return rows[0] if len(rows) == 1 else torch.cat(rows, dim=1)

    @torch.no_grad()
    def forward(self, obs: Any, deterministic: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """Actions, values (n, 1) and log-probabilities (n,) of the actions."""
        x = self.flat(obs)
        output = self._policy.forward(x)
        if self.discrete:
            actions = output.argmax(1) if deterministic else output.softmax(1).multinomial(1).squeeze(1)
        else:
            actions = output if deterministic else output + self.log_std.exp() * torch.randn_like(output)
        return actions, self._value.forward(x), self._log_prob(output, actions)

    @torch.no_grad()
    def predict_values(self, obs: Any) -> Tensor:
        """Values (n, 1)."""
        return self._value.forward(self.flat(obs))

    def _log_prob(self, output: Tensor, actions: Tensor) -> Tensor:
        if self.discrete:
            return output.log_softmax(1).gather(1, actions[:, None]).squeeze(1)
        z = (actions - output) * (-self.log_std).exp()
        return -(0.5 * z * z + self.log_std + 0.5 * log(2.0 * pi)).sum(1)

    @torch.no_grad()
    def backward(self, batch: Any, clip: float, entropy_share: float, value_share: float) -> Tensor:
        """Write the gradient of PPO's loss (Schulman et al. 2017, eq. 7 and 9) for a mini-batch into the weights.

        Args:
            batch: `observations` (n, numbers), `actions`, and (n,) each: `old_log_prob`, `advantages`, `returns`.
            clip: how far the probabilities' ratio counts beyond 1.
            entropy_share, value_share: factors of the entropy and of the value's squared error in the loss.

        Returns:
            `METRICS`, (5,).
        """
        x, actions, old, advantages, returns = batch
        count = len(x)
        if count > 1:
            advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        output = self._policy.forward(x)
        if self.discrete:
            logs = output.log_softmax(1)
            shares = logs.exp()
            entropies = -(shares * logs).sum(1, keepdim=True)
            log_prob, entropy = logs.gather(1, actions).squeeze(1), entropies.mean()
        else:
            steepness = (-self.log_std).exp()
            z = (actions - output) * steepness
            log_prob = -(0.5 * z * z + self.log_std + 0.5 * log(2.0 * pi)).sum(1)
            entropy = (self.log_std + 0.5 + 0.5 * log(2.0 * pi)).sum()
        change = log_prob - old
        ratio = change.exp()
        gain, clipped = advantages * ratio, advantages * ratio.clamp(1.0 - clip, 1.0 + clip)
        slope = (gain * (gain <= clipped) * (-1.0 / count))[:, None]  # of the loss in the log-probabilities
        if self.discrete:
            back = shares * ((logs + entropies) * (entropy_share / count) - slope)
            back.scatter_add_(1, actions, slope)
        else:
            assert self.log_std.grad is not None
            back = slope * z
            torch.sum(back * z - slope, 0, out=self.log_std.grad).sub_(entropy_share)
            back *= steepness
        self._policy.backward(back)
        error = self._value.forward(x).squeeze(1) - returns
        self._value.backward(error[:, None] * (2.0 * value_share / count))
        far = (ratio - 1.0).abs() > clip
        losses = (-torch.minimum(gain, clipped).mean(), error.square().mean(), -entropy)
        return torch.stack([*losses, (ratio - 1.0 - change).mean(), far.float().mean()])


class VariablePPO(PPO):
    """PPO of which `n_steps` may be changed between two rollouts, and whose `DensePolicy` learns without autograd."""

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
        self._update_learning_rate(policy.optimizer)
        buffer, clip = self.rollout_buffer, float(self.clip_range(self._current_progress_remaining))  # type: ignore[operator]
        samples = next(iter(buffer.get()))
        actions = samples.actions.long() if policy.discrete else samples.actions
        rows = (policy.flat(samples.observations), actions, samples.old_log_prob, samples.advantages, samples.returns)
        metrics, count = torch.zeros(len(METRICS)), 0
        for _ in range(self.n_epochs):
            for chosen in torch.split(torch.randperm(len(actions)), self.batch_size):
                batch = [each.index_select(0, chosen) for each in rows]
                metrics += policy.backward(batch, clip, self.ent_coef, self.vf_coef)
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


def _linear(network: nn.Module) -> list[nn.Linear]:
    return [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
