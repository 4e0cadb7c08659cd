"""The learner's reward function: `params`, loading and running a file safely, and checking what it pays."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
