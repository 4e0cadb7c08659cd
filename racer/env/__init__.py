"""Gymnasium environments: one car (`TimeTrial`), many cars (`TimeTrialVector`), several batches side by side.

Importing this registers them with Gymnasium, as `import racer` does, too.
"""

import lazy_loader
from gymnasium.envs.registration import register, registry

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

_RACES = {
    "TimeTrial": ("racer.env:TimeTrial", "racer.env:TimeTrialVector"),
    "ObjectAvoidance": ("racer.env:ObjectAvoidance", "racer.env:ObjectAvoidanceVector"),
    "HeadToBot": ("racer.env:HeadToBot", "racer.env:HeadToBotVector"),
    "HeadToHead": ("racer.training:head_to_head", "racer.training:head_to_head_vector"),
}

for _name, (_one, _many) in _RACES.items():
    if f"racer/{_name}-v0" not in registry:  # registering twice, as a reload would, makes Gymnasium warn
        register(id=f"racer/{_name}-v0", entry_point=_one, vector_entry_point=_many)
