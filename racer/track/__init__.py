"""The road: the `Track` record, its file formats, checks, difficulty, generator and geometry."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
