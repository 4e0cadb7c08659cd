from .check import GAMMA as GAMMA, Report as Report, check as check, verdict as verdict
from .drives import fast_lap_s as fast_lap_s
from .earnings import Earned as Earned
from .function import (
    RewardFunction as RewardFunction,
    VectorReward as VectorReward,
    load_reward as load_reward,
    reward_from_text as reward_from_text,
)
from .judging import Finding as Finding
from .landscape import Landscape as Landscape, landscape as landscape
from .messages import LIMIT as LIMIT
from .params import FLOATS as FLOATS, KEYS as KEYS, Params as Params, params_at as params_at
from .sandbox import OutputBuffer as OutputBuffer, TextStream as TextStream
from .traps import Trap as Trap, keys_read as keys_read, traps_of as traps_of
from .watchdog import (
    end_process_when_stuck as end_process_when_stuck,
    patience_s as patience_s,
    raise_in as raise_in,
)
