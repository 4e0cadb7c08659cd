"""Gymnasium environments: one car (`TimeTrial`), many cars (`TimeTrialVector`), several batches side by side."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
