"""Proximal policy optimisation whose rollouts change their length, and whose updates know of quicker ways."""

from __future__ import annotations

from functools import partial

import torch
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import explained_variance
from stable_baselines3.common.vec_env import VecEnv

from racer.racing import Driver
from racer.training.sb3 import dense, halves
from racer.training.sb3.dense import WRITTEN_OUT, DensePolicy
from racer.training.sb3.networks import ImagePolicy

__all__ = ["VariablePPO"]

METRICS = ("policy_gradient_loss", "entropy_loss", "approx_kl", "clip_fraction", "value_loss")


class VariablePPO(PPO):
    """PPO of which `n_steps` may be changed between two rollouts, and whose `DensePolicy` learns without autograd.

    Attributes:
        side_by_side: whether an update takes two cores; what is learned is the same either way.
        teacher: a driver by what is `PRIVILEGED`, whose actions an `ImagePolicy` learns to take as well; None for none.
        imitation: the worth of that in the loss: a factor of the squared difference, or of the cross entropy.
    """

    teacher: Driver | None = None
    imitation = 0.0

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
        policy, clip = self.policy, float(self.clip_range(self._current_progress_remaining))  # type: ignore[operator]
        if isinstance(policy, DensePolicy) and type(policy.optimizer) in WRITTEN_OUT:
            update = dense.update
        elif isinstance(policy, ImagePolicy):
            update = partial(halves.update, teacher=self.teacher, imitation=self.imitation)
        else:
            return super().train()
        self._update_learning_rate(policy.optimizer)
        means = dict(zip(METRICS, update(self, clip, self.side_by_side), strict=True))
        self._n_updates += self.n_epochs
        loss = means["policy_gradient_loss"] + self.ent_coef * means["entropy_loss"]
        means["loss"] = loss + self.vf_coef * means["value_loss"]
        buffer = self.rollout_buffer
        means["explained_variance"] = explained_variance(buffer.values.flatten(), buffer.returns.flatten())
        if hasattr(policy, "log_std"):
            means["std"] = policy.log_std.detach().exp().mean().item()
        for name, value in {**means, "clip_range": clip}.items():
            self.logger.record(f"train/{name}", value)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
