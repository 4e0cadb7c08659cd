"""Names and files: what lies on the shelves, which file a name means, and reading and writing files."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
