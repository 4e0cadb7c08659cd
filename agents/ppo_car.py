"""PPO for the physical car: one picture of its camera, a list of actions. docs/real-car.md goes on from here."""

from racer.errors import AgentError
from racer.sim import DiscreteActions
from racer.training.sb3 import TaughtPPORecipe


class Agent(TaughtPPORecipe):
    """A driver that can leave the simulator: it observes and does what the physical car can, and nothing else."""

    num_envs = 128  # driving side by side: few, since images are dear, and what counts is how often it is updated
    sensors = (  # what the car's software feeds: one picture of 160 x 120 greys, and no second one
        "FRONT_FACING_CAMERA",
        "observation",
        "LEFT_CAMERA",
    )
    actions = DiscreteActions(  # degrees and m/s; the car's software turns the wheels fully at the largest angle
        ((-30, 0.75), (-20, 1.0), (-10, 1.25), (0, 1.35), (10, 1.25), (20, 1.0), (30, 0.75))
    )
    randomize = "car"  # what differs from episode to episode, so that it copes with rooms, cameras and cars
    privileged = "state:objects=3"  # what the value network and the teacher observe: they are not who drives in the end
    teacher = "ppo"  # learns first, without images, which takes seconds; or "none": then log_std_init should be -0.5
    teacher_share = 0.25  # of the budget; in the rest this driver learns, by its rewards and to do as the teacher would
    teacher_gamma = 0.99  # ... as far ahead as it looks: who looks less far drives faster, and nearer to the edge
    imitation, last_imitation = 100.0, 1.0  # what it is worth to do so, when it begins to learn and at the end
    pace = 9_000  # steps per second on two cores, the teacher's included: half of ppo_camera's, since so much varies

    # The network's own first steps; they go into the exported graph. The horizon and what is above it are cut off,
    # since no room looks like the simulator's sky, and so is the ground under the car's nose.
    crop = (32, 8)  # rows at the top and at the bottom
    pool = (2, 4)  # rows and columns of pixels whose mean is one number: noise and blur are averaged away
    edges = True  # how much neighbours differ instead of how bright they are: floors and tapes have any grey
    standardize = True  # each picture as rich in contrast as any other: lamps and cameras differ

    n_steps = first_n_steps = 32  # of each car between two updates: two seconds of driving
    batch_size = first_batch_size = 512  # samples in one gradient step
    n_epochs = 2  # passes over the samples of an update; each takes as long as driving
    learning_rate = 1e-3  # before the first laps; then falling in a straight line ...
    last_rate = 0.03  # ... to this share of it: big steps first, fine tuning at the end
    gamma = 0.99  # a reward 100 steps ahead counts a third: whoever leaves the track loses much
    gae_lambda = 0.95  # between trusting the value network (0) and the rewards that followed (1)
    clip_range = 0.2  # how far an update may move the policy: the usual value
    loss_type = "mean squared error"  # of the values, and the teacher's: crashes count for much, so it keeps away
    network = "DEEP_CONVOLUTIONAL_NETWORK"  # looks at what the pooling leaves; copes with more than the shallow one
    net_arch = (64,)  # behind it, of the policy
    value_net_arch = (64, 64)  # of the value network
    log_std_init = -1.5  # ln of the noise on continuous actions, which it takes, too: the most at the start ...
    lap_log_std, last_log_std = -2.0, -3.0  # ... and what there is once whole laps are driven, and at the end
    ent_coef = 0.01  # worth of trying several actions; falling to nothing at the end

    # DeepRacer's hyperparameters that it takes, and which of its own they set.
    deepracer = {"discount_factor": "gamma", "beta_entropy": "ent_coef", "num_epochs": "n_epochs"}

    def build(self, env, seed):
        """Make the model, if there are images."""
        if not self.images:
            raise AgentError("this recipe learns from the car's camera: leave --sensors out, or train with --agent ppo")
        super().build(env, seed)
