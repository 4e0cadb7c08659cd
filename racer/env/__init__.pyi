from .concat import ConcatVectorEnv as ConcatVectorEnv
from .field import StepCallback as StepCallback
from .options import RewardSource as RewardSource
from .races import (
    RACE_SENSORS as RACE_SENSORS,
    HeadToBot as HeadToBot,
    HeadToBotVector as HeadToBotVector,
    ObjectAvoidance as ObjectAvoidance,
    ObjectAvoidanceVector as ObjectAvoidanceVector,
    bots_of as bots_of,
    boxes_of as boxes_of,
)
from .single import TimeTrial as TimeTrial
from .vector import TimeTrialVector as TimeTrialVector
