"""PPO from the LIDAR alone, with Stable-Baselines3: it feels its way between the borders. Copy it, change a knob."""

from racer.recipe import PPORecipe


class Agent(PPORecipe):
    """A driver that learns; agents/ppo.py explains its knobs, and what is not said here is as there."""

    num_envs = 256
    sensors = ("LIDAR:blind=rear:stack=3", "state", "SECTOR_LIDAR", "DISCRETIZED_SECTOR_LIDAR")
    pace = 45_000  # steps a second on two cores
