from .concat import ConcatVectorEnv as ConcatVectorEnv
from .field import StepCallback as StepCallback
from .options import Opponent as Opponent, RewardSource as RewardSource
from .parallel import ParallelHeadToHead as ParallelHeadToHead
from .races import (
    RACE_SENSORS as RACE_SENSORS,
    HeadToBot as HeadToBot,
    HeadToBotVector as HeadToBotVector,
    HeadToHead as HeadToHead,
    HeadToHeadVector as HeadToHeadVector,
    ObjectAvoidance as ObjectAvoidance,
    ObjectAvoidanceVector as ObjectAvoidanceVector,
    bots_of as bots_of,
    boxes_of as boxes_of,
)
from .single import TimeTrial as TimeTrial
from .vector import TimeTrialVector as TimeTrialVector
