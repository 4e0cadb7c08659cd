"""Soft actor-critic (SAC) with Stable-Baselines3: learns from all that it remembers. Copy it and change it."""

from stable_baselines3 import SAC
from stable_baselines3.common.buffers import DictReplayBuffer, NStepReplayBuffer

from racer.training.sb3 import NETWORKS, Recipe


class Agent(Recipe):
    """A driver that learns; what it learns from is the environment's reward alone. Its actions are continuous.

    What it remembers is not kept with what it learned. A training that goes on drives until there is enough to
    remember again, by its policy and not at random, and only then learns.
    """

    num_envs = 32  # driving side by side: fewer than PPO has, for each of their steps is learned from many times
    sensors = (  # that it can learn from; the first is what it observes if nothing else is asked for
        "state",
        "LIDAR",
        "SECTOR_LIDAR",
        "DISCRETIZED_SECTOR_LIDAR",
        "FRONT_FACING_CAMERA",
        "observation",
        "LEFT_CAMERA",
        "STEREO_CAMERAS",
    )
    pace, image_pace = 2_000, 550  # steps per second on two cores; with images as small as those of ppo_camera
    reports = 10  # rollouts, which are a step of all cars each, between two reports

    learning_starts = 2_000  # steps to remember before it learns; the very first ones are driven at random
    buffer_size, most_bytes = 300_000, 10**9  # steps remembered; fewer where images would take more than this
    batch_size = 256  # samples in one gradient step
    gradient_steps = 2  # between two steps of all cars
    learning_rate = 1e-3  # before the first laps; then falling in a straight line ...
    last_rate = 0.1  # ... to this share of it: big steps first, fine tuning at the end
    gamma = 0.98  # a reward 50 steps (3.3 s) ahead counts a third: as far as a car has to look
    n_steps = 5  # rewards added up before the value networks are asked: what makes it quick
    tau = 0.01  # share by which the networks that are learned from follow those that learn, at each gradient step
    net_arch = (128, 128)  # of the policy network and of each of the two value networks
    network = next(iter(NETWORKS))  # what looks at images, if there are any
    alpha = 0.2  # worth of trying several actions at the start; from there on it is learned, and the policy keeps ...
    target_entropy, last_target_entropy = -2.0, -4.0  # ... this entropy, falling from the first laps on: fine tuning

    # DeepRacer's hyperparameters that it takes, which of its own they set, and the training_algorithm that this is.
    deepracer = {"discount_factor": "gamma", "sac_alpha": "alpha"}
    deepracer_notes = {"sac_alpha": "at the start; from there on it is learned"}
    deepracer_algorithm = "sac"
    continuous_only = True

    def build(self, env, seed):
        """Make the model."""
        self._rate = self.learning_rate
        self.model = Remembering(
            self.policy,
            self.env,
            learning_rate=lambda _: self._rate,
            buffer_size=min(self.buffer_size, self.most_bytes // (2 * self.bytes)),  # before and after each step
            replay_buffer_class=NStepReplayBuffer if self.policy == "MlpPolicy" else Senses,
            replay_buffer_kwargs={"n_steps": self.n_steps, "gamma": self.gamma},
            learning_starts=self.learning_starts,
            batch_size=self.batch_size,
            tau=self.tau,
            gamma=self.gamma,
            gradient_steps=self.gradient_steps,
            ent_coef=f"auto_{max(self.alpha, 1e-4)}",  # its logarithm is learned
            target_entropy=self.target_entropy,
            policy_kwargs={
                "net_arch": list(self.net_arch),
                "normalize_images": False,  # what looks at images does so itself
                "optimizer_kwargs": {"fused": True},
                **self.extractor(),
            },
            seed=seed,
            device=self.device,
        )
        self.architecture = f"SAC, a policy and two value networks of {' x '.join(map(str, self.net_arch))} units"
        if self.images:
            self.reports = 2

    def tune(self):
        """Let learning rate and exploration fall from the first laps on."""
        refined = self.schedule.refined
        self._rate = self.learning_rate * (1.0 - (1.0 - self.last_rate) * refined)
        self.model.target_entropy = self.target_entropy + (self.last_target_entropy - self.target_entropy) * refined

    def tensors(self):
        """The worth of trying several actions, which is learned beside the networks."""
        return {"log_ent_coef": self.model.log_ent_coef}


class Remembering(SAC):
    """SAC that learns only once there is enough to remember: what was remembered is lost when a training goes on."""

    def train(self, gradient_steps, batch_size=64):
        """Learn, if there is enough to learn from."""
        if self.replay_buffer.size() * self.n_envs >= self.learning_starts:
            super().train(gradient_steps, batch_size)


class Senses(NStepReplayBuffer, DictReplayBuffer):
    """Memory of several sensors that adds up rewards; the library has one that does this, and one that does that."""

    def __init__(self, *arguments, **settings):
        """Remember nothing yet; the arguments are the library's."""
        super().__init__(*arguments, **settings)
        self.observations, self.next_observations = Rows(self.observations), Rows(self.next_observations)

    def to_torch(self, array, copy=True):
        """Tensors of arrays, or of arrays by name."""
        tensor = super().to_torch
        return {name: tensor(part) for name, part in array.items()} if isinstance(array, dict) else tensor(array, copy)


class Rows(dict):
    """Arrays by name, which give the same rows of all of them at once."""

    def __getitem__(self, asked):
        """The array of a name, or rows by name."""
        return super().__getitem__(asked) if isinstance(asked, str) else {name: self[name][asked] for name in self}
