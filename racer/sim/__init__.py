"""The simulation: the car, its actions, the rules, and worlds of n races of m cars, one control step at a time."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
