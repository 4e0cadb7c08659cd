"""Proximal policy optimisation whose rollouts change their length, and whose updates know of quicker ways."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any

import torch
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import explained_variance
from stable_baselines3.common.vec_env import VecEnv

from racer.racing import Driver
from racer.training.sb3 import dense, halves, rollout
from racer.training.sb3.dense import WRITTEN_OUT, DensePolicy
from racer.training.sb3.networks import ImagePolicy

__all__ = ["VariablePPO"]

METRICS = ("policy_gradient_loss", "entropy_loss", "approx_kl", "clip_fraction")


class VariablePPO(PPO):
    """PPO of which `n_steps` may be changed between two rollouts, and whose `DensePolicy` learns without autograd.

    With `target_kl`, `clip_range_vf` or without `normalize_advantage`, an update is Stable-Baselines3's own, without
    `huber_delta` and teacher.

    Attributes:
        side_by_side: whether an update takes two cores; what is learned is the same either way.
        huber_delta: up to which the error of a value counts squared in the loss; beyond it the loss goes on as steeply
            (Huber 1964).
        teacher: a driver by what is `PRIVILEGED`, whose actions an `ImagePolicy` learns to take as well; None for none.
        imitation: the worth of that in the loss: a factor of the squared difference, or of the cross entropy.
    """

    huber_delta = inf
    teacher: Driver | None = None
    imitation = 0.0

    def _setup_model(self) -> None:
        super()._setup_model()
        self.side_by_side = torch.get_num_threads() > 1  # else there is one core, or one for each of several trainings
        self._values: Callable[[], float] | None = None  # of a network that is learning
        self._loss = 0.0  # of the policy

    def collect_rollouts(
        self, env: VecEnv, callback: BaseCallback, rollout_buffer: RolloutBuffer, n_rollout_steps: int
    ) -> bool:
        """Collect `n_steps` of each car."""
        rollout_buffer.buffer_size = self.n_steps
        if isinstance(self.policy, DensePolicy) and not self.use_sde:
            return rollout.collect(self, env, callback, rollout_buffer, self.wait)
        return super().collect_rollouts(env, callback, rollout_buffer, self.n_steps)

    def train(self) -> None:
        """Update the networks by the newest rollout; a `DensePolicy`'s values may go on learning until `wait`."""
        policy, clip = self.policy, float(self.clip_range(self._current_progress_remaining))  # type: ignore[operator]
        self.wait()
        if self.target_kl is not None or self.clip_range_vf is not None or not self.normalize_advantage:
            return super().train()
        if isinstance(policy, DensePolicy) and type(policy.optimizer) in WRITTEN_OUT:
            self._update_learning_rate(policy.optimizer)
            means, values = dense.update(self, clip, self.huber_delta, self.side_by_side)
        elif isinstance(policy, ImagePolicy):
            self._update_learning_rate(policy.optimizer)
            found = halves.update(self, clip, self.huber_delta, self.side_by_side, self.teacher, self.imitation)
            means, values = found[:-1], partial(float, found[-1])
        else:
            return super().train()
        self._n_updates, self._values = self._n_updates + self.n_epochs, values
        named = dict(zip(METRICS, means, strict=True))
        self._loss = named["policy_gradient_loss"] + self.ent_coef * named["entropy_loss"]
        buffer = self.rollout_buffer
        named["explained_variance"] = explained_variance(buffer.values.flatten(), buffer.returns.flatten())
        if hasattr(policy, "log_std"):
            named["std"] = policy.log_std.detach().exp().mean().item()
        for name, value in {**named, "clip_range": clip}.items():
            self.logger.record(f"train/{name}", value)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        own_rollouts = type(self).collect_rollouts is VariablePPO.collect_rollouts
        if not (own_rollouts and isinstance(policy, DensePolicy)):  # others ask for values at each step
            self.wait()

    def learn(self, *args: Any, **kwargs: Any) -> VariablePPO:
        """Learn until there were enough steps or a callback says so; all arguments are Stable-Baselines3's."""
        try:
            return super().learn(*args, **kwargs)
        finally:
            self.wait()

    def wait(self) -> None:
        """Wait until the value network has learned what there is."""
        if self._values is not None:
            error, self._values = self._values(), None
            self.logger.record("train/value_loss", error)
            self.logger.record("train/loss", self._loss + self.vf_coef * error)

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_values"]

    def get_parameters(self) -> dict[str, dict[str, Any]]:
        """All that was learned."""
        self.wait()
        return super().get_parameters()
