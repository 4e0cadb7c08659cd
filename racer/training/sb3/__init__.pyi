from .dense import DensePolicy as DensePolicy, VariablePPO as VariablePPO
from .networks import (
    NETWORKS as NETWORKS,
    CameraExtractor as CameraExtractor,
    ImagePolicy as ImagePolicy,
    ImageRolloutBuffer as ImageRolloutBuffer,
)
from .ppo import PPORecipe as PPORecipe
from .recipe import Recipe as Recipe
from .vec_env import VecTimeTrial as VecTimeTrial
