"""Recorded races: the record, reading and writing it, and verifying it by driving it again."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
