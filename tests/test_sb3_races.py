"""Stable-Baselines3 learns in races: through racer's own face, and through SuperSuit from PettingZoo's environment."""

import warnings

import gymnasium as gym
import numpy as np
import pytest
from drives import ring
from stable_baselines3 import PPO

from racer.env import ParallelHeadToHead
from racer.training.sb3 import VecTimeTrial

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it asks for what Gymnasium and PettingZoo have renamed
    from supersuit import black_death_v3, concat_vec_envs_v1, pettingzoo_env_to_vec_env_v1

TINY = {"n_steps": 16, "batch_size": 32, "n_epochs": 1, "policy_kwargs": {"net_arch": [8]}, "device": "cpu"}


def weights(model):
    return [values.detach().clone().numpy() for values in model.policy.parameters()]


def learned(env, steps=128, seed=0):
    """What PPO made of an environment, whose weights it has changed to other numbers."""
    model = PPO("MlpPolicy", env, seed=seed, **TINY)
    before = weights(model)
    model.learn(steps)
    after = weights(model)
    assert model.num_timesteps >= steps
    assert any((one != other).any() for one, other in zip(before, after, strict=True))
    assert all(np.isfinite(one).all() for one in after)
    return model


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("racer/ObjectAvoidance-v0", {"objects": 3, "random_objects": True, "reward_function": "avoid_boxes"}),
        ("racer/HeadToBot-v0", {"bots": 2, "lane_changes": True, "reward_function": "overtake"}),
        ("racer/HeadToHead-v0", {"opponents": ["pure_pursuit"], "reward_function": "overtake"}),
    ],
)
def test_ppo_learns_in_a_race(name, options):
    envs = gym.make_vec(name, num_envs=4, track=ring(), max_episode_steps=12, **options)
    model = learned(VecTimeTrial(envs.unwrapped))
    assert model.observation_space.shape == (42,)
    assert len(model.ep_info_buffer) >= 4, "episodes ended, and were told of"
    seen = envs.reset(seed=0)[0]
    actions, _ = model.predict(seen, deterministic=True)
    assert actions.shape == (4, 2)


def supersuited(races=2, **options):
    race = ParallelHeadToHead(cars=2, track=ring(), max_episode_steps=20, **options)
    many = pettingzoo_env_to_vec_env_v1(black_death_v3(race))
    return concat_vec_envs_v1(many, races, num_cpus=0, base_class="stable_baselines3")


def test_all_cars_of_a_race_learn_through_supersuit():
    env = supersuited()
    assert env.num_envs == 4, "two races of two cars, one policy"
    seen = env.reset()
    assert seen.shape == (4, 42)
    done = np.zeros(4, np.bool_)
    for _ in range(25):
        seen, rewards, ended, _ = env.step(np.zeros((4, 2), np.float32))
        done |= ended.astype(np.bool_)
        assert np.isfinite(seen).all() and np.isfinite(rewards).all()
    assert done.all()
    learned(env, seed=None)  # SuperSuit's environments have no seed()
