from .concat import ConcatVectorEnv as ConcatVectorEnv
from .field import StepCallback as StepCallback
from .options import RewardSource as RewardSource
from .single import TimeTrial as TimeTrial
from .vector import TimeTrialVector as TimeTrialVector
