"""The pygame window that shows replays, and its recordings."""

import os

import lazy_loader

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # its greeting would stand among our output

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
