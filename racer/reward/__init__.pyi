from .check import check as check
from .function import (
    LIMIT as LIMIT,
    RewardFunction as RewardFunction,
    VectorReward as VectorReward,
    load_reward as load_reward,
)
from .params import FLOATS as FLOATS, KEYS as KEYS, Params as Params, params_at as params_at
from .random_params import RandomParams as RandomParams
