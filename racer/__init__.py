"""racer: a DeepRacer-like reinforcement-learning racing simulator."""

__version__ = "0.1.0"
