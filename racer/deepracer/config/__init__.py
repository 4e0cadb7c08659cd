"""DeepRacer's settings files: action space, hyperparameters, run settings, and converting a whole folder."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
