from .files import is_replay as is_replay, load_replay as load_replay, save_replay as save_replay
from .laps import LapBook as LapBook, Recorder as Recorder, whole_steps as whole_steps
from .record import (
    STEP_DTYPE as STEP_DTYPE,
    STEP_S as STEP_S,
    Drive as Drive,
    Lap as Lap,
    Replay as Replay,
)
from .tensors import DamagedError as DamagedError, pack as pack, unpack as unpack
from .verification import Verdict as Verdict, verify as verify
