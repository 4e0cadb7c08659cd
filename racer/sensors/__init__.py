"""What a car observes: the state vector, cameras and LIDARs, each a kernel over a batch of cars."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
