from .networks import NETWORKS as NETWORKS, Eyes as Eyes
from .recipe import PPORecipe as PPORecipe, Recipe as Recipe
from .vec_env import VecTimeTrial as VecTimeTrial
