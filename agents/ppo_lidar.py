"""Proximal policy optimisation (PPO) from the LIDAR alone, with Stable-Baselines3. Copy it and change a knob."""

import torch
from stable_baselines3 import PPO

from racer.recipe import Recipe

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


class Agent(Recipe):
    """A driver that learns; what it learns from is the environment's reward alone."""

    num_envs = CARS
    sensors = ("LIDAR:blind=rear:stack=3", "state", "SECTOR_LIDAR", "DISCRETIZED_SECTOR_LIDAR")
    pace = 45_000  # steps a second on two cores

    def __init__(self, env, seed=0, device="auto", gamma=GAMMA, entropy=None, epochs=EPOCHS):
        """Make an untrained driver.

        Args:
            env: a `racer.env.TimeTrialVector`, for its spaces; `learn` drives in it.
            seed: of the network's first weights and of the exploration.
            device: `cpu`, `cuda`, or `auto`: the faster one, which for so small a network is the CPU.
            gamma, entropy, epochs: knobs that hyperparameters of DeepRacer's turn; by default as above.
        """
        super().__init__(env, gamma, device)
        self.entropy = entropy if entropy is not None else ENTROPY if self.discrete else 0.0
        self.rate = LEARNING_RATE
        self.model = PPO(
            self.policy,
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
            device=self.device,
        )
        self.network = f"PPO, policy and value networks of {' x '.join(map(str, LAYERS))} units"
        self.hyperparameters = {  # by the names of DeepRacer's file, for its logs
            "batch_size": self.model.batch_size,
            "num_epochs": epochs,
            "lr": LEARNING_RATE,
            "beta_entropy": self.entropy,
            "discount_factor": gamma,
            "loss_type": "mean squared error",
        }

    def tune(self, used):
        """Let learning rate and exploration fall as the budget is used up, `used` from 0 to 1."""
        self.rate = LEARNING_RATE * (1.0 - (1.0 - LAST_RATE) * used)
        self.model.ent_coef = self.entropy * (1.0 - used)
        if not self.discrete:
            with torch.no_grad():
                self.model.policy.log_std.clamp_(max=FIRST_NOISE + (LAST_NOISE - FIRST_NOISE) * used)
