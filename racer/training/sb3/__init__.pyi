from .dense import DensePolicy as DensePolicy
from .networks import (
    NETWORKS as NETWORKS,
    CameraExtractor as CameraExtractor,
    ImagePolicy as ImagePolicy,
    ImageRolloutBuffer as ImageRolloutBuffer,
)
from .ppo import PPORecipe as PPORecipe
from .recipe import Recipe as Recipe
from .taught import TaughtPPORecipe as TaughtPPORecipe
from .variable import VariablePPO as VariablePPO
from .vec_env import PRIVILEGED as PRIVILEGED, VecTimeTrial as VecTimeTrial
