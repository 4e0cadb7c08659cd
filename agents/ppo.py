"""Proximal policy optimisation (PPO) with Stable-Baselines3: learns to drive in seconds. Copy it and change a knob."""

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import VecNormalize

from racer.actions import DiscreteActions
from racer.sb3 import VecTimeTrial

CARS = 256  # driving side by side: enough for a steady gradient, few enough to learn from every few seconds of each
STEPS = 32  # of each car between two updates: two seconds of driving
BATCH = 2048  # samples in one gradient step; larger ones use the processor better, smaller ones learn more a sample
EPOCHS = 5  # passes over the samples of an update; more squeeze out more, until the policy runs away from them
LEARNING_RATE = 2e-3  # at the start, falling in a straight line ...
LAST_RATE = 0.03  # ... to this share of it: big steps first, fine tuning at the end
GAMMA = 0.98  # a reward 50 steps (3.3 s) ahead counts a third: as far as a car has to look
GAE_LAMBDA = 0.95  # between trusting the value network (0) and the rewards that followed (1)
CLIP = 0.2  # how far an update may move the policy: the usual value
LAYERS = [64, 64]  # of the policy network and of the value network; larger ones drive no faster here, but slower to run
FIRST_NOISE, LAST_NOISE = -0.5, -3.0  # ln of the most noise allowed on the actions, at the start and at the end
ENTROPY = 0.01  # worth of trying several actions, where they are discrete; falling to nothing at the end


class Agent:
    """A driver that learns; what it learns from is the environment's reward alone."""

    num_envs = CARS
    sensors = ("state",)  # that it can learn from

    def __init__(self, env, seed=0, gamma=GAMMA, entropy=None, epochs=EPOCHS):
        """Make an untrained driver.

        Args:
            env: a `racer.env.TimeTrialVector`, for its spaces; `learn` drives in it.
            seed: of the network's first weights and of the exploration.
            gamma, entropy, epochs: knobs that hyperparameters of DeepRacer's turn; by default as above.
        """
        self.discrete = isinstance(env.actions, DiscreteActions)
        self.entropy = entropy if entropy is not None else ENTROPY if self.discrete else 0.0
        torch.set_num_threads(1)  # such small networks lose more time between threads than they win
        # Rewards are divided by the spread of their sums, so that any learner's scale suits the learning rate.
        self.env = VecNormalize(VecTimeTrial(env), norm_obs=False, gamma=gamma)
        self.rate = LEARNING_RATE
        self.model = PPO(
            "MlpPolicy",
            self.env,
            learning_rate=lambda _: self.rate,
            n_steps=STEPS,
            batch_size=min(BATCH, STEPS * env.num_envs),
            n_epochs=epochs,
            gamma=gamma,
            gae_lambda=GAE_LAMBDA,
            clip_range=CLIP,
            ent_coef=self.entropy,
            policy_kwargs={
                "net_arch": LAYERS,
                "activation_fn": torch.nn.ReLU,
                "log_std_init": FIRST_NOISE,
                "optimizer_kwargs": {"eps": 1e-5, "fused": True},
            },
            seed=seed,
            device="cpu",
        )
        self.model.set_logger(Logger(None, []))
        self.hyperparameters = {  # by the names of DeepRacer's file, for its logs
            "batch_size": self.model.batch_size,
            "num_epochs": epochs,
            "lr": LEARNING_RATE,
            "beta_entropy": self.entropy,
            "discount_factor": gamma,
            "loss_type": "mean squared error",
        }

    def act(self, observation):
        """The best action known, without exploration, for observations of any batch shape."""
        rows = observation.reshape(-1, observation.shape[-1])
        actions = self.model.predict(rows, deterministic=True)[0]
        return actions.reshape(*observation.shape[:-1], *actions.shape[1:])

    def learn(self, report):
        """Learn until the budget is used up.

        Args:
            report: called before each update as `report(steps, metrics)`; returns the share of the budget that is used.
                Racer shows `episode/reward` and `episode/progress`, and logs all the metrics.
        """
        self.model.learn(int(1e12), callback=_Reporter(self, report), log_interval=None, reset_num_timesteps=False)

    def state_dict(self):
        """All that was learned and all that learning goes on from, as named arrays."""
        state = {f"policy.{name}": value.numpy().copy() for name, value in self.model.policy.state_dict().items()}
        for i, moments in self.model.policy.optimizer.state_dict()["state"].items():
            state |= {f"optimizer.{i}.{name}": np.asarray(value).copy() for name, value in moments.items()}
        statistics = self.env.ret_rms
        state["returns"] = np.array([statistics.mean, statistics.var, statistics.count], dtype=np.float64)
        state["steps"] = np.array(self.model.num_timesteps, dtype=np.int64)
        return state

    def load_state_dict(self, state):
        """Go on from `state_dict()`.

        Raises:
            Exception: the arrays are not those of this network.
        """
        policy = {k.removeprefix("policy."): torch.from_numpy(v) for k, v in state.items() if k.startswith("policy.")}
        self.model.policy.load_state_dict(policy)
        optimizer = self.model.policy.optimizer.state_dict()
        optimizer["state"] = {}
        weights = list(self.model.policy.parameters())
        for key, value in state.items():
            if key.startswith("optimizer."):
                _, i, name = key.split(".")
                if value.shape != (() if name == "step" else weights[int(i)].shape):
                    raise ValueError(f"{key} has the shape {value.shape}")
                optimizer["state"].setdefault(int(i), {})[name] = torch.from_numpy(value)
        self.model.policy.optimizer.load_state_dict(optimizer)
        self.env.ret_rms.mean, self.env.ret_rms.var, self.env.ret_rms.count = state["returns"].tolist()
        self.model.num_timesteps = int(state["steps"])


class _Reporter(BaseCallback):
    """Reports between updates, and lets learning rate and exploration fall with the budget."""

    def __init__(self, agent, report):
        super().__init__()
        self.agent, self.report, self.used = agent, report, 0.0

    def _on_rollout_start(self):
        episodes = list(self.model.ep_info_buffer)
        metrics = dict(self.logger.name_to_value)
        if episodes:
            metrics["episode/reward"] = float(np.mean([episode["r"] for episode in episodes]))
            metrics["episode/progress"] = float(np.mean([episode["progress"] for episode in episodes]))
            metrics["episode/steps"] = float(np.mean([episode["l"] for episode in episodes]))
        self.used = self.report(self.model.num_timesteps, metrics)
        used = min(1.0, self.used)
        self.agent.rate = LEARNING_RATE * (1.0 - (1.0 - LAST_RATE) * used)
        self.model.ent_coef = self.agent.entropy * (1.0 - used)
        if not self.agent.discrete:
            with torch.no_grad():
                self.model.policy.log_std.clamp_(max=FIRST_NOISE + (LAST_NOISE - FIRST_NOISE) * used)

    def _on_step(self):
        return self.used < 1.0
