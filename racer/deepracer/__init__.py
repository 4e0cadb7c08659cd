"""DeepRacer's files: what a folder of the console's or of deepracer-for-cloud's asks for.

`take_over` reads such a folder, or single files of it, and gives what `racer.train.start` needs, with a line
for every setting: taken over, without effect there too, or replaced. Invariant: what these files hold is
judged, never trusted; all it can cause is a `DeepRacerError` that names file, key and what is allowed.
"""

from racer.deepracer.hyperparameters import Hyperparameters, read_hyperparameters
from racer.deepracer.lines import Fate, Line
from racer.deepracer.metadata import ModelMetadata, read_model_metadata
from racer.deepracer.settings import Settings, read_settings
from racer.deepracer.takeover import Takeover, take_over

__all__ = [
    "Fate",
    "Hyperparameters",
    "Line",
    "ModelMetadata",
    "Settings",
    "Takeover",
    "read_hyperparameters",
    "read_model_metadata",
    "read_settings",
    "take_over",
]
