"""Proximal policy optimisation (PPO) with Stable-Baselines3: learns to drive in seconds. Copy it and change a knob."""

from racer.training.sb3 import PPORecipe


class Agent(PPORecipe):
    """A driver that learns; what it learns from is the environment's reward alone."""

    num_envs = 256  # driving side by side: enough for a steady gradient, few enough to learn every few seconds
    sensors = ("state",)  # that it can learn from
    pace = 80_000  # steps a second on two cores

    n_steps = 32  # of each car between two updates: two seconds of driving
    batch_size = 2048  # samples in one gradient step; larger ones are quicker, smaller ones learn more a sample
    n_epochs = 5  # passes over the samples of an update; more squeeze out more, until the policy runs away from them
    learning_rate = 2e-3  # at the start, falling in a straight line ...
    last_rate = 0.03  # ... to this share of it: big steps first, fine tuning at the end
    gamma = 0.98  # a reward 50 steps (3.3 s) ahead counts a third: as far as a car has to look
    gae_lambda = 0.95  # between trusting the value network (0) and the rewards that followed (1)
    clip_range = 0.2  # how far an update may move the policy: the usual value
    net_arch = (64, 64)  # of the policy and of the value network; larger ones drive no faster here, but slower to run
    log_std_init, last_log_std = -0.5, -3.0  # ln of the most noise allowed on the actions, at the start and at the end
    ent_coef = 0.01  # worth of trying several actions, where they are discrete; falling to nothing at the end
