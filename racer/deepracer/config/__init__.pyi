from .conversion import Conversion as Conversion, convert as convert
from .documents import Document as Document
from .hyperparameters import read_hyperparameters as read_hyperparameters
from .metadata import (
    NETWORKS as NETWORKS,
    ModelMetadata as ModelMetadata,
    action_space_json as action_space_json,
    read_action_space as read_action_space,
    read_model_metadata as read_model_metadata,
)
from .report import Outcome as Outcome, Status as Status
