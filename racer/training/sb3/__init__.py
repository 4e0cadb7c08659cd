"""What recipes with Stable-Baselines3 share: the recipe's base class, networks, and the `VecEnv`."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
