from .record import STEP_DTYPE as STEP_DTYPE, STEP_S as STEP_S, Lap as Lap, Replay as Replay
from .verification import Verdict as Verdict, load_replay as load_replay, save_replay as save_replay, verify as verify
