"""PPO as DeepRacer trains: whole episodes, its hyperparameters, constant rates. Slower than agents/ppo.py, but true."""

import numpy as np
import torch
from stable_baselines3.common.utils import obs_as_tensor

from racer.training.sb3 import PPORecipe, VariablePPO

MOST_STEPS = 10_000  # of an update, as in the original; what is under way then is driven to its end, and no more


class WholeEpisodes(VariablePPO):
    """PPO whose updates are made of whole episodes, whatever their length."""

    episodes = 20

    def collect_rollouts(self, env, callback, rollout_buffer, n_rollout_steps):
        """Drive the episodes of an update, side by side; every car drives its share of them."""
        self.policy.set_training_mode(False)
        callback.on_rollout_start()
        seen = env.reset()
        cars = np.arange(env.num_envs)
        share = self.episodes // len(cars) + (cars < self.episodes % len(cars))
        driven = [[] for _ in cars]  # by each car: the steps of its episodes
        while share.any():
            if sum(map(len, driven)) >= MOST_STEPS:
                share = share.clip(max=1)
            with torch.no_grad():
                actions, values, log_probs = self.policy(obs_as_tensor(seen, self.device))
            actions = actions.cpu().numpy()
            low, high = getattr(self.action_space, "low", None), getattr(self.action_space, "high", None)
            following, rewards, dones, infos = env.step(actions if low is None else np.clip(actions, low, high))
            self.num_timesteps += int((share > 0).sum())
            callback.update_locals(locals())
            if not callback.on_step():
                return False
            self._update_info_buffer(infos, dones)
            for i in np.flatnonzero(share):
                if dones[i] and infos[i]["TimeLimit.truncated"]:
                    last = self.policy.obs_to_tensor(infos[i]["terminal_observation"])[0]
                    with torch.no_grad():  # the lap goes on, or the clock stopped it: it is worth what comes
                        rewards[i] += self.gamma * self.policy.predict_values(last).item()
                now = {name: part[i] for name, part in seen.items()} if isinstance(seen, dict) else seen[i]
                driven[i].append((now, actions[i], rewards[i], dones[i], values[i], log_probs[i]))
                share[i] -= dones[i]
            seen = following
        steps = [step for each in driven for step in each]
        self.rollout_buffer = buffer = type(rollout_buffer)(
            len(steps), self.observation_space, self.action_space, self.device, self.gae_lambda, self.gamma, n_envs=1
        )
        start = True
        for now, action, reward, done, value, log_prob in steps:
            first = {name: part[None] for name, part in now.items()} if isinstance(now, dict) else now[None]
            buffer.add(first, action[None], reward, start, value, log_prob[None])
            start = done
        buffer.compute_returns_and_advantage(values[:1], np.ones(1))
        callback.on_rollout_end()
        return True


class Agent(PPORecipe):
    """A driver that learns by DeepRacer's rules, with the hyperparameters of its `hyperparameters.json`."""

    num_envs = 20  # driving side by side; of an update's episodes each drives its share
    sensors = (
        "state",
        "FRONT_FACING_CAMERA",
        "observation",
        "LEFT_CAMERA",
        "STEREO_CAMERAS",
        "LIDAR",
        "SECTOR_LIDAR",
        "DISCRETIZED_SECTOR_LIDAR",
    )
    pace, image_pace = 6_800, 1_200  # steps per second on two cores; with images as small as those of ppo_camera

    episodes = 20  # between two updates
    batch_size, n_epochs, learning_rate = 64, 10, 3e-4
    optimizer, gamma, ent_coef = "adam", 0.999, 0.01
    gae_lambda, clip_range, loss_type = 0.95, 0.2, "mean squared error"
    net_arch = (64, 64)
    log_std_init = -0.5  # ln of the noise on continuous actions at the start; then it is learned

    # These of PPORecipe's it does not have.
    n_steps = first_n_steps = first_batch_size = stuck_gamma = last_rate = lap_log_std = last_log_std = None

    # What the original calls them. It trains by the original's rules, too.
    deepracer = {
        "lr": "learning_rate",
        "batch_size": "batch_size",
        "num_epochs": "n_epochs",
        "num_episodes_between_training": "episodes",
        "discount_factor": "gamma",
        "beta_entropy": "ent_coef",
        "loss_type": "loss_type",
    }
    deepracer_notes = {}
    deepracer_rules = True
    algorithm = WholeEpisodes

    def build(self, env, seed):
        """Make the model."""
        self.n_steps = self.batch_size  # not looked at: an update takes as many steps as its episodes have
        self.given |= {"ent_coef"}  # of continuous actions, too
        super().build(env, seed)
        self.model.episodes = self.episodes
        self.architecture += ", on whole episodes"

    def tune(self):
        """Change nothing: the original's rates stay what they are."""
