from .check import check as check, verdict as verdict
from .function import RewardFunction as RewardFunction, VectorReward as VectorReward, load_reward as load_reward
from .messages import LIMIT as LIMIT
from .params import FLOATS as FLOATS, KEYS as KEYS, Params as Params, params_at as params_at
from .sandbox import OutputBuffer as OutputBuffer, TextStream as TextStream
from .watchdog import end_process_when_stuck as end_process_when_stuck
