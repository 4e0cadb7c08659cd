"""DeepRacer's logs: reading, writing, placing them on a track, and scoring them again."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
