from .concat import ConcatVectorEnv as ConcatVectorEnv
from .time_trial import (
    RewardSource as RewardSource,
    StepCallback as StepCallback,
    TimeTrial as TimeTrial,
    TimeTrialVector as TimeTrialVector,
)
