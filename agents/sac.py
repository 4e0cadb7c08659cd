"""Soft actor-critic (SAC) with Stable-Baselines3: learns from all that it remembers. Continuous actions only."""

from stable_baselines3 import SAC

from racer.errors import AgentError
from racer.recipe import Recipe

CARS = 32  # driving side by side: fewer than PPO has, for each of their steps is learned from many times
WARM_UP = 2_000  # steps to remember before it learns; the very first ones are driven at random
MEMORY = 300_000  # steps remembered
BATCH = 256  # samples in one gradient step
GRADIENT_STEPS = 2  # between two steps of all cars
LEARNING_RATE = 1e-3  # at the start, falling in a straight line ...
LAST_RATE = 0.1  # ... to this share of it: big steps first, fine tuning at the end
GAMMA = 0.98  # a reward 50 steps (3.3 s) ahead counts a third: as far as a car has to look
N_STEPS = 5  # rewards added up before the value networks are asked; with several sensors 1, as the library has it
TAU = 0.01  # share by which the networks that are learned from follow those that learn, at each gradient step
LAYERS = [128, 128]  # of the policy network and of each of the two value networks
ALPHA = 0.2  # worth of trying several actions, at the start; from there on it is learned, so that ...
ENTROPY, LAST_ENTROPY = (
    -2.0,
    -4.0,
)  # ... the policy keeps this entropy: less and less, as it is to drive well at the end


class Agent(Recipe):
    """A driver that learns; what it learns from is the environment's reward alone.

    What it remembers is not kept with what it learned. A training that goes on drives until there is enough to
    remember again, by its policy and not at random, and only then learns.
    """

    num_envs = CARS
    sensors = ("state", "LIDAR", "SECTOR_LIDAR", "DISCRETIZED_SECTOR_LIDAR")  # that it can learn from
    pace = 3_000  # steps a second on two cores
    reports = 10  # rollouts, which are a step of all cars each, between two reports

    def __init__(self, env, seed=0, device="auto", gamma=GAMMA, alpha=ALPHA):
        """Make an untrained driver.

        Args:
            env: a `racer.env.TimeTrialVector`, for its spaces; `learn` drives in it.
            seed: of the networks' first weights and of the exploration.
            device: `cpu`, `cuda`, or `auto`: the faster one, which for so small networks is the CPU.
            gamma, alpha: knobs that hyperparameters of DeepRacer's turn; by default as above.

        Raises:
            AgentError: the actions are a list to choose from.
        """
        super().__init__(env, gamma, device)
        if self.discrete:
            raise AgentError(
                f"SAC takes continuous actions only, not {env.single_action_space.n} to choose from; "
                "train with --agent ppo, or give it an action space of the type continuous"
            )
        self.rate = LEARNING_RATE
        self.model = Remembering(
            self.policy,
            self.env,
            learning_rate=lambda _: self.rate,
            buffer_size=MEMORY,
            learning_starts=WARM_UP,
            batch_size=BATCH,
            tau=TAU,
            gamma=gamma,
            gradient_steps=GRADIENT_STEPS,
            n_steps=1 if self.policy == "MultiInputPolicy" else N_STEPS,
            ent_coef=f"auto_{max(alpha, 1e-4)}",  # its logarithm is learned
            target_entropy=ENTROPY,
            policy_kwargs={"net_arch": LAYERS, "optimizer_kwargs": {"fused": True}},
            seed=seed,
            device=self.device,
        )
        self.network = f"SAC, a policy and two value networks of {' x '.join(map(str, LAYERS))} units"
        self.hyperparameters = {  # by the names of DeepRacer's file, for its logs
            "batch_size": BATCH,
            "lr": LEARNING_RATE,
            "discount_factor": gamma,
            "sac_alpha": alpha,
            "loss_type": "mean squared error",
        }

    def tune(self, used):
        """Let learning rate and exploration fall as the budget is used up, `used` from 0 to 1."""
        self.rate = LEARNING_RATE * (1.0 - (1.0 - LAST_RATE) * used)
        self.model.target_entropy = ENTROPY + (LAST_ENTROPY - ENTROPY) * used

    def tensors(self):
        """The worth of trying several actions, which is learned beside the networks."""
        return {"log_ent_coef": self.model.log_ent_coef}


class Remembering(SAC):
    """SAC that learns only once there is enough to remember: what was remembered is lost when a training goes on."""

    def train(self, gradient_steps, batch_size=BATCH):
        """Learn, if there is enough to learn from."""
        if self.replay_buffer.size() * self.n_envs >= WARM_UP:
            super().train(gradient_steps, batch_size)
