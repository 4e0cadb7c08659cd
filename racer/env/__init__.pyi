from .concat import Fleet as Fleet
from .time_trial import (
    RewardSource as RewardSource,
    TimeTrial as TimeTrial,
    TimeTrialVector as TimeTrialVector,
    Trace as Trace,
)
