"""PPO that drives by its camera alone: it learns three clean laps in seconds on a laptop. Copy it, change a knob."""

import torch
from stable_baselines3 import PPO

from racer.errors import AgentError
from racer.networks import Eyes, PictureBuffer, PicturePolicy
from racer.recipe import Recipe

CARS = 64  # driving side by side: few, because pictures are dear; what counts is how often the policy is updated
STEPS = 32  # of each car between two updates: two seconds of driving
BATCH = 512  # samples in one gradient step
EPOCHS = 3  # passes over the samples of an update; each costs as much as driving
LEARNING_RATE = 1e-3  # at the start, falling in a straight line ...
LAST_RATE = 0.03  # ... to this share of it: big steps first, fine tuning at the end
GAMMA = 0.98  # a reward 50 steps (3.3 s) ahead counts a third: as far as a car has to look
GAE_LAMBDA = 0.95  # between trusting the value network (0) and the rewards that followed (1)
CLIP = 0.2  # how far an update may move the policy: the usual value
NETWORK = "DEEP_CONVOLUTIONAL_NETWORK_SHALLOW"  # that looks at the pictures: a name of racer.networks.NETWORKS
LAYERS = [64]  # behind it, of the policy and of the value
FIRST_NOISE, LAST_NOISE = -0.5, -2.0  # ln of the most noise allowed on the actions, at the start and at the end
ENTROPY = 0.01  # worth of trying several actions, where they are discrete; falling to nothing at the end


class Agent(Recipe):
    """A driver that learns from pictures; what it learns from besides is the environment's reward alone."""

    num_envs = CARS
    sensors = (  # the first is what it sees if nothing else is asked for: small pictures, and two, or it knew no speed
        "FRONT_FACING_CAMERA:size=80x32:stack=2",
        "observation",
        "LEFT_CAMERA",
        "STEREO_CAMERAS",
        "state",
        "LIDAR",
        "SECTOR_LIDAR",
        "DISCRETIZED_SECTOR_LIDAR",
    )
    pace = 10_000  # steps a second on two cores

    def __init__(self, env, seed=0, device="auto", gamma=GAMMA, entropy=None, epochs=EPOCHS, network=NETWORK):
        """Make an untrained driver.

        Args:
            env: a `racer.env.TimeTrialVector`, for its spaces; `learn` drives in it.
            seed: of the network's first weights and of the exploration.
            device: `cpu`, `cuda`, or `auto`: a GPU, if there is one.
            gamma, entropy, epochs, network: knobs that DeepRacer's settings turn; by default as above.
        """
        super().__init__(env, gamma, device)
        if not self.pictures:
            raise AgentError("ppo_camera learns from pictures: perceive one with --sensors, or train with --agent ppo")
        self.entropy = entropy if entropy is not None else ENTROPY if self.discrete else 0.0
        self.rate = LEARNING_RATE
        self.model = PPO(
            PicturePolicy,
            self.env,
            learning_rate=lambda _: self.rate,
            n_steps=STEPS,
            batch_size=min(BATCH, STEPS * env.num_envs),
            n_epochs=epochs,
            gamma=gamma,
            gae_lambda=GAE_LAMBDA,
            clip_range=CLIP,
            ent_coef=self.entropy,
            rollout_buffer_class=PictureBuffer,
            policy_kwargs={
                "features_extractor_class": Eyes,
                "features_extractor_kwargs": {"network": network},
                "net_arch": LAYERS,
                "activation_fn": torch.nn.ReLU,
                "log_std_init": FIRST_NOISE,
                "optimizer_kwargs": {"eps": 1e-5, "fused": True},
            },
            seed=seed,
            device=self.device,
        )
        self.network = f"PPO, pictures through {network}"
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
