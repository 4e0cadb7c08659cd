"""Rollouts of a `DensePolicy`, during which its value network may still be learning from the one before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import obs_as_tensor
from stable_baselines3.common.vec_env import VecEnv
from torch.utils.data import default_collate

from racer.training.sb3.dense import DensePolicy

__all__ = ["collect"]


def collect(model: PPO, env: VecEnv, callback: BaseCallback, buffer: RolloutBuffer, values: Callable[[], Any]) -> bool:
    """Collect a rollout by a `DensePolicy`, as `PPO.collect_rollouts` does, with all values found after it.

    Args:
        model: who drives.
        env: its cars.
        callback: asked at each step whether to go on.
        buffer: filled; of a size of its own.
        values: waits until the value network has learned from the rollout before.

    Returns:
        Whether to go on.
    """
    policy, space, number = model.policy, model.action_space, env.num_envs
    assert isinstance(policy, DensePolicy)
    seen: Any = model._last_obs
    buffer.reset()
    callback.on_rollout_start()
    unknown = torch.zeros(number, 1)
    cut_short: dict[tuple[int, int], Any] = {}  # by step and car: what it saw last
    for step in range(buffer.buffer_size):
        sampled, log_prob = policy.sample(obs_as_tensor(seen, model.device))
        actions = sampled.numpy()
        driven = np.clip(actions, space.low, space.high) if isinstance(space, spaces.Box) else actions
        before, (seen, rewards, dones, infos) = seen, env.step(driven)
        model.num_timesteps += number
        callback.update_locals(locals())
        if not callback.on_step():
            return False
        over = np.flatnonzero(dones).tolist()
        model._update_info_buffer([infos[k] for k in over], dones[dones])
        timed_out = [k for k in over if infos[k].get("TimeLimit.truncated")]
        cut_short |= {(step, k): infos[k]["terminal_observation"] for k in timed_out}
        starts: Any = model._last_episode_starts
        buffer.add(before, actions.reshape(number, -1), rewards, starts, unknown, log_prob)
        model._last_obs, model._last_episode_starts = seen, dones
    values()
    if cut_short:  # what would have followed counts, too
        would_follow = policy.predict_values(default_collate(list(cut_short.values()))).numpy()[:, 0]
        buffer.rewards[tuple(zip(*cut_short, strict=True))] += model.gamma * would_follow
    flat = _in_a_row(buffer.observations)
    buffer.values[:] = policy.predict_values(flat).numpy().reshape(buffer.values.shape)
    last = policy.predict_values(obs_as_tensor(seen, model.device))
    buffer.compute_returns_and_advantage(last_values=last, dones=dones)
    callback.update_locals(locals())
    callback.on_rollout_end()
    return True


def _in_a_row(observations: Any) -> Any:
    """Observations (steps, cars, ...) as (steps times cars, ...)."""
    if isinstance(observations, dict):
        return {name: _in_a_row(values) for name, values in observations.items()}
    return torch.from_numpy(observations.reshape(-1, *observations.shape[2:]))
