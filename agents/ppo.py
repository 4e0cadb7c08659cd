"""Proximal policy optimisation (PPO) with Stable-Baselines3: learns to drive in seconds. Copy it and change it."""

from racer.training.sb3 import PPORecipe


class Agent(PPORecipe):
    """A driver that learns; what it learns from is the environment's reward alone."""

    num_envs = 256  # driving side by side: enough for a steady gradient, few enough to learn every few seconds
    sensors = ("state",)  # that it can learn from
    pace = 60_000  # steps per second on two cores

    # Any of these may be set without a copy: racer train --set n_epochs=8 --set net_arch=128,128
    # What begins with first_ holds until half of the episodes are complete laps. Then the learning is refined: rates,
    # noise, entropy and discount fall in a straight line to the end of the budget.
    n_steps, first_n_steps = 32, 8  # of each car between two updates: two seconds of driving; often at first
    batch_size, first_batch_size = 2048, 512  # samples in a gradient step; smaller ones learn more from each sample
    n_epochs = 4  # passes over the samples of an update; more squeeze out more, until the policy runs away from them
    first_n_epochs = 8  # ... before there are laps, when a little data has to teach much
    optimizer = "muon"  # moves all directions of the weights alike, which fine control needs; or "adam"
    learning_rate = 2e-3  # before the first laps; then falling ... tune: 5e-4 to 5e-3 log
    last_rate = 0.03  # ... to this share of it: big steps first, fine tuning at the end
    gamma = 0.98  # a reward 50 steps ahead counts a third ... tune: 0.95 to 0.995
    stuck_gamma = 0.99  # ... unless it gets no farther and no lap is complete: is falling off worth it in the long run?
    last_gamma = 0.97  # ... falling to this: what comes later says much about chance
    gae_lambda = 0.95  # between trusting the value network and what followed (1); tune: 0.85 to 1.0
    clip_range = 0.2  # how far an update may move the policy: the usual value; tune: 0.1 to 0.4
    loss_type = "huber"  # once there are laps, a few crashes must not outweigh all else; or "mean squared error"
    net_arch = (64, 64, 64)  # of the policy and of the value network; wider ones win little here, and are slower
    log_std_init = -0.5  # ln of the noise on the actions: the most allowed at the start ...
    lap_log_std, last_log_std = -1.0, -3.0  # ... and what there is once whole laps are driven, and at the end
    noise_correlation = 0.3  # with the noise of the step before: what is tried for longer shows better what it is worth
    clipped_actions = True  # more than full lock is full lock: the policy, too, sees no difference
    ent_coef = 0.01  # worth of trying several actions, where they are discrete; falling to nothing at the end

    # DeepRacer's hyperparameters that it takes, and which of its own they set.
    deepracer = {"discount_factor": "gamma", "beta_entropy": "ent_coef", "num_epochs": "n_epochs"}
